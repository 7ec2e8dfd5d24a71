/*
 * The one place that sends. tcp_output visits a connection that is due, and sends, in this order:
 * the SYN; what was found lost; new data (as super-segments, with the FIN behind the last); a pure
 * ACK, if one is owed and nothing above carried it.
 *
 * New data goes when a full segment is ready and both windows have room. A partial one goes only as
 * the last of the ring and only if Nagle's rule in Minshall's form (no other partial segment
 * unacknowledged) or TCP_NODELAY lets it, or when it is half of the largest window the peer ever
 * offered (sender's silly-window avoidance, RFC 9293 §3.8.6.2.1).
 *
 * Checksums leave partial: the link completes them (or the NIC does).
 */
#include <errno.h>

#include "core/stack/tcb.h"
#include "core/wire/checksum.h"
#include "core/wire/ipv4.h"

enum { BUSY_RETRY_US = 200 };

struct outgoing {
	struct seq32 seq;
	uint8_t flags;
	uint32_t len; /* payload, from the send ring */
	uint8_t opts; /* of a SYN; else chosen here */
	bool probe;   /* one segment whatever its size: tcp_mtu.c */
};

static void init_header(struct tcp *t, struct tcp_hdr *h, const struct outgoing *o, nsec now)
{
	*h = (struct tcp_hdr){
		.src_port = t->local.port,
		.dst_port = t->remote.port,
		.seq = o->seq,
		.flags = o->flags,
	};
	if (o->flags & TH_ACK)
		h->ack = t->rcv.nxt;
	if (o->flags & TH_SYN) {
		tcp_syn_options(t, h, now);
		return;
	}
	if (t->use_ts) {
		h->opts |= TO_TIMESTAMP;
		h->tsval = tcp_ts_now(t, now);
		h->tsecr = t->ts_recent;
		tcp_ts_sent(t, h->tsval, now);
	}
	if (t->snd.urgent && seq_gt(t->snd.up, o->seq)) {
		uint32_t distance = t->snd.up.v - o->seq.v;
		h->flags |= TH_URG;
		h->urgent = (uint16_t)MIN(distance, 0xffffu);
	}
}

static void add_sack(struct tcp *t, struct tcp_hdr *h)
{
	unsigned n = 0, most = t->use_ts ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;

	if (t->rcv.dsack)
		h->sack[n++] = t->rcv.sack_dup;
	for (unsigned i = 0; i < t->rcv.nsack && n < most; i++)
		h->sack[n++] = t->rcv.sack[i];
	if (n > 0)
		h->opts |= TO_SACK;
	h->nsack = (uint8_t)n;
	t->rcv.dsack = false;
}

/* A window in a SYN is never scaled (RFC 7323 §2.2). */
static void set_window(struct tcp *t, struct tcp_hdr *h)
{
	uint32_t window = tcp_receive_window(t);

	h->window = (uint16_t)(h->flags & TH_SYN ? MIN(window, 65535u) : window >> t->rcv.wscale);
}

/* The segment has left: the window in it is a promise, and the ACK is paid. */
static void ack_paid(struct tcp *t, const struct tcp_hdr *h)
{
	uint32_t window = (uint32_t)h->window << (h->flags & TH_SYN ? 0 : t->rcv.wscale);

	if (!(h->flags & TH_ACK))
		return;
	t->rcv.adv = seq_max(t->rcv.adv, seq_add(t->rcv.nxt, window));
	t->rcv.acked = t->rcv.nxt;
	t->rcv.told |= !(h->flags & TH_SYN);
	if (t->ack_due && t->quickacks > 0)
		t->quickacks--;
	t->ack_due = t->ack_now = false;
	tcp_timer_set(t, TCP_TIMER_DELACK, NSEC_NEVER);
}

