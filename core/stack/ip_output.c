/*
 * IPv4 output: route, header, fragments.
 *
 * The route has three cases, since there is one interface and one address: our own address and the
 * loopback addresses go back into the stack (::1 without any IP header), groups map to a MAC
 * address by arithmetic (RFC 1112 §6.4), everything else goes to a neighbour, which is the
 * destination itself inside our prefix and the gateway outside of it. What goes to a group that we
 * listen to goes both ways.
 *
 * Identifications (RFC 6864): 0 with DF, since such a packet is never a fragment. Without DF a
 * counter, shifted by a keyed hash of source, destination and protocol, so that one peer's value
 * tells nothing of another's (RFC 7739 §5.3).
 *
 * Fragments are made of what others than TCP send: TCP's segments fit, or have a gso_size and are
 * cut by the link.
 */
#include <errno.h>
#include <string.h>

#include "core/stack/state.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"

enum { IPV4_MAX = 65535, FRAGMENT_UNIT = 8 };

enum route_kind { ROUTE_SELF, ROUTE_GROUP, ROUTE_NEIGHBOUR };

struct route {
	enum route_kind kind;
	struct ipaddr next_hop; /* ROUTE_NEIGHBOUR: whom to ask for by ARP; else the destination */
	bool loop_back;         /* ROUTE_GROUP: a copy is for us */
};

static int find_route(const struct stack *s, const struct ipaddr *dst, struct route *r)
{
	r->kind = ROUTE_SELF;
	r->loop_back = false;
	r->next_hop = *dst;
	if (ipaddr_equal(dst, &s->address.addr) || ipaddr_is_loopback(dst))
		return 0;
	if (!ipaddr_is_v4(dst) || ipaddr_is_any(dst))
		return -ENETUNREACH;
	r->kind = ROUTE_NEIGHBOUR;
	if (ip_is_group(s, dst))
		r->kind = ROUTE_GROUP;
	else if (!ipnet_contains(&s->address, dst))
		r->next_hop = s->gateway;
	return ipaddr_is_any(&r->next_hop) ? -ENETUNREACH : 0;
}

/* From 127.0.0.1 to all of 127.0.0.0/8, as Linux's local table prefers. */
static struct ipaddr loopback_for(const struct ipaddr *dst)
{
	return ipaddr_is_v4(dst) ? ipaddr_v4(0x7f000001) : *dst;
}

int ip_route_check(const struct stack *s, const struct ipaddr *dst, struct ipaddr *src)
{
	struct route r;

	if (s->acd.state != ADDRESS_PROBING && s->acd.state != ADDRESS_READY)
		return -ENETUNREACH;
	int rc = find_route(s, dst, &r);
	if (rc == 0)
		*src = ipaddr_is_loopback(dst) ? loopback_for(dst) : s->address.addr;
	return rc;
}

bool ip_goes_through(const struct stack *s, const struct ipaddr *dst, const struct ipaddr *next_hop)
{
	struct route r;

	return find_route(s, dst, &r) == 0 && r.kind == ROUTE_NEIGHBOUR &&
	       ipaddr_equal(&r.next_hop, next_hop);
}

void ip_confirm(struct stack *s, const struct ipaddr *dst, nsec now)
{
	struct route r;

	if (find_route(s, dst, &r) == 0 && r.kind == ROUTE_NEIGHBOUR)
		neigh_confirm(s, &r.next_hop, now);
}

static struct macaddr group_mac(const struct ipaddr *dst)
{
	if (!ipaddr_is_multicast(dst))
		return eth_broadcast;
	return (struct macaddr){{0x01, 0x00, 0x5e, dst->b[13] & 0x7f, dst->b[14], dst->b[15]}};
}

static int send_packet(struct stack *s, const struct route *r, struct tx_frame *f, nsec now)
{
	struct macaddr mac;

	switch (r->kind) {
	case ROUTE_SELF:
		return loop_output(s, f, NULL);
	case ROUTE_GROUP:
		if (r->loop_back)
			loop_output(s, f, NULL);
		mac = group_mac(&r->next_hop);
		return eth_output(s, &mac, f, now);
	default:
		return neigh_output(s, &r->next_hop, f, now);
	}
}

