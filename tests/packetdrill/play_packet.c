#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/checksum.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "tests/packetdrill/play.h"

enum { PACKET_MAX = 65535 };

#define OUR_ADDRESS ipaddr_v4(0xc0a80001)
#define PEER_ADDRESS ipaddr_v4(0xc0000201)

static struct play_peer *peer(struct play *p)
{
	return &p->peer[p->current];
}

static uint16_t our_port(struct play *p)
{
	return peer(p)->our_port ? peer(p)->our_port : PLAY_SERVER_PORT;
}

static size_t put_ip(uint8_t *out, size_t len, uint8_t protocol, uint8_t tos)
{
	struct ipv4_hdr ip = {
		.src = PEER_ADDRESS,
		.dst = OUR_ADDRESS,
		.protocol = protocol,
		.tos = tos,
		.ttl = 64,
		.total_len = (uint16_t)(IPV4_HDR_LEN + len),
	};

	ipv4_emit(out, &ip);
	return IPV4_HDR_LEN + len;
}

/* Relative to absolute: the peer's numbers count from its ISN, what it acknowledges from ours. */
static struct tcp_hdr absolute(struct play *p, const struct play_segment *s)
{
	struct tcp_hdr h = s->h;

	h.src_port = (uint16_t)(PLAY_PEER_PORT + p->current);
	h.dst_port = our_port(p);
	h.seq = seq_add(peer(p)->their_isn, s->h.seq.v);
	h.ack = s->has_ack ? seq_add(peer(p)->our_isn, s->h.ack.v) : seq(0);
	for (unsigned i = 0; i < h.nsack; i++) {
		h.sack[i].left = seq_add(peer(p)->our_isn, h.sack[i].left.v);
		h.sack[i].right = seq_add(peer(p)->our_isn, h.sack[i].right.v);
	}
	if ((h.opts & TO_TIMESTAMP) && !s->has_ecr)
		h.tsecr = s->has_ack ? peer(p)->last_ts : 0;
	if (s->has_mark)
		h.tsecr = peer(p)->marked_ts;
	return h;
}

static void inject_icmp(struct play *p, const struct play_segment *s)
{
	uint8_t packet[IPV4_HDR_LEN + 8 + IPV4_HDR_LEN + 8] = {0};
	uint8_t *icmp = packet + IPV4_HDR_LEN, *quoted = icmp + 8, *tcp = quoted + IPV4_HDR_LEN;
	struct ipv4_hdr ours = {
		.src = OUR_ADDRESS,
		.dst = PEER_ADDRESS,
		.protocol = IP_PROTO_TCP,
		.ttl = 60,
		.total_len = 40,
	};

	icmp[0] = 3;
	icmp[1] = s->icmp_code;
	put_be16(icmp + 6, s->icmp_mtu);
	ipv4_emit(quoted, &ours);
	put_be16(tcp, our_port(p));
	put_be16(tcp + 2, (uint16_t)(PLAY_PEER_PORT + p->current));
	put_be32(tcp + 4, seq_add(peer(p)->our_isn, s->h.seq.v).v);
	put_be16(icmp + 2, csum_finish(csum_add(0, icmp, sizeof packet - IPV4_HDR_LEN)));
	world_input(
		&p->world, packet, put_ip(packet, sizeof packet - IPV4_HDR_LEN, IP_PROTO_ICMP, 0));
}

void play_inject(struct play *p, const struct play_segment *s)
{
	static uint8_t packet[PACKET_MAX];
	uint8_t *tcp = packet + IPV4_HDR_LEN;

	if (s->is_icmp) {
		inject_icmp(p, s);
		return;
	}
	struct tcp_hdr h = absolute(p, s);
	size_t len = tcp_hdr_size(&h) + s->len;
	if (len > sizeof packet - IPV4_HDR_LEN)
		play_fail(p, "too long a segment");
	memset(tcp, 0, len);
	tcp_hdr_emit(tcp, &h);
	struct ipaddr from = PEER_ADDRESS, to = OUR_ADDRESS;
	csum_acc sum = csum_pseudo(&from, &to, IP_PROTO_TCP, (uint32_t)len);
	put_be16(tcp + TCP_CSUM_OFFSET, csum_finish(csum_add(sum, tcp, len)));
	world_input(&p->world, packet, put_ip(packet, len, IP_PROTO_TCP, s->has_tos ? s->tos : 0));
}

/* --- what the stack sent --- */

struct sent {
	struct tcp_hdr h;
	uint32_t len;
	uint8_t tos;
	nsec at;
};

static bool take(struct play *p, struct sent *out)
{
	struct world_packet *w = world_take(&p->world);
	struct ipv4_hdr ip;

	if (!w)
		return false;
	if (ipv4_parse(&ip, w->data, w->len) != IPV4_OK || ip.protocol != IP_PROTO_TCP ||
		!tcp_hdr_parse(&out->h, w->data + IPV4_HDR_LEN, w->len - IPV4_HDR_LEN))
		play_fail(p, "the stack sent something that is not TCP");
	out->len = (uint32_t)(w->len - IPV4_HDR_LEN - out->h.hdr_len);
	out->tos = ip.tos;
	out->at = w->at;
	free(w);
	return true;
}

