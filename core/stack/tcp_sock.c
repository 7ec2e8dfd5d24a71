/*
 * The socket calls and the life of a control block: created here, ended by tcp_finish, freed by the
 * reaper at the end of tcp_poll. Calls record what is due; tcp_output does it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/tcb.h"

const char *const tcp_state_name[TCPS_COUNT] = {
	[TCPS_CLOSED] = "CLOSED",
	[TCPS_LISTEN] = "LISTEN",
	[TCPS_SYN_SENT] = "SYN-SENT",
	[TCPS_SYN_RECEIVED] = "SYN-RECEIVED",
	[TCPS_ESTABLISHED] = "ESTABLISHED",
	[TCPS_FIN_WAIT_1] = "FIN-WAIT-1",
	[TCPS_FIN_WAIT_2] = "FIN-WAIT-2",
	[TCPS_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCPS_CLOSING] = "CLOSING",
	[TCPS_LAST_ACK] = "LAST-ACK",
	[TCPS_TIME_WAIT] = "TIME-WAIT",
};

static const int64_t option_default[TCP_OPT_COUNT] = {
	[TCP_OPT_KEEPIDLE] = TCP_KEEPIDLE,
	[TCP_OPT_KEEPINTVL] = TCP_KEEPINTVL,
	[TCP_OPT_KEEPCNT] = TCP_KEEPCNT,
	[TCP_OPT_SYNCNT] = TCP_SYN_RETRIES,
	[TCP_OPT_QUICKACK] = 1,
	[TCP_OPT_TTL] = IP_TTL_DEFAULT,
	[TCP_OPT_LINGER2] = TCP_FIN_WAIT_2,
	[TCP_OPT_TIMESTAMPS] = 1,
	[TCP_OPT_ECN] = 2,
	[TCP_OPT_IDLE_RESTART] = 1,
};

struct tcp *tcp_create(struct stack *s)
{
	struct tcp *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->stack = s;
	t->cc = cc_find(s->config.congestion);
	t->pmtu = s->config.mtu;
	memcpy(t->option, option_default, sizeof t->option);
	struct list *links[] = {&t->conn_link, &t->port_link, &t->all_link, &t->due_link,
		&t->event_link, &t->tw_link, &t->children, &t->accept_queue, &t->child_link,
		&t->sent};
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		list_init(links[i]);
	tcp_timers_init(t);
	list_append(&s->tcp.all, &t->all_link);
	return t;
}

/* nsocks counts what an engine must stay for: a handle somebody holds, or unfinished business. */
static void recount(struct tcp *t)
{
	bool counts = t->owned || (t->state != TCPS_CLOSED && t->state != TCPS_TIME_WAIT);

	if (counts == t->counted)
		return;
	t->counted = counts;
	t->stack->tcp.nsocks += counts ? 1 : -1;
}

void tcp_own(struct tcp *t, void *user)
{
	t->owned = true;
	t->user = user;
	recount(t);
}

struct tcp *tcp_new(struct stack *s, void *user)
{
	if (s->config.max_socks && s->tcp.nsocks >= s->config.max_socks)
		return NULL;
	struct tcp *t = tcp_create(s);
	if (!t)
		return NULL;
	tcp_own(t, user);
	return t;
}

void *tcp_user(const struct tcp *t)
{
	return t->user;
}

/* Whoever takes it over is told at once if it is over: that event may have passed without an owner. */
void tcp_set_user(struct tcp *t, void *user)
{
	bool first = !t->user && user;

	t->user = user;
	if (first && t->state == TCPS_CLOSED && t->remote.port)
		tcp_event(t, TCP_EV_CLOSED);
}

enum tcp_state tcp_state(const struct tcp *t)
{
	return t->state;
}

int tcp_error(const struct tcp *t)
{
	return t->error;
}

const struct endpoint *tcp_local(const struct tcp *t)
{
	return &t->local;
}

const struct endpoint *tcp_remote(const struct tcp *t)
{
	return &t->remote;
}

bool tcp_is_open(const struct tcp *t)
{
	return tcp_is_synchronized(t) ||
	       (t->state == TCPS_SYN_RECEIVED && t->fastopen.passive);
}

bool tcp_is_synchronized(const struct tcp *t)
{
	return t->state >= TCPS_ESTABLISHED;
}

