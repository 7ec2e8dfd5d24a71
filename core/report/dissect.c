#include "core/report/dissect.h"

#include <pcap/pcap.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"

enum {
	ETH_TYPE_VLAN = 0x8100,
	ETH_TYPE_QINQ = 0x88a8,
	VLAN_LEN = 4,
	VLANS_MAX = 4,
	SLL_LEN = 16, /* "Linux cooked": the protocol at 14 */
	SLL2_LEN = 20,
	NULL_LEN = 4,
	IPV6_LEN = 40,
	IPV6_HOPBYHOP = 0,
	IPV6_ROUTING = 43,
	IPV6_FRAGMENT = 44,
	IPV6_DESTINATION = 60,
	IPV6_EXTENSIONS_MAX = 8,
	PAYLOAD_MAX = 16 << 20, /* of a super-segment: far above what any kernel makes */
};

/* What is left of a frame: bytes at hand, and bytes that there were. */
struct rest {
	const uint8_t *p;
	size_t len, whole;
};

static bool skip(struct rest *r, size_t n)
{
	if (r->len < n)
		return false;
	r->p += n;
	r->len -= n;
	r->whole -= n;
	return true;
}

static uint16_t raw_type(const struct rest *r)
{
	if (!r->len)
		return 0;
	return r->p[0] >> 4 == 4 ? ETH_TYPE_IPV4 : r->p[0] >> 4 == 6 ? ETH_TYPE_IPV6 : 0;
}

static bool skip_ethernet(struct rest *r, uint16_t *type)
{
	if (!skip(r, ETH_HDR_LEN))
		return false;
	*type = get_be16(r->p - 2);
	for (int i = 0; i < VLANS_MAX && (*type == ETH_TYPE_VLAN || *type == ETH_TYPE_QINQ); i++) {
		if (!skip(r, VLAN_LEN))
			return false;
		*type = get_be16(r->p - 2);
	}
	return true;
}

/* Behind the link header; *type: what it says comes next. */
static enum dissect_result skip_link(struct rest *r, int linktype, uint16_t *type)
{
	bool there = false;

	switch (linktype) {
	case DLT_EN10MB:
		there = skip_ethernet(r, type);
		break;
	case DLT_LINUX_SLL:
		if ((there = skip(r, SLL_LEN)))
			*type = get_be16(r->p - 2);
		break;
	case DLT_LINUX_SLL2:
		if ((there = skip(r, SLL2_LEN)))
			*type = get_be16(r->p - SLL2_LEN);
		break;
	case DLT_NULL:
	case DLT_LOOP:
		if ((there = skip(r, NULL_LEN)))
			*type = raw_type(r);
		break;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		there = true;
		*type = raw_type(r);
		break;
	default:
		return DISSECT_LINK;
	}
	return there ? DISSECT_TCP : DISSECT_BROKEN;
}

/* Left in `r`: the IP payload. A length of 0 is what a sender's own capture has of super-segments. */
static enum dissect_result skip_ipv4(struct rest *r, struct dissected *out)
{
	uint8_t head[IPV4_HDR_LEN];
	struct ipv4_hdr h;

	if (r->len < sizeof head)
		return DISSECT_BROKEN;
	memcpy(head, r->p, sizeof head);
	size_t hlen = (size_t)(head[0] & 15) * 4, total = get_be16(head + 2);
	put_be16(head + 2, UINT16_MAX);
	head[0] = 0x45; /* the options, if any, are skipped below */
	if (r->p[0] >> 4 != 4 || hlen < IPV4_HDR_LEN || !ipv4_parse_quoted(&h, head, sizeof head))
		return DISSECT_BROKEN;
	if (total == 0)
		total = r->whole;
	if (total < hlen || !skip(r, hlen))
		return DISSECT_BROKEN;
	r->whole = total - hlen;
	r->len = MIN(r->len, r->whole);
	out->src.addr = h.src;
	out->dst.addr = h.dst;
	out->ecn = h.tos & 3;
	return h.protocol == IP_PROTO_TCP && h.frag_offset == 0 ? DISSECT_TCP : DISSECT_OTHER;
}

/* Extension headers are all alike: what is next, and the length in units of 8 bytes but the first. */
static enum dissect_result skip_extensions(struct rest *r, uint8_t next)
{
	for (int i = 0; i < IPV6_EXTENSIONS_MAX; i++) {
		size_t len = 8;

		if (next == IP_PROTO_TCP)
			return DISSECT_TCP;
		if (next != IPV6_HOPBYHOP && next != IPV6_ROUTING && next != IPV6_FRAGMENT &&
			next != IPV6_DESTINATION)
			return DISSECT_OTHER;
		if (r->len < 8)
			return DISSECT_BROKEN;
		if (next == IPV6_FRAGMENT && get_be16(r->p + 2) & 0xfff8)
			return DISSECT_OTHER;
		if (next != IPV6_FRAGMENT)
			len += (size_t)r->p[1] * 8;
		next = r->p[0];
		if (len > r->whole || !skip(r, len))
			return DISSECT_BROKEN;
	}
	return DISSECT_OTHER;
}

static enum dissect_result skip_ipv6(struct rest *r, struct dissected *out)
{
	const uint8_t *h = r->p;

	if (r->len < IPV6_LEN || h[0] >> 4 != 6)
		return DISSECT_BROKEN;
	size_t payload = get_be16(h + 4);
	memcpy(out->src.addr.b, h + 8, 16);
	memcpy(out->dst.addr.b, h + 24, 16);
	out->ecn = h[1] >> 4 & 3;
	skip(r, IPV6_LEN);
	if (payload) {
		r->whole = payload;
		r->len = MIN(r->len, payload);
	}
	return skip_extensions(r, h[6]);
}

/* A header whose options are cut off is read as if they ended there: zeros are their end. */
static bool read_tcp(struct dissected *out, const struct rest *r)
{
	uint8_t head[TCP_HDR_MAX] = {0};
	size_t hlen;

	if (r->len < TCP_HDR_LEN)
		return false;
	memcpy(head, r->p, MIN(r->len, sizeof head));
	hlen = (size_t)(head[12] >> 4) * 4;
	if (hlen > r->whole || r->whole - hlen > PAYLOAD_MAX ||
		!tcp_hdr_parse(&out->tcp, head, hlen))
		return false;
	out->src.port = out->tcp.src_port;
	out->dst.port = out->tcp.dst_port;
	out->len = (uint32_t)(r->whole - hlen);
	return true;
}

enum dissect_result dissect(
	struct dissected *out, int linktype, const uint8_t *data, size_t len, size_t whole)
{
	struct rest r = {data, len, whole};
	uint16_t type = 0;
	enum dissect_result result = skip_link(&r, linktype, &type);

	memset(out, 0, sizeof *out);
	if (result != DISSECT_TCP)
		return result;
	if (type == ETH_TYPE_IPV4)
		result = skip_ipv4(&r, out);
	else if (type == ETH_TYPE_IPV6)
		result = skip_ipv6(&r, out);
	else
		return DISSECT_OTHER;
	if (result == DISSECT_TCP && !read_tcp(out, &r))
		return DISSECT_BROKEN;
	return result;
}
