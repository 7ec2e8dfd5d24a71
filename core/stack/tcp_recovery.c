/*
 * Loss detection and recovery. What was sent and is not yet acknowledged is a list of ranges
 * (struct txseg); ACKs and SACK blocks take ranges off it or mark them, and a range is *lost* when
 * one of these says so:
 *
 *	RACK (RFC 8985)   a range sent later was delivered, and the reordering window has passed
 *	                  since
 *	NewReno           without SACK: three duplicate ACKs, then each partial ACK (RFC 5681, RFC
 *	                  6582)
 *	the RTO           everything that is not SACKed (RFC 6298 §5.4, RFC 6675 §5.1)
 *
 * States: OPEN; CWR (a congestion mark: tcp_ecn.c) and FAST (fast recovery: proportional rate
 * reduction, RFC 6937/9937, paces the window down to ssthresh); LOSS (after a timeout: slow start
 * from one segment). Both end when snd.una reaches `recover`, the snd.nxt of their beginning.
 *
 * The pipe (RFC 6675 §4) is kept as three sums instead of a walk: in flight = (nxt - una) - sacked
 * - lost + resent, where `resent` are lost ranges that left again.
 *
 * Invariants: ranges are in order, without gaps, and cover [una, nxt); a range is not both sacked
 * and lost; in_flight_again implies lost.
 */
#include <stdlib.h>

#include "core/stack/tcb.h"

static uint32_t txseg_len(const struct txseg *x)
{
	return x->end.v - x->start.v;
}

/* --- the list of ranges --- */

static struct txseg *txseg_new(struct stack *s)
{
	struct list *spare = list_first(&s->tcp.spare);

	if (!spare)
		return malloc(sizeof(struct txseg));
	list_remove(spare);
	s->tcp.nspare--;
	return LIST_ENTRY(spare, struct txseg, link);
}

static void txseg_free(struct stack *s, struct txseg *x)
{
	enum { SPARES_MAX = 4096 };

	list_remove(&x->link);
	if (s->tcp.nspare >= SPARES_MAX) {
		free(x);
		return;
	}
	list_prepend(&s->tcp.spare, &x->link);
	s->tcp.nspare++;
}

/* Adds (sign 1) or takes back (-1) `len` bytes of a range from the sums its marks put it in. */
static void account(struct tcp *t, const struct txseg *x, uint32_t len, int sign)
{
	uint32_t n = sign > 0 ? len : -len;

	t->sacked_bytes += x->sacked ? n : 0;
	t->lost_bytes += x->lost ? n : 0;
	t->resent_bytes += x->in_flight_again ? n : 0;
}

/* The window is on its way down to ssthresh. */
static bool is_reducing(const struct tcp *t)
{
	return t->recovery == RECOVERY_FAST || t->recovery == RECOVERY_CWR;
}

struct txseg *tcp_sent_append(struct tcp *t, uint32_t len, bool syn, bool fin, nsec now)
{
	struct txseg *x = txseg_new(t->stack);

	if (!x)
		return NULL;
	*x = (struct txseg){
		.start = t->snd.nxt,
		.end = seq_add(t->snd.nxt, len + syn + fin),
		.sent_at = now,
		.first_sent_at = now,
		.delivered = t->delivered,
		.syn = syn,
		.fin = fin,
	};
	list_init(&x->link);
	list_append(&t->sent, &x->link);
	t->snd.nxt = x->end;
	if (is_reducing(t))
		t->prr.out += len;
	return x;
}

void tcp_sent_free(struct tcp *t)
{
	LIST_FOR_EACH (link, &t->sent)
		txseg_free(t->stack, LIST_ENTRY(link, struct txseg, link));
	t->sacked_bytes = t->lost_bytes = t->resent_bytes = 0;
}

/*
 * Cuts x at `at`, strictly inside: x keeps the front, the new range behind it has the same marks.
 * False: no memory.
 */
bool tcp_sent_split(struct tcp *t, struct txseg *x, struct seq32 at)
{
	struct txseg *tail = txseg_new(t->stack);

	if (!tail)
		return false;
	*tail = *x;
	list_init(&tail->link);
	list_prepend(&x->link, &tail->link);
	tail->start = at;
	tail->syn = false;
	x->end = at;
	x->fin = x->psh = false;
	return true;
}

