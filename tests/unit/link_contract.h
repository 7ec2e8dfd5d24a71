/*
 * What every link driver must do, as tests on a veth pair: a link at each end, va and vb.
 */
#ifndef TEECEE_TESTS_LINK_CONTRACT_H
#define TEECEE_TESTS_LINK_CONTRACT_H

#include <stddef.h>
#include <stdint.h>

#include "core/link/link.h"

enum {
	ETHERTYPE_TEST = 0x88b5, /* IEEE 802 local experimental */
	WAIT_MS = 2000,
	BODY_LEN = 65000,
	SUPER_HEAD = 14 + 20 + 20,
};

typedef struct link *link_open_fn(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN]);

extern const struct macaddr nic_a, nic_b; /* of va and vb */
extern const struct macaddr own_a, own_b; /* of the links there */
extern uint8_t body[BODY_LEN];            /* what frames carry */

/* Makes the network and runs the tests; the driver is also that of open_or_fail. 0: all passed. */
int link_contract_run(link_open_fn *driver);

struct link *open_or_fail(const char *ifname, const struct macaddr *mac);

/* Sends the first `len` bytes of `body` in a frame of this test's kind. */
int send_body(struct link *l, const struct macaddr *dst, const struct macaddr *src, size_t len);

/* The next frame of this test's kind: its length, or 0 when none came in time. */
size_t next_frame(struct link *l, struct rx_frame *f, int wait_ms);

/* A super-segment of `len` bytes of `body` from own_a to own_b, over TCP and IPv4. */
void make_super_segment(struct tx_frame *f, size_t len, uint16_t mss);

#endif
