/*
 * Steps 7 and 8: text and FIN. In-order bytes go straight to the owner (ops->deliver) while nothing
 * waits in the ring, else into the ring; bytes beyond a hole are written to their final place in
 * the ring and remembered as a range. So nothing is ever copied twice and filling a hole moves only
 * a length.
 *
 * SACK blocks (RFC 2018 §4): the range that the newest segment went into comes first. A duplicate
 * is reported once as DSACK (RFC 2883).
 *
 * ACKs: more than a full segment at once, a hole or its filling at once, the first ones of a
 * connection at once; else within TCP_DELACK_MAX. One ACK answers all that arrived before a poll. A
 * program that answers within the delay is in a dialogue: its data carries the ACKs.
 *
 * The window is twice what the program takes in a round trip. More than that only waits; and where the round trip
 * is short it waits for us, in more memory than the cache has, and must not count as the path's length, or the
 * window would grow with its own queue.
 */
#include <stdlib.h>
#include <string.h>

#include "core/stack/tcb.h"

void tcp_ack_at_once(struct tcp *t)
{
	t->ack_due = t->ack_now = true;
	tcp_due(t);
}

void tcp_ack_quickly(struct tcp *t, uint8_t segs)
{
	t->quickacks = MAX(t->quickacks, segs);
	t->dialogue = false;
}

/*
 * A peer that begins, or begins again after a pause longer than the RTO, is in slow start and lives on ACKs.
 */
static void note_arrival(struct tcp *t, nsec now)
{
	nsec pause = now - t->stats.last_data_recv;

	if (pause > t->rto)
		t->rcv.echo_since = 0; /* the peer had nothing to say: that is not the path's */
	if (t->stats.bytes_received == 0 || pause > t->rto)
		t->quickacks = MAX(t->quickacks, (uint8_t)TCP_QUICKACK_SEGS);
	t->stats.last_data_recv = now;
}

void tcp_ack_soon(struct tcp *t, nsec now)
{
	t->ack_due = true;
	if ((t->quickacks > 0 && !t->dialogue) || seq_diff(t->rcv.nxt, t->rcv.acked) > t->rcv.mss) {
		tcp_ack_at_once(t);
		return;
	}
	if (t->deadline[TCP_TIMER_DELACK] == NSEC_NEVER) {
		/* Half a round trip is soon enough where round trips are short. */
		nsec delay = t->srtt ? nsec_min(nsec_max(t->srtt / 2, 4 * MSEC), TCP_DELACK_MAX)
				     : TCP_DELACK_MAX;
		tcp_timer_set(t, TCP_TIMER_DELACK, now + delay);
	}
}

void tcp_note_duplicate(struct tcp *t, struct seq32 left, struct seq32 right)
{
	if (!t->use_sack || !seq_lt(left, right))
		return;
	t->rcv.dsack = true;
	t->rcv.sack_dup = (struct sack_block){left, right};
}

void tcp_ofo_free(struct tcp *t)
{
	if (!t->ofo)
		return;
	t->stack->memory -= sizeof *t->ofo;
	free(t->ofo);
	t->ofo = NULL;
	t->rcv.nsack = 0;
}

/* --- the window --- */

uint32_t tcp_receive_window(const struct tcp *t)
{
	uint32_t promised = (uint32_t)seq_diff(t->rcv.adv, t->rcv.nxt);
	uint32_t room = t->rcv.limit > t->rcv.ring.len ? t->rcv.limit - t->rcv.ring.len : 0;
	uint32_t unit = 1u << t->rcv.wscale;
	size_t most = t->stack->config.tcp_mem_max;

	/*
	 * Memory is nearly used up: whoever left something unread is promised no more. Whoever keeps up
	 * needs none of it.
	 */
	if (t->stack->memory > most - most / 8)
		room = t->rcv.ring.len ? 0 : MIN(room, TCP_RCVBUF_SCARCE);
	/*
	 * Silly windows (RFC 9293 §3.8.6.2.2): the edge moves by a full segment or half the buffer,
	 * or not at all.
	 */
	if (room < promised + MIN((uint32_t)t->rcv.mss, t->rcv.limit / 2))
		room = promised;
	uint32_t floor = (promised + unit - 1) & ~(unit - 1);
	return MIN(MAX(room & ~(unit - 1), floor), 65535u << t->rcv.wscale);
}

/*
 * A receiver's round trip: from the first segment with a timestamp to the first data that echoes it, which is
 * exact, though the timestamps count milliseconds. What the data may have waited for us is not the path's.
 */