uint32_t tcp_in_flight(const struct tcp *t)
{
	uint32_t outstanding = t->snd.nxt.v - t->snd.una.v;
	uint32_t gone = t->sacked_bytes + t->lost_bytes - t->resent_bytes;

	if (!t->use_sack)
		gone += t->dupacks * t->snd.mss; /* each tells of a segment that arrived */
	return outstanding > gone ? outstanding - gone : 0;
}

struct txseg *tcp_next_lost(struct tcp *t)
{
	if (t->lost_bytes == t->resent_bytes)
		return NULL;
	LIST_FOR_EACH (link, &t->sent) {
		struct txseg *x = LIST_ENTRY(link, struct txseg, link);
		if (x->lost && !x->in_flight_again)
			return x;
	}
	return NULL;
}

void tcp_resent(struct tcp *t, struct txseg *x, uint32_t len, nsec now)
{
	/*
	 * Without memory for the cut the whole range counts as sent; the timer finds what is
	 * missing.
	 */
	if (len < txseg_len(x))
		tcp_sent_split(t, x, seq_add(x->start, len));
	x->in_flight_again = x->retransmitted = true;
	x->sent_at = now;
	t->resent_bytes += txseg_len(x);
	tcp_undo_resent(t, now);
	if (is_reducing(t))
		t->prr.out += txseg_len(x);
}

static void mark_lost(struct tcp *t, struct txseg *x)
{
	account(t, x, txseg_len(x), -1);
	x->lost = true;
	x->in_flight_again = false;
	account(t, x, txseg_len(x), 1);
}

/* --- what an ACK delivers --- */

static bool sent_after(nsec sent_a, struct seq32 end_a, nsec sent_b, struct seq32 end_b)
{
	return sent_a > sent_b || (sent_a == sent_b && seq_gt(end_a, end_b));
}

/*
 * Round-trip times. The timestamp an ACK echoes is that of the segment which moved the window
 * (RFC 7323 §4.3), so the range with that time of sending is the one it answers. Other ranges may
 * have waited in the receiver, or for an ACK that got lost: they count only when nothing that was
 * sent twice is acknowledged with them (Karn). Without this care a few lost ACKs carry srtt away.
 */
static void sample(const struct tcp *t, const struct txseg *x, struct ack_result *r, nsec rtt)
{
	if (r->has_echo && tcp_ts_now(t, x->sent_at) == r->echo)
		r->rtt_echo = rtt;
	r->resent |= x->retransmitted;
	r->rtt = rtt;
}

/*
 * Does the ACK answer the last transmission of x, rather than one before it? The timestamp it
 * echoes says so; without timestamps, no answer is faster than the fastest round trip (RFC 8985
 * §6.2 step 2).
 */
static bool is_answer_to_last(
	const struct tcp *t, const struct txseg *x, const struct ack_result *r, nsec rtt)
{
	if (r->has_echo)
		return (int32_t)(r->echo - tcp_ts_now(t, x->sent_at)) >= 0;
	return rtt >= t->min_rtt;
}

/* The original of the range at snd.una filled the hole: by how much was RACK too impatient? */
static void learn_lateness(struct tcp *t, const struct txseg *x, const struct ack_result *r, nsec now)
{
	if (t->rack.sent_at && r->has_echo && seq_eq(x->start, t->snd.una) && seq_lt(x->start, t->rack.fack) &&
		r->echo == tcp_ts_now(t, x->first_sent_at))
		tcp_reorder_late(t, now - x->first_sent_at - t->rack.rtt);
}

/* RFC 8985 §6.2 steps 1 to 3, for [.., end) of x, just delivered. */
static void note_delivered(
	struct tcp *t, const struct txseg *x, struct seq32 end, struct ack_result *r, nsec now)
{
	nsec rtt = now - x->sent_at;

	sample(t, x, r, nsec_max(rtt, 1));
	learn_lateness(t, x, r, now);
	if (x->retransmitted && !is_answer_to_last(t, x, r, rtt))
		return;
	if (!x->retransmitted && seq_lt(end, t->rack.fack))
		tcp_reorder_seen(t);
	t->rack.fack = seq_max(t->rack.fack, end);
	t->rack.rtt = rtt;
	if (sent_after(x->sent_at, end, t->rack.sent_at, t->rack.end)) {
		t->rack.sent_at = x->sent_at;
		t->rack.end = end;
	}
}

