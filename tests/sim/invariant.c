#include "tests/sim/invariant.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/stack/tcb.h"

static void require(struct sim *s, const struct tcp *t, bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "seed %llu, step %llu, %s: %s\n", (unsigned long long)s->seed,
		(unsigned long long)s->steps, tcp_state_name[t->state], what);
	abort();
}

/* The list of ranges covers [una, nxt) without gaps, and the sums are those of its marks. */
static void check_sent(struct sim *s, const struct tcp *t)
{
	struct seq32 at = t->snd.una;
	uint32_t sacked = 0, lost = 0, resent = 0;

	LIST_FOR_EACH (link, &t->sent) {
		const struct txseg *x = LIST_ENTRY(link, struct txseg, link);
		uint32_t len = x->end.v - x->start.v;
		require(s, t, seq_eq(x->start, at), "a gap in the ranges sent");
		require(s, t, seq_lt(x->start, x->end), "an empty range");
		require(s, t, !(x->sacked && x->lost), "a range both sacked and lost");
		require(s, t, !x->in_flight_again || x->lost, "a range resent that was not lost");
		sacked += x->sacked ? len : 0;
		lost += x->lost ? len : 0;
		resent += x->in_flight_again ? len : 0;
		at = x->end;
	}
	require(s, t, seq_eq(at, t->snd.nxt), "the ranges do not end at snd.nxt");
	require(s, t,
		sacked == t->sacked_bytes && lost == t->lost_bytes && resent == t->resent_bytes,
		"the sums of the pipe are off");
}

static void check_receive(struct sim *s, const struct tcp *t)
{
	require(s, t, seq_le(t->rcv.nxt, t->rcv.adv), "rcv.nxt beyond the window promised");
	for (unsigned i = 0; t->ofo && i < t->ofo->n; i++) {
		const struct sack_block *b = &t->ofo->range[i];
		require(s, t, seq_lt(b->left, b->right) && seq_gt(b->left, t->rcv.nxt),
			"a bad hole");
		require(s, t, i == 0 || seq_gt(b->left, t->ofo->range[i - 1].right),
			"holes out of order");
	}
}

static bool has_timer(const struct tcp *t)
{
	for (int i = 0; i < TCP_TIMER_COUNT; i++) {
		if (t->deadline[i] != NSEC_NEVER)
			return t->timer.armed;
	}
	return false;
}

static void check_sock(struct sim *s, const struct tcp *t)
{
	if (t->state == TCPS_CLOSED || t->state == TCPS_LISTEN)
		return;
	require(s, t, seq_le(t->snd.una, t->snd.nxt), "snd.una beyond snd.nxt");
	if (t->state == TCPS_TIME_WAIT) {
		require(s, t, has_timer(t), "TIME-WAIT without a timer");
		return;
	}
	check_sent(s, t);
	if (t->state != TCPS_SYN_SENT)
		check_receive(s, t);
	bool work = !list_empty(&t->sent) || t->snd.queue.len > 0 || t->snd.syn_due;
	require(s, t, !work || has_timer(t) || !list_empty(&t->due_link),
		"work to do, but no timer");
}

void invariant_check(struct sim *s, void *unused)
{
	for (int i = 0; i < 2; i++) {
		LIST_FOR_EACH (link, &s->side[i].stack->tcp.all)
			check_sock(s, LIST_ENTRY(link, struct tcp, all_link));
	}
}