/* `mss`: payload per segment, should `len` be more. */
static int transmit(struct tcp *t, struct tcp_hdr *h, uint32_t len, uint32_t mss, nsec now)
{
	struct tx_frame f;
	struct ip_meta m = {
		.src = t->local.addr,
		.dst = t->remote.addr,
		.protocol = IP_PROTO_TCP,
		.tos = (uint8_t)t->option[TCP_OPT_TOS] | tcp_ecn_tos(t, h, len),
		.ttl = (uint8_t)t->option[TCP_OPT_TTL],
		.df = true,
	};
	struct seq32 first = seq_add(h->seq, h->flags & TH_SYN ? 1 : 0);
	uint8_t bytes[TCP_HDR_MAX];

	tx_frame_init(&f);
	if (len > 0)
		f.npayload = (uint8_t)sendq_pieces(
			&t->snd.queue, first.v - t->snd.una_data.v, len, f.payload);
	size_t hdr_len = tcp_hdr_emit(bytes, h);
	uint8_t *out = tx_frame_push(&f, hdr_len);
	__builtin_memcpy(out, bytes, hdr_len);
	put_be16(out + TCP_CSUM_OFFSET,
		csum_fold(csum_pseudo(&m.src, &m.dst, IP_PROTO_TCP, (uint32_t)hdr_len + len)));
	f.csum = FRAME_CSUM_PARTIAL;
	f.csum_offset = TCP_CSUM_OFFSET;
	f.l4_from_end = (uint16_t)hdr_len;
	f.gso_size = len > mss ? (uint16_t)mss : 0;
	unsigned segs = len > mss ? (len + mss - 1) / mss : 1;
	int err = ip_output(t->stack, &f, &m, now);
	if (err == -EAGAIN) {
		tcp_timer_set(t, TCP_TIMER_BUSY, now + BUSY_RETRY_US * USEC);
		return err;
	}
	COUNT_N(t->stack, TcpOutSegs, segs);
	t->stats.segs_out += segs;
	if (len > 0)
		t->stats.data_segs_out += segs;
	if (err)
		t->soft_error = -err;
	return err;
}

/* Payload per segment right now: SACK blocks, while there are holes, take their place from it. */
static uint32_t effective_mss(const struct tcp *t)
{
	unsigned most = t->use_ts ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;
	unsigned blocks = t->use_sack ? MIN((unsigned)t->rcv.nsack + t->rcv.dsack, most) : 0;

	return blocks ? t->snd.mss - (4 + 8 * blocks) : t->snd.mss;
}

/*
 * Sends one (super-)segment; what cannot leave for another reason than a full link is as good as
 * lost on the way.
 */
static bool send_segment(struct tcp *t, const struct outgoing *o, nsec now)
{
	uint32_t mss = o->probe ? o->len : effective_mss(t);
	struct tcp_hdr h;

	init_header(t, &h, o, now);
	if (o->len > mss)
		h.flags |= TH_PSH; /* the end of a super-segment is where a merging receiver should stop */
	if ((h.flags & TH_ACK) && !(h.flags & TH_SYN) && t->use_sack &&
		(o->len == 0 || t->rcv.nsack || t->rcv.dsack))
		add_sack(t, &h);
	set_window(t, &h);
	tcp_ecn_flags(t, &h, o->len);
	if (transmit(t, &h, o->len, mss, now) == -EAGAIN)
		return false;
	ack_paid(t, &h);
	return true;
}

static void send_syn(struct tcp *t, nsec now)
{
	bool again = !seq_eq(t->snd.nxt, t->snd.iss);
	struct outgoing o = {t->snd.iss, TH_SYN, 0, 0, false};

	if (t->state == TCPS_SYN_RECEIVED)
		o.flags |= TH_ACK;
	struct tcp_hdr h;
	init_header(t, &h, &o, now);
	set_window(t, &h);
	tcp_ecn_syn_flags(t, &h, again);
	uint32_t len = tcp_fastopen_payload(t);
	int err = transmit(t, &h, len, UINT32_MAX, now);
	if (err == -EAGAIN)
		return;
	t->snd.syn_due = false;
	if (err == -EHOSTUNREACH && t->state == TCPS_SYN_SENT) {
		tcp_finish(t, EHOSTUNREACH, now);
		return;
	}
	ack_paid(t, &h);
	struct txseg *x = NULL;
	if (again) {
		struct list *first = list_first(&t->sent);
		x = first ? LIST_ENTRY(first, struct txseg, link) : NULL;
		if (x && x->lost && !x->in_flight_again)
			tcp_resent(t, x, 1, now);
		COUNT(t->stack, TcpRetransSegs);
		t->stats.total_retrans++;
	} else {
		x = tcp_sent_append(t, len, true, false, now);
		if (!x) {
			tcp_finish(t, ENOMEM, now);
			return;
		}
		x->psh = len > 0;
	}
	tcp_arm_rexmit(t, now);
}

