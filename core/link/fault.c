/*
 * BYTES are counted by what the receiver has acknowledged: sequence numbers, so that nothing that
 * is sent twice counts twice.
 *
 * RESET. At its time both ends get a RST that fits, as if each came from the other, and from then
 * on whoever still says something is answered by RST, as by a host that knows nothing of the
 * connection (RFC 9293 §3.10.7.1). So a RST that a receiver finds inexact (RFC 5961 §3.2) is
 * followed by an exact one. When it is to come after so many bytes, the stream is cut there:
 * its receiver gets exactly as many.
 *
 * SLOW-READ. The window we announce never reaches further than the rate has earned; since our stack
 * knows nothing of it and has no reason to speak, the wider window is announced from here, with the
 * header of its last segment.
 *
 * MTU concerns what we send: too big for the "path", it is dropped and answered by ICMP (RFC 1191).
 * Of what we receive nobody can say how big its segments were before they were merged.
 */
#include "core/link/fault.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/link/mangle.h"
#include "core/wire/eth.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"

enum {
	IN,
	OUT,
	QUOTE_LEN = IPV4_HDR_MAX + 8,
	FORGED_TTL = 64,
	SLOW_STEP = 2 * 1460, /* bytes by which slow-read opens the window at a time */
	WINDOW_AT = 14,
};

/* --- forging --- */

/* An IPv4 frame with room for `l4_len` bytes of `protocol`; NULL: no memory. */
static struct held *forge(const struct flow *f, int way, uint8_t protocol, size_t l4_len)
{
	const struct ipaddr *local = &f->key.local.addr, *remote = &f->key.remote.addr;
	struct held *h = held_new(ETH_HDR_LEN + IPV4_HDR_LEN + l4_len);
	struct ipv4_hdr ip = {
		.src = way == OUT ? *local : *remote,
		.dst = way == OUT ? *remote : *local,
		.total_len = (uint16_t)(IPV4_HDR_LEN + l4_len),
		.df = true,
		.ttl = FORGED_TTL,
		.protocol = protocol,
	};

	if (!h)
		return NULL;
	memcpy(h->data, f->mac + (way == OUT ? 6 : 0), 6);
	memcpy(h->data + 6, f->mac + (way == OUT ? 0 : 6), 6);
	put_be16(h->data + 12, ETH_TYPE_IPV4);
	ipv4_emit(h->data + ETH_HDR_LEN, &ip);
	return h;
}

static void send_forged(struct fault_io *io, int way, struct held *h, const char *note)
{
	strncpy(h->note, note, sizeof h->note - 1);
	held_put(way == OUT ? io->out : io->in, h, io->now);
}

static void forge_reset(
	const struct flow *f, int way, struct seq32 seq, struct seq32 ack, struct fault_io *io)
{
	struct held *h = forge(f, way, IP_PROTO_TCP, TCP_HDR_LEN);
	struct tcp_hdr tcp = {
		.src_port = way == OUT ? f->key.local.port : f->key.remote.port,
		.dst_port = way == OUT ? f->key.remote.port : f->key.local.port,
		.seq = seq,
		.ack = ack,
		.flags = TH_RST | TH_ACK,
	};
	uint8_t head[TCP_HDR_MAX];
	struct flow_view v;

	if (!h)
		return;
	size_t len = tcp_hdr_emit(head, &tcp);
	memcpy(h->data + ETH_HDR_LEN + IPV4_HDR_LEN, head, len);
	flow_look(&v, h->data, h->len, way == OUT);
	flow_csum_complete(&v, h->data);
	send_forged(io, way, h, "forged: reset");
}

/* "Destination unreachable" about a packet whose IP header begins at `packet`. */
static void forge_unreachable(const struct flow *f, int way, const uint8_t *packet, uint8_t code,
	unsigned mtu, struct fault_io *io)
{
	size_t quote = MIN((size_t)(packet[0] & 15) * 4 + 8, (size_t)QUOTE_LEN);
	struct held *h = forge(f, way, IP_PROTO_ICMP, ICMP_HDR_LEN + quote);

	if (!h)
		return;
	uint8_t *icmp = h->data + ETH_HDR_LEN + IPV4_HDR_LEN;
	memcpy(icmp + ICMP_HDR_LEN, packet, quote);
	struct icmp_msg m = {.type = ICMP_TYPE_UNREACHABLE,
		.code = code,
		.rest = mtu,
		.body = icmp + ICMP_HDR_LEN,
		.body_len = quote};
	icmp_emit(icmp, &m);
	send_forged(io, way, h, "forged: unreachable");
}

