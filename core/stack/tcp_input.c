/*
 * A segment's way through RFC 9293 §3.10.7, in its order: sequence (with PAWS), RST, SYN, ACK, URG,
 * text, FIN. Each step is a function named in_N_…; one that ends the journey returns false.
 *
 * Invariants: input never sends on a connection, it marks what is due (tcp_output.c decides);
 * nothing is believed before step 1 accepted it; after step 1 the segment is trimmed to the receive
 * window, so later steps see new bytes only.
 *
 * Departures and refinements:
 *	RFC 5961 §3, §4, §5: an RST must hit rcv.nxt exactly, a SYN or an ACK out of range gets a
 *	challenge ACK, rate-limited (§7). RFC 7323 §5: PAWS; a segment without the agreed timestamp
 *	is taken, as Linux does. RFC 1337: RSTs do not end TIME-WAIT. RFC 6191: a newer SYN takes
 *	TIME-WAIT over. A closed window still takes ACK, URG and RST from a segment at its edge (RFC
 *	9293 §3.10.7.4, first check).
 *
 * Read first: struct tcp in tcb.h, then tcp_input at the end of this file, then upwards.
 */
#include <errno.h>

#include "core/stack/tcb.h"

/*
 * RFC 5961 §7 asks for a limit, so that a flood of forged segments does not become a flood of ACKs.
 * It is each connection's own: one that they share tells an attacker who watches his own connection
 * about the others (CVE-2016-5696).
 */
static void challenge_ack(struct tcp *t, nsec now)
{
	if (now - t->last_challenge < TCP_ACK_LIMIT_INTERVAL) {
		COUNT(t->stack, TcpExtChallengeLimited);
		return;
	}
	t->last_challenge = now;
	COUNT(t->stack, TcpExtChallengeAcks);
	tcp_ack_at_once(t);
}

/*
 * The answer to an unacceptable segment. Empty ones only now and then: two stacks could answer each
 * other for ever.
 */
static void ack_unacceptable(struct tcp *t, const struct segment *g, nsec now)
{
	COUNT(t->stack, TcpExtOutOfWindow);
	if (g->syn) {
		challenge_ack(t, now); /* RFC 5961 §4: wherever it points */
		return;
	}
	if (segment_seq_len(g) == 0) {
		if (now - t->last_oow_ack < TCP_ACK_LIMIT_INTERVAL)
			return;
		t->last_oow_ack = now;
	} else if (g->len > 0 && seq_lt(g->seq, t->rcv.nxt)) {
		tcp_note_duplicate(t, g->seq, seq_min(seq_add(g->seq, g->len), t->rcv.nxt));
		COUNT(t->stack, TcpExtDupDropped);
		tcp_ack_quickly(t, TCP_QUICKACK_SEGS);
	}
	tcp_ack_at_once(t);
}

/* Cuts away what is before rcv.nxt and what is beyond the window we promised. */
static void trim(struct tcp *t, struct segment *g)
{
	int32_t before = seq_diff(t->rcv.nxt, g->seq);

	if (before > 0) {
		uint32_t n = (uint32_t)before;
		if (g->syn) {
			g->syn = false;
			n--;
		}
		uint32_t cut = MIN(n, g->len);
		if (cut > 0)
			tcp_note_duplicate(t, g->seq, seq_add(g->seq, cut));
		g->data += cut;
		g->len -= cut;
		g->seq = t->rcv.nxt;
	}
	int32_t beyond = seq_diff(seq_add(g->seq, g->len), t->rcv.adv);
	if (beyond > 0) {
		g->len -= MIN((uint32_t)beyond, g->len);
		g->fin = false;
	}
}

static bool is_acceptable(const struct tcp *t, const struct segment *g)
{
	uint32_t len = segment_seq_len(g);
	struct seq32 last = seq_add(g->seq, len ? len - 1 : 0);

	if (seq_eq(t->rcv.nxt, t->rcv.adv) || len == 0)
		return seq_le(t->rcv.nxt, g->seq) && seq_le(g->seq, t->rcv.adv) &&
		       (len == 0 || seq_eq(g->seq, t->rcv.nxt));
	return seq_lt(g->seq, t->rcv.adv) && seq_ge(last, t->rcv.nxt);
}

/*
 * RFC 7323 §5. While there are holes a little older is borne: an original that is late comes behind a retransmission
 * of what was sent before it, and would be dropped for nothing.
 */
static bool paws_rejects(const struct tcp *t, const struct segment *g, nsec now)
{
	int32_t slack = t->ofo && g->len > 0 ? TCP_PAWS_SLACK : 0;

	return t->use_ts && (g->h.opts & TO_TIMESTAMP) &&
	       (int32_t)(g->h.tsval - t->ts_recent) < -slack && now - t->ts_recent_at < TCP_PAWS_IDLE;
}

