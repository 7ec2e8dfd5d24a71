/*
 * Listeners. Each connection that the stack has accepted becomes a socket for the program: an
 * AF_UNIX socket that we connect to our own data name (a raw getpeername on it must say whose it
 * is, as on the program's own sockets), accept ourselves, and pass through the listener's socket,
 * one message each.
 *
 * OUR OWN AMONG THE NEWCOMERS. A connection to our data name is ours when SO_PEERCRED shows our
 * pid, and our own arrive in the order in which we made them: `selfs` is a queue. It is usually
 * taken in the same breath; when fds are short it waits like everybody.
 *
 * HOW MANY. The send buffer of our end of the listener is small (accept_bound), so that about 64
 * connections (with a backlog below 16: one) wait in it, un-taken, alive; then the rest wait in the
 * stack's backlog, where the kernel would keep them. What is un-taken when the listener closes is
 * closed by the kernel with the message it is in, which looks to us like any program's close.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine/sock.h"
#include "core/engine/watch.h"

/* A message with an fd is charged 768 bytes; setsockopt doubles. */
enum { EXACT_BELOW = 16 };
enum { UNTAKEN_MAX = 64, UNTAKEN_SNDBUF = UNTAKEN_MAX * 768 / 2 };

/* A connection on its way from the stack through our data name. */
struct self {
	struct list link;
	struct sock *listener; /* NULL: it closed meanwhile */
	struct tcp *tcp;
	int fd; /* the program's end */
};

int accept_bound(int fd)
{
	int size = UNTAKEN_SNDBUF;

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ? errno : 0;
}