/* One lost range, or as much of it as fits `most`. False: nothing could be sent. */
static bool resend(struct tcp *t, struct txseg *x, uint32_t most, nsec now)
{
	uint32_t data = x->end.v - x->start.v - x->fin - x->syn;
	uint32_t len = MIN(data, most);
	struct outgoing o = {x->start, TH_ACK, len, 0, false};

	if (len == data && x->fin)
		o.flags |= TH_FIN;
	if (len == data && x->psh)
		o.flags |= TH_PSH;
	if (!send_segment(t, &o, now))
		return false;
	unsigned segs = MAX((len + t->snd.mss - 1) / t->snd.mss, 1u);
	COUNT_N(t->stack, TcpRetransSegs, segs);
	if (t->recovery != RECOVERY_LOSS)
		COUNT_N(t->stack, TcpExtFastRetrans, segs);
	t->stats.total_retrans += segs;
	t->stats.bytes_retrans += len;
	tcp_resent(t, x, len + (o.flags & TH_FIN ? 1 : 0), now);
	if (&x->link == list_first(&t->sent) && t->recovery == RECOVERY_FAST)
		tcp_arm_rexmit(t, now); /* its answer is a round trip away from now */
	return true;
}

static uint32_t congestion_room(struct tcp *t)
{
	uint32_t pipe = tcp_in_flight(t);

	return t->cong.cwnd > pipe ? t->cong.cwnd - pipe : 0;
}

static bool send_lost(struct tcp *t, nsec now)
{
	struct txseg *x;
	uint32_t mss = effective_mss(t);

	if (t->undo.frto == FRTO_NEW)
		return true; /* new data goes in their place: tcp_undo.c */
	while ((x = tcp_next_lost(t))) {
		uint32_t room = congestion_room(t);
		if (room < mss && tcp_in_flight(t) > 0) {
			t->cwnd_limited = true;
			return true;
		}
		if (!resend(t, x, MIN(tcp_burst_max(t, mss), MAX(room / mss, 1u) * mss), now))
			return false;
	}
	return true;
}

/* Not just beyond una: after 2 GiB without a small segment the mark of the last one is ahead. */
static bool nagle_lets_go(const struct tcp *t)
{
	bool small_in_flight = seq_gt(t->snd.small, t->snd.una) && seq_le(t->snd.small, t->snd.nxt);

	return t->option[TCP_OPT_NODELAY] || !small_in_flight;
}

void tcp_push(struct tcp *t, bool past_cork)
{
	if (!past_cork && (t->option[TCP_OPT_CORK] || !nagle_lets_go(t)))
		return;
	t->snd.pushed = seq_add(t->snd.una_data, t->snd.queue.len);
	t->snd.pushing = seq_gt(t->snd.pushed, t->snd.nxt);
}

/* May a segment that is not full, the last of the ring, leave now? */
static bool partial_may_go(struct tcp *t, uint32_t len, nsec now)
{
	if (t->snd.fin_queued || t->snd.forced || 2 * len >= t->snd.max_wnd)
		return true;
	if (t->option[TCP_OPT_CORK]) {
		if (t->deadline[TCP_TIMER_CORK] == NSEC_NEVER)
			tcp_timer_set(t, TCP_TIMER_CORK, now + TCP_CORK_MAX);
		return false;
	}
	return nagle_lets_go(t);
}

/* How much new data may leave in one go; 0: nothing now. */
static uint32_t sendable(struct tcp *t, uint32_t mss, nsec now)
{
	uint32_t unsent = t->snd.queue.len - (t->snd.nxt.v - t->snd.una_data.v);
	int32_t window = seq_diff(seq_add(t->snd.una, t->snd.wnd), t->snd.nxt);
	uint32_t room = congestion_room(t);

	if (t->snd.fin_sent || unsent == 0 || window <= 0)
		return 0;
	if (room < MIN(mss, unsent) && tcp_in_flight(t) > 0) {
		t->cwnd_limited = true;
		return 0;
	}
	room = MAX(room, mss);
	uint32_t len = MIN(MIN(unsent, (uint32_t)window), MIN(room, tcp_burst_max(t, mss)));
	if (len == unsent && (len % mss == 0 || partial_may_go(t, len % mss, now)))
		return len;
	uint32_t pushed = t->snd.pushing ? t->snd.pushed.v - t->snd.nxt.v : 0;
	if (pushed > len - len % mss && pushed <= len)
		return pushed;
	if (len >= mss)
		return len - len % mss;
	return len == (uint32_t)window && (t->snd.forced || 2 * len >= t->snd.max_wnd) ? len : 0;
}

