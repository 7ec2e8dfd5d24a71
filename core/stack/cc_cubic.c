/*
 * CUBIC (RFC 9438) with HyStart++ (RFC 9406), the default controller.
 *
 * Windows are kept in bytes outside and counted in segments (as double) inside, because the cubic
 * function is defined in segments and seconds. After a reduction the window follows
 *
 *	W(t) = C (t - K)^3 + W_max,   K = cbrt((W_max - cwnd) / C)
 *
 * concave up to the old maximum, convex beyond; where Reno with CUBIC's reduction would be faster
 * (short round trips), it follows Reno instead (§4.3).
 *
 * Slow start ends, besides by loss, when a round's smallest RTT has risen: HyStart++ then grows a
 * quarter as fast for up to five rounds (conservative slow start), and goes back if the rise was
 * noise. Risen above the larger of the two rounds before (departure: RFC 9406 has the last one): a
 * segment that overtook others leaves a round trip in which nobody waited, and all others are a rise.
 */
#include <assert.h>
#include <string.h>

#include "core/stack/cc.h"
#include "core/stack/tcb.h"

/* RFC 9438 §4.1, §4.6. */
static const double C = 0.4, BETA = 0.7;

/* RFC 9406 §4.3. */
#define HYSTART_RTT_MIN (4 * MSEC)
#define HYSTART_RTT_MAX (16 * MSEC)
enum { HYSTART_RTT_DIVISOR = 8, HYSTART_SAMPLES = 8, CSS_DIVISOR = 4, CSS_ROUNDS = 5 };

struct cubic {
	double w_max;  /* segments before the last reduction */
	double origin; /* the plateau of this epoch */
	double k;      /* seconds until it is reached */
	double w_est;  /* what Reno would have (§4.3) */
	nsec epoch;    /* beginning of congestion avoidance; 0: at the next ACK */

	struct seq32 round_end;
	nsec before_last_min, last_min, current_min, css_baseline;
	uint8_t samples, css_rounds;
	bool in_css;
};

static struct cubic *cubic_of(struct tcp *t)
{
	static_assert(sizeof(struct cubic) <= sizeof t->cong.priv, "cc_state.priv is too small");
	return (struct cubic *)t->cong.priv;
}

static double cube(double x)
{
	return x * x * x;
}

/* Newton's method; ten steps from above are exact enough for any window. */
static double cube_root(double x)
{
	double r = x > 1 ? x : 1;

	if (x <= 0)
		return 0;
	for (int i = 0; i < 60 && r * r * r > x * 1.000001; i++)
		r = (2 * r + x / (r * r)) / 3;
	return r;
}

static void begin_round(struct tcp *t, struct cubic *c)
{
	c->round_end = t->snd.nxt;
	c->before_last_min = c->last_min;
	c->last_min = c->current_min;
	c->current_min = NSEC_NEVER;
	c->samples = 0;
}

static void cubic_init(struct tcp *t, nsec now)
{
	struct cubic *c = cubic_of(t);

	memset(c, 0, sizeof *c);
	c->current_min = NSEC_NEVER;
	begin_round(t, c);
	t->cong.cwnd = TCP_INITIAL_WINDOW_SEGS * t->snd.mss;
	t->cong.ssthresh = UINT32_MAX;
}

/* RFC 9406 §4.2. */
static void cubic_rtt(struct tcp *t, nsec rtt, nsec now)
{
	struct cubic *c = cubic_of(t);

	if (t->cong.cwnd >= t->cong.ssthresh)
		return;
	if (seq_ge(t->snd.una, c->round_end)) {
		if (c->in_css && ++c->css_rounds >= CSS_ROUNDS)
			t->cong.ssthresh = t->cong.cwnd;
		begin_round(t, c);
	}
	c->current_min = nsec_min(c->current_min, rtt);
	if (c->samples < HYSTART_SAMPLES && ++c->samples < HYSTART_SAMPLES)
		return;
	if (c->in_css) {
		c->in_css =
			c->current_min >= c->css_baseline; /* it was noise: back to full speed */
		return;
	}
	if (c->last_min == NSEC_NEVER || c->last_min == 0)
		return;
	nsec before = c->before_last_min == NSEC_NEVER ? c->last_min : nsec_max(c->last_min, c->before_last_min);
	nsec threshold = nsec_min(nsec_max(before / HYSTART_RTT_DIVISOR, HYSTART_RTT_MIN), HYSTART_RTT_MAX);
	if (c->current_min >= before + threshold) {
		c->css_baseline = c->current_min;
		c->in_css = true;
		c->css_rounds = 0;
	}
}

static void begin_epoch(struct cubic *c, double cwnd, nsec now)
{
	c->epoch = now;
	c->w_est = cwnd;
	if (cwnd < c->w_max) {
		c->origin = c->w_max;
		c->k = cube_root((c->w_max - cwnd) / C);
	} else {
		c->origin = cwnd;
		c->k = 0;
	}
}

/* RFC 9438 §4.2 to §4.5: the window after `acked` segments more. */
static double avoid(struct tcp *t, struct cubic *c, double cwnd, double acked, nsec now)
{
	if (c->epoch == 0)
		begin_epoch(c, cwnd, now);
	double since = (double)(now - c->epoch) / SEC, rtt = (double)t->srtt / SEC;
	double target = C * cube(since + rtt - c->k) + c->origin;
	double alpha = c->w_est < c->w_max ? 3 * (1 - BETA) / (1 + BETA) : 1;

	c->w_est += alpha * acked / cwnd;
	if (C * cube(since - c->k) + c->origin < c->w_est)
		return c->w_est > cwnd ? c->w_est : cwnd;
	if (target < cwnd)
		return cwnd;
	if (target > 1.5 * cwnd)
		target = 1.5 * cwnd;
	return cwnd + (target - cwnd) / cwnd * acked;
}

static void cubic_ack(struct tcp *t, uint32_t acked, nsec now)
{
	const uint32_t most = UINT32_MAX / 4;
	struct cc_state *cc = &t->cong;
	struct cubic *c = cubic_of(t);

	if (cc->cwnd < cc->ssthresh) {
		uint32_t grow =
			MIN(c->in_css ? acked / CSS_DIVISOR : acked, cc->ssthresh - cc->cwnd);
		cc->cwnd = MIN(cc->cwnd + grow, most);
		return;
	}
	double mss = t->snd.mss;
	double window = (double)cc->cwnd +
			cc->counted / 1024.0; /* fractions of a byte would be lost at small steps */
	double next = avoid(t, c, window / mss, acked / mss, now) * mss;
	if (next > most)
		next = most;
	cc->cwnd = (uint32_t)next;
	cc->counted = (uint32_t)((next - cc->cwnd) * 1024);
}

static uint32_t cubic_ssthresh(struct tcp *t, nsec now)
{
	struct cubic *c = cubic_of(t);
	double cwnd = (double)t->cong.cwnd / t->snd.mss;

	c->epoch = 0;
	c->w_max = cwnd < c->w_max ? cwnd * (1 + BETA) / 2 : cwnd; /* fast convergence, §4.7 */
	t->cong.counted = 0;
	return MAX((uint32_t)(t->cong.cwnd * BETA), 2 * t->snd.mss);
}

static void cubic_timeout(struct tcp *t, nsec now)
{
	struct cubic *c = cubic_of(t);

	c->epoch = 0;
	c->in_css = false;
	begin_round(t, c);
}

const struct cc_ops cc_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.rtt = cubic_rtt,
	.ack = cubic_ack,
	.ssthresh = cubic_ssthresh,
	.timeout = cubic_timeout,
};