void tcp_ts_sent(struct tcp *t, uint32_t tsval, nsec now)
{
	if (tsval != t->rcv.tsval && t->rcv.echo_since == 0) {
		t->rcv.echo = tsval;
		t->rcv.echo_since = now;
	}
	t->rcv.tsval = tsval;
}

static void sample_rtt(struct tcp *t, const struct segment *g, nsec now)
{
	if (!(g->h.opts & TO_TIMESTAMP) || t->rcv.echo_since == 0 ||
		(int32_t)(g->h.tsecr - t->rcv.echo) < 0)
		return;
	if (g->h.tsecr == t->rcv.echo)
		t->rcv.rtt_sample = nsec_max(now - g->waited - t->rcv.echo_since, 1 * USEC);
	t->rcv.echo_since = 0;
}

/*
 * Who only receives has measured no round trip but the handshake's, and that one may have overtaken the others. So one
 * sample per round is taken in; a larger one slowly: what waits in queues now is not to be filled with twice as much,
 * and a much larger one may be the peer's time to think.
 */
static void learn_rtt(struct tcp *t)
{
	nsec more = t->rcv.rtt_sample - t->rcv.rtt;

	if (t->rcv.rtt == 0 || !t->use_ts)
		t->rcv.rtt = t->rcv.rtt_sample ? t->rcv.rtt_sample : t->srtt;
	else if (t->rcv.rtt_sample)
		t->rcv.rtt += more > 0 ? nsec_min(more, 4 * t->rcv.rtt) / 16 : more / 4;
	t->rcv.rtt_sample = 0;
}

/*
 * Dynamic right-sizing: what the program consumes within a round trip must fit the window twice. As long as nobody
 * knows how long that is, what it has consumed since the last look.
 */
static void tune_window(struct tcp *t, nsec now)
{
	nsec elapsed = now - t->rcv.tuned_at;
	nsec round = t->rcv.rtt ? nsec_max(t->rcv.rtt, TCP_RCV_ROUND_MIN) : nsec_max(elapsed, 1 * MSEC);

	if (elapsed < round || t->option[TCP_OPT_RCVBUF])
		return;
	uint64_t consumed = t->stats.bytes_received - t->rcv.ring.len - t->rcv.tuned_bytes;
	uint64_t limit = 2 * consumed * (uint64_t)(round / USEC) / (uint64_t)(elapsed / USEC);
	t->rcv.limit = (uint32_t)MIN(MAX(limit, (uint64_t)t->rcv.limit), (uint64_t)TCP_RCVBUF_MAX);
	learn_rtt(t);
	t->rcv.tuned_bytes += consumed;
	t->rcv.tuned_at = now;
}

/* A window worth telling about: the peer may be waiting for it. */
static void maybe_update_window(struct tcp *t)
{
	uint32_t promised = (uint32_t)seq_diff(t->rcv.adv, t->rcv.nxt);

	if (t->rcv.told && promised <= t->rcv.limit / 2 &&
		tcp_receive_window(t) >= promised + MIN(2u * t->rcv.mss, t->rcv.limit / 2))
		tcp_ack_at_once(t);
}

void tcp_recv_consume(struct tcp *t, size_t n, nsec now)
{
	ring_consume(&t->rcv.ring, (uint32_t)n);
	if (t->rcv.ring.len == 0 && !t->ofo)
		ring_release(t->stack, &t->rcv.ring);
	if (t->state == TCPS_CLOSED)
		return;
	tune_window(t, now);
	maybe_update_window(t);
}

int64_t tcp_recv_urgent(struct tcp *t)
{
	if (!t->rcv.urgent)
		return -1;
	/* The pointer names the byte after it (RFC 6093 §3.1). */
	struct seq32 front = seq_add(t->rcv.nxt, -t->rcv.ring.len);
	int32_t at = seq_diff(t->rcv.up, front) - 1;
	t->rcv.urgent = at >= 0;
	return at >= 0 ? at : -1;
}

/* --- out of order --- */

/*
 * Inserts [left, right) and merges what it touches; returns the merged range. False: too many
 * holes.
 */
static bool ofo_insert(struct ofo *o, struct sack_block *block)
{
	unsigned first = 0, last;

	while (first < o->n && seq_lt(o->range[first].right, block->left))
		first++;
	for (last = first; last < o->n && seq_le(o->range[last].left, block->right); last++) {
		block->left = seq_min(block->left, o->range[last].left);
		block->right = seq_max(block->right, o->range[last].right);
	}
	if (last == first) {
		if (o->n == TCP_OFO_RANGES_MAX)
			return false;
		memmove(&o->range[first + 1], &o->range[first], (o->n - first) * sizeof *o->range);
		o->n++;
	} else {
		memmove(&o->range[first + 1], &o->range[last], (o->n - last) * sizeof *o->range);
		o->n -= last - first - 1;
	}
	o->range[first] = *block;
	return true;
}

