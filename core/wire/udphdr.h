/*
 * The UDP header (RFC 768), 8 bytes.
 */
#ifndef TEECEE_WIRE_UDPHDR_H
#define TEECEE_WIRE_UDPHDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UDP_HDR_LEN = 8, UDP_CSUM_OFFSET = 6 };

struct udp_hdr {
	uint16_t src_port, dst_port;
	uint16_t len;  /* header and payload */
	uint16_t csum; /* 0: the sender computed none */
};

/* False when short or when len does not fit. */
bool udp_hdr_parse(struct udp_hdr *out, const uint8_t *data, size_t len);
void udp_hdr_emit(uint8_t out[static UDP_HDR_LEN], const struct udp_hdr *h);

#endif