static bool send_new(struct tcp *t, nsec now)
{
	if (t->snd.nxt.v - t->snd.una_data.v < t->snd.queue.len)
		tcp_cwnd_after_idle(t, now);
	for (;;) {
		uint32_t probe = tcp_mtu_probe_len(t, now), mss = probe ? probe : effective_mss(t);
		uint32_t len = probe ? probe : sendable(t, mss, now);
		struct seq32 ring_end = seq_add(t->snd.una_data, t->snd.queue.len);
		struct seq32 end = seq_add(t->snd.nxt, len);
		bool fin = t->snd.fin_queued && !t->snd.fin_sent && seq_eq(end, ring_end);
		bool psh = seq_eq(end, ring_end) || (t->snd.pushing && seq_eq(end, t->snd.pushed));
		struct outgoing o = {t->snd.nxt, TH_ACK, len, 0, probe > 0};

		if (len == 0 && !fin)
			return true;
		o.flags |= (fin ? TH_FIN : 0) | (len > 0 && psh ? TH_PSH : 0);
		if (!send_segment(t, &o, now))
			return false;
		struct txseg *x = tcp_sent_append(t, len, false, fin, now);
		if (!x)
			return false; /* unrecorded is unsent: it goes again at the next visit */
		x->psh = o.flags & TH_PSH;
		if (probe)
			tcp_mtu_sent(t, x->start);
		t->snd.fin_sent |= fin;
		t->snd.pushing &= seq_gt(t->snd.pushed, end);
		t->stats.bytes_sent += len;
		t->last_sent = now;
		if (t->stats.bytes_received && now - t->stats.last_data_recv < TCP_DELACK_MAX)
			t->dialogue = true;
		if (len % mss)
			t->snd.small = end;
		if (t->deadline[TCP_TIMER_REXMIT] == NSEC_NEVER || t->tlp.armed)
			tcp_arm_rexmit(t, now);
	}
}

/* Nothing in flight to provoke an ACK, something to send, no window: probe for it. */
static void maybe_persist(struct tcp *t, nsec now)
{
	bool waiting = t->snd.nxt.v - t->snd.una_data.v < t->snd.queue.len && list_empty(&t->sent);

	if (waiting && t->deadline[TCP_TIMER_PERSIST] == NSEC_NEVER &&
		t->deadline[TCP_TIMER_BUSY] == NSEC_NEVER &&
		t->deadline[TCP_TIMER_CORK] == NSEC_NEVER)
		tcp_timer_set(t, TCP_TIMER_PERSIST, now + t->rto);
	else if (!waiting)
		tcp_timer_set(t, TCP_TIMER_PERSIST, NSEC_NEVER);
}

static void send_ack(struct tcp *t, nsec now)
{
	struct outgoing o = {t->snd.nxt, TH_ACK, 0, 0, false};

	if (!send_segment(t, &o, now))
		tcp_due(t);
}

void tcp_output(struct tcp *t, nsec now)
{
	if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED) {
		if (t->snd.syn_due)
			send_syn(t, now);
		else if (t->ack_now && t->state == TCPS_SYN_RECEIVED)
			send_ack(t, now); /* to a segment that was not acceptable */
		if (!t->fastopen.passive || t->retries > 0)
			return; /* a Fast Open child answers before it is established */
	}
	if (t->state == TCPS_CLOSED || t->state == TCPS_LISTEN)
		return;
	uint32_t before = t->stats.data_segs_out;
	t->cwnd_limited = false;
	if (t->state != TCPS_TIME_WAIT && send_lost(t, now) && send_new(t, now))
		maybe_persist(t, now);
	if (t->cwnd_limited || before != t->stats.data_segs_out)
		tcp_cwnd_used(t, t->cwnd_limited || tcp_in_flight(t) >= t->cong.cwnd);
	if (t->ack_now || (t->ack_due && seq_diff(t->rcv.nxt, t->rcv.acked) > t->rcv.mss))
		send_ack(t, now);
}