/* In segments; a SYN is one, with or without data. */
static void count_delivered(struct tcp *t, const struct txseg *x, uint32_t len, struct ack_result *r)
{
	if (x->syn)
		len = 1;
	r->original |= !x->retransmitted && seq_le(x->end, t->recover);
	t->stats.delivered += MAX((len - x->fin + t->snd.mss - 1) / t->snd.mss, 1u);
}

void tcp_sent_ack(struct tcp *t, struct seq32 ack, struct ack_result *r, nsec now)
{
	if (!seq_gt(ack, t->snd.una))
		return;
	r->acked = ack.v - t->snd.una.v;
	LIST_FOR_EACH (link, &t->sent) {
		struct txseg *x = LIST_ENTRY(link, struct txseg, link);
		if (!seq_lt(x->start, ack))
			break;
		struct seq32 end = seq_min(x->end, ack);
		uint32_t len = end.v - x->start.v;
		account(t, x, len, -1);
		r->syn |= x->syn;
		if (!x->sacked) {
			tcp_mtu_delivered(t, x, now);
			count_delivered(t, x, len, r);
			r->delivered += len;
			note_delivered(t, x, end, r, now);
		}
		if (seq_eq(end, x->end)) {
			txseg_free(t->stack, x);
		} else {
			x->start = end;
			x->syn = false;
		}
	}
	t->snd.una = ack;
	t->delivered += r->delivered;
}

static void sack_range(struct tcp *t, struct txseg *x, struct ack_result *r, nsec now)
{
	account(t, x, txseg_len(x), -1);
	x->lost = x->in_flight_again = false;
	x->sacked = true;
	account(t, x, txseg_len(x), 1);
	tcp_mtu_delivered(t, x, now);
	count_delivered(t, x, txseg_len(x), r);
	r->delivered += txseg_len(x);
	t->delivered += txseg_len(x);
	r->new_sack = true;
	note_delivered(t, x, x->end, r, now);
}

static void take_sack_block(
	struct tcp *t, const struct sack_block *b, struct ack_result *r, nsec now)
{
	LIST_FOR_EACH (link, &t->sent) {
		struct txseg *x = LIST_ENTRY(link, struct txseg, link);
		if (seq_ge(x->start, b->right))
			break;
		if (x->sacked || seq_le(x->end, b->left))
			continue;
		if (seq_lt(x->start, b->left)) {
			if (!tcp_sent_split(t, x, b->left))
				return;
			link_next = x->link.next; /* its tail is looked at next */
			continue;
		}
		if (seq_gt(x->end, b->right) && !tcp_sent_split(t, x, b->right))
			return;
		sack_range(t, x, r, now);
		link_next = x->link.next;
	}
}

/*
 * By place: blocks that one ACK reports arrived before it in an order nobody knows, not in theirs.
 */
static unsigned sort_blocks(struct sack_block *to, const struct tcp_hdr *h)
{
	for (unsigned i = 0; i < h->nsack; i++) {
		unsigned at = i;
		for (; at > 0 && seq_gt(to[at - 1].left, h->sack[i].left); at--)
			to[at] = to[at - 1];
		to[at] = h->sack[i];
	}
	return h->nsack;
}

/* RFC 2883 §4.2: a first block that lies in a later one reports a duplicate too. */
static bool is_within(const struct sack_block *b, const struct sack_block *others, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (seq_ge(b->left, others[i].left) && seq_le(b->right, others[i].right))
			return true;
	}
	return false;
}

void tcp_sent_sack(struct tcp *t, const struct tcp_hdr *h, struct ack_result *r, nsec now)
{
	struct sack_block block[TCP_SACK_MAX];
	unsigned n = sort_blocks(block, h);

	if (n > 0 && (seq_lt(h->sack[0].left, t->snd.una) || is_within(&h->sack[0], h->sack + 1, n - 1))) {
		r->dsack = true;
		r->dsack_block = h->sack[0];
	}
	for (unsigned i = 0; i < n; i++) {
		const struct sack_block *b = &block[i];
		/* Below snd.una: a DSACK (RFC 2883), or old. Beyond snd.nxt: nonsense. */
		if (seq_lt(b->left, b->right) && seq_ge(b->left, t->snd.una) &&
			seq_le(b->right, t->snd.nxt))
			take_sack_block(t, b, r, now);
	}
}

/* --- detection --- */