/* --- what is known of the connection --- */

static void learn_addresses(struct flow *f, const uint8_t *frame, int way)
{
	memcpy(f->mac, frame + (way == OUT ? 6 : 0), 6);
	memcpy(f->mac + 6, frame + (way == OUT ? 0 : 6), 6);
}

static void learn_done(struct flow *f, int way, struct seq32 at)
{
	if (!f->knows[way]) {
		f->knows[way] = true;
		f->done_at[way] = at;
	}
	if (seq_gt(at, f->done_at[way])) {
		f->done[way] += (uint32_t)seq_diff(at, f->done_at[way]);
		f->done_at[way] = at;
	}
}

/* Which bytes of the connection a frame carries and acknowledges. */
static void learn(struct flow *f, const struct flow_view *v, int way)
{
	uint32_t syn = (v->flags & TH_SYN) != 0, fin = (v->flags & TH_FIN) != 0;
	struct seq32 end = seq_add(v->seq, v->end - v->payload + syn + fin);

	if (!f->knows[way])
		learn_done(f, way, seq_add(v->seq, syn));
	if ((v->flags & TH_ACK) && !(v->flags & TH_RST))
		learn_done(f, !way, v->ack);
	if (way == OUT && (f->fresh || (v->flags & TH_SYN) || seq_gt(end, f->top)))
		f->top = end;
}

/* Whose bytes a fault counts: those received, unless the rule says out. */
static int counted(const struct flow *f)
{
	return f->rule->direction == IMPAIR_OUT ? OUT : IN;
}

static bool has_begun(const struct flow *f, const struct fault_start *s, int way, nsec now)
{
	if (!s->set)
		return false;
	if (s->by_time)
		return now >= f->began + s->after;
	return f->knows[way] && f->done[way] >= s->bytes;
}

/* Whether it is on; `from` remembers when it went on. */
static bool is_on(const struct flow *f, const struct fault_start *s, int way, nsec *from, nsec now)
{
	if (*from == NSEC_NEVER && has_begun(f, s, way, now))
		*from = s->by_time ? f->began + s->after : now;
	return *from != NSEC_NEVER && (!s->lasts || now < *from + s->lasts);
}

/* --- the faults --- */

static void do_reset(struct flow *f, struct fault_io *io)
{
	if (f->was_reset || !f->knows[OUT])
		return;
	f->was_reset = true;
	forge_reset(f, IN, f->done_at[IN], f->top, io);
	forge_reset(f, OUT, f->top, f->done_at[IN], io);
}

/* The connection is gone: whoever speaks is told so. */
static void answer_with_reset(
	const struct flow *f, const struct flow_view *v, int way, struct fault_io *io)
{
	uint32_t len =
		v->end - v->payload + ((v->flags & TH_SYN) != 0) + ((v->flags & TH_FIN) != 0);

	if (!(v->flags & TH_RST) && (v->flags & TH_ACK))
		forge_reset(f, !way, v->ack, seq_add(v->seq, len), io);
}

static bool drop(struct fault_io *io, const char *note)
{
	io->note = note;
	return false;
}

/* What is the same for both directions: false, the frame is dropped. */
static bool pass_both_ways(struct flow *f, const struct flow_view *v, int way, struct fault_io *io)
{
	const struct impair_rule *r = f->rule;
	bool syn = v->flags & TH_SYN, ack = v->flags & TH_ACK;

	if (is_on(f, &r->blackhole, counted(f), &f->blackhole_from, io->now))
		return drop(io, "lost: blackhole");
	if (f->was_reset || has_begun(f, &r->reset, counted(f), io->now)) {
		do_reset(f, io);
		answer_with_reset(f, v, way, io);
		return drop(io, "lost: reset");
	}
	if (syn && !ack && f->syns < r->syn_drop) {
		f->syns++;
		return drop(io, "lost: syn-drop");
	}
	if (syn && ack && r->accept_delay) {
		io->hold = r->accept_delay;
		io->note = "late: accept-delay";
	}
	return true;
}

