/*
 * A connection's clocks. Each kind has a deadline; one wheel timer stands at the earliest of them
 * or earlier (a deadline that moves away leaves it where it is: it then fires early, finds nothing
 * due and moves on). That keeps the per-packet cost of re-arming the retransmission timer at one
 * store.
 */
#include <errno.h>

#include "core/stack/tcb.h"

void tcp_timer_set(struct tcp *t, enum tcp_timer_kind kind, nsec when)
{
	t->deadline[kind] = when;
	if (when != NSEC_NEVER && (!t->timer.armed || when < t->timer.deadline))
		timer_arm(&t->stack->timers, &t->timer, when);
}

void tcp_timers_stop(struct tcp *t)
{
	for (int i = 0; i < TCP_TIMER_COUNT; i++)
		t->deadline[i] = NSEC_NEVER;
	timer_cancel(&t->stack->timers, &t->timer);
}

void tcp_arm_rexmit(struct tcp *t, nsec now)
{
	nsec timeout = t->rto;

	if (list_empty(&t->sent)) {
		tcp_timer_set(t, TCP_TIMER_REXMIT, NSEC_NEVER);
		return;
	}
	nsec probe = tcp_probe_timeout(t);
	t->tlp.armed = probe != NSEC_NEVER;
	if (t->tlp.armed) {
		tcp_timer_set(t, TCP_TIMER_REXMIT, now + probe);
		return;
	}
	for (unsigned i = 0; i < t->backoff && timeout < TCP_RTO_MAX; i++)
		timeout *= 2;
	nsec when = now + nsec_min(timeout, TCP_RTO_MAX), user = t->option[TCP_OPT_USER_TIMEOUT];
	if (user > 0 && t->retries > 0 && tcp_is_synchronized(t))
		when = nsec_min(when, nsec_max(t->stalled_since + user, now + 1 * MSEC));
	tcp_timer_set(t, TCP_TIMER_REXMIT, when);
}

void tcp_arm_keepalive(struct tcp *t, nsec now)
{
	bool wanted = t->option[TCP_OPT_KEEPALIVE] && tcp_is_synchronized(t) &&
		      t->state != TCPS_TIME_WAIT;

	t->probes = 0;
	tcp_timer_set(
		t, TCP_TIMER_KEEPALIVE, wanted ? now + t->option[TCP_OPT_KEEPIDLE] : NSEC_NEVER);
}

void tcp_enter_time_wait(struct tcp *t, nsec now)
{
	tcp_sent_free(t);
	tcp_timers_stop(t);
	tcp_set_state(t, TCPS_TIME_WAIT, now);
	tcp_timer_set(t, TCP_TIMER_END, now + TCP_TIME_WAIT);
	list_remove(&t->tw_link);
	list_append(&t->stack->tcp.time_wait, &t->tw_link);
	tcp_event(t, TCP_EV_SENT | TCP_EV_CLOSED);
	if (t->ack_now)
		tcp_due(t);
}

/* How many timeouts in a row are too many (tcp(7)); a user timeout counts time instead. */
static bool gave_up(struct tcp *t, nsec now)
{
	unsigned most = t->owned ? TCP_RETRIES : TCP_ORPHAN_RETRIES;
	nsec user = t->option[TCP_OPT_USER_TIMEOUT];

	if (t->state == TCPS_SYN_SENT)
		most = (unsigned)t->option[TCP_OPT_SYNCNT];
	else if (t->state == TCPS_SYN_RECEIVED)
		most = TCP_SYNACK_RETRIES;
	if (user > 0 && tcp_is_synchronized(t))
		return t->retries > 0 && now - t->stalled_since >= user;
	return t->retries >= most;
}

/* Its window is closed and it says so: the peer is alive, for as long as it goes on answering. */
static bool is_only_closed(const struct tcp *t, nsec now)
{
	return t->owned && tcp_is_synchronized(t) && t->snd.wnd == 0 &&
	       now - t->stats.last_ack_recv < 2 * TCP_RTO_MAX;
}

static void give_up(struct tcp *t, nsec now)
{
	COUNT(t->stack, TcpExtAbortOnTimeout);
	if (tcp_is_synchronized(t))
		tcp_send_reset(t, now);
	tcp_finish(t, t->soft_error ? t->soft_error : ETIMEDOUT, now);
}

static void on_rexmit(struct tcp *t, nsec now)
{
	if (list_empty(&t->sent))
		return;
	if (t->tlp.armed) {
		tcp_probe(t, now);
		return;
	}
	if (t->retries == 0)
		t->stalled_since =
			LIST_ENTRY(list_first(&t->sent), struct txseg, link)->first_sent_at;
	bool counts = !is_only_closed(t, now);
	if (counts && gave_up(t, now)) {
		give_up(t, now);
		return;
	}
	COUNT(t->stack, TcpExtTimeouts);
	t->retries += counts && t->retries < UINT8_MAX;
	t->backoff += t->backoff < UINT8_MAX;
	t->tlp.outstanding = false;
	tcp_mtu_timeout(t, now);
	tcp_recovery_timeout(t, now);
	if (!tcp_is_synchronized(t)) {
		t->snd.syn_due = true;
		t->rto = nsec_max(t->rto, TCP_RTO_INITIAL);
	}
	tcp_arm_rexmit(t, now);
	tcp_due(t);
}

