/*
 * IPv4 input (RFC 791, RFC 1122 §3.2). The order of a received packet:
 *
 *	1. version, lengths and header checksum must be right; Ethernet padding is cut off;
 *	2. the source must be one that can be answered: no group, not unspecified; us or a
 *	   loopback address exactly when the packet comes from our own queue;
 *	3. the destination must be our address (once it is READY), or a group, or, from our own
 *	   queue, a loopback address;
 *	4. fragments are put together, and go on as one packet;
 *	5. raw sockets get a copy; TCP, UDP, ICMP or IGMP gets it; other protocols are refused by
 *	   ICMP.
 *
 * What fails 1 to 3 is counted and dropped without a word. With the NIC's MAC shared, everything
 * addressed to the host's own kernel comes by here too: silence about other addresses is what keeps
 * us invisible to it.
 *
 * Departure: a packet to our own address in a broadcast frame is taken (RFC 1122 §3.3.6 would
 * rather not), but marked to_multicast, and nothing answers those.
 */
#include "core/stack/ip.h"

#include "core/base/bytes.h"
#include "core/stack/state.h"
#include "core/stack/udp.h"
#include "core/wire/checksum.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"

/* A packet on its way through the steps. */
struct arrived {
	struct ipv4_hdr hdr;
	const uint8_t *packet; /* from the IP header on */
	const struct rx_frame *frame;
	bool to_multicast, looped;
};

bool ip_is_group(const struct stack *s, const struct ipaddr *a)
{
	return ipaddr_is_multicast(a) || ipaddr_is_broadcast(a) ||
	       ipnet_is_broadcast(&s->address, a);
}

static bool in_1_header(struct stack *s, struct arrived *p, size_t len)
{
	if (ipv4_parse(&p->hdr, p->packet, len) == IPV4_OK)
		return true;
	COUNT(s, IpInHdrErrors);
	return false;
}

static bool in_2_source(struct stack *s, const struct arrived *p)
{
	const struct ipaddr *src = &p->hdr.src;
	bool from_us = ipaddr_equal(src, &s->address.addr) || ipaddr_is_loopback(src);

	if (!ip_is_group(s, src) && !ipaddr_is_any(src) && from_us == p->looped)
		return true;
	COUNT(s, IpInAddrErrors);
	return false;
}

static bool in_3_destination(struct stack *s, struct arrived *p)
{
	const struct ipaddr *dst = &p->hdr.dst;

	if (s->acd.state == ADDRESS_READY && ipaddr_equal(dst, &s->address.addr))
		return true;
	if (p->looped && ipaddr_is_loopback(dst))
		return true;
	if (s->acd.state == ADDRESS_READY && ip_is_group(s, dst)) {
		p->to_multicast = true;
		return true;
	}
	COUNT(s, IpInAddrErrors);
	return false;
}

static void in_5_deliver(struct stack *s, const struct arrived *p, nsec now)
{
	const struct ipv4_hdr *h = &p->hdr;
	const uint8_t *data = p->packet + h->hdr_len;
	size_t len = h->total_len - h->hdr_len;
	struct ip_meta m = {
		.src = h->src,
		.dst = h->dst,
		.protocol = h->protocol,
		.tos = h->tos,
		.ttl = h->ttl,
		.df = h->df,
		.to_multicast = p->to_multicast,
	};
	int refusal = -1;

	raw_input(s, &m, p->packet, h->hdr_len, h->total_len, now);
	if (h->protocol == IP_PROTO_TCP)
		tcp_input(s, &m, data, len, p->frame, now);
	else if (h->protocol == IP_PROTO_ICMP)
		icmp_input(s, &m, data, len, now);
	else if (h->protocol == IP_PROTO_IGMP)
		igmp_input(s, data, len, now);
	else if (h->protocol != IP_PROTO_UDP)
		refusal = ICMP_CODE_PROTOCOL;
	else if (!udp_input(s, &m, data, len, p->frame, now))
		refusal = ICMP_CODE_PORT;
	if (refusal == ICMP_CODE_PROTOCOL)
		COUNT(s, IpInUnknownProtos);
	else
		COUNT(s, IpInDelivers);
	if (refusal >= 0 && !m.to_multicast)
		icmp_send_error(
			s, ICMP_TYPE_UNREACHABLE, (uint8_t)refusal, p->packet, h->total_len, now);
}

/*
 * The link's word about a fragment's checksum says nothing about the whole: the transport looks for
 * itself.
 */
static void in_4_reassemble(struct stack *s, const struct arrived *fragment, nsec now)
{
	struct reasm_packet whole;

	if (!reasm_input(s, &fragment->hdr, fragment->packet, fragment->to_multicast, &whole, now))
		return;
	struct rx_frame frame = {
		.data = whole.packet,
		.len = whole.hdr.total_len,
		.csum = FRAME_CSUM_UNVERIFIED,
		.arrival = fragment->frame->arrival,
	};
	struct arrived p = {
		.hdr = whole.hdr,
		.packet = whole.packet,
		.frame = &frame,
		.to_multicast = whole.to_multicast,
		.looped = fragment->looped,
	};
	in_5_deliver(s, &p, now);
	reasm_release(s, &whole);
}

static void input(struct stack *s, struct arrived *p, size_t len, nsec now)
{
	COUNT(s, IpInReceives);
	if (!in_1_header(s, p, len) || !in_2_source(s, p) || !in_3_destination(s, p))
		return;
	if (p->hdr.mf || p->hdr.frag_offset > 0)
		in_4_reassemble(s, p, now);
	else
		in_5_deliver(s, p, now);
}

void ip_input(struct stack *s, const uint8_t *packet, size_t len, const struct rx_frame *f,
	bool eth_multicast, nsec now)
{
	struct arrived p = {.packet = packet, .frame = f, .to_multicast = eth_multicast};

	input(s, &p, len, now);
}

void ip_input_looped(
	struct stack *s, const uint8_t *packet, size_t len, const struct rx_frame *f, nsec now)
{
	struct arrived p = {.packet = packet, .frame = f, .looped = true};

	input(s, &p, len, now);
}

void ip_input_bare(struct stack *s, const struct ip_meta *m, const uint8_t *data, size_t len,
	const struct rx_frame *f, nsec now)
{
	COUNT(s, IpInReceives);
	COUNT(s, IpInDelivers);
	if (m->protocol == IP_PROTO_TCP)
		tcp_input(s, m, data, len, f, now);
}

bool ip_l4_checksum_ok(const struct stack *s, const struct ip_meta *m, const uint8_t *data,
	size_t len, size_t field, const struct rx_frame *f)
{
	if (f->csum == FRAME_CSUM_VERIFIED)
		return true;
	csum_acc pseudo = csum_pseudo(&m->src, &m->dst, m->protocol, (uint32_t)len);
	if (csum_fold(csum_add(pseudo, data, len)) == 0xffff)
		return true;
	return s->config.partial_csum_ok && get_be16(data + field) == csum_fold(pseudo);
}