static uint16_t next_id(struct stack *s, const struct ip_meta *m)
{
	uint8_t flow[2 * sizeof m->src.b + 1];

	if (m->df)
		return 0;
	memcpy(flow, m->src.b, sizeof m->src.b);
	memcpy(flow + sizeof m->src.b, m->dst.b, sizeof m->dst.b);
	flow[sizeof flow - 1] = m->protocol;
	return (uint16_t)(stack_hash(s, HASH_IP_ID, flow, sizeof flow) +
			  s->ip.packets_without_df++);
}

static struct ipv4_hdr header_for(struct stack *s, const struct ip_meta *m, size_t l4_len)
{
	return (struct ipv4_hdr){
		.src = m->src,
		.dst = m->dst,
		.tos = m->tos,
		.total_len = (uint16_t)(IPV4_HDR_LEN + l4_len +
					(m->router_alert ? IPV4_ROUTER_ALERT_LEN : 0)),
		.id = next_id(s, m),
		.df = m->df,
		.router_alert = m->router_alert,
		.ttl = m->ttl ? m->ttl : IP_TTL_DEFAULT,
		.protocol = m->protocol,
	};
}

/*
 * Bytes [from, from + len) of the packet in `whole`, its L4 header included, as the payload of
 * `out`.
 */
static void slice(struct tx_frame *out, const struct tx_frame *whole, size_t from, size_t len)
{
	size_t head = tx_frame_head_len(whole), start = head;

	tx_frame_init(out);
	if (from < head) {
		size_t n = MIN(head - from, len);
		memcpy(tx_frame_push(out, n), whole->head + whole->head_at + from, n);
		from += n;
		len -= n;
	}
	for (unsigned i = 0; i < whole->npayload && len > 0; i++) {
		const struct iovec *piece = &whole->payload[i];
		size_t skip = from - start;

		start += piece->iov_len;
		if (skip >= piece->iov_len)
			continue;
		size_t n = MIN(piece->iov_len - skip, len);
		out->payload[out->npayload++] =
			(struct iovec){(uint8_t *)piece->iov_base + skip, n};
		from += n;
		len -= n;
	}
}

static int send_fragments(struct stack *s, const struct route *r, const struct tx_frame *whole,
	struct ipv4_hdr h, nsec now)
{
	size_t total = h.total_len - IPV4_HDR_LEN;
	size_t most = (size_t)(s->config.mtu - IPV4_HDR_LEN) / FRAGMENT_UNIT * FRAGMENT_UNIT;
	int rc = 0;

	for (size_t from = 0; from < total && rc == 0; from += most) {
		struct tx_frame f;
		size_t n = MIN(most, total - from);

		slice(&f, whole, from, n);
		h.total_len = (uint16_t)(IPV4_HDR_LEN + n);
		h.frag_offset = (uint16_t)from;
		h.mf = from + n < total;
		ipv4_emit(tx_frame_push(&f, IPV4_HDR_LEN), &h);
		rc = send_packet(s, r, &f, now);
	}
	return rc;
}

int ip_output(struct stack *s, struct tx_frame *f, const struct ip_meta *m, nsec now)
{
	size_t len = tx_frame_head_len(f) + tx_frame_payload_len(f);
	struct route r;

	if (s->acd.state != ADDRESS_READY)
		return -ENETDOWN;
	int rc = find_route(s, &m->dst, &r);
	if (rc < 0) {
		COUNT(s, IpOutNoRoutes);
		return rc;
	}
	bool inside = r.kind == ROUTE_SELF && ipaddr_is_loopback(&m->src);
	if (!inside && !ipaddr_equal(&m->src, &s->address.addr))
		return -EADDRNOTAVAIL;
	r.loop_back = m->loop_back;
	bool too_long =
		r.kind != ROUTE_SELF && f->gso_size == 0 && IPV4_HDR_LEN + len > s->config.mtu;
	if (IPV4_HDR_LEN + len > IPV4_MAX || (too_long && (m->df || f->csum == FRAME_CSUM_PARTIAL)))
		return -EMSGSIZE;
	COUNT(s, IpOutRequests);
	if (!ipaddr_is_v4(&m->dst))
		return loop_output(s, f, m);
	struct ipv4_hdr h = header_for(s, m, len);
	if (too_long)
		return send_fragments(s, &r, f, h, now);
	ipv4_emit(tx_frame_push(f, ipv4_hdr_size(&h)), &h);
	return send_packet(s, &r, f, now);
}