/*
 * RFC 9293 §3.8.6.1: probes go on for as long as the peer answers them. It must not hold what nobody owns any more,
 * though (RFC 6429 §3, as Linux's tcp_orphan_retries): a program that has closed cannot give up itself.
 */
static bool persisted_enough(const struct tcp *t, nsec now)
{
	nsec user = t->option[TCP_OPT_USER_TIMEOUT];

	return t->probes >= TCP_RETRIES || (!t->owned && t->persist_backoff >= TCP_ORPHAN_RETRIES) ||
	       (user > 0 && t->probes > 0 && now - t->stalled_since >= user);
}

static void on_persist(struct tcp *t, nsec now)
{
	nsec wait = t->rto;

	if (t->snd.wnd >
		/* open, but too little for a full segment: it goes now (RFC 9293 §3.8.6.2.1) */
		0) {
		tcp_output_forced(t, now);
		return;
	}
	if (t->probes == 0)
		t->stalled_since = now;
	if (persisted_enough(t, now)) {
		give_up(t, now);
		return;
	}
	COUNT(t->stack, TcpExtZeroWindowProbes);
	t->probes++;
	if (t->persist_backoff < 16)
		t->persist_backoff++;
	for (unsigned i = 0; i < t->persist_backoff && wait < TCP_RTO_MAX; i++)
		wait *= 2;
	tcp_send_probe(t, now);
	tcp_timer_set(t, TCP_TIMER_PERSIST, now + nsec_min(wait, TCP_RTO_MAX));
}

/* RFC 1122 §4.2.3.6. */
static void on_keepalive(struct tcp *t, nsec now)
{
	nsec user = t->option[TCP_OPT_USER_TIMEOUT];

	if (!list_empty(&t->sent) || t->snd.queue.len > 0) { /* the retransmission timer watches */
		tcp_timer_set(t, TCP_TIMER_KEEPALIVE, now + t->option[TCP_OPT_KEEPIDLE]);
		return;
	}
	nsec silence = now - nsec_max(t->stats.last_ack_recv, t->stats.last_data_recv);
	bool over = user > 0 ? t->probes > 0 && silence >= user
			     : t->probes >= t->option[TCP_OPT_KEEPCNT];
	if (over) {
		give_up(t, now);
		return;
	}
	COUNT(t->stack, TcpExtKeepAliveProbes);
	t->probes++;
	tcp_send_probe(t, now);
	tcp_timer_set(t, TCP_TIMER_KEEPALIVE, now + t->option[TCP_OPT_KEEPINTVL]);
}

static void on_delack(struct tcp *t, nsec now)
{
	if (!t->ack_due)
		return;
	COUNT(t->stack, TcpExtDelayedAcks);
	tcp_ack_at_once(t);
}

static void on_cork(struct tcp *t, nsec now)
{
	tcp_output_forced(t, now);
}

static void on_end(struct tcp *t, nsec now)
{
	tcp_finish(t, 0, now);
}

static void on_busy(struct tcp *t, nsec now)
{
	tcp_due(t);
}

static void on_reorder(struct tcp *t, nsec now)
{
	tcp_recovery_reorder_timer(t, now);
}

static void (*const on_timer[TCP_TIMER_COUNT])(struct tcp *, nsec) = {
	[TCP_TIMER_REXMIT] = on_rexmit,
	[TCP_TIMER_REORDER] = on_reorder,
	[TCP_TIMER_PERSIST] = on_persist,
	[TCP_TIMER_DELACK] = on_delack,
	[TCP_TIMER_KEEPALIVE] = on_keepalive,
	[TCP_TIMER_CORK] = on_cork,
	[TCP_TIMER_END] = on_end,
	[TCP_TIMER_BUSY] = on_busy,
};

static void fire(struct timer *timer, nsec now)
{
	struct tcp *t = CONTAINER_OF(timer, struct tcp, timer);
	nsec next = NSEC_NEVER;

	for (int i = 0; i < TCP_TIMER_COUNT; i++) {
		if (t->deadline[i] > now)
			continue;
		t->deadline[i] = NSEC_NEVER;
		on_timer[i](t, now);
	}
	for (int i = 0; i < TCP_TIMER_COUNT; i++)
		next = nsec_min(next, t->deadline[i]);
	if (next != NSEC_NEVER)
		timer_arm(&t->stack->timers, &t->timer, next);
}

void tcp_timers_init(struct tcp *t)
{
	timer_init(&t->timer, fire);
	for (int i = 0; i < TCP_TIMER_COUNT; i++)
		t->deadline[i] = NSEC_NEVER;
}
