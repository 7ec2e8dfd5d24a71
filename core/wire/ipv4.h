/*
 * The IPv4 header (RFC 791). Options are accepted and skipped; the one we send is Router Alert.
 */
#ifndef TEECEE_WIRE_IPV4_H
#define TEECEE_WIRE_IPV4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"

enum {
	IPV4_HDR_LEN = 20,
	IPV4_HDR_MAX = 60,
	IPV4_ROUTER_ALERT_LEN = 4,
	IP_PROTO_ICMP = 1,
	IP_PROTO_IGMP = 2,
	IP_PROTO_TCP = 6,
	IP_PROTO_UDP = 17
};

struct ipv4_hdr {
	struct ipaddr src, dst;
	uint8_t hdr_len;    /* bytes, 20..60 */
	uint8_t tos;        /* DSCP and ECN */
	uint16_t total_len; /* header and payload */
	uint16_t id;
	bool df, mf;
	bool router_alert;    /* to send: with the option of RFC 2113 */
	uint16_t frag_offset; /* bytes, a multiple of 8 */
	uint8_t ttl;
	uint8_t protocol;
};

enum ipv4_parse_result { IPV4_OK, IPV4_SHORT, IPV4_BAD_VERSION, IPV4_BAD_LENGTH, IPV4_BAD_CSUM };

/*
 * Checks version, lengths and the header checksum. `len` may exceed total_len (Ethernet padding); a
 * super-segment above 65,535 bytes does not exist in IPv4. The payload is data + hdr_len, total_len
 * - hdr_len bytes.
 */
enum ipv4_parse_result ipv4_parse(struct ipv4_hdr *out, const uint8_t *data, size_t len);

/*
 * The header of a packet that an ICMP error quotes: it may be cut off behind the header, and
 * routers have been at its checksum and TTL. False when it is no IPv4 header or not all of it is
 * there.
 */
bool ipv4_parse_quoted(struct ipv4_hdr *out, const uint8_t *data, size_t len);

/* How many bytes emit will write: 20, or 24 with Router Alert. */
size_t ipv4_hdr_size(const struct ipv4_hdr *h);

/* Writes a header of ipv4_hdr_size(h) bytes with its checksum; hdr_len is ignored. */
void ipv4_emit(uint8_t *out, const struct ipv4_hdr *h);

#endif
