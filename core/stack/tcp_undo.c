/*
 * A loss that was none: what to do when the originals turn up after their retransmissions have
 * left.
 *
 * Three witnesses. The echo of a timestamp older than the first retransmission, on an ACK that moves
 * snd.una: the original was acknowledged (Eifel, RFC 3522 §3.2). A DSACK for each retransmission of
 * the episode: all of them came twice (RFC 2883, RFC 3708). After a timeout without timestamps, F-RTO
 * (RFC 5682 §3): the first ACK that advances lets new data go instead of further retransmissions, and
 * if it, or the next, is for something that was sent once and before the timeout, that was only late.
 *
 * In each case the window gets back what it had when the episode began (RFC 4015 §3.2, as Linux: the
 * controller's memory of the reduction too), what was marked lost is in flight after all, and RACK
 * learns that this path reorders: from then on it waits before it believes a hole (RFC 8985 §6.2
 * step 4).
 *
 * An episode begins with the first reduction and is remembered until the next: DSACKs come a round
 * trip late.
 */
#include "core/stack/tcb.h"

void tcp_undo_begin(struct tcp *t)
{
	t->undo.armed = true;
	t->undo.stamped = false;
	t->undo.marker = t->snd.una;
	t->undo.copies = 0;
	t->undo.before = t->cong;
}

void tcp_undo_resent(struct tcp *t, nsec now)
{
	if (!t->undo.stamped)
		t->undo.stamp = tcp_ts_now(t, now);
	t->undo.stamped = true;
	t->undo.copies++;
}

/* RFC 5682 §3.1 step 1; timestamps tell sooner. `fresh`: nothing was being recovered when the timer expired. */
void tcp_undo_timeout(struct tcp *t, bool fresh)
{
	t->undo.frto = fresh && !t->use_ts ? FRTO_RESENT : FRTO_OFF;
}

static bool has_new_data(const struct tcp *t)
{
	uint32_t sent = t->snd.nxt.v - t->snd.una_data.v;

	return sent < t->snd.queue.len && seq_gt(seq_add(t->snd.una, t->snd.wnd), t->snd.nxt);
}

/* Steps 2 and 3: what to do with an ACK that did not settle it. */
static void step(struct tcp *t, const struct ack_result *r)
{
	bool first = t->undo.frto == FRTO_RESENT;

	t->undo.frto = first && r->acked > 0 && seq_lt(t->snd.una, t->recover) && has_new_data(t) ? FRTO_NEW
												  : FRTO_OFF;
}

static bool is_older_echo(const struct tcp *t, const struct ack_result *r)
{
	return r->acked > 0 && r->has_echo && r->echo && t->undo.stamped &&
	       (int32_t)(r->echo - t->undo.stamp) < 0;
}

/* A DSACK takes one of the copies off the count; false: there are still some that may have been needed. */
static bool all_came_twice(struct tcp *t, const struct ack_result *r)
{
	if (!r->dsack || t->undo.copies == 0 || seq_le(r->dsack_block.right, t->undo.marker))
		return false;
	if (!t->tlp.outstanding) /* it probes without believing in a loss */
		tcp_reorder_dsack(t);
	return --t->undo.copies == 0;
}

bool tcp_undo_ack(struct tcp *t, const struct ack_result *r)
{
	bool late = t->undo.frto != FRTO_OFF && r->original;

	if (!t->undo.armed || !(late || is_older_echo(t, r) || all_came_twice(t, r))) {
		step(t, r);
		return false;
	}
	t->undo.frto = FRTO_OFF;
	COUNT(t->stack, TcpExtSpuriousRecoveries);
	t->undo.armed = false;
	uint32_t cwnd = MAX(t->cong.cwnd, t->undo.before.cwnd);
	t->cong = t->undo.before;
	t->cong.cwnd = cwnd;
	tcp_reorder_seen(t);
	return true;
}