/*
 * The peer's SYN once more. Bare: it did not get our SYN-ACK. With an ACK: a simultaneous open (RFC
 * 9293 figure 7), its SYN-ACK acknowledges ours; the answer is for a peer that missed our half.
 */
static bool in_1_same_syn(struct tcp *t, struct segment *g)
{
	if (g->h.flags & TH_ACK) {
		tcp_note_duplicate(t, t->rcv.irs, seq_add(t->rcv.irs, 1));
		trim(t, g);
		tcp_ack_at_once(t);
		return true;
	}
	t->snd.syn_due = true;
	tcp_due(t);
	return false;
}

static bool in_1_sequence(struct tcp *t, struct segment *g, nsec now)
{
	bool rst = g->h.flags & TH_RST;

	if (t->state == TCPS_SYN_RECEIVED && g->syn && seq_eq(g->seq, t->rcv.irs) && !rst &&
		!in_1_same_syn(t, g))
		return false;
	if (!rst && paws_rejects(t, g, now)) {
		COUNT(t->stack, TcpExtPawsDrops);
		ack_unacceptable(t, g, now);
		return false;
	}
	if (!is_acceptable(t, g)) {
		if (!rst)
			ack_unacceptable(t, g, now);
		return false;
	}
	if (rst)
		return true;
	if (t->use_ts && (g->h.opts & TO_TIMESTAMP) && seq_le(g->seq, t->rcv.acked) &&
		((int32_t)(g->h.tsval - t->ts_recent) >= 0 || now - t->ts_recent_at >= TCP_PAWS_IDLE)) {
		t->ts_recent = g->h.tsval; /* RFC 7323 §4.3 */
		t->ts_recent_at = now;
	}
	/*
	 * Bytes that do not fit: a window probe, or a peer that ignores the window. It wants to be
	 * told where we are.
	 */
	if (g->len > 0 && seq_eq(t->rcv.nxt, t->rcv.adv))
		tcp_ack_at_once(t);
	trim(t, g);
	return true;
}

static int reset_error(const struct tcp *t)
{
	switch ((enum tcp_state)t->state) {
	case TCPS_SYN_RECEIVED:
		return t->fastopen.passive ? ECONNRESET : ECONNREFUSED;
	case TCPS_CLOSE_WAIT:
		return EPIPE; /* as Linux: the program has read the end and only writes */
	default:
		return ECONNRESET;
	}
}

static bool in_2_rst(struct tcp *t, struct segment *g, nsec now)
{
	if (!(g->h.flags & TH_RST))
		return true;
	if (seq_eq(g->seq, t->rcv.nxt))
		tcp_finish(t, reset_error(t), now);
	else
		challenge_ack(t, now);
	return false;
}

static bool in_4_syn(struct tcp *t, struct segment *g, nsec now)
{
	if (!g->syn)
		return true;
	challenge_ack(t, now);
	return false;
}

/* What the acknowledgment of our FIN means in each state. False: the connection is over. */
static bool fin_was_acked(struct tcp *t, nsec now)
{
	switch ((enum tcp_state)t->state) {
	case TCPS_FIN_WAIT_1:
		tcp_set_state(t, TCPS_FIN_WAIT_2, now);
		tcp_event(t, TCP_EV_SENT);
		if (!t->owned)
			tcp_timer_set(t, TCP_TIMER_END, now + t->option[TCP_OPT_LINGER2]);
		return true;
	case TCPS_CLOSING:
		tcp_enter_time_wait(t, now);
		return false;
	case TCPS_LAST_ACK:
		tcp_event(t, TCP_EV_SENT);
		tcp_finish(t, 0, now);
		return false;
	default:
		return true;
	}
}

/*
 * TCP_DEFER_ACCEPT, as Linux has it: the bare ACK of the handshake is ignored while the time lasts. Data completes
 * the connection, or after that time the ACK that answers our next SYN-ACK.
 */
static bool is_deferred(const struct tcp *t, const struct segment *g, nsec now)
{
	nsec wait = t->listener ? t->option[TCP_OPT_DEFER_ACCEPT] : 0;
	struct list *first = list_first(&t->sent);

	if (wait == 0 || g->len > 0 || g->fin || !first)
		return false;
	struct txseg *syn = LIST_ENTRY(first, struct txseg, link);
	if (now - syn->first_sent_at >= wait)
		return false;
	syn->retransmitted = true; /* the ACK that will count tells no round trip (Karn) */
	return true;
}

