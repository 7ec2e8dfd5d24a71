/*
 * Requests on a data socket: CONNECT, BIND, LISTEN. A request is looked at with MSG_PEEK and
 * consumed, all but its last byte, when it has been dealt with; for CONNECT that is when the
 * connection is established, because the reading is what makes the program's socket writable. A
 * LISTEN request is never consumed: it fills the program's send buffer, so that a listening fd does
 * not poll writable.
 */
#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/engine/sock.h"
#include "core/engine/watch.h"

enum { PATIENCE = 2 }; /* turns */

_Static_assert(sizeof(struct ipc_request) < IPC_REQUEST_LEN, "a request fits");

/* The whole request behind the held bytes, if it is there. */
static bool peek(struct engine *e, const struct sock *s, struct ipc_request *r)
{
	size_t want = s->held + sizeof(*r);
	int queued = 0;

	if (ioctl(s->src.fd, FIONREAD, &queued) < 0 || queued < (int)s->held + IPC_REQUEST_LEN + 1)
		return false;
	if (recv(s->src.fd, e->scratch, want, MSG_PEEK | MSG_DONTWAIT) != (ssize_t)want)
		return false;
	memcpy(r, e->scratch + s->held, sizeof(*r));
	return true;
}

static bool is_sound(const struct engine *e, const struct sock *s, const struct ipc_request *r)
{
	if (!ipc_check(r, sizeof(*r), IPC_CONNECT, sizeof(*r)) &&
		!ipc_check(r, sizeof(*r), IPC_BIND, sizeof(*r)) &&
		!ipc_check(r, sizeof(*r), IPC_LISTEN, sizeof(*r)))
		return false;
	if (r->family != AF_INET && r->family != AF_INET6)
		return false;
	return !s->foreign || sodium_memcmp(r->token, e->token, sizeof(e->token)) == 0;
}

bool request_consume(struct engine *e, struct sock *s)
{
	size_t n = s->held + IPC_REQUEST_LEN;

	if (recv(s->src.fd, e->scratch, n, MSG_DONTWAIT) != (ssize_t)n)
		return false;
	s->held = 1;
	return true;
}

/* A slot, a handle of the stack, and what was set before the program met us. */
static int prepare(struct engine *e, struct sock *s, const struct ipc_request *r)
{
	struct ipc_sock_info info = ipc_sock_initial(r->family, IPC_KIND_TCP);
	bool first = !s->slot;

	for (unsigned o = 0; o < IPC_OPT_COUNT; o++)
		info.option[o] = r->option_set & 1u << o ? r->option[o] : info.option[o];
	if (!table_claim(e, s, r->cookie, &info))
		return ENFILE;
	if (s->refuse)
		return s->refuse;
	if (!s->tcp)
		s->tcp = tcp_new(e->stack, s);
	if (!s->tcp)
		return ENOBUFS;
	s->family = r->family;
	if (first) {
		option_apply_all(e, s, r->option_set, r->option);
		option_apply(e, s, IPC_OPT_V6ONLY, r->v6only);
	}
	return 0;
}

static void reply(struct engine *e, struct sock *s, int error)
{
	struct ipc_reply r = {.h = ipc_header(IPC_REPLY, sizeof(r)), .error = error};

	if (s->tcp)
		r.local = *tcp_local(s->tcp);
	table_write(e, s);
	if (send(s->src.fd, &r, sizeof(r), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(r))
		sock_free(e, s, 0);
}

static void serve_connect(struct engine *e, struct sock *s, const struct ipc_request *r, int error)
{
	if (!error && e->link_down)
		error = ENETDOWN;
	if (!error)
		error = -tcp_connect(s->tcp, &r->addr, e->now);
	if (error) {
		sock_free(e, s, error);
		return;
	}
	s->state = ST_CONNECTING;
	watch_owner(e, s);
	sock_dirty(e, s);
}

static void serve_bind(struct engine *e, struct sock *s, int error)
{
	if (request_consume(e, s))
		reply(e, s, error);
	else
		sock_free(e, s, 0);
}

static int listen_on(struct engine *e, struct sock *s, const struct ipc_request *r)
{
	int error = 0;

	/* Not bound: to all addresses of its own family. */
	if (r->family == AF_INET && !tcp_local(s->tcp)->port)
		error = -tcp_bind(s->tcp, &(struct endpoint){ipaddr_v4(0), 0});
	/* listen(2) takes a negative backlog for a huge one; the stack has its own limit. */
	return error ? error : -tcp_listen(s->tcp, (unsigned)r->backlog, e->now);
}

static void serve_listen(struct engine *e, struct sock *s, int backlog, int error)
{
	if (!error && s->state != ST_LISTENING)
		error = accept_bound(s->src.fd);
	if (error && !request_consume(e, s)) {
		sock_free(e, s, 0);
		return;
	}
	if (!error) {
		s->held += IPC_REQUEST_LEN + 1;
		s->state = ST_LISTENING;
		s->backlog = (unsigned)backlog;
		table_note_listener(e, tcp_local(s->tcp));
	}
	reply(e, s, error);
}

/*
 * The address is taken; perhaps by a socket that its program has just closed, in a call before this one, whose end we
 * have not come to. Newcomers are served first, so it takes two turns to be sure.
 */
static bool waits_for_closes(struct engine *e, struct sock *s, int error)
{
	if (error != EADDRINUSE || s->patience++ == PATIENCE)
		return false;
	sock_due(e, s);
	return true;
}

/* False: later. */
static bool serve_one(struct engine *e, struct sock *s, const struct ipc_request *r)
{
	int error = prepare(e, s, r);

	switch (r->h.op) {
	case IPC_CONNECT:
		serve_connect(e, s, r, error);
		break;
	case IPC_BIND:
		if (!error)
			error = -tcp_bind(s->tcp, &r->addr);
		if (waits_for_closes(e, s, error))
			return false;
		serve_bind(e, s, error);
		break;
	case IPC_LISTEN:
		if (!error)
			error = listen_on(e, s, r);
		if (waits_for_closes(e, s, error))
			return false;
		serve_listen(e, s, r->backlog, error);
		break;
	}
	s->patience = 0;
	return true;
}

/* A LISTEN request stays in the queue until the next one follows it. */
static void drop_served(struct engine *e, struct sock *s)
{
	ssize_t n = recv(s->src.fd, e->scratch, s->held - 1, MSG_DONTWAIT);

	if (n > 0)
		s->held -= (uint32_t)n;
}

void request_serve(struct engine *e, struct sock *s)
{
	struct ipc_request r;

	if (s->state == ST_LISTENING && s->held > 1 && peek(e, s, &r))
		drop_served(e, s);
	while ((s->state == ST_REQUEST || s->state == ST_LISTENING) && peek(e, s, &r)) {
		bool sound = is_sound(e, s, &r) && (s->state == ST_REQUEST || r.h.op == IPC_LISTEN);

		if (!sound) {
			e->counters.bad_requests++;
			sock_free(e, s, 0);
			return;
		}
		if (!serve_one(e, s, &r))
			return;
	}
}