void tcp_set_state(struct tcp *t, enum tcp_state state, nsec now)
{
	enum tcp_state from = t->state;

	if (from == state)
		return;
	t->state = (uint8_t)state;
	recount(t);
	if (t->stack->ops.trace_state)
		t->stack->ops.trace_state(t->stack->ctx, t, from, state, now);
}

void tcp_event(struct tcp *t, unsigned events)
{
	t->events |= events;
	if (t->owned && list_empty(&t->event_link))
		list_append(&t->stack->tcp.events, &t->event_link);
}

struct tcp *stack_next_event(struct stack *s, unsigned *events)
{
	struct list *first = list_first(&s->tcp.events);

	if (!first)
		return NULL;
	struct tcp *t = LIST_ENTRY(first, struct tcp, event_link);
	list_remove(first);
	*events = t->events;
	t->events = 0;
	return t;
}

void tcp_due(struct tcp *t)
{
	if (list_empty(&t->due_link))
		list_append(&t->stack->tcp.due, &t->due_link);
}

/* Nobody holds it and it has nothing left to do: the reaper takes it at the end of this poll. */
static void tcp_bury(struct tcp *t)
{
	t->dead = true;
	list_remove(&t->due_link);
	list_remove(&t->event_link);
	list_remove(&t->all_link);
	list_append(&t->stack->tcp.dead, &t->all_link);
}

void tcp_finish(struct tcp *t, int error, nsec now)
{
	struct stack *s = t->stack;

	if (t->dead)
		return;
	if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED)
		COUNT(s, TcpAttemptFails);
	else if (error && (t->state == TCPS_ESTABLISHED || t->state == TCPS_CLOSE_WAIT))
		COUNT(s, TcpEstabResets);
	t->error = error; /* before the state: who traces tells why */
	tcp_set_state(t, TCPS_CLOSED, now);
	list_remove(&t->tw_link);
	tcp_timers_stop(t);
	tcp_table_remove(t);
	tcp_port_release(t);
	tcp_sent_free(t);
	tcp_ofo_free(t);
	sendq_release(s, &t->snd.queue);
	list_remove(&t->due_link);
	if (t->listener && !t->completed)
		tcp_listen_forget(t);
	if (t->owned || t->listener)
		tcp_event(t, TCP_EV_CLOSED | (error ? 0 : TCP_EV_EOF));
	else
		tcp_bury(t);
}

static void tcp_free(struct tcp *t)
{
	list_remove(&t->all_link);
	tcp_timers_stop(t);
	tcp_table_remove(t);
	tcp_port_release(t);
	tcp_sent_free(t);
	tcp_ofo_free(t);
	sendq_release(t->stack, &t->snd.queue);
	ring_release(t->stack, &t->rcv.ring);
	free(t);
}

static void reap(struct stack *s)
{
	LIST_FOR_EACH (link, &s->tcp.dead)
		tcp_free(LIST_ENTRY(link, struct tcp, all_link));
}

void tcp_table_free(struct stack *s)
{
	reap(s);
	LIST_FOR_EACH (link, &s->tcp.all)
		tcp_free(LIST_ENTRY(link, struct tcp, all_link));
	LIST_FOR_EACH (spare, &s->tcp.spare)
		free(LIST_ENTRY(spare, struct txseg, link));
	free(s->tcp.conn);
	free(s->tcp.port);
}

void tcp_poll(struct stack *s, nsec now)
{
	struct list visit;

	if (stack_address_state(s, NULL) == ADDRESS_READY) {
		/* A socket that becomes due again during the walk waits for the next poll. */
		list_init(&visit);
		list_splice(&visit, &s->tcp.due);
		for (struct list *link; (link = list_first(&visit));) {
			list_remove(link);
			tcp_output(LIST_ENTRY(link, struct tcp, due_link), now);
		}
	}
	reap(s);
}

unsigned stack_socket_count(const struct stack *s)
{
	return s->tcp.nsocks + s->dgram.nsocks;
}

int tcp_bind(struct tcp *t, const struct endpoint *local)
{
	if (t->state != TCPS_CLOSED || t->bound)
		return -EINVAL;
	if (!ipaddr_is_any(&local->addr) && !ipaddr_is_loopback(&local->addr) &&
		!ipaddr_equal(&local->addr, &t->stack->address.addr))
		return -EADDRNOTAVAIL;
	int err = tcp_port_bind(t, local);
	if (err)
		return err;
	t->bound = true;
	t->bound_addr = !ipaddr_is_any(&local->addr);
	t->local.addr = local->addr;
	return 0;
}

