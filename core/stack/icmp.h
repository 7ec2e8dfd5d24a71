/*
 * ICMP for IPv4: answers echo, hands errors about our packets to their transport, sends errors
 * about others' (icmp_send_error in ip.h).
 */
#ifndef TEECEE_STACK_ICMP_H
#define TEECEE_STACK_ICMP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/time.h"

struct stack;
struct ip_meta;

struct icmp_state {
	nsec full_again; /* when the allowance of errors will be whole again */
};

/* An ICMP message whose IP header was fine. */
void icmp_input(
	struct stack *s, const struct ip_meta *m, const uint8_t *data, size_t len, nsec now);

#endif
