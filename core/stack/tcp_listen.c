/*
 * The passive side. A SYN to a listener makes a child in SYN-RECEIVED; the ACK that completes it
 * moves the child to the accept queue. The backlog bounds the accept queue, as on Linux: one more
 * than the program asked for. When it is full, SYNs are dropped (the peer tries again) and a
 * completing ACK is ignored (the peer's data or our SYN-ACK's retransmission brings another).
 *
 * A connection that ends while it waits stays in the queue, as on Linux: accept hands it out, with
 * what it had received and its error.
 */
#include <errno.h>
#include <string.h>

#include "core/stack/tcb.h"

/*
 * Half-open children per listener, at least: a small backlog should not mean that one lost ACK
 * blocks the door.
 */
enum { HALF_OPEN_MIN = 128 };

int tcp_listen(struct tcp *t, unsigned backlog, nsec now)
{
	if ((t->state != TCPS_CLOSED && t->state != TCPS_LISTEN) || t->remote.port)
		return -EINVAL;
	t->backlog = MIN(backlog, (unsigned)TCP_BACKLOG_MAX);
	if (t->state == TCPS_LISTEN)
		return 0;
	if (!t->bound) {
		struct endpoint any = {t->local.addr, 0};
		int err = tcp_port_bind(t, &any);
		if (err)
			return err;
		t->bound = true;
	}
	if (!tcp_port_may_listen(t))
		return -EADDRINUSE;
	tcp_set_state(t, TCPS_LISTEN, now);
	return 0;
}

static struct tcp *make_child(struct tcp *l, const struct segment *g, nsec now)
{
	struct tcp *child = tcp_create(l->stack);

	if (!child)
		return NULL;
	child->local = (struct endpoint){g->ip->dst, g->h.dst_port};
	child->remote = (struct endpoint){g->ip->src, g->h.src_port};
	memcpy(child->option, l->option, sizeof child->option);
	child->cc = l->cc;
	child->listener = l;
	if (tcp_port_inherit(child, l) || tcp_table_insert(child)) {
		tcp_finish(child, ENOMEM, now);
		return NULL;
	}
	list_append(&l->children, &child->child_link);
	l->nchildren++;
	return child;
}

struct tcp *tcp_listen_child(struct tcp *l, const struct segment *syn, nsec now)
{
	struct tcp *child = make_child(l, syn, now);

	if (!child) {
		COUNT(l->stack, TcpExtListenDrops);
		return NULL;
	}
	COUNT(l->stack, TcpPassiveOpens);
	tcp_init_send(child, now);
	tcp_take_syn(child, syn, now);
	return child;
}

static void listen_syn(struct tcp *l, struct segment *g, nsec now)
{
	if (l->naccept + l->untaken > l->backlog) {
		COUNT(l->stack, TcpExtListenDrops);
		return;
	}
	if (l->nchildren > MAX(l->backlog, (unsigned)HALF_OPEN_MIN)) {
		tcp_cookie_answer(l, g, now);
		return;
	}
	struct tcp *child = tcp_listen_child(l, g, now);
	if (!child)
		return;
	child->snd.syn_due = true;
	tcp_set_state(child, TCPS_SYN_RECEIVED, now);
	tcp_fastopen_syn(child, g, now);
	tcp_due(child);
}

/* RFC 9293 §3.10.7.2. */
struct tcp *tcp_listen_input(struct tcp *l, struct segment *g, nsec now)
{
	struct tcp *child = NULL;

	if (g->h.flags & TH_RST)
		return NULL;
	if (g->h.flags & TH_ACK) {
		if (!g->syn)
			child = tcp_cookie_accept(l, g, now);
		if (!child)
			tcp_answer_with_reset(l->stack, g, now);
		return child;
	}
	if (g->syn && !g->fin)
		listen_syn(l, g, now);
	return NULL;
}

bool tcp_listen_complete(struct tcp *child, nsec now)
{
	struct tcp *l = child->listener;

	if (l->naccept + l->untaken > l->backlog)
		return false;
	list_remove(&child->child_link);
	l->nchildren--;
	list_append(&l->accept_queue, &child->child_link);
	l->naccept++;
	child->completed = true;
	tcp_event(l, TCP_EV_ACCEPT);
	return true;
}

struct tcp *tcp_accept(struct tcp *listener)
{
	struct list *first = list_first(&listener->accept_queue);

	if (!first)
		return NULL;
	struct tcp *child = LIST_ENTRY(first, struct tcp, child_link);
	list_remove(first);
	listener->naccept--;
	child->listener = NULL;
	tcp_own(child, NULL);
	tcp_event(child, 0); /* what happened while it waited */
	return child;
}

void tcp_listen_untaken(struct tcp *listener, unsigned n)
{
	listener->untaken = n;
}

void tcp_listen_forget(struct tcp *child)
{
	struct tcp *l = child->listener;

	if (!list_empty(&child->child_link)) {
		if (child->completed)
			l->naccept--;
		else
			l->nchildren--;
	}
	list_remove(&child->child_link);
	child->listener = NULL;
}

void tcp_listen_close(struct tcp *l, nsec now)
{
	list_splice(&l->children, &l->accept_queue);
	for (struct list *link; (link = list_first(&l->children));) {
		struct tcp *child = LIST_ENTRY(link, struct tcp, child_link);
		list_remove(link);
		child->listener = NULL;
		if (child->state != TCPS_CLOSED)
			tcp_send_reset(child, now);
		tcp_finish(child, ECONNRESET, now);
	}
	l->nchildren = l->naccept = 0;
}