static void describe(struct play *p, const struct sent *got, char *out, size_t size)
{
	static const char letters[] = "FSRP.UEW";
	char flags[9];
	unsigned n = 0;

	for (unsigned i = 0; i < 8; i++) {
		if (got->h.flags & 1 << i)
			flags[n++] = letters[i];
	}
	flags[n] = 0;
	uint32_t from = got->h.seq.v - peer(p)->our_isn.v;
	int len = snprintf(out, size, "+%.4f > %s %u:%u(%u) ack %u win %u opts %#x",
		(double)(got->at - p->time) / SEC, flags, from, from + got->len, got->len,
		got->h.ack.v - peer(p)->their_isn.v, got->h.window, got->h.opts);
	if (got->h.fastopen_len > 0)
		len += snprintf(out + len, size - (size_t)len, " FO ");
	for (unsigned i = 0; i < got->h.fastopen_len; i++)
		len += snprintf(out + len, size - (size_t)len, "%02x", got->h.fastopen[i]);
}

static void learn(struct play *p, const struct sent *got)
{
	unsigned n = got->h.dst_port - PLAY_PEER_PORT;

	if (n >= PLAY_PEERS)
		play_fail(p, "a segment to port %u", got->h.dst_port);
	p->current = n;
	if ((got->h.flags & TH_SYN) && !(got->h.flags & TH_RST)) {
		peer(p)->our_isn = got->h.seq;
		peer(p)->our_port = got->h.src_port;
		peer(p)->known = true;
	}
	if (got->h.opts & TO_TIMESTAMP)
		peer(p)->last_ts = got->h.tsval;
}

static bool same_sacks(struct play *p, const struct play_segment *want, const struct tcp_hdr *got)
{
	if (want->h.nsack != got->nsack)
		return false;
	for (unsigned i = 0; i < got->nsack; i++) {
		if (got->sack[i].left.v - peer(p)->their_isn.v != want->h.sack[i].left.v ||
			got->sack[i].right.v - peer(p)->their_isn.v != want->h.sack[i].right.v)
			return false;
	}
	return true;
}

static bool same_options(struct play *p, const struct play_segment *want, const struct tcp_hdr *got)
{
	const struct tcp_hdr *w = &want->h;

	if (w->opts != got->opts)
		return false;
	return (!(w->opts & TO_MSS) || w->mss == got->mss) &&
	       (!(w->opts & TO_WSCALE) || w->wscale == got->wscale) &&
	       (!(w->opts & TO_TIMESTAMP) || w->tsval == got->tsecr) &&
	       (!(w->opts & TO_FASTOPEN) ||
		       (w->fastopen_len == got->fastopen_len &&
			       memcmp(w->fastopen, got->fastopen, w->fastopen_len) == 0)) &&
	       same_sacks(p, want, got);
}

static const char *difference(
	struct play *p, const struct play_segment *want, const struct sent *got)
{
	const uint8_t psh = want->has_psh ? 0 : TH_PSH;

	if ((got->h.flags | psh) != (want->h.flags | psh))
		return "flags";
	if (got->h.seq.v - peer(p)->our_isn.v != want->h.seq.v)
		return "sequence number";
	if (got->len != want->len)
		return "length";
	if (want->has_ack && got->h.ack.v - peer(p)->their_isn.v != want->h.ack.v)
		return "acknowledgment";
	if (want->has_win && got->h.window != want->h.window)
		return "window";
	if (want->has_opts && !same_options(p, want, &got->h))
		return "options";
	if (want->has_tos && (got->tos & 3) != want->tos)
		return "ECN bits";
	return NULL;
}

/* Super-segments are cut by the wire; the script may write them in one. */
static void gather(struct play *p, const struct play_segment *want, struct sent *got)
{
	struct sent next;

	while (got->len < want->len && got->len > 0 && !(got->h.flags & (TH_SYN | TH_FIN))) {
		if (!take(p, &next))
			return;
		if (next.h.seq.v != got->h.seq.v + got->len)
			play_fail(p, "the segments sent do not follow each other");
		got->len += next.len;
		got->h.flags |= next.h.flags;
	}
}

/* A segment may leave up to this late: the timer wheel's tick, and 2 % of what was waited for. */
static nsec tolerance(nsec waited)
{
	return 1 * MSEC + waited / 50;
}

void play_expect(struct play *p, const struct play_segment *want)
{
	struct sent got;
	char text[200];
	const nsec from = p->world.now, last = p->time + p->slack + tolerance(p->time - from);

	world_advance(&p->world, last, true);
	if (!take(p, &got))
		play_fail(p, "nothing was sent");
	learn(p, &got);
	gather(p, want, &got);
	describe(p, &got, text, sizeof text);
	if (got.at + tolerance(p->time - from) < p->time)
		play_fail(p, "sent too early: %s", text);
	const char *what = difference(p, want, &got);
	if (what)
		play_fail(p, "other %s: %s", what, text);
}

void play_silence(struct play *p)
{
	struct sent got;
	char text[200];

	if (!take(p, &got))
		return;
	learn(p, &got);
	describe(p, &got, text, sizeof text);
	play_fail(p, "not expected: %s", text);
}
