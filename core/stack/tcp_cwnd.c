/*
 * When the congestion window may grow, and what is left of it after a pause.
 *
 * A window that did not bound the flight says nothing about the path and must not grow (RFC 7661
 * §1; RFC 2861). Whether it did is asked per round trip, as Linux does: the largest flight of the
 * round counts, so that ACKs that drain the flight at its end do not look like a program that has
 * nothing to send. Slow start may run ahead of the largest flight by a factor of two.
 *
 * A super-segment holds a millisecond of the sending rate: a larger one would be a burst that fills
 * somebody's queue, and would be acknowledged as one.
 *
 * After a pause of more than an RTO the window is halved for each RTO of it, down to the initial
 * window (RFC 2861 §3.2; RFC 5681 §4.1 would drop it to that at once); ssthresh remembers three
 * quarters.
 */
#include "core/stack/tcb.h"

void tcp_cwnd_used(struct tcp *t, bool limited)
{
	struct cc_state *c = &t->cong;
	uint32_t flight = t->snd.nxt.v - t->snd.una.v;

	if (!seq_ge(t->snd.una, c->usage_end) && !limited &&
		(c->limited || flight <= c->max_flight))
		return;
	c->limited = limited;
	c->max_flight = flight;
	c->usage_end = t->snd.nxt;
}

bool tcp_cwnd_is_limited(const struct tcp *t)
{
	const struct cc_state *c = &t->cong;

	if (c->cwnd < c->ssthresh)
		return c->limited || c->cwnd / 2 < c->max_flight;
	return c->limited;
}

/* Linux's two summands: a millisecond of the rate, and more where round trips are short. */
uint32_t tcp_burst_max(const struct tcp *t, uint32_t mss)
{
	enum { SEGS_MIN = 2, SEGS_MAX = 44 };
	const struct cc_state *c = &t->cong;
	uint32_t most = t->stack->config.gso_max;

	if (most <= mss || t->snd.urgent)
		return mss; /* urgent: the pointer counts from each segment's own start */
	/* Half the peer's window: the next one leaves while this one is acknowledged. */
	most = MIN(most, MAX(t->snd.max_wnd / 2, mss));
	most = MIN(most / mss, (uint32_t)SEGS_MAX) * mss;
	if (t->srtt == 0)
		return most;
	uint64_t percent = c->cwnd < c->ssthresh / 2 ? 200 : 120;
	uint64_t bytes = (uint64_t)c->cwnd * percent / 100 * MSEC / (uint64_t)t->srtt;
	nsec halvings = t->min_rtt / (512 * USEC);
	if (halvings < 32)
		bytes += t->stack->config.gso_max >> halvings;
	bytes = MAX(bytes / mss, (uint64_t)SEGS_MIN) * mss;
	return (uint32_t)MIN(bytes, (uint64_t)most);
}

void tcp_cwnd_after_idle(struct tcp *t, nsec now)
{
	struct cc_state *c = &t->cong;
	uint32_t restart = MIN(TCP_INITIAL_WINDOW_SEGS * t->snd.mss, c->cwnd);
	nsec idle = now - t->last_sent;

	if (!t->option[TCP_OPT_IDLE_RESTART] || t->last_sent == 0 || idle <= t->rto ||
		!list_empty(&t->sent))
		return;
	c->ssthresh = MAX(c->ssthresh, c->cwnd / 4 * 3);
	for (; idle > t->rto && c->cwnd > restart; idle -= t->rto)
		c->cwnd /= 2;
	c->cwnd = MAX(c->cwnd, restart);
	c->usage_end = t->snd.nxt;
	c->max_flight = 0;
	c->limited = false;
}
