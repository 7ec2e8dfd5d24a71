/*
 * Step 5's arithmetic: what an acceptable ACK changes. Sequence space and SACK scoreboard first,
 * then round-trip time, the send ring, the peer's window, and last recovery and congestion control,
 * which look at what the others found.
 */
#include "core/stack/ip.h"
#include "core/stack/tcb.h"

bool tcp_fin_acked(const struct tcp *t)
{
	return t->snd.fin_sent && seq_eq(t->snd.una, t->snd.nxt) && list_empty(&t->sent);
}

/* Acknowledged bytes leave the send ring; SYN and FIN are not in it. */
static void free_sent_data(struct tcp *t)
{
	int32_t n = seq_diff(t->snd.una, t->snd.una_data);

	if (n <= 0)
		return;
	uint32_t bytes = MIN((uint32_t)n, t->snd.queue.len);
	sendq_consume(&t->snd.queue, bytes);
	t->snd.una_data = seq_add(t->snd.una_data, bytes);
	t->stats.bytes_acked += bytes;
	if (t->snd.queue.len == 0) {
		sendq_release(t->stack, &t->snd.queue);
		tcp_event(t, TCP_EV_ACKED);
	}
	if (t->snd.blocked && bytes > 0) {
		t->snd.blocked = false;
		tcp_event(t, TCP_EV_WRITE);
	}
	if (t->snd.urgent && seq_ge(t->snd.una, t->snd.up))
		t->snd.urgent = false;
}

/* RFC 9293 §3.10.7.4: only a segment newer than the last may change the window. */
static bool update_window(struct tcp *t, const struct segment *g)
{
	if (seq_lt(g->h.ack, t->snd.una))
		return false;
	if (!seq_lt(t->snd.wl1, g->seq) &&
		!(seq_eq(t->snd.wl1, g->seq) && seq_le(t->snd.wl2, g->h.ack)))
		return false;
	bool changed = t->snd.wnd != g->wnd;
	t->snd.wnd = g->wnd;
	t->snd.max_wnd = MAX(t->snd.max_wnd, g->wnd);
	t->snd.wl1 = g->seq;
	t->snd.wl2 = g->h.ack;
	return changed;
}

static void sample_rtt(struct tcp *t, const struct ack_result *r, nsec now)
{
	nsec rtt = r->rtt_echo || r->resent ? r->rtt_echo : r->rtt;

	if (rtt == 0)
		return;
	tcp_rtt_sample(t, rtt);
	if (t->cc->rtt && t->cong.cwnd > 0)
		t->cc->rtt(t, rtt, now);
}

/* Progress proves that the way there works. Once a second is often enough to tell. */
static void confirm_path(struct tcp *t, nsec now)
{
	if (now - t->confirmed_at < 1 * SEC)
		return;
	t->confirmed_at = now;
	ip_confirm(t->stack, &t->remote.addr, now);
}

void tcp_ack_input(struct tcp *t, struct segment *g, nsec now)
{
	struct ack_result r = {
		.has_echo = t->use_ts && (g->h.opts & TO_TIMESTAMP),
		.echo = g->h.tsecr,
	};
	bool outstanding = !seq_eq(t->snd.una, t->snd.nxt);

	t->probes = 0;
	t->stats.last_ack_recv = now;
	tcp_sent_ack(t, g->h.ack, &r, now);
	if (t->use_sack && (g->h.opts & TO_SACK))
		tcp_sent_sack(t, &g->h, &r, now);
	sample_rtt(t, &r, now);
	free_sent_data(t);
	bool opened = update_window(t, g);
	r.congested = tcp_ecn_congested(t, g);
	r.dup_ack = r.acked == 0 && outstanding && !opened && segment_seq_len(g) == 0 &&
		    seq_eq(g->h.ack, t->snd.una);
	tcp_recovery_ack(t, &r, now);
	tcp_probe_ack(t, &r, now);
	if (r.acked > 0) {
		confirm_path(t, now);
		t->soft_error = 0;
		t->retries = 0;
		t->backoff = 0;
		tcp_arm_rexmit(t, now);
	}
	if (t->snd.wnd > 0) {
		t->persist_backoff = 0;
		tcp_timer_set(t, TCP_TIMER_PERSIST, NSEC_NEVER);
	}
	if (t->snd.queue.len > 0 || t->lost_bytes > 0 || t->snd.fin_queued)
		tcp_due(t);
}
