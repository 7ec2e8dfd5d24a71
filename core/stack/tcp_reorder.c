/*
 * How much reordering is borne before a hole is a loss (RFC 8985 §6.2 step 4), and how that is learned.
 *
 * Nobody waits on a path that never reordered: three segments beyond a hole are enough. After that the window is
 * the largest of
 *
 *	a quarter of the smallest round trip, times one more for each round in which a DSACK told that a
 *	retransmission was not needed (the RFC's way);
 *
 *	how late an original really was: measured when it fills the hole at snd.una and the timestamp that the ACK
 *	echoes is its own. This needs one look where the other needs ten rounds, and it works where the smallest round
 *	trip is that of a segment that overtook all others, so that a quarter of it is nothing,
 *
 * but never more than srtt. Sixteen recoveries without new evidence, and it is forgotten. Without timestamps only the
 * first way is there: a hole may seem to be filled late because the ACK that told of it was lost.
 */
#include "core/stack/tcb.h"

enum { PERSIST = 16 };

static void note_evidence(struct tcp *t)
{
	t->reorder.seen = true;
	t->reorder.persist = PERSIST;
}

void tcp_reorder_seen(struct tcp *t)
{
	t->reorder.seen = true;
}

void tcp_reorder_late(struct tcp *t, nsec late)
{
	if (late <= 0)
		return;
	note_evidence(t);
	t->reorder.late = nsec_max(t->reorder.late, late);
}

void tcp_reorder_dsack(struct tcp *t)
{
	if (t->reorder.in_round && !seq_ge(t->snd.una, t->reorder.round_end))
		return;
	note_evidence(t);
	t->reorder.in_round = true;
	t->reorder.round_end = t->snd.nxt;
	t->reorder.rounds += t->reorder.rounds < UINT8_MAX;
}

void tcp_reorder_recovered(struct tcp *t)
{
	t->reorder.in_round = false;
	if (t->reorder.persist > 0 && --t->reorder.persist == 0) {
		t->reorder.rounds = 0;
		t->reorder.late = 0;
	}
}

nsec tcp_reorder_window(const struct tcp *t)
{
	if (!t->reorder.seen &&
		(t->recovery != RECOVERY_OPEN || t->sacked_bytes >= TCP_DUP_THRESH * t->snd.mss))
		return 0;
	nsec quarter = t->min_rtt / 4;
	return nsec_min(nsec_max(quarter * (1 + t->reorder.rounds), t->reorder.late + quarter), t->srtt);
}
