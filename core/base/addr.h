/*
 * Addresses. An ipaddr is always 128 bits; an IPv4 address a.b.c.d is ::ffff:a.b.c.d, so that
 * nothing above the wire has two cases. The all-zero value `::` is "unspecified" for both families;
 * 0.0.0.0 arrives as ::ffff:0.0.0.0 and ipaddr_is_any() is true for both.
 */
#ifndef TEECEE_BASE_ADDR_H
#define TEECEE_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipaddr {
	uint8_t b[16]; /* network order */
};

struct macaddr {
	uint8_t b[6];
};

/* One end of a connection. The port is in host order. */
struct endpoint {
	struct ipaddr addr;
	uint16_t port;
};

/* A prefix; `len` counts bits of the 128 (an IPv4 /24 is 120). */
struct ipnet {
	struct ipaddr addr;
	uint8_t len;
};

enum {
	IPADDR_STRLEN = 46,   /* longest IPv6 text and its NUL, as INET6_ADDRSTRLEN */
	MACADDR_STRLEN = 18,  /* xx:xx:xx:xx:xx:xx and its NUL */
	ENDPOINT_STRLEN = 56, /* [address]:65535 and its NUL */
};

struct ipaddr ipaddr_v4(uint32_t host_order);
uint32_t ipaddr_to_v4(const struct ipaddr *a); /* host order; only for ipaddr_is_v4() */
bool ipaddr_is_v4(const struct ipaddr *a);
bool ipaddr_is_any(const struct ipaddr *a);
bool ipaddr_is_loopback(const struct ipaddr *a);  /* 127.0.0.0/8, ::1 */
bool ipaddr_is_multicast(const struct ipaddr *a); /* 224.0.0.0/4, ff00::/8 */
bool ipaddr_is_broadcast(const struct ipaddr *a); /* 255.255.255.255 */
bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b);
bool macaddr_equal(const struct macaddr *a, const struct macaddr *b);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool ipnet_contains(const struct ipnet *net, const struct ipaddr *a);

/*
 * The subnet-directed broadcast address of an IPv4 prefix (RFC 919); for /31 and /32 there is none:
 * false.
 */
bool ipnet_is_broadcast(const struct ipnet *net, const struct ipaddr *a);

/* Text to value: true, or false when the whole of `text` is not one (nothing is written then). */
bool ipaddr_parse(struct ipaddr *out, const char *text);   /* 10.0.0.1, fe80::1 */
/* 10.0.0.0/24; host bits are kept; no /len: a host */
bool ipnet_parse(struct ipnet *out, const char *text);
bool macaddr_parse(struct macaddr *out, const char *text); /* 02:00:00:00:00:01 */

/* Value to text, in `buf` of at least the size named above; returns buf. IPv4 is printed dotted. */
char *ipaddr_format(const struct ipaddr *a, char buf[static IPADDR_STRLEN]);
char *macaddr_format(const struct macaddr *a, char buf[static MACADDR_STRLEN]);
char *endpoint_format(const struct endpoint *e, char buf[static ENDPOINT_STRLEN]);

#endif