static uint16_t folded_window(struct seq32 edge, struct seq32 ack, uint8_t scale)
{
	int32_t room = seq_diff(edge, ack);

	return room <= 0 ? 0 : (uint16_t)MIN((uint32_t)room >> scale, 0xffffu);
}

/* A 16-bit field changes, and the checksum with it unless it is partial (RFC 1624). */
static void change16(uint8_t *field, uint16_t value, uint8_t *csum)
{
	if (csum) {
		uint32_t sum = (uint16_t)~get_be16(csum);
		sum += (uint16_t)~get_be16(field);
		sum += value;
		sum = (sum & 0xffff) + (sum >> 16);
		put_be16(csum, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
	}
	put_be16(field, value);
}

/* How far slow-read lets the window reach. */
static struct seq32 earned_edge(const struct flow *f, nsec now)
{
	nsec time = now - f->began;
	uint64_t earned = SLOW_STEP + (uint64_t)(time / SEC) * f->rule->slow_read +
			  (uint64_t)(time % SEC) * f->rule->slow_read / SEC;

	/* Relative to the first byte: done counts from there. */
	return seq_add(f->done_at[IN], (uint32_t)(earned - f->done[IN]));
}

static void arm(struct flow *f, nsec at, struct fault_io *io)
{
	struct held *h = held_new(0);

	if (!h)
		return;
	h->is_timer = true;
	h->key = f->key;
	h->ordinal = f->ordinal;
	held_put(io->out, h, at);
}

static nsec slow_step_time(const struct flow *f)
{
	return nsec_max((nsec)((uint64_t)SLOW_STEP * SEC / f->rule->slow_read), MSEC);
}

static void slow_out(struct flow *f, const struct flow_view *v, struct tx_frame *tx, nsec now)
{
	uint8_t *head = tx->head + tx->head_at;
	size_t len = tx_frame_head_len(tx);
	struct tcp_hdr h;

	if ((v->flags & TH_SYN) && tcp_hdr_parse(&h, head + v->l4, len - v->l4))
		f->wscale = h.opts & TO_WSCALE ? h.wscale : 0;
	if ((v->flags & (TH_SYN | TH_RST)) || !(v->flags & TH_ACK) || !f->knows[IN])
		return;
	f->edge = earned_edge(f, now);
	f->has_edge = true;
	uint16_t window = folded_window(f->edge, v->ack, f->wscale);
	if (window < v->window)
		change16(head + v->l4 + WINDOW_AT, window,
			tx->csum == FRAME_CSUM_PARTIAL ? NULL : head + v->l4 + TCP_CSUM_OFFSET);
	if (v->flags & TH_FIN || len > sizeof f->head)
		return;
	memcpy(f->head, head, len);
	f->head_len = (uint16_t)len;
}

/* Our last header again, without payload, with what the window has become since. */
static void slow_tick(struct flow *f, struct fault_io *io)
{
	struct seq32 edge = earned_edge(f, io->now);
	struct flow_view v;

	arm(f, io->now + slow_step_time(f), io);
	if (!f->head_len || !f->has_edge || seq_diff(edge, f->edge) < SLOW_STEP / 2)
		return;
	struct held *h = held_new(f->head_len);
	if (!h)
		return;
	memcpy(h->data, f->head, f->head_len);
	flow_look(&v, h->data, h->len, true);
	v.end = v.payload;
	uint8_t *tcp = h->data + v.l4;
	put_be32(tcp + 4, f->top.v);
	put_be32(tcp + 8, f->done_at[IN].v);
	tcp[TCP_FLAGS_OFFSET] = TH_ACK;
	put_be16(tcp + WINDOW_AT, folded_window(edge, f->done_at[IN], f->wscale));
	mangle_resize(&v, h->data);
	f->edge = edge;
	send_forged(io, OUT, h, "forged: slow-read");
}

void fault_begin(struct flow *f, struct fault_io *io)
{
	const struct impair_rule *r = f->rule;

	if (r->reset.set && r->reset.by_time)
		arm(f, f->began + r->reset.after, io);
	if (r->slow_read)
		arm(f, f->began + slow_step_time(f), io);
}

void fault_tick(struct flow *f, struct fault_io *io)
{
	if (has_begun(f, &f->rule->reset, counted(f), io->now))
		do_reset(f, io);
	else if (f->rule->slow_read)
		slow_tick(f, io);
}

/* Whether a packet, or the segments that it stands for, is larger than the path takes. */
static bool is_too_big(const struct flow *f, const struct flow_view *v, uint16_t gso_size)
{
	uint32_t whole = v->end - v->l3, cut = (uint32_t)v->payload - v->l3 + gso_size;

	return f->rule->mtu && v->l3 && (gso_size ? MIN(cut, whole) : whole) > f->rule->mtu;
}

static bool may_be_cut(const uint8_t *ip)
{
	return !(ip[6] & 0x40);
}

/*
 * A reset after so many bytes ends the stream there. False: nothing of the frame is before it; else
 * v->end is where the frame ends now.
 */
static bool end_stream(struct flow *f, struct flow_view *v, int way)
{
	const struct fault_start *reset = &f->rule->reset;
	uint32_t payload = v->end - v->payload;

	if (!reset->set || reset->by_time || counted(f) != way || !f->knows[way] || payload == 0)
		return true;
	int64_t from = (int64_t)f->done[way] + seq_diff(v->seq, f->done_at[way]);
	int64_t left = (int64_t)reset->bytes - from;
	if (left > 0 && left < payload)
		v->end = v->payload + (uint32_t)left;
	return left > 0;
}

bool fault_out(struct flow *f, struct flow_view *v, struct tx_frame *tx, struct fault_io *io)
{
	const uint8_t *head = tx->head + tx->head_at;

	uint32_t end = v->end;

	if (f->fresh)
		learn_addresses(f, head, OUT);
	if (!f->was_reset && !end_stream(f, v, OUT))
		return drop(io, "lost: reset");
	if (v->end != end)
		mangle_shorten(v, tx);
	learn(f, v, OUT);
	if (!pass_both_ways(f, v, OUT, io))
		return false;
	if (f->rule->unreachable && (v->flags & TH_SYN) && !(v->flags & TH_ACK)) {
		forge_unreachable(f, IN, head + v->l3, (uint8_t)(f->rule->unreachable - 1), 0, io);
		return drop(io, "lost: icmp-unreachable");
	}
	if (is_too_big(f, v, tx->gso_size) && !may_be_cut(head + v->l3)) {
		forge_unreachable(f, IN, head + v->l3, ICMP_CODE_FRAG_NEEDED, f->rule->mtu, io);
		return drop(io, "lost: mtu");
	}
	if (f->rule->slow_read)
		slow_out(f, v, tx, io->now);
	return true;
}

bool fault_in(struct flow *f, struct flow_view *v, uint8_t *frame, size_t *len, struct fault_io *io)
{
	const struct impair_rule *r = f->rule;
	uint32_t end = v->end;

	if (f->fresh)
		learn_addresses(f, frame, IN);
	learn(f, v, IN);
	if (!pass_both_ways(f, v, IN, io))
		return false;
	if (!end_stream(f, v, IN))
		return drop(io, "lost: reset");
	if (v->end != end) {
		*len = v->end;
		frame[v->l4 + TCP_FLAGS_OFFSET] &= (uint8_t)~TH_FIN;
		mangle_resize(v, frame);
	}
	if (is_on(f, &r->window_zero, OUT, &f->window_from, io->now)) {
		bool partial = flow_csum_is_partial(v, frame);
		change16(frame + v->l4 + WINDOW_AT, 0,
			partial ? NULL : frame + v->l4 + TCP_CSUM_OFFSET);
		io->note = "changed: window-zero";
	}
	return true;
}