static bool in_5_ack(struct tcp *t, struct segment *g, nsec now)
{
	if (!(g->h.flags & TH_ACK))
		return false;
	if (t->state == TCPS_SYN_RECEIVED) {
		if (!seq_gt(g->h.ack, t->snd.una) || seq_gt(g->h.ack, t->snd.nxt)) {
			tcp_answer_with_reset(t->stack, g, now);
			return false;
		}
		if (is_deferred(t, g, now) ||
			(t->listener && !t->completed && !tcp_listen_complete(t, now)))
			return false;
		t->snd.wnd = t->snd.max_wnd = g->wnd;
		t->snd.wl1 = g->seq;
		t->snd.wl2 = g->h.ack;
		tcp_established(t, now);
	}
	if (seq_lt(g->h.ack, seq_add(t->snd.una, -t->snd.max_wnd)) ||
		seq_gt(g->h.ack, t->snd.nxt)) {
		challenge_ack(t, now); /* RFC 5961 §5.2 */
		return false;
	}
	tcp_ack_input(t, g, now);
	return !tcp_fin_acked(t) || fin_was_acked(t, now);
}

/*
 * RFC 9293 §3.8.5, RFC 6093: the pointer names the byte after the urgent one; the byte itself stays
 * in the stream.
 */
static void in_6_urg(struct tcp *t, const struct segment *g)
{
	if (!(g->h.flags & TH_URG) || t->state > TCPS_FIN_WAIT_2)
		return;
	struct seq32 up = seq_add(g->h.seq, g->h.urgent); /* g->seq may have been trimmed */
	if (!seq_gt(up, t->rcv.nxt) || (t->rcv.urgent && !seq_gt(up, t->rcv.up)))
		return;
	t->rcv.up = up;
	t->rcv.urgent = true;
	tcp_event(t, TCP_EV_URGENT);
}

/*
 * Text for a program that has closed: it is lost, and the peer must know (RFC 9293 §3.10.4, RFC
 * 2525 §2.17).
 */
static bool refuses_text(struct tcp *t, const struct segment *g, nsec now)
{
	if (t->owned || t->listener || g->len == 0 || !seq_gt(seq_add(g->seq, g->len), t->rcv.nxt))
		return false;
	tcp_answer_with_reset(t->stack, g, now);
	tcp_finish(t, ECONNRESET, now);
	return true;
}

static void input_synchronized(struct tcp *t, struct segment *g, nsec now)
{
	if (!in_1_sequence(t, g, now) || !in_2_rst(t, g, now) || !in_4_syn(t, g, now) ||
		!in_5_ack(t, g, now))
		return;
	in_6_urg(t, g);
	if (refuses_text(t, g, now))
		return;
	if (t->state == TCPS_ESTABLISHED || t->state == TCPS_FIN_WAIT_1 ||
		t->state == TCPS_FIN_WAIT_2)
		tcp_text_input(t, g, now);
	tcp_fin_input(t, g, now);
}

/* RFC 7323 §3.2: a SYN-ACK echoes a timestamp that we sent; a forged one can hardly. */
static bool is_echo_of_ours(const struct tcp *t, const struct segment *g, nsec now)
{
	struct list *first = list_first(&t->sent);

	if (!(g->h.opts & TO_TIMESTAMP) || g->h.tsecr == 0 || !t->option[TCP_OPT_TIMESTAMPS] || !first)
		return true;
	uint32_t oldest = tcp_ts_now(t, LIST_ENTRY(first, struct txseg, link)->first_sent_at);
	return (int32_t)(g->h.tsecr - oldest) >= 0 &&
	       (int32_t)(tcp_ts_now(t, now) - g->h.tsecr) >= 0;
}

/* RFC 9293 §3.10.7.3. */
static void input_syn_sent(struct tcp *t, struct segment *g, nsec now)
{
	bool ack = g->h.flags & TH_ACK;
	bool of_nothing = ack && (seq_le(g->h.ack, t->snd.iss) || seq_gt(g->h.ack, t->snd.nxt));

	if (of_nothing || (ack && !is_echo_of_ours(t, g, now))) {
		tcp_answer_with_reset(t->stack, g, now);
		/* A peer still in TIME-WAIT after our last life: our RST has ended that. Once only. */
		if (of_nothing && t->retries == 0)
			tcp_timer_set(t, TCP_TIMER_REXMIT, now + TCP_SYN_AGAIN);
		return;
	}
	if (g->h.flags & TH_RST) {
		if (ack)
			tcp_finish(t, ECONNREFUSED, now);
		return;
	}
	if (!g->syn)
		return;
	tcp_take_syn(t, g, now);
	g->syn = false;
	g->seq = t->rcv.nxt;
	if (!ack) { /* simultaneous open: our SYN goes again, with an ACK */
		tcp_set_state(t, TCPS_SYN_RECEIVED, now);
		t->snd.syn_due = true;
		tcp_due(t);
		return;
	}
	tcp_fastopen_syn_ack(t, g);
	tcp_established(t, now);
	if (t->snd.queue.len > (uint32_t)seq_diff(t->snd.nxt, t->snd.una_data))
		t->dialogue = true; /* the program has more to say at once */
	tcp_ack_input(t, g, now);
	tcp_ack_at_once(t);
	trim(t, g);
	tcp_text_input(t, g, now);
	tcp_fin_input(t, g, now);
}

