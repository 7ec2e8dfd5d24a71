/*
 * ARP packets in and out (RFC 826). Who is cached, and for how long, is neigh.h's matter.
 */
#ifndef TEECEE_STACK_ARP_H
#define TEECEE_STACK_ARP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/time.h"

struct stack;

/* The payload of an ARP frame. */
void arp_input(struct stack *s, const uint8_t *data, size_t len, nsec now);

/*
 * "Who has `target`?", from `sender` (0.0.0.0: a probe; target itself: an announcement), to `to` or
 * to everybody (NULL).
 */
void arp_request(struct stack *s, const struct ipaddr *sender, const struct ipaddr *target,
	const struct macaddr *to, nsec now);

#endif
