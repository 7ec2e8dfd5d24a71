/*
 * Address conflict detection (RFC 5227): from stack_claim on until the stack ends.
 */
#ifndef TEECEE_STACK_ACD_H
#define TEECEE_STACK_ACD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/stack/stack.h"
#include "core/stack/timer.h"
#include "core/wire/arp.h"

struct acd {
	enum address_state state;
	enum probe_timing timing;
	uint8_t probes, announcements; /* sent so far */
	struct timer timer; /* the next probe, the end of the wait, or the next announcement */
	bool has_defended;
	nsec defended;         /* when we last did; meaningful with has_defended */
	struct macaddr holder; /* who has the address; meaningful in ADDRESS_CONFLICT */
};

void acd_init(struct stack *s);

/*
 * Begins to claim stack.address; the first probe or announcement leaves at once if the timing says
 * so.
 */
void acd_claim(struct stack *s, enum probe_timing timing, nsec now);

/*
 * Looks at an ARP packet before anybody else does. True: it was about the ownership of our address
 * and is dealt with; nothing may be learned from it.
 */
bool acd_input(struct stack *s, const struct arp_packet *p, nsec now);

#endif