/* RFC 8985 §6.2 step 5. */
static void rack_detect(struct tcp *t, nsec now)
{
	nsec window = tcp_reorder_window(t), latest = 0;

	tcp_timer_set(t, TCP_TIMER_REORDER, NSEC_NEVER);
	if (t->rack.sent_at == 0)
		return;
	LIST_FOR_EACH (link, &t->sent) {
		struct txseg *x = LIST_ENTRY(link, struct txseg, link);
		if (x->sacked || (x->lost && !x->in_flight_again) ||
			!sent_after(t->rack.sent_at, t->rack.end, x->sent_at, x->end))
			continue;
		nsec remaining = x->sent_at + t->rack.rtt + window - now;
		if (remaining <= 0)
			mark_lost(t, x);
		else
			latest = nsec_max(latest, remaining);
	}
	if (latest > 0)
		tcp_timer_set(t, TCP_TIMER_REORDER, now + latest);
}

/* RFC 6582 §3.2: without SACK only the first unacknowledged segment is known to be missing. */
static void newreno_detect(struct tcp *t, const struct ack_result *r)
{
	struct list *first = list_first(&t->sent);

	if (r->dup_ack && t->dupacks < UINT8_MAX)
		t->dupacks++;
	if (r->acked > 0) {
		unsigned segs = (r->acked + t->snd.mss - 1) / t->snd.mss;
		t->dupacks = t->recovery == RECOVERY_OPEN
				     ? 0
				     : (uint8_t)(t->dupacks - MIN(segs - 1, t->dupacks));
	}
	bool partial = r->acked > 0 && t->recovery == RECOVERY_FAST;
	bool third = r->dup_ack && t->dupacks == TCP_DUP_THRESH && t->recovery == RECOVERY_OPEN;
	if (!first || !(partial || third))
		return;
	struct txseg *x = LIST_ENTRY(first, struct txseg, link);
	if (x->lost)
		return;
	if (txseg_len(x) > t->snd.mss)
		tcp_sent_split(t, x, seq_add(x->start, t->snd.mss));
	mark_lost(t, x);
}

/* --- the window during recovery --- */

/* A loss in a round that has been paid for by ECN costs nothing more (RFC 3168 §6.1.2). */
static void enter_reduction(struct tcp *t, enum tcp_recovery kind, nsec now)
{
	bool reducing = is_reducing(t);

	t->recovery = (uint8_t)kind;
	t->recover = t->snd.nxt;
	if (reducing)
		return;
	if (kind == RECOVERY_CWR)
		COUNT(t->stack, TcpExtEcnReductions);
	else
		tcp_undo_begin(t);
	t->prr.flight = MAX(t->snd.nxt.v - t->snd.una.v, t->snd.mss);
	t->prr.delivered = t->prr.out = 0;
	t->cong.ssthresh = t->cc->ssthresh(t, now);
}

static void leave_recovery(struct tcp *t)
{
	if (is_reducing(t))
		t->cong.cwnd = t->cong.ssthresh;
	t->recovery = RECOVERY_OPEN;
	t->dupacks = 0;
	tcp_reorder_recovered(t);
}

/*
 * RFC 9937 §6.2: send in proportion to what is delivered until the pipe has come down to ssthresh,
 * then slow start back up to it.
 */
static void prr_update(struct tcp *t, const struct ack_result *r, bool new_loss)
{
	uint32_t pipe = tcp_in_flight(t), mss = t->snd.mss, ssthresh = t->cong.ssthresh;
	int64_t count;

	t->prr.delivered += r->delivered;
	if (pipe > ssthresh) {
		count = (int64_t)(((uint64_t)t->prr.delivered * ssthresh + t->prr.flight - 1) /
				  t->prr.flight) -
			t->prr.out;
	} else {
		int64_t limit = MAX((int64_t)t->prr.delivered - t->prr.out, (int64_t)r->delivered);
		if (r->acked > 0 && !new_loss)
			limit += mss;
		count = MIN((int64_t)ssthresh - pipe, limit);
	}
	count = MAX(count, t->prr.out == 0 ? (int64_t)mss
					   : 0); /* the fast retransmit itself is never held back */
	t->cong.cwnd = pipe + (uint32_t)count;
}

/*
 * RFC 7413 §4.2.2: the server took the SYN without its data, or a part of it. That is no sign of
 * congestion: it goes again.
 */
