/*
 * ICMP for IPv4 (RFC 792): echo and the errors. An error quotes the header and the first bytes of the packet
 * that caused it.
 */
#ifndef TEECEE_WIRE_ICMP_H
#define TEECEE_WIRE_ICMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	ICMP_HDR_LEN = 8,
	ICMP_TYPE_ECHO_REPLY = 0,
	ICMP_TYPE_UNREACHABLE = 3,
	ICMP_TYPE_ECHO = 8,
	ICMP_TYPE_TIME_EXCEEDED = 11,
	ICMP_TYPE_PARAMETER = 12,
	ICMP_CODE_NET = 0,
	ICMP_CODE_HOST = 1,
	ICMP_CODE_PROTOCOL = 2,
	ICMP_CODE_PORT = 3,
	ICMP_CODE_FRAG_NEEDED = 4,
	ICMP_CODE_REASSEMBLY = 1, /* of time exceeded */
};

struct icmp_msg {
	uint8_t type, code;
	uint32_t rest;       /* the second word: id and sequence of echo, next-hop MTU in the low half of FRAG_NEEDED */
	const uint8_t *body; /* what follows the 8 bytes; points into the input */
	size_t body_len;
};

/* False when short or the checksum is wrong. */
bool icmp_parse(struct icmp_msg *out, const uint8_t *data, size_t len);

/* Writes the 8 header bytes, with the checksum over header and body. The body is sent from where it is. */
void icmp_emit(uint8_t out[static ICMP_HDR_LEN], const struct icmp_msg *m);

#endif
