/*
 * What happens to a sock, from two sides: its fd (conn_serve) and the stack (conn_event). sock.h
 * has the states and what ends a connection; here they are acted out.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "core/engine/dgram.h"
#include "core/engine/sock.h"
#include "core/ipc/unix_diag.h"

/*
 * How long a program's close may go unnoticed while both directions are shut and the peer owes an
 * ACK.
 */
#define LINGER_INTERVAL (1 * SEC)

static void reset(struct engine *e, struct sock *s)
{
	tcp_abort(s->tcp, e->now);
	s->tcp = NULL;
	sock_free(e, s, 0);
}

/*
 * The one question that poll flags cannot answer: both ends shut their write sides, has the other
 * one been closed since? A closed peer has no inode. False when nobody can tell.
 */
static bool peer_closed(int fd)
{
	struct unix_diag d;
	uint32_t inode = unix_diag_inode(fd);

	return inode && unix_diag_ask(inode, &d) && d.exists && d.peer == 0;
}

/* SO_LINGER of 0: what can be sent has been before Linux's close(); what cannot is thrown away. */
static void cut_off(struct engine *e, struct sock *s)
{
	pump_send(e, s);
	stack_poll(e->stack, e->now);
	reset(e, s);
}

static int64_t linger_of(const struct sock *s)
{
	return s->slot ? s->slot->info.option[IPC_OPT_LINGER] : -1;
}

/* Its last process may be waiting in close() for the acknowledgment of the FIN. */
static void begin_closing(struct engine *e, struct sock *s)
{
	list_remove(&s->linger_link);
	tcp_shutdown(s->tcp, e->now);
	s->state = ST_CLOSING;
}

/* What still comes finds nobody to read it (RFC 2525 §2.17). */
static void closing_event(struct engine *e, struct sock *s, unsigned events)
{
	if (tcp_recv_queued(s->tcp) > 0)
		reset(e, s);
	else if (events & (TCP_EV_SENT | TCP_EV_CLOSED))
		sock_free(e, s, 0);
}

/* The program is gone: what is queued is sent, then FIN, if SO_LINGER does not say otherwise. */
static void closed_by_program(struct engine *e, struct sock *s)
{
	if (linger_of(s) == 0)
		cut_off(e, s);
	else if (linger_of(s) > 0 && !s->sent && !s->over)
		begin_closing(e, s);
	else
		sock_free_clean(e, s);
}

/*
 * HUP before we shut anything: a close, or shutdown(SHUT_RDWR); which matters only if there is
 * unread data.
 */
static bool looks_closed(const struct sock *s)
{
	if (!(s->events & EPOLLHUP) || s->recv == RECV_SHUT)
		return false;
	return tcp_recv_queued(s->tcp) == 0 || peer_closed(s->src.fd);
}

/* Everything the program sent is in the send ring, and it will send no more. */
static void end_send(struct engine *e, struct sock *s)
{
	if (looks_closed(s)) {
		closed_by_program(e, s);
		return;
	}
	if (s->send == SEND_ENDING)
		tcp_shutdown(s->tcp, e->now);
	s->send = SEND_SHUT;
	if (s->events & EPOLLHUP && s->recv == RECV_OPEN) {
		s->recv = RECV_DISCARD;
		pump_recv(e, s);
	}
	sock_dirty(e, s);
	conn_settle(e, s);
}

void conn_settle(struct engine *e, struct sock *s)
{
	bool delivered = s->recv != RECV_OPEN || tcp_recv_queued(s->tcp) == 0;
	bool both_shut = s->send == SEND_SHUT && s->recv == RECV_SHUT;

	if (s->over && tcp_error(s->tcp)) {
		if (delivered)
			sock_free(e, s, tcp_error(s->tcp));
		return;
	}
	if (!both_shut)
		return;
	if (s->sent || s->over) {
		sock_free_clean(e, s);
		return;
	}
	if (list_empty(&s->linger_link)) {
		list_append(&e->lingering, &s->linger_link);
		e->linger_at = nsec_min(e->linger_at, e->now + LINGER_INTERVAL);
	}
}