/* A socket as a program would have made it: connected to our data name, its residual byte sent. */
static int connect_self(const struct engine *e)
{
	struct sockaddr_un name;
	socklen_t len = ipc_name(&name, &e->settings, e->uid, e->instance);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* It must not block, it is we who would accept. */
	if (connect(fd, (struct sockaddr *)&name, len) < 0 || send(fd, "", 1, MSG_NOSIGNAL) != 1) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

/* No fd: the connection keeps waiting in our hand, the others in the stack's backlog. */
static void starve(struct engine *e, struct sock *l)
{
	e->counters.accept_failures++;
	if (list_empty(&l->starved_link))
		list_append(&e->starved, &l->starved_link);
}

/*
 * The listener's next connection starts on its way through our data name: false when there is none,
 * or no fd.
 */
static bool take_next(struct engine *e, struct sock *l)
{
	struct self *self;
	int fd;

	if (!l->spare)
		l->spare = tcp_accept(l->tcp);
	if (!l->spare)
		return false;
	self = malloc(sizeof(*self));
	fd = self ? connect_self(e) : -ENOMEM;
	if (fd < 0) {
		free(self);
		starve(e, l);
		return false;
	}
	*self = (struct self){.listener = l, .fd = fd, .tcp = l->spare};
	l->spare = NULL;
	l->on_the_way = true;
	list_append(&e->selfs, &self->link);
	return true;
}

/*
 * What a program's request would have told: the options are the listener's, as Linux inherits them.
 */
static bool furnish(struct engine *e, struct sock *s, const struct sock *l, int program)
{
	struct ipc_sock_info first = ipc_sock_initial(l->family, IPC_KIND_TCP);
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	memcpy(first.option, l->slot->info.option, sizeof(first.option));
	unsigned corks = ipc_cork_get(ipc_table_cork(e->table, l->slot), l->cookie);
	first.option[IPC_OPT_CORK] = (corks & IPC_CORK_ON) != 0;
	first.option[IPC_OPT_NODELAY] = (corks & IPC_CORK_NODELAY) != 0;
	if (getsockopt(program, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 ||
		!table_claim(e, s, cookie, &first))
		return false;
	s->family = l->family;
	s->held = 1;
	s->state = ST_STREAM;
	return true;
}

void accept_adopt(struct engine *e, int fd)
{
	struct list *first = list_first(&e->selfs);
	struct self *self = first ? LIST_ENTRY(first, struct self, link) : NULL;
	struct sock *l, *s;

	if (!self) {
		close(fd);
		return;
	}
	list_remove(&self->link);
	l = self->listener;
	s = sock_new(e, fd);
	if (l)
		l->on_the_way = false;
	if (s && l && furnish(e, s, l, self->fd)) {
		s->tcp = self->tcp;
		s->pid = l->pid;
		watch_owner(e, s);
		tcp_set_user(s->tcp, s);
		option_cork(e, s);
		table_write(e, s);
		l->in_hand = s;
		l->in_hand_fd = self->fd;
		sock_due(e, l);
	} else {
		e->counters.socks_refused++;
		tcp_abort(self->tcp, e->now);
		close(self->fd);
		if (s)
			sock_free(e, s, 0);
	}
	free(self);
}

/* Passes the connection in hand on: 0, or a positive errno (EAGAIN: enough wait un-taken). */
static int pass(struct engine *e, struct sock *l)
{
	struct sock *s = l->in_hand;
	struct ipc_accepted m = {.h = ipc_header(IPC_ACCEPTED, sizeof(m)), .cookie = s->cookie};
	ssize_t sent;

	if (s->tcp) {
		m.local = *tcp_local(s->tcp);
		m.remote = *tcp_remote(s->tcp);
	}
	sent = ipc_send_fd(l->src.fd, &m, sizeof(m), l->in_hand_fd, MSG_DONTWAIT);
	if (sent < 0)
		return (int)-sent;
	close(l->in_hand_fd);
	l->in_hand_fd = -1;
	l->in_hand = NULL;
	return 0;
}

/*
 * A short backlog is kept exactly: one connection waits un-taken, where poll sees it, and the others
 * in the stack, which counts that one with them.
 */
static bool may_pass(struct sock *l)
{
	int queued = 0;

	if (l->backlog >= EXACT_BELOW)
		return true;
	ioctl(l->src.fd, SIOCOUTQ, &queued);
	tcp_listen_untaken(l->tcp, queued > 0);
	l->full = queued > 0;
	return queued == 0;
}

void accept_serve(struct engine *e, struct sock *l)
{
	int error = 0;

	while (l->state == ST_LISTENING && !l->full && !error && may_pass(l)) {
		if (!l->in_hand && !l->on_the_way && !take_next(e, l))
			break;
		if (!l->in_hand)
			sock_accept_ready(e, &e->data, EPOLLIN);
		if (l->on_the_way)
			return;
		if (l->in_hand)
			error = pass(e, l);
	}
	l->full = l->full || error == EAGAIN;
	if (error == ETOOMANYREFS) /* of fds that are in sockets' queues: as bad as having none */
		starve(e, l);
	else if (error && error != EAGAIN)
		sock_free(e, l, 0);
	if (l->state == ST_LISTENING)
		sock_want_out(e, l, l->full);
}

void accept_starved(struct engine *e)
{
	struct list waiting;

	list_init(&waiting);
	list_splice(&waiting, &e->starved);
	for (struct list *link; (link = list_first(&waiting));) {
		list_remove(link);
		accept_serve(e, LIST_ENTRY(link, struct sock, starved_link));
	}
}

void accept_drop_hand(struct engine *e, struct sock *l)
{
	LIST_FOR_EACH (link, &e->selfs) {
		struct self *self = LIST_ENTRY(link, struct self, link);

		if (self->listener == l)
			self->listener = NULL;
	}
	if (l->spare)
		tcp_abort(l->spare, e->now);
	l->spare = NULL;
	/* The other end's close is all its sock needs to end. */
	if (l->in_hand_fd >= 0)
		close(l->in_hand_fd);
	l->in_hand_fd = -1;
	l->in_hand = NULL;
}
