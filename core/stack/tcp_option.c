/*
 * Options and statistics of a socket.
 */
#include <errno.h>

#include "core/stack/tcb.h"

static const struct {
	int64_t min, max;
} range[TCP_OPT_COUNT] = {
	[TCP_OPT_NODELAY] = {0, 1},
	[TCP_OPT_CORK] = {0, 1},
	[TCP_OPT_KEEPALIVE] = {0, 1},
	[TCP_OPT_KEEPIDLE] = {1 * SEC, 32767 * SEC},
	[TCP_OPT_KEEPINTVL] = {1 * SEC, 32767 * SEC},
	[TCP_OPT_KEEPCNT] = {1, 127},
	[TCP_OPT_USER_TIMEOUT] = {0, INT64_MAX / 2},
	[TCP_OPT_SYNCNT] = {1, 127},
	[TCP_OPT_MAXSEG] = {0, 32767},
	[TCP_OPT_SNDBUF] = {0, 1 << 30},
	[TCP_OPT_RCVBUF] = {0, 1 << 30},
	[TCP_OPT_REUSEADDR] = {0, 1},
	[TCP_OPT_REUSEPORT] = {0, 1},
	[TCP_OPT_QUICKACK] = {0, 1},
	[TCP_OPT_TOS] = {0, 255},
	[TCP_OPT_TTL] = {1, 255},
	[TCP_OPT_LINGER2] = {0, 60 * SEC},
	[TCP_OPT_DEFER_ACCEPT] = {0, 127 * SEC},
	[TCP_OPT_V6ONLY] = {0, 1},
	[TCP_OPT_TIMESTAMPS] = {0, 1},
	[TCP_OPT_ECN] = {0, 2},
	[TCP_OPT_IDLE_RESTART] = {0, 1},
	[TCP_OPT_FASTOPEN] = {0, TCP_BACKLOG_MAX},
	[TCP_OPT_FASTOPEN_CONNECT] = {0, 1},
	[TCP_OPT_FASTOPEN_NO_COOKIE] = {0, 1},
};

int tcp_set_option(struct tcp *t, enum tcp_option option, int64_t value, nsec now)
{
	if ((unsigned)option >= TCP_OPT_COUNT || value < range[option].min ||
		value > range[option].max)
		return -EINVAL;
	if (option == TCP_OPT_MAXSEG && value && value < TCP_MAXSEG_MIN)
		return -EINVAL;
	t->option[option] = value;
	switch (option) {
	case TCP_OPT_NODELAY:
	case TCP_OPT_CORK:
		tcp_timer_set(t, TCP_TIMER_CORK, NSEC_NEVER);
		if (option == TCP_OPT_NODELAY && value)
			tcp_push(t, true); /* tcp(7): what the cork holds, too */
		else if (option == TCP_OPT_CORK && !value)
			tcp_push(t, false);
		if (tcp_is_synchronized(t))
			tcp_due(t);
		break;
	case TCP_OPT_KEEPALIVE:
	case TCP_OPT_KEEPIDLE:
		tcp_arm_keepalive(t, now);
		break;
	case TCP_OPT_QUICKACK:
		t->dialogue = !value;
		t->quickacks = value ? TCP_QUICKACK_SEGS : 0;
		if (value && t->ack_due)
			tcp_ack_at_once(t);
		break;
	case TCP_OPT_RCVBUF:
		if (tcp_is_synchronized(t) && value)
			t->rcv.limit = (uint32_t)value;
		break;
	default:
		break;
	}
	return 0;
}

int64_t tcp_get_option(const struct tcp *t, enum tcp_option option)
{
	return t->option[option];
}

static uint32_t usec(nsec n)
{
	return (uint32_t)(n / USEC);
}

static void fill_recovery(const struct tcp *t, struct tcp_stats *out)
{
	uint32_t mss = MAX(t->snd.mss, 1u);

	out->in_recovery = t->recovery == RECOVERY_FAST;
	out->in_cwr = t->recovery == RECOVERY_CWR;
	out->in_disorder = t->recovery == RECOVERY_OPEN && (t->sacked_bytes > 0 || t->dupacks > 0);
	out->in_loss = t->recovery == RECOVERY_LOSS;
	out->unacked = (t->snd.nxt.v - t->snd.una.v + mss - 1) / mss;
	out->sacked = (t->sacked_bytes + mss - 1) / mss;
	out->lost = (t->lost_bytes + mss - 1) / mss; /* repaired or not, as Linux counts */
	out->retrans = (t->resent_bytes + mss - 1) / mss;
	out->reordering = 3;
	out->cwnd = t->cong.cwnd;
	out->ssthresh = t->cong.ssthresh;
}

void tcp_get_stats(const struct tcp *t, struct tcp_stats *out)
{
	*out = t->stats;
	out->state = t->state;
	out->opt_timestamps = t->use_ts;
	out->opt_sack = t->use_sack;
	out->opt_wscale = t->use_wscale;
	out->opt_ecn = t->ecn.on;
	out->opt_syn_data = t->fastopen.accepted;
	out->snd_wscale = t->snd.wscale;
	out->rcv_wscale = t->rcv.wscale;
	out->backoff = t->backoff;
	out->retransmits = t->retries;
	out->probes = t->probes;
	out->rto_us = usec(t->rto);
	out->ato_us = usec(TCP_DELACK_MAX);
	out->rtt_us = usec(t->srtt);
	out->rttvar_us = usec(t->rttvar);
	out->min_rtt_us = usec(t->min_rtt);
	out->snd_mss = t->snd.mss;
	out->rcv_mss = t->rcv.mss;
	out->advmss = t->rcv.advmss;
	out->pmtu = t->pmtu;
	out->snd_wnd = t->snd.wnd;
	out->rcv_rtt_us = (uint32_t)(t->rcv.rtt / USEC);
	out->rcv_wnd = (uint32_t)seq_diff(t->rcv.adv, t->rcv.nxt);
	fill_recovery(t, out);
}