/* The range that has all of [left, right) already, or NULL. */
static const struct sack_block *covering(const struct ofo *o, struct seq32 left, struct seq32 right)
{
	for (unsigned i = 0; i < o->n; i++) {
		if (seq_le(o->range[i].left, left) && seq_ge(o->range[i].right, right))
			return &o->range[i];
	}
	return NULL;
}

/* The newest range moves to the front of what we report; those it swallowed leave. */
static void report_first(struct tcp *t, const struct sack_block *block)
{
	struct sack_block kept[TCP_SACK_MAX] = {*block};
	uint8_t n = 1;

	for (uint8_t i = 0; i < t->rcv.nsack && n < TCP_SACK_MAX; i++) {
		const struct sack_block *b = &t->rcv.sack[i];
		if (seq_lt(b->left, block->left) || seq_gt(b->right, block->right))
			kept[n++] = *b;
	}
	memcpy(t->rcv.sack, kept, n * sizeof *kept);
	t->rcv.nsack = n;
}

static void forget_reported(struct tcp *t)
{
	uint8_t n = 0;

	for (uint8_t i = 0; i < t->rcv.nsack; i++) {
		if (seq_gt(t->rcv.sack[i].left, t->rcv.nxt))
			t->rcv.sack[n++] = t->rcv.sack[i];
	}
	t->rcv.nsack = n;
}

static bool ofo_ready(struct tcp *t)
{
	if (t->ofo)
		return true;
	t->ofo = calloc(1, sizeof *t->ofo);
	if (!t->ofo)
		return false;
	t->stack->memory += sizeof *t->ofo;
	return true;
}

static void queue_out_of_order(struct tcp *t, struct segment *g)
{
	struct sack_block block = {g->seq, seq_add(g->seq, g->len)};
	uint32_t offset = t->rcv.ring.len + (uint32_t)seq_diff(g->seq, t->rcv.nxt);

	tcp_ack_at_once(t);
	const struct sack_block *known = t->ofo ? covering(t->ofo, block.left, block.right) : NULL;
	if (known) {
		COUNT(t->stack, TcpExtDupDropped);
		tcp_note_duplicate(t, block.left, block.right);
		if (t->use_sack)
			report_first(t, known); /* RFC 2883 §4: it follows the duplicate */
		return;
	}
	if (!ofo_ready(t) || !ring_grow(t->stack, &t->rcv.ring, (size_t)offset + g->len) ||
		!ofo_insert(t->ofo, &block)) {
		COUNT(t->stack, TcpExtOfoDropped);
		return;
	}
	ring_write(&t->rcv.ring, offset, g->data, g->len);
	COUNT(t->stack, TcpExtOfoQueued);
	if (t->use_sack)
		report_first(t, &block);
}

/* The hole before the first range was filled: everything up to the next hole is in order now. */
static void absorb_out_of_order(struct tcp *t)
{
	struct ofo *o = t->ofo;
	unsigned n = 0;

	while (n < o->n && seq_le(o->range[n].left, t->rcv.nxt)) {
		int32_t more = seq_diff(o->range[n].right, t->rcv.nxt);
		if (more > 0) {
			t->rcv.ring.len += (uint32_t)more;
			t->stats.bytes_received += (uint32_t)more;
			t->rcv.nxt = o->range[n].right;
		}
		n++;
	}
	o->n -= n;
	memmove(&o->range[0], &o->range[n], o->n * sizeof *o->range);
	forget_reported(t);
	if (o->n == 0)
		tcp_ofo_free(t);
}

/* --- in order --- */

/*
 * The peer's segment size, for the every-second-segment rule. A super-segment tells it, or hides
 * it.
 */
static void learn_segment_size(struct tcp *t, const struct segment *g)
{
	uint32_t size = g->gso_size ? g->gso_size : g->len;
	uint32_t most = t->use_ts ? t->rcv.advmss - TCP_TS_OPTION_LEN : t->rcv.advmss;

	t->rcv.mss = (uint16_t)MAX((uint32_t)t->rcv.mss, MIN(size, most));
}

