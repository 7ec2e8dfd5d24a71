/*
 * UDP as far as it goes without sockets: a datagram is checked, and whoever asks is told that
 * nobody listens.
 */
#ifndef TEECEE_STACK_UDP_H
#define TEECEE_STACK_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/stack/ip.h"

/*
 * A UDP datagram whose IP header was fine. False: nobody has the port, and the sender should hear
 * of it.
 */
bool udp_input(struct stack *s, const struct ip_meta *m, const uint8_t *data, size_t len,
	const struct rx_frame *f);

#endif