/* A partial segment that waited long enough: for the cork, or for a window that stays silly. */
void tcp_output_forced(struct tcp *t, nsec now)
{
	t->snd.forced = true;
	tcp_output(t, now);
	t->snd.forced = false;
}

bool tcp_output_one(struct tcp *t, nsec now)
{
	uint32_t unsent = t->snd.queue.len - (t->snd.nxt.v - t->snd.una_data.v);
	int32_t window = seq_diff(seq_add(t->snd.una, t->snd.wnd), t->snd.nxt);
	uint32_t len = MIN(unsent, effective_mss(t));

	if (t->snd.fin_sent || len == 0 || window < (int32_t)len)
		return false;
	bool psh = len == unsent;
	struct outgoing o = {t->snd.nxt, TH_ACK | (psh ? TH_PSH : 0), len, 0, false};
	struct txseg *x = send_segment(t, &o, now) ? tcp_sent_append(t, len, false, false, now) : NULL;
	if (!x)
		return false;
	x->psh = psh;
	t->stats.bytes_sent += len;
	t->last_sent = now;
	return true;
}

void tcp_output_again(struct tcp *t, struct txseg *x, nsec now)
{
	uint32_t len = x->end.v - x->start.v - x->fin - x->syn;
	struct outgoing o = {x->start, TH_ACK | (x->psh ? TH_PSH : 0) | (x->fin ? TH_FIN : 0), len, 0, false};

	if (!send_segment(t, &o, now))
		return;
	x->sent_at = now;
	x->retransmitted = true;
	COUNT(t->stack, TcpRetransSegs);
	t->stats.total_retrans++;
	t->stats.bytes_retrans += len;
}

void tcp_send_probe(struct tcp *t, nsec now)
{
	struct outgoing o = {seq_add(t->snd.una, -1u), TH_ACK, 0, 0, false};

	send_segment(t, &o, now);
}

/* --- RST --- */

/* A segment of no connection's ring or clock: complete, sent at once. */
void tcp_send_stateless(struct stack *s, const struct endpoint *local,
	const struct endpoint *remote, struct tcp_hdr *h, nsec now)
{
	struct ip_meta m = {
		.src = local->addr, .dst = remote->addr, .protocol = IP_PROTO_TCP, .df = true};
	struct tx_frame f;
	uint8_t bytes[TCP_HDR_MAX];

	h->src_port = local->port;
	h->dst_port = remote->port;
	tx_frame_init(&f);
	size_t len = tcp_hdr_emit(bytes, h);
	uint8_t *out = tx_frame_push(&f, len);
	__builtin_memcpy(out, bytes, len);
	csum_acc sum = csum_pseudo(&m.src, &m.dst, IP_PROTO_TCP, (uint32_t)len);
	put_be16(out + TCP_CSUM_OFFSET, csum_finish(csum_add(sum, bytes, len)));
	f.l4_from_end = (uint16_t)len;
	if (ip_output(s, &f, &m, now) != 0)
		return;
	COUNT(s, TcpOutSegs);
	if (h->flags & TH_RST)
		COUNT(s, TcpOutRsts);
}

void tcp_send_reset(struct tcp *t, nsec now)
{
	struct tcp_hdr h = {.seq = t->snd.nxt, .ack = t->rcv.nxt, .flags = TH_RST | TH_ACK};

	if (t->state == TCPS_SYN_SENT)
		return; /* nothing the peer could believe */
	if (t->use_ts) {
		h.opts |= TO_TIMESTAMP;
		h.tsval = tcp_ts_now(t, now);
		h.tsecr = t->ts_recent;
	}
	tcp_send_stateless(t->stack, &t->local, &t->remote, &h, now);
}

/* RFC 9293 §3.10.7.1: a segment that belongs to no connection. */
void tcp_answer_with_reset(struct stack *s, const struct segment *g, nsec now)
{
	struct endpoint local = {g->ip->dst, g->h.dst_port}, remote = {g->ip->src, g->h.src_port};
	struct tcp_hdr h = {.flags = TH_RST};

	if (g->h.flags & TH_RST)
		return;
	if (g->h.flags & TH_ACK) {
		h.seq = g->h.ack;
	} else {
		h.flags |= TH_ACK;
		h.ack = seq_add(g->seq, segment_seq_len(g));
	}
	tcp_send_stateless(s, &local, &remote, &h, now);
}