void conn_ask_lingering(struct engine *e)
{
	e->linger_at = NSEC_NEVER;
	LIST_FOR_EACH (link, &e->lingering) {
		struct sock *s = LIST_ENTRY(link, struct sock, linger_link);

		if (peer_closed(s->src.fd))
			closed_by_program(e, s);
	}
	if (!list_empty(&e->lingering))
		e->linger_at = e->now + LINGER_INTERVAL;
}

static bool has_unread_error(const struct sock *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	getsockopt(s->src.fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return error == ECONNRESET;
}

static void serve_stream(struct engine *e, struct sock *s, uint32_t events)
{
	bool drained;

	if ((events & EPOLLERR) && has_unread_error(s)) {
		reset(e, s);
		return;
	}
	if ((events & EPOLLHUP) && linger_of(s) == 0 && looks_closed(s)) {
		cut_off(e, s);
		return;
	}
	if (events & EPOLLOUT)
		s->full = false;
	if (events & EPOLLPRI)
		s->urgent = true;
	if (s->recv != RECV_SHUT)
		pump_recv(e, s);
	if ((events & (EPOLLRDHUP | EPOLLHUP)) && s->send == SEND_OPEN)
		s->send = SEND_ENDING;
	drained = pump_send(e, s);
	if (s->send == SEND_OPEN || !drained)
		conn_settle(e, s);
	else
		end_send(e, s);
}

void conn_serve(struct engine *e, struct sock *s)
{
	uint32_t events = s->events;
	bool gone = events & (EPOLLHUP | EPOLLERR);

	s->events &= EPOLLHUP | EPOLLRDHUP;
	list_remove(&s->due_link);
	if (s->is_dgram) {
		dgram_serve(e, s, events);
		return;
	}
	switch ((enum sock_state)s->state) {
	case ST_REQUEST:
		if (gone)
			sock_free(e, s, 0);
		else
			request_serve(e, s);
		break;
	case ST_CONNECTING:
		if (gone)
			sock_free(e, s, 0);
		break;
	case ST_LISTENING:
		if (gone || (events & EPOLLRDHUP)) {
			sock_free(e, s, 0);
			break;
		}
		s->full = s->full && !(events & EPOLLOUT);
		request_serve(e, s);
		accept_serve(e, s);
		break;
	case ST_STREAM:
		serve_stream(e, s, events);
		break;
	case ST_DGRAM:
	case ST_CLOSING:
	case ST_DEAD:
		break;
	}
}

/* The table first: the program wakes up with the reading of its request, and may ask at once. */
static void connected(struct engine *e, struct sock *s)
{
	s->state = ST_STREAM;
	table_write(e, s);
	if (!request_consume(e, s))
		sock_free(e, s, 0);
}

void conn_event(struct engine *e, struct sock *s, unsigned events)
{
	sock_dirty(e, s);
	if ((events & TCP_EV_CONNECTED) && s->state == ST_CONNECTING)
		connected(e, s);
	if ((events & TCP_EV_CLOSED) && s->state == ST_CONNECTING)
		sock_free(e, s, tcp_error(s->tcp));
	if (s->state == ST_LISTENING)
		accept_serve(e, s);
	if (s->state == ST_CLOSING)
		closing_event(e, s, events);
	if (s->state != ST_STREAM)
		return;
	s->over |= (events & TCP_EV_CLOSED) != 0;
	s->sent |= (events & TCP_EV_SENT) != 0;
	if (events & (TCP_EV_READ | TCP_EV_EOF | TCP_EV_CLOSED))
		pump_recv(e, s);
	conn_settle(e, s);
	/* Room again; or what came over the fd while connecting is due now. */
	if (events & (TCP_EV_WRITE | TCP_EV_CONNECTED))
		conn_serve(e, s);
	if (s->over && s->state == ST_STREAM)
		pump_send(e, s);
}
