/*
 * A link without a wire, for tests of what wraps links: what is sent is kept, what shall be received
 * is put in. Time is whatever the test says.
 */
#ifndef TEECEE_TESTS_WIRE_LINK_H
#define TEECEE_TESTS_WIRE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/link/link.h"

enum { WIRE_FRAME_MAX = 65535 + 14 };

struct wire_frame {
	nsec at;
	size_t len;
	uint8_t *data;
};

struct wire_link {
	struct link link;
	struct wire_frame *sent;
	size_t nsent, room;
	bool is_full; /* send says -EAGAIN */
	struct wire_frame next; /* what recv gives; len 0: nothing */
	uint8_t *given;
};

struct wire_link *wire_link_new(void);
void wire_link_receive(struct wire_link *w, const uint8_t *data, size_t len);

/* TCP from 10.0.0.1:1000 to 10.0.0.2:80, `len` bytes of payload, seq as given; back: the other way. */
void wire_tcp(struct tx_frame *f, uint8_t flags, uint32_t seq, uint32_t ack, size_t len, uint16_t gso);
size_t wire_tcp_back(uint8_t *out, uint8_t flags, uint32_t seq, uint32_t ack, size_t len);
uint32_t wire_seq(const struct wire_frame *f);

#endif
