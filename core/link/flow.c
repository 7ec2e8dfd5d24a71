#include "core/link/flow.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"
#include "core/wire/udphdr.h"

static void look_tcp(struct flow_view *v, const uint8_t *frame, size_t len, bool out)
{
	const uint8_t *tcp = frame + v->l4;
	size_t head = (size_t)(tcp[12] >> 4) * 4;

	if (head < TCP_HDR_LEN || v->l4 + head > v->end)
		return;
	uint16_t src = get_be16(tcp), dst = get_be16(tcp + 2);
	v->key.local.port = out ? src : dst;
	v->key.remote.port = out ? dst : src;
	v->seq = seq(get_be32(tcp + 4));
	v->ack = seq(get_be32(tcp + 8));
	v->flags = tcp[13];
	v->window = get_be16(tcp + 14);
	v->payload = (uint16_t)(v->l4 + head);
}

static void look_udp(struct flow_view *v, const uint8_t *frame, bool out)
{
	uint16_t src = get_be16(frame + v->l4), dst = get_be16(frame + v->l4 + 2);

	v->key.local.port = out ? src : dst;
	v->key.remote.port = out ? dst : src;
	v->payload = (uint16_t)(v->l4 + UDP_HDR_LEN);
}

static void look_ipv4(struct flow_view *v, const uint8_t *frame, size_t len, bool out)
{
	const uint8_t *ip = frame + ETH_HDR_LEN;
	size_t head = (size_t)(ip[0] & 15) * 4, total = get_be16(ip + 2);

	if (ip[0] >> 4 != 4 || head < IPV4_HDR_LEN || total < head || ETH_HDR_LEN + head > len)
		return;
	struct ipaddr src = ipaddr_v4(get_be32(ip + 12)), dst = ipaddr_v4(get_be32(ip + 16));
	v->key.local.addr = out ? src : dst;
	v->key.remote.addr = out ? dst : src;
	v->key.protocol = ip[9];
	v->l3 = ETH_HDR_LEN;
	v->end = (uint32_t)(ETH_HDR_LEN + total);
	v->fragment = (get_be16(ip + 6) & 0x3fff) != 0; /* MF or an offset */
	if (v->fragment)
		return;
	v->l4 = (uint16_t)(ETH_HDR_LEN + head);
	if (ip[9] == IP_PROTO_TCP && len >= (size_t)v->l4 + TCP_HDR_LEN)
		look_tcp(v, frame, len, out);
	else if (ip[9] == IP_PROTO_UDP && len >= (size_t)v->l4 + UDP_HDR_LEN)
		look_udp(v, frame, out);
}

void flow_look(struct flow_view *v, const uint8_t *frame, size_t len, bool out)
{
	memset(v, 0, sizeof *v);
	if (len >= ETH_HDR_LEN + IPV4_HDR_LEN && get_be16(frame + 12) == ETH_TYPE_IPV4)
		look_ipv4(v, frame, len, out);
}

bool flow_equal(const struct flow_key *a, const struct flow_key *b)
{
	return a->protocol == b->protocol && endpoint_equal(&a->local, &b->local) &&
	       endpoint_equal(&a->remote, &b->remote);
}

/* FNV-1a over what differs between conversations of one host. */
uint32_t flow_hash(const struct flow_key *k)
{
	uint8_t bytes[22];
	uint32_t h = 2166136261u;

	memcpy(bytes, k->remote.addr.b, 16);
	put_be16(bytes + 16, k->remote.port);
	put_be16(bytes + 18, k->local.port);
	put_be16(bytes + 20, k->protocol);
	for (size_t i = 0; i < sizeof bytes; i++)
		h = (h ^ bytes[i]) * 16777619u;
	return h ^ h >> 15;
}

/* Where the checksum field stands; 0: the frame has none that we know. */
static size_t csum_at(const struct flow_view *v)
{
	if (!v->payload)
		return 0;
	return v->l4 + (v->key.protocol == IP_PROTO_TCP ? (size_t)TCP_CSUM_OFFSET
							: (size_t)UDP_CSUM_OFFSET);
}

csum_acc flow_csum_pseudo(const struct flow_view *v)
{
	return csum_pseudo(&v->key.local.addr, &v->key.remote.addr, (uint8_t)v->key.protocol,
		(uint32_t)(v->end - v->l4));
}

bool flow_csum_is_partial(const struct flow_view *v, const uint8_t *frame)
{
	size_t at = csum_at(v);

	return at && get_be16(frame + at) == csum_fold(flow_csum_pseudo(v));
}

void flow_csum_complete(const struct flow_view *v, uint8_t *frame)
{
	size_t at = csum_at(v);

	if (!at)
		return;
	put_be16(frame + at, 0);
	uint16_t sum =
		csum_finish(csum_add(flow_csum_pseudo(v), frame + v->l4, (size_t)(v->end - v->l4)));
	/* RFC 768: zero would mean that there is no checksum. */
	put_be16(frame + at, sum == 0 && v->key.protocol == IP_PROTO_UDP ? 0xffff : sum);
}

void flow_csum_spoil(const struct flow_view *v, uint8_t *frame)
{
	size_t at = csum_at(v);

	if (at)
		frame[at + 1] ^= 1;
}

bool flow_csum_is_right(const struct flow_view *v, const uint8_t *frame)
{
	size_t at = csum_at(v);

	if (!at || (v->key.protocol == IP_PROTO_UDP && get_be16(frame + at) == 0))
		return true;
	return csum_fold(csum_add(flow_csum_pseudo(v), frame + v->l4, (size_t)(v->end - v->l4))) ==
	       0xffff;
}