static int connect_check(const struct tcp *t, const struct endpoint *remote)
{
	if (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED)
		return -EALREADY;
	if (t->state == TCPS_LISTEN)
		return -EINVAL;
	if (t->state != TCPS_CLOSED || t->remote.port)
		return -EISCONN; /* also when it is over: a socket is good for one connection */
	if (ipaddr_is_broadcast(&remote->addr) ||
		ipnet_is_broadcast(&t->stack->address, &remote->addr))
		return -EACCES;
	if (ipaddr_is_multicast(&remote->addr))
		return -ENETUNREACH;
	return remote->port ? 0 : -ECONNREFUSED;
}

static bool is_local(const struct stack *s, const struct ipaddr *a)
{
	return ipaddr_is_loopback(a) || ipaddr_equal(a, &s->address.addr);
}

int tcp_connect(struct tcp *t, const struct endpoint *remote, nsec now)
{
	struct ipaddr source;
	int err = connect_check(t, remote);

	if (!err)
		err = ip_route_check(t->stack, &remote->addr, &source);
	if (err)
		return err;
	if (ipaddr_is_loopback(&t->local.addr) && !is_local(t->stack, &remote->addr))
		return -EINVAL; /* nobody could answer it */
	struct endpoint before = t->local;
	if (!t->bound_addr)
		t->local.addr = source;
	if (!t->bound)
		err = tcp_port_pick(t, remote);
	if (!err) {
		t->remote = *remote;
		/*
		 * A bound port whose four-tuple is taken is the caller's fault: EADDRNOTAVAIL, as
		 * Linux.
		 */
		err = tcp_table_insert(t) ? -EADDRNOTAVAIL : 0;
	}
	if (err) {
		if (!t->bound)
			tcp_port_release(t);
		t->local = before;
		t->remote = (struct endpoint){0};
		return err;
	}
	tcp_init_send(t, now);
	COUNT(t->stack, TcpActiveOpens);
	tcp_set_state(t, TCPS_SYN_SENT, now);
	tcp_fastopen_connect(t);
	if (!t->fastopen.waits)
		tcp_fastopen_go(t);
	return 0;
}

bool tcp_can_send(const struct tcp *t)
{
	return !t->snd.fin_queued &&
	       (t->state == TCPS_SYN_SENT || t->state == TCPS_SYN_RECEIVED ||
		       t->state == TCPS_ESTABLISHED || t->state == TCPS_CLOSE_WAIT);
}

/* The send ring may hold two windows' worth: one in flight, one to refill it with. */
static size_t send_limit(const struct tcp *t)
{
	if (t->option[TCP_OPT_SNDBUF])
		return (size_t)t->option[TCP_OPT_SNDBUF];
	size_t want = 2 * (size_t)t->cong.cwnd;
	return MIN(MAX(want, (size_t)TCP_RCVBUF_INITIAL), (size_t)TCP_SNDBUF_MAX);
}

int tcp_send_room(struct tcp *t, size_t want, struct iovec iov[static 2])
{
	struct sendq *q = &t->snd.queue;
	size_t limit = t->fastopen.waits ? tcp_fastopen_room(t) : send_limit(t);

	if (!tcp_can_send(t))
		return 0;
	size_t room = limit > q->len ? limit - q->len : 0;
	want = MIN(want, room);
	while (want > 0 && !sendq_grow(t->stack, q, want))
		want = sendq_spare(q) ? sendq_spare(q) : want / 2; /* memory is scarce: less */
	if (want == 0) {
		t->snd.blocked = true;
		return 0;
	}
	return sendq_room(q, (uint32_t)want, iov);
}

void tcp_send_commit(struct tcp *t, size_t n, nsec now)
{
	if (n == 0 && t->snd.queue.len == 0)
		sendq_release(t->stack, &t->snd.queue); /* idle connections keep none */
	if (n == 0)
		return;
	sendq_commit(&t->snd.queue, (uint32_t)n);
	if (tcp_is_open(t))
		tcp_due(t);
	else if (t->fastopen.waits)
		tcp_fastopen_go(t);
}

