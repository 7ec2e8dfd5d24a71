/*
 * The ways up of datagrams, from the network layer to sockets (dgram.h).
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
	const struct rx_frame *f, nsec now);

/* An echo reply whose checksum was right. */
void ping_input(struct stack *s, const struct ip_meta *m, const uint8_t *data, size_t len, nsec now);

/* Every packet, before its transport: `len` bytes at `packet`, of which `hdr_len` IP header. */
void raw_input(struct stack *s, const struct ip_meta *m, const uint8_t *packet, size_t hdr_len,
	size_t len, nsec now);

#endif
