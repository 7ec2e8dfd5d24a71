/*
 * UDP input (RFC 768, RFC 1122 §4.1). The order of a received datagram:
 *
 *	1. the length must fit, and the checksum be right or absent (zero: the sender computed none);
 *	   a frame of a sender's with UDP_SEGMENT is many, of gso_size each but the last;
 *	2. to one of us: the socket that fits best (dgram_find) gets it, or the sender hears that the
 *	   port is unreachable;
 *	3. to a group: every socket that fits gets a copy, and nobody hears of anything. A multicast
 *	   group must have been joined by somebody here, and by the socket itself unless it listens to
 *	   all (IP_MULTICAST_ALL, as Linux).
 */
#include "core/stack/udp.h"

#include "core/stack/state.h"
#include "core/wire/udphdr.h"

static bool in_1_header(struct stack *s, struct udp_hdr *h, const struct ip_meta *m,
	const uint8_t *data, size_t len, const struct rx_frame *f)
{
	if (!udp_hdr_parse(h, data, len)) {
		COUNT(s, UdpInErrors);
		return false;
	}
	if (h->csum != 0 && !ip_l4_checksum_ok(s, m, data, h->len, UDP_CSUM_OFFSET, f)) {
		COUNT(s, UdpInErrors);
		COUNT(s, UdpInCsumErrors);
		return false;
	}
	return true;
}

static bool in_2_to_us(struct stack *s, const struct endpoint *local, const struct dgram_in *in)
{
	struct dgram *d = dgram_find(s, DGRAM_UDP, local, &in->from);

	if (d)
		dgram_deliver(d, in);
	else
		COUNT(s, UdpNoPorts);
	return d;
}

static void in_3_to_group(struct stack *s, const struct endpoint *local, const struct dgram_in *in)
{
	struct list *at = NULL;
	bool any = false;

	if (!ipaddr_is_multicast(&local->addr) || igmp_is_member(s, &local->addr)) {
		for (struct dgram *d; (d = dgram_find_next(s, &at, local, &in->from)); any = true)
			dgram_deliver(d, in);
	}
	if (!any)
		COUNT(s, UdpNoPorts);
}

bool udp_input(struct stack *s, const struct ip_meta *m, const uint8_t *data, size_t len,
	const struct rx_frame *f, nsec now)
{
	struct udp_hdr h;

	if (!in_1_header(s, &h, m, data, len, f))
		return true;
	const size_t all = h.len - UDP_HDR_LEN, piece = f->gso_size ? f->gso_size : all;
	struct endpoint local = {m->dst, h.dst_port};
	struct dgram_in in = {
		.from = {m->src, h.src_port},
		.to = m->dst,
		.tos = m->tos,
		.ttl = m->ttl,
		.arrival = f->arrival ? f->arrival : now,
		.data = data + UDP_HDR_LEN,
	};
	const uint8_t *end = in.data + all;
	bool wanted = true;
	do {
		in.len = MIN(piece, (size_t)(end - in.data));
		if (ip_is_group(s, &m->dst))
			in_3_to_group(s, &local, &in);
		else
			wanted = in_2_to_us(s, &local, &in);
		in.data += in.len;
	} while (wanted && in.data < end);
	return wanted;
}
