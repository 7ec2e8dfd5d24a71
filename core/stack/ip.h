/*
 * The network layer as TCP and UDP see it: a packet goes down with ip_output, comes up through
 * tcp_input or udp_input, and errors come up through tcp_icmp_error or dgram_icmp_error. The IP
 * version appears only in wire, neighbour and route.
 */
#ifndef TEECEE_STACK_IP_H
#define TEECEE_STACK_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/wire/frame.h"

struct stack;

/* What the network layer keeps between packets. */
struct ip_state {
	uint32_t packets_without_df; /* their identifications come from it (RFC 6864) */
};

/* What is known of a packet besides its L4 bytes, in both directions. */
struct ip_meta {
	struct ipaddr src, dst;
	uint8_t protocol;
	uint8_t tos; /* DSCP and ECN */
	uint8_t ttl; /* 0 on output: IP_TTL_DEFAULT */
	bool df;
	bool to_multicast; /* input: dst, at IP or at Ethernet level, was multicast or broadcast */
	bool loop_back;    /* output: dst is a group that we listen to as well */
	bool router_alert; /* output: RFC 2113 */
};

/*
 * Sends the L4 packet in `f` (its header pushed, payload attached, checksum complete or PARTIAL):
 * finds the route and the neighbour, pushes the IP and Ethernet headers, emits. A packet whose
 * neighbour is not known yet is copied and waits. 0 (sent or waiting), -ENETUNREACH (no route),
 * -EHOSTUNREACH (the neighbour does not answer), -EAGAIN (link full), -ENETDOWN (no address yet:
 * nothing is sent before ADDRESS_READY), -EADDRNOTAVAIL (m->src is not our address), -EMSGSIZE.
 * Never segments TCP: `f` must fit the MTU, or have a gso_size, or be without DF and with a
 * complete checksum: then it leaves as fragments.
 */
int ip_output(struct stack *s, struct tx_frame *f, const struct ip_meta *m, nsec now);

/*
 * The source address a packet to `dst` would leave with, and whether there is a way: 0 or
 * -ENETUNREACH.
 */
int ip_route_check(const struct stack *s, const struct ipaddr *dst, struct ipaddr *src);

/* A multicast address, 255.255.255.255 or our subnet's broadcast address. */
bool ip_is_group(const struct stack *s, const struct ipaddr *a);

/* Packets to `dst` arrive: whoever answers them has said so. */
void ip_confirm(struct stack *s, const struct ipaddr *dst, nsec now);

/* Whether packets to `dst` are handed to the neighbour `next_hop`. */
bool ip_goes_through(
	const struct stack *s, const struct ipaddr *dst, const struct ipaddr *next_hop);

/*
 * The checksum of a TCP or UDP packet: right, or vouched for by the link, or
 * (config.partial_csum_ok) the folded sum of the pseudo-header, as local and veth senders leave it.
 * `field`: the checksum field's offset in `data`.
 */
bool ip_l4_checksum_ok(const struct stack *s, const struct ip_meta *m, const uint8_t *data,
	size_t len, size_t field, const struct rx_frame *f);

/* An IPv4 packet from the link; `eth_multicast`: the frame's destination was a group. */
void ip_input(struct stack *s, const uint8_t *packet, size_t len, const struct rx_frame *f,
	bool eth_multicast, nsec now);

/* A packet of ours to ourselves (loop.h): our own address as its source is no lie. */
void ip_input_looped(
	struct stack *s, const uint8_t *packet, size_t len, const struct rx_frame *f, nsec now);

/* The same without an IP header: between loopback addresses that are not IPv4. TCP only. */
void ip_input_bare(struct stack *s, const struct ip_meta *m, const uint8_t *data, size_t len,
	const struct rx_frame *f, nsec now);

/* --- implemented by the transports --- */

/* A TCP segment whose IP header was fine. `len` may exceed 64 KiB - 20 never. */
void tcp_input(struct stack *s, const struct ip_meta *m, const uint8_t *segment, size_t len,
	const struct rx_frame *f, nsec now);

/* What an ICMP error (or a neighbour that never answered) says about a packet of ours. */
struct ip_error {
	struct ipaddr local, remote; /* our packet's source and destination */
	uint8_t protocol;
	const uint8_t *quoted; /* L4 bytes, at least 8; NULL: no packet (the neighbour failed) */
	size_t quoted_len;
	int error; /* positive errno: ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EMSGSIZE, EPROTO… */
	bool hard;    /* will not pass: protocol, port (RFC 1122 §4.2.3.9), unknown, prohibited */
	uint16_t mtu; /* with EMSGSIZE: next-hop MTU, 0 from an old router */
	uint8_t type, code;     /* ICMP's */
	struct ipaddr offender; /* who sent the ICMP message */
};

/*
 * Validates against the connection (RFC 5927 §4) and acts. With `quoted` NULL `remote` is a
 * neighbour that did not answer, and every connection whose packets go through it is concerned.
 */
void tcp_icmp_error(struct stack *s, const struct ip_error *e, nsec now);

/* --- ICMP, for the transports and the neighbours --- */

/*
 * Answers `packet` (from its IP header on) with an ICMP error, rate-limited, never about multicast
 * or errors (RFC 1122 §3.2.2).
 */
void icmp_send_error(
	struct stack *s, uint8_t type, uint8_t code, const uint8_t *packet, size_t len, nsec now);

/*
 * The neighbour that `f`, an IP packet of ours, was to go to does not answer: what a router would
 * tell us, host unreachable, we tell ourselves. TCP is told otherwise (tcp_icmp_error).
 */
void icmp_neighbour_failed(struct stack *s, const struct tx_frame *f, nsec now);

#endif