/*
 * A SYN that cannot be an old one (RFC 6191 §2, RFC 1122 §4.2.2.13): timestamps decide, then the
 * sequence number.
 */
static bool is_newer_syn(const struct tcp *t, const struct segment *g)
{
	if (!g->syn || (g->h.flags & TH_ACK))
		return false;
	if (t->use_ts && (g->h.opts & TO_TIMESTAMP) && g->h.tsval != t->ts_recent)
		return (int32_t)(g->h.tsval - t->ts_recent) > 0;
	return seq_gt(g->seq, t->rcv.nxt);
}

/* True: TIME-WAIT is over, the segment goes on to a listener. */
static bool input_time_wait(struct tcp *t, struct segment *g, nsec now)
{
	if (g->h.flags & TH_RST)
		return false;
	if (is_newer_syn(t, g) && tcp_port_listener(t->stack, &t->local, &t->remote)) {
		COUNT(t->stack, TcpExtTimeWaitReused);
		tcp_finish(t, 0, now);
		return true;
	}
	if (g->fin && seq_eq(seq_add(g->seq, g->len), seq_add(t->rcv.nxt, -1u)))
		tcp_enter_time_wait(t, now); /* our last ACK was lost: another 2 MSL */
	if (segment_seq_len(g) > 0 || !seq_eq(g->seq, t->rcv.nxt))
		ack_unacceptable(t, g, now);
	return false;
}

static bool parse(struct stack *s, struct segment *g, const struct ip_meta *m, const uint8_t *bytes,
	size_t len, const struct rx_frame *f)
{
	if (m->to_multicast || !tcp_hdr_parse(&g->h, bytes, len)) {
		COUNT(s, TcpInErrs);
		return false;
	}
	if (!ip_l4_checksum_ok(s, m, bytes, len, TCP_CSUM_OFFSET, f)) {
		COUNT(s, TcpInErrs);
		COUNT(s, TcpInCsumErrors);
		return false;
	}
	g->ip = m;
	g->data = bytes + g->h.hdr_len;
	g->len = (uint32_t)(len - g->h.hdr_len);
	g->pieces = NULL;
	g->npieces = 1;
	g->seq = g->h.seq;
	g->syn = g->h.flags & TH_SYN;
	g->fin = g->h.flags & TH_FIN;
	g->gso_size = f->gso_size;
	g->waited = f->waited;
	return true;
}

/* A connection that a SYN cookie brought to life takes the segment, else it ends here: NULL. */
static struct tcp *input_without_connection(struct stack *s, struct segment *g,
	const struct endpoint *local, const struct endpoint *remote, nsec now)
{
	struct tcp *l = tcp_port_listener(s, local, remote);

	if (l)
		return tcp_listen_input(l, g, now);
	COUNT(s, TcpInNoSocket);
	tcp_answer_with_reset(s, g, now);
	return NULL;
}

void tcp_segment_input(struct tcp *t, struct segment *g, nsec now)
{
	t->stats.segs_in += g->npieces;
	t->stats.data_segs_in += g->len > 0 ? g->npieces : 0;
	g->wnd = (uint32_t)g->h.window << (g->syn ? 0 : t->snd.wscale);
	if (t->state == TCPS_SYN_SENT)
		input_syn_sent(t, g, now);
	else
		input_synchronized(t, g, now);
	if (t->state != TCPS_CLOSED)
		tcp_arm_keepalive(t, now);
}

void tcp_input(struct stack *s, const struct ip_meta *m, const uint8_t *bytes, size_t len,
	const struct rx_frame *f, nsec now)
{
	struct segment g;

	COUNT(s, TcpInSegs);
	if (!parse(s, &g, m, bytes, len, f))
		return;
	struct endpoint local = {m->dst, g.h.dst_port}, remote = {m->src, g.h.src_port};
	struct tcp *t = tcp_table_find(s, &local, &remote);
	if (t && t->state == TCPS_TIME_WAIT) {
		if (!input_time_wait(t, &g, now))
			return;
		t = NULL;
	}
	if (!t) {
		t = input_without_connection(s, &g, &local, &remote, now);
		if (!t)
			return;
	}
	if (!gro_begin(t, &g, f))
		tcp_segment_input(t, &g, now);
}
