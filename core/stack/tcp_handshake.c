/*
 * What the two SYNs settle: initial sequence numbers, and which options both sides speak (RFC 9293
 * §3.2, RFC 7323, RFC 2018). We offer all of them; the SYN-ACK carries those that were offered.
 */
#include <string.h>

#include "core/stack/tcb.h"

static uint64_t tuple_hash(const struct tcp *t, enum hash_purpose purpose)
{
	uint8_t key[36];

	memcpy(key, t->local.addr.b, 16);
	memcpy(key + 16, t->remote.addr.b, 16);
	put_be16(key + 32, t->local.port);
	put_be16(key + 34, t->remote.port);
	return stack_hash(t->stack, purpose, key, sizeof key);
}

/* The largest window we may ever offer decides the scale: it cannot change later. */
static uint8_t window_scale(const struct tcp *t)
{
	uint64_t most =
		t->option[TCP_OPT_RCVBUF] ? (uint64_t)t->option[TCP_OPT_RCVBUF] : TCP_RCVBUF_MAX;
	uint8_t scale = 0;

	while (scale < 14 && (most >> scale) > 65535)
		scale++;
	return scale;
}

/* The segment size we offer. */
static uint16_t own_mss(const struct tcp *t)
{
	uint32_t mss = (uint32_t)t->pmtu - IP_TCP_HDR_LEN;

	if (t->option[TCP_OPT_MAXSEG] && mss > t->option[TCP_OPT_MAXSEG])
		mss = (uint32_t)t->option[TCP_OPT_MAXSEG];
	return (uint16_t)mss;
}

void tcp_init_send(struct tcp *t, nsec now)
{
	/* RFC 6528 §3: ISN = M + F(four-tuple, secret), M a 4 µs clock. */
	t->snd.iss = seq((uint32_t)(now / (4 * USEC)) + (uint32_t)tuple_hash(t, HASH_ISN));
	t->snd.una = t->snd.nxt = t->snd.small = t->rack.fack = t->snd.iss;
	t->snd.una_data = seq_add(t->snd.iss, 1);
	t->snd.peer_mss = TCP_MSS_DEFAULT;
	t->ts_offset = (uint32_t)tuple_hash(t, HASH_TS);
	t->rto = TCP_RTO_INITIAL;
	t->last_oow_ack = t->last_challenge = now - TCP_ACK_LIMIT_INTERVAL;
	t->rcv.limit = t->option[TCP_OPT_RCVBUF] ? (uint32_t)t->option[TCP_OPT_RCVBUF]
						 : TCP_RCVBUF_INITIAL;
	t->rcv.wscale = window_scale(t);
	t->rcv.advmss = own_mss(t);
	tcp_update_mss(t);
}

void tcp_syn_options(struct tcp *t, struct tcp_hdr *h, nsec now)
{
	bool reply = t->state == TCPS_SYN_RECEIVED;

	t->rcv.advmss = own_mss(t);
	h->opts = TO_MSS;
	h->mss = t->rcv.advmss;
	if (!reply || t->use_sack)
		h->opts |= TO_SACK_OK;
	if (!reply || t->use_wscale)
		h->opts |= TO_WSCALE;
	if (reply ? t->use_ts : t->option[TCP_OPT_TIMESTAMPS])
		h->opts |= TO_TIMESTAMP;
	h->wscale = t->rcv.wscale;
	h->tsval = tcp_ts_now(t, now);
	h->tsecr = reply ? t->ts_recent : 0;
	tcp_fastopen_option(t, h);
}

void tcp_take_syn(struct tcp *t, const struct segment *g, nsec now)
{
	const struct tcp_hdr *h = &g->h;

	t->rcv.irs = g->seq;
	t->rcv.nxt = t->rcv.acked = seq_add(g->seq, 1);
	t->rcv.adv = seq_add(t->rcv.nxt, MIN(t->rcv.limit, 65535u));
	t->use_ts = (h->opts & TO_TIMESTAMP) && t->option[TCP_OPT_TIMESTAMPS];
	tcp_ecn_take_syn(t, g);
	t->use_sack = h->opts & TO_SACK_OK;
	t->use_wscale = h->opts & TO_WSCALE;
	t->snd.wscale = t->use_wscale ? h->wscale : 0;
	if (!t->use_wscale)
		t->rcv.wscale = 0;
	if (t->use_ts) {
		t->ts_recent = h->tsval;
		t->ts_recent_at = now;
	}
	if (h->opts & TO_MSS)
		t->snd.peer_mss = MAX(h->mss, (uint16_t)TCP_MSS_MIN);
	t->snd.wnd = t->snd.max_wnd = h->window; /* never scaled in a SYN: RFC 7323 §2.2 */
	t->snd.wl1 = g->seq;
	t->snd.wl2 = h->ack;
	t->rcv.mss = TCP_MSS_DEFAULT;
	tcp_update_mss(t);
}

/*
 * Payload per full segment: the smallest of the peer's offer, our own limit and the path, less the
 * options we send.
 */
void tcp_update_mss(struct tcp *t)
{
	uint32_t mss = MIN((uint32_t)t->snd.peer_mss, (uint32_t)t->pmtu - IP_TCP_HDR_LEN);

	if (t->option[TCP_OPT_MAXSEG] && mss > t->option[TCP_OPT_MAXSEG])
		mss = (uint32_t)t->option[TCP_OPT_MAXSEG];
	t->snd.mss = t->use_ts ? mss - TCP_TS_OPTION_LEN : mss;
}

void tcp_established(struct tcp *t, nsec now)
{
	if (t->cong.cwnd == 0)
		t->cc->init(t, now);
	if (t->retries > 0)
		t->rto = TCP_RTO_AFTER_LOST_SYN; /* until there is a sample */
	if (t->retries > 1)
		t->cong.cwnd = t->snd.mss; /* RFC 5681 §3.1; the first may just have been slow */
	t->retries = 0;
	t->backoff = 0;
	t->rcv.tuned_at = now;
	if (t->stats.bytes_received == 0)
		t->stats.last_data_recv = now;
	tcp_set_state(t, TCPS_ESTABLISHED, now);
	tcp_event(t, TCP_EV_CONNECTED | TCP_EV_WRITE);
	if (t->snd.fin_queued)
		tcp_set_state(t, TCPS_FIN_WAIT_1, now);
	tcp_arm_keepalive(t, now);
	tcp_due(t);
}