bool tcp_send_lend(struct tcp *t, const struct loan *l)
{
	if (!tcp_can_send(t) || !tcp_is_open(t))
		return false;
	if (send_limit(t) <= t->snd.queue.len || !sendq_lend(&t->snd.queue, l)) {
		t->snd.blocked = true;
		return false;
	}
	tcp_due(t);
	return true;
}

size_t tcp_send_queued(const struct tcp *t)
{
	return t->snd.queue.len;
}

void tcp_send_urgent(struct tcp *t)
{
	t->snd.urgent = true;
	t->snd.up = seq_add(t->snd.una_data, t->snd.queue.len);
}

int tcp_recv_peek(const struct tcp *t, struct iovec iov[static 2])
{
	return ring_pieces(&t->rcv.ring, 0, t->rcv.ring.len, iov);
}

size_t tcp_recv_queued(const struct tcp *t)
{
	return t->rcv.ring.len;
}

bool tcp_recv_eof(const struct tcp *t)
{
	return t->rcv.fin && t->rcv.ring.len == 0;
}

int tcp_shutdown(struct tcp *t, nsec now)
{
	if (t->state == TCPS_CLOSED || t->state == TCPS_LISTEN || t->state == TCPS_SYN_SENT)
		return -ENOTCONN;
	tcp_begin_close(t, now);
	return 0;
}

/*
 * RFC 9293 §3.10.4: the FIN stands behind everything queued; SYN-RECEIVED closes once established.
 */
void tcp_begin_close(struct tcp *t, nsec now)
{
	if (t->snd.fin_queued)
		return;
	t->snd.fin_queued = true;
	if (t->state == TCPS_ESTABLISHED)
		tcp_set_state(t, TCPS_FIN_WAIT_1, now);
	else if (t->state == TCPS_CLOSE_WAIT)
		tcp_set_state(t, TCPS_LAST_ACK, now);
	tcp_due(t);
}

/* The owner is gone. What is closed already can be buried; the rest lives on as an orphan. */
static void let_go(struct tcp *t)
{
	t->owned = false;
	t->user = NULL;
	recount(t);
	list_remove(&t->event_link);
	t->events = 0;
	if (t->state == TCPS_CLOSED) {
		tcp_port_release(t);
		tcp_bury(t);
	}
}

void tcp_close(struct tcp *t, nsec now)
{
	let_go(t);
	switch ((enum tcp_state)t->state) {
	case TCPS_CLOSED:
		return;
	case TCPS_TIME_WAIT:
		tcp_ofo_free(t);
		ring_release(t->stack, &t->rcv.ring);
		return;
	case TCPS_LISTEN:
		tcp_listen_close(t, now);
		tcp_finish(t, 0, now);
		return;
	case TCPS_SYN_SENT:
		tcp_finish(t, 0, now);
		return;
	default:
		break;
	}
	if (t->rcv.ring.len > 0) {
		tcp_send_reset(t, now);
		tcp_finish(t, ECONNRESET, now);
		return;
	}
	ring_release(t->stack, &t->rcv.ring);
	tcp_begin_close(t, now);
	if (t->state == TCPS_FIN_WAIT_2)
		tcp_timer_set(t, TCP_TIMER_END, now + t->option[TCP_OPT_LINGER2]);
	if (t->snd.nxt.v != t->snd.una.v && t->deadline[TCP_TIMER_REXMIT] == NSEC_NEVER)
		tcp_arm_rexmit(t, now);
}

void tcp_abort(struct tcp *t, nsec now)
{
	if (t->state == TCPS_LISTEN || t->state == TCPS_CLOSED || t->state == TCPS_TIME_WAIT) {
		tcp_close(t, now);
		return;
	}
	let_go(t);
	tcp_send_reset(t, now);
	tcp_finish(t, ECONNRESET, now);
}

void tcp_reset(struct tcp *t, nsec now)
{
	if (tcp_is_synchronized(t) && t->state != TCPS_TIME_WAIT) {
		tcp_send_reset(t, now);
		tcp_finish(t, ECONNRESET, now);
	}
}

void stack_abort_all(struct stack *s, nsec now)
{
	LIST_FOR_EACH (link, &s->tcp.all) {
		struct tcp *t = LIST_ENTRY(link, struct tcp, all_link);
		if (t->state == TCPS_SYN_RECEIVED) {
			tcp_send_reset(t, now);
			tcp_finish(t, ECONNRESET, now);
		} else {
			tcp_reset(t, now);
		}
	}
	reap(s);
}
