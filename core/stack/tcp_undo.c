/*
 * A loss that was none: what to do when the originals turn up after their retransmissions have
 * left.
 *
 * Two witnesses. The echo of a timestamp older than the first retransmission, on an ACK that moves
 * snd.una: the original was acknowledged (Eifel, RFC 3522 §3.2). A DSACK for each retransmission of
 * the episode: all of them came twice (RFC 2883, RFC 3708). Either way the window gets back what it
 * had when the episode began (RFC 4015 §3.2, as Linux: the controller's memory of the reduction
 * too), what was marked lost is in flight after all, and RACK learns that this path reorders: from
 * then on it waits before it believes a hole (RFC 8985 §6.2 step 4).
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
	if (!t->undo.armed || !(is_older_echo(t, r) || all_came_twice(t, r)))
		return false;
	COUNT(t->stack, TcpExtSpuriousRecoveries);
	t->undo.armed = false;
	uint32_t cwnd = MAX(t->cong.cwnd, t->undo.before.cwnd);
	t->cong = t->undo.before;
	t->cong.cwnd = cwnd;
	tcp_reorder_seen(t);
	return true;
}
