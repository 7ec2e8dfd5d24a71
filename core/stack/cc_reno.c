/*
 * NewReno (RFC 5681, RFC 6582) in bytes, with appropriate byte counting (RFC 3465, L = 2 segments)
 * and an initial window of ten segments (RFC 6928).
 */
#include "core/stack/cc.h"
#include "core/stack/tcb.h"

static void reno_init(struct tcp *t, nsec now)
{
	t->cong.cwnd = TCP_INITIAL_WINDOW_SEGS * t->snd.mss;
	t->cong.ssthresh = UINT32_MAX;
	t->cong.counted = 0;
}

static void reno_ack(struct tcp *t, uint32_t acked, nsec now)
{
	struct cc_state *c = &t->cong;
	uint32_t most = UINT32_MAX / 4;

	if (c->cwnd < c->ssthresh) {
		uint32_t grow = MIN(acked, c->ssthresh - c->cwnd);
		c->cwnd = MIN(c->cwnd + grow, most);
		acked -= grow;
	}
	if (acked == 0 || c->cwnd < c->ssthresh)
		return;
	c->counted += acked;
	if (c->counted >= c->cwnd) {
		c->counted -= c->cwnd;
		c->cwnd = MIN(c->cwnd + t->snd.mss, most);
	}
}

static uint32_t reno_ssthresh(struct tcp *t, nsec now)
{
	return MAX(t->cong.cwnd / 2, 2 * t->snd.mss);
}

static void reno_timeout(struct tcp *t, nsec now)
{
	t->cong.counted = 0;
}

const struct cc_ops cc_reno = {
	.name = "reno",
	.init = reno_init,
	.ack = reno_ack,
	.ssthresh = reno_ssthresh,
	.timeout = reno_timeout,
};