/* Where its bytes are; `whole` is room for a segment that is no run. */
static const struct iovec *pieces_of(const struct segment *g, struct iovec *whole)
{
	*whole = (struct iovec){(void *)g->data, g->len};
	return g->pieces ? g->pieces : whole;
}

static uint32_t deliver(struct tcp *t, const struct segment *g)
{
	const struct stack_ops *ops = &t->stack->ops;
	struct iovec whole;

	if (!ops->deliver || !t->owned || t->rcv.ring.len > 0)
		return 0;
	return (uint32_t)ops->deliver(t->stack->ctx, t, t->user, pieces_of(g, &whole), g->npieces);
}

/* All of it but its first `skip` bytes, behind what the ring has. */
static void write_behind(struct ring *r, const struct segment *g, uint32_t skip)
{
	struct iovec whole;
	const struct iovec *piece = pieces_of(g, &whole);

	for (unsigned i = 0; i < g->npieces; i++) {
		uint32_t len = (uint32_t)piece[i].iov_len, before = MIN(skip, len);

		ring_write(r, r->len, (const uint8_t *)piece[i].iov_base + before, len - before);
		r->len += len - before;
		skip -= before;
	}
}

/* False: no memory for it; the peer will send it again. */
static bool accept_in_order(struct tcp *t, struct segment *g)
{
	uint32_t taken = deliver(t, g), rest = g->len - taken;

	if (rest > 0 || t->ofo) {
		/* With ranges beyond, offset 0 of the ring moves along with what was delivered. */
		if (!ring_grow(t->stack, &t->rcv.ring, t->rcv.ring.len + (size_t)g->len)) {
			COUNT(t->stack, TcpExtNoMemory);
			g->len = taken;
			g->fin = false; /* it stands behind what was dropped */
			rest = 0;
		}
		if (t->rcv.ring.cap && taken > 0) {
			t->rcv.ring.len += taken;
			ring_consume(&t->rcv.ring, taken);
		}
	}
	if (rest > 0)
		write_behind(&t->rcv.ring, g, taken);
	t->rcv.nxt = seq_add(t->rcv.nxt, g->len);
	t->stats.bytes_received += g->len;
	if (rest > 0)
		tcp_event(t, TCP_EV_READ);
	return g->len > 0;
}

void tcp_text_input(struct tcp *t, struct segment *g, nsec now)
{
	if (g->len == 0)
		return;
	tcp_ecn_data(t, g);
	note_arrival(t, now);
	sample_rtt(t, g, now);
	learn_segment_size(t, g);
	if (!seq_eq(g->seq, t->rcv.nxt)) {
		queue_out_of_order(t, g);
		return;
	}
	if (!accept_in_order(t, g)) {
		tcp_ack_at_once(t);
		return;
	}
	if (t->ofo) {
		tcp_ack_quickly(t, TCP_QUICKACK_AFTER_HOLE);
		tcp_ack_at_once(t); /* RFC 5681 §4.2: a hole was filled, wholly or in part */
		absorb_out_of_order(t);
		tcp_event(t, TCP_EV_READ);
	} else {
		tcp_ack_soon(t, now);
	}
	tune_window(t, now);
}

static void fin_received(struct tcp *t, nsec now)
{
	t->rcv.fin = true;
	t->rcv.nxt = seq_add(t->rcv.nxt, 1);
	t->rcv.adv = seq_max(t->rcv.adv, t->rcv.nxt);
	tcp_ack_at_once(t);
	tcp_event(t, TCP_EV_EOF | TCP_EV_READ);
	switch ((enum tcp_state)t->state) {
	case TCPS_ESTABLISHED:
		tcp_set_state(t, TCPS_CLOSE_WAIT, now);
		break;
	case TCPS_FIN_WAIT_1: /* our FIN was not acknowledged: in_5_ack would have moved on */
		tcp_set_state(t, TCPS_CLOSING, now);
		break;
	case TCPS_FIN_WAIT_2:
		tcp_enter_time_wait(t, now);
		break;
	default:
		break;
	}
}

void tcp_fin_input(struct tcp *t, struct segment *g, nsec now)
{
	if (g->fin && !t->rcv.fin_known && !t->rcv.fin && t->state != TCPS_CLOSED) {
		t->rcv.fin_known = true;
		t->rcv.fin_seq = seq_add(g->seq, g->len);
	}
	if (t->rcv.fin_known && !t->rcv.fin && seq_eq(t->rcv.fin_seq, t->rcv.nxt))
		fin_received(t, now);
	else if (g->fin)
		tcp_ack_at_once(t);
}