static void repeat_syn_data(struct tcp *t)
{
	LIST_FOR_EACH (link, &t->sent)
		mark_lost(t, LIST_ENTRY(link, struct txseg, link));
}

/* They were none: everything is in flight, and the window is restored. */
static void forget_losses(struct tcp *t)
{
	LIST_FOR_EACH (link, &t->sent) {
		struct txseg *x = LIST_ENTRY(link, struct txseg, link);
		account(t, x, txseg_len(x), -1);
		x->lost = x->in_flight_again = false;
		account(t, x, txseg_len(x), 1);
	}
	t->recovery = RECOVERY_OPEN;
	t->dupacks = 0;
}

void tcp_recovery_ack(struct tcp *t, const struct ack_result *r, nsec now)
{
	uint32_t lost_before = t->lost_bytes - t->resent_bytes;

	if (r->syn && t->fastopen.syn_data) {
		repeat_syn_data(t);
		return;
	}
	if (tcp_undo_ack(t, r))
		forget_losses(t);
	else if (t->recovery != RECOVERY_OPEN && seq_ge(t->snd.una, t->recover))
		leave_recovery(t);
	if (!t->use_sack)
		newreno_detect(t, r);
	else if (r->delivered > 0)
		rack_detect(t, now);
	bool new_loss = t->lost_bytes - t->resent_bytes > lost_before;
	if (t->recovery <= RECOVERY_CWR && t->lost_bytes > t->resent_bytes && !tcp_mtu_lost(t, now))
		enter_reduction(t, RECOVERY_FAST, now);
	else if (t->recovery == RECOVERY_OPEN && r->congested)
		enter_reduction(t, RECOVERY_CWR, now);
	if (is_reducing(t))
		prr_update(t, r, new_loss);
	else if (r->acked > 0 && tcp_cwnd_is_limited(t) && t->cong.cwnd > 0)
		t->cc->ack(t, r->acked, now); /* not r->delivered, as Linux: up to 20 % less goodput at 3 % loss */
}

void tcp_recovery_reorder_timer(struct tcp *t, nsec now)
{
	rack_detect(t, now);
	if (t->lost_bytes == t->resent_bytes)
		return;
	if (t->recovery <= RECOVERY_CWR && !tcp_mtu_lost(t, now))
		enter_reduction(t, RECOVERY_FAST, now);
	if (t->recovery == RECOVERY_FAST)
		prr_update(t, &(struct ack_result){0}, true);
	tcp_due(t);
}

/* RFC 5681 §3.1 equation 4 and RFC 6298 §5: one segment, everything unSACKed again. */
void tcp_recovery_timeout(struct tcp *t, nsec now)
{
	struct list *first = list_first(&t->sent);
	/* A SACKed range at snd.una: the receiver took it back (RFC 2018 §8). */
	bool reneged = first && LIST_ENTRY(first, struct txseg, link)->sacked;

	if (reneged)
		COUNT(t->stack, TcpExtRenegedSacks);
	LIST_FOR_EACH (link, &t->sent) {
		struct txseg *x = LIST_ENTRY(link, struct txseg, link);
		if (reneged && x->sacked) {
			account(t, x, txseg_len(x), -1);
			x->sacked = false;
		}
		if (!x->sacked)
			mark_lost(t, x);
	}
	tcp_timer_set(t, TCP_TIMER_REORDER, NSEC_NEVER);
	t->dupacks = 0;
	if (t->cong.cwnd == 0)
		return; /* SYN or SYN-ACK: no window yet */
	tcp_undo_timeout(t, t->recovery == RECOVERY_OPEN && !reneged);
	if (t->recovery != RECOVERY_LOSS) {
		if (t->recovery == RECOVERY_OPEN)
			tcp_undo_begin(t);
		t->cong.ssthresh = t->cc->ssthresh(t, now);
		t->cc->timeout(t, now);
	}
	t->recovery = RECOVERY_LOSS;
	t->recover = t->snd.nxt;
	t->cong.cwnd = t->snd.mss;
	t->cong.limited = true;
}

void tcp_recovery_too_big(struct tcp *t, nsec now)
{
	LIST_FOR_EACH (link, &t->sent) {
		struct txseg *x = LIST_ENTRY(link, struct txseg, link);
		if (!x->sacked && txseg_len(x) > t->snd.mss)
			mark_lost(t, x);
	}
	tcp_due(t);
}
