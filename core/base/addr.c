#include "core/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct ipaddr ipaddr_v4(uint32_t host_order)
{
	struct ipaddr a;

	memcpy(a.b, v4_prefix, sizeof v4_prefix);
	put_be32(a.b + 12, host_order);
	return a;
}

uint32_t ipaddr_to_v4(const struct ipaddr *a)
{
	return get_be32(a->b + 12);
}

bool ipaddr_is_v4(const struct ipaddr *a)
{
	return memcmp(a->b, v4_prefix, sizeof v4_prefix) == 0;
}

bool ipaddr_is_any(const struct ipaddr *a)
{
	static const struct ipaddr any;

	return memcmp(a, &any, sizeof any) == 0 || (ipaddr_is_v4(a) && ipaddr_to_v4(a) == 0);
}

bool ipaddr_is_loopback(const struct ipaddr *a)
{
	static const struct ipaddr one = {{[15] = 1}};

	return ipaddr_is_v4(a) ? a->b[12] == 127 : ipaddr_equal(a, &one);
}

bool ipaddr_is_multicast(const struct ipaddr *a)
{
	return ipaddr_is_v4(a) ? (a->b[12] & 0xf0) == 0xe0 : a->b[0] == 0xff;
}

bool ipaddr_is_broadcast(const struct ipaddr *a)
{
	return ipaddr_is_v4(a) && ipaddr_to_v4(a) == UINT32_MAX;
}

bool ipaddr_equal(const struct ipaddr *a, const struct ipaddr *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool macaddr_equal(const struct macaddr *a, const struct macaddr *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ipaddr_equal(&a->addr, &b->addr);
}

bool ipnet_contains(const struct ipnet *net, const struct ipaddr *a)
{
	unsigned whole = net->len / 8, rest = net->len % 8;

	if (memcmp(net->addr.b, a->b, whole) != 0)
		return false;
	return rest == 0 || ((net->addr.b[whole] ^ a->b[whole]) >> (8 - rest)) == 0;
}

bool ipnet_is_broadcast(const struct ipnet *net, const struct ipaddr *a)
{
	if (!ipaddr_is_v4(&net->addr) || net->len > 126 || !ipnet_contains(net, a))
		return false;
	uint32_t host_bits = (uint32_t)(UINT64_C(0xffffffff) >> (net->len - 96));
	return (ipaddr_to_v4(a) & host_bits) == host_bits;
}

bool ipaddr_parse(struct ipaddr *out, const char *text)
{
	uint8_t v4[4];
	struct ipaddr v6;

	if (inet_pton(AF_INET, text, v4) == 1) {
		*out = ipaddr_v4(get_be32(v4));
		return true;
	}
	if (inet_pton(AF_INET6, text, v6.b) != 1)
		return false;
	*out = v6;
	return true;
}

bool ipnet_parse(struct ipnet *out, const char *text)
{
	char addr[IPADDR_STRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct ipnet net;

	if (n >= sizeof addr)
		return false;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (!ipaddr_parse(&net.addr, addr))
		return false;
	unsigned bits = ipaddr_is_v4(&net.addr) ? 32 : 128;
	unsigned long len = bits;
	if (slash) {
		char *end;
		if (slash[1] < '0' || slash[1] > '9')
			return false;
		len = strtoul(slash + 1, &end, 10);
		if (*end || len > bits)
			return false;
	}
	net.len = (uint8_t)(len + 128 - bits);
	*out = net;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool macaddr_parse(struct macaddr *out, const char *text)
{
	struct macaddr mac;

	if (strlen(text) != MACADDR_STRLEN - 1)
		return false;
	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex_digit(text[0]), low = hex_digit(text[1]);
		if (high < 0 || low < 0 || (i < 5 && text[2] != ':'))
			return false;
		mac.b[i] = (uint8_t)(high << 4 | low);
	}
	*out = mac;
	return true;
}

char *ipaddr_format(const struct ipaddr *a, char buf[static IPADDR_STRLEN])
{
	if (ipaddr_is_v4(a))
		inet_ntop(AF_INET, a->b + 12, buf, IPADDR_STRLEN);
	else
		inet_ntop(AF_INET6, a->b, buf, IPADDR_STRLEN);
	return buf;
}

char *macaddr_format(const struct macaddr *a, char buf[static MACADDR_STRLEN])
{
	snprintf(buf, MACADDR_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", a->b[0], a->b[1], a->b[2], a->b[3],
		 a->b[4], a->b[5]);
	return buf;
}

char *endpoint_format(const struct endpoint *e, char buf[static ENDPOINT_STRLEN])
{
	char text[IPADDR_STRLEN];

	ipaddr_format(&e->addr, text);
	snprintf(buf, ENDPOINT_STRLEN, ipaddr_is_v4(&e->addr) ? "%s:%u" : "[%s]:%u", text, e->port);
	return buf;
}
