#include "core/engine/tcp_info.h"

/*
 * Linux's numbers of the states (enum in net/tcp_states.h; part of the ABI by /proc/net/tcp and
 * TCP_INFO).
 */
static const uint8_t linux_state[TCPS_COUNT] = {
	[TCPS_CLOSED] = 7,
	[TCPS_LISTEN] = 10,
	[TCPS_SYN_SENT] = 2,
	[TCPS_SYN_RECEIVED] = 3,
	[TCPS_ESTABLISHED] = 1,
	[TCPS_FIN_WAIT_1] = 4,
	[TCPS_FIN_WAIT_2] = 5,
	[TCPS_CLOSE_WAIT] = 8,
	[TCPS_CLOSING] = 11,
	[TCPS_LAST_ACK] = 9,
	[TCPS_TIME_WAIT] = 6,
};

uint8_t tcp_info_state(enum tcp_state state)
{
	return linux_state[state];
}

static uint32_t msec_since(nsec then, nsec now)
{
	return then ? (uint32_t)((now - then) / MSEC) : 0;
}

static uint32_t ssthresh_in_segments(const struct tcp_stats *s)
{
	enum { INFINITE = 0x7fffffff }; /* TCP_INFINITE_SSTHRESH */

	if (s->ssthresh == UINT32_MAX)
		return INFINITE;
	return s->snd_mss ? s->ssthresh / s->snd_mss : 0;
}

void tcp_info_fill(struct tcp_info *i, const struct tcp_stats *s, nsec now)
{
	*i = (struct tcp_info){
		.tcpi_state = tcp_info_state(s->state),
		.tcpi_ca_state = s->in_loss       ? TCP_CA_Loss
				 : s->in_recovery ? TCP_CA_Recovery
				 : s->in_cwr      ? TCP_CA_CWR
				 : s->in_disorder ? TCP_CA_Disorder
						  : TCP_CA_Open,
		.tcpi_retransmits = s->retransmits,
		.tcpi_probes = s->probes,
		.tcpi_backoff = s->backoff,
		.tcpi_options =
			(s->opt_timestamps ? TCPI_OPT_TIMESTAMPS : 0) |
			(s->opt_sack ? TCPI_OPT_SACK : 0) | (s->opt_wscale ? TCPI_OPT_WSCALE : 0) |
			(s->opt_ecn ? TCPI_OPT_ECN : 0) | (s->opt_syn_data ? TCPI_OPT_SYN_DATA : 0),
		.tcpi_snd_wscale = s->snd_wscale & 15,
		.tcpi_rcv_wscale = s->rcv_wscale & 15,
		.tcpi_rto = s->rto_us,
		.tcpi_ato = s->ato_us,
		.tcpi_snd_mss = s->snd_mss,
		.tcpi_rcv_mss = s->rcv_mss,
		.tcpi_unacked = s->unacked,
		.tcpi_sacked = s->sacked,
		.tcpi_lost = s->lost,
		.tcpi_retrans = s->retrans,
		.tcpi_last_data_sent = msec_since(s->last_data_sent, now),
		.tcpi_last_data_recv = msec_since(s->last_data_recv, now),
		.tcpi_last_ack_recv = msec_since(s->last_ack_recv, now),
		.tcpi_pmtu = s->pmtu,
		.tcpi_rtt = s->rtt_us,
		.tcpi_rttvar = s->rttvar_us,
		/* Segments, as Linux counts. */
		.tcpi_snd_ssthresh = ssthresh_in_segments(s),
		.tcpi_snd_cwnd = s->snd_mss ? s->cwnd / s->snd_mss : 0,
		.tcpi_advmss = s->advmss,
		.tcpi_reordering = s->reordering,
		.tcpi_rcv_rtt = s->rcv_rtt_us,
		.tcpi_rcv_space = s->rcv_wnd,
		.tcpi_total_retrans = s->total_retrans,
		.tcpi_bytes_acked = s->bytes_acked,
		.tcpi_bytes_received = s->bytes_received,
		.tcpi_segs_out = s->segs_out,
		.tcpi_segs_in = s->segs_in,
		.tcpi_min_rtt = s->min_rtt_us,
		.tcpi_data_segs_in = s->data_segs_in,
		.tcpi_data_segs_out = s->data_segs_out,
		.tcpi_bytes_sent = s->bytes_sent,
		.tcpi_delivered = s->delivered,
		.tcpi_bytes_retrans = s->bytes_retrans,
	};
}
