/*
 * Datagram sockets: messages between an AF_UNIX SEQPACKET socket and the stack. core/ipc/dgram.h
 * says what the messages are.
 *
 * PROGRAM TO NETWORK. A message is read and dealt with at once. If the link is full, the datagram is
 * kept (`kept`), nothing more is read, and the program's socket fills up: it waits, as it would for
 * the kernel's SO_SNDBUF. Whatever else a datagram fails for becomes the socket's pending error; the
 * shim has already refused what can be seen beforehand.
 *
 * NETWORK TO PROGRAM. What the stack has queued goes into the socket until that is full; EPOLLOUT
 * goes on. A program that shut its read side gets nothing and is not waited for.
 *
 * THE END. recv returns 0 for an empty message, too: whether the program has closed is poll's to say.
 */
#include "core/engine/dgram.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "core/engine/watch.h"
#include "core/stack/dgram.h"

struct waiting {
	size_t len;
	uint8_t message[];
};

static const struct {
	bool known;
	enum dgram_option option;
} translation[IPC_DGRAM_OPT_COUNT] = {
	[IPC_DGRAM_OPT_REUSEADDR] = {true, DGRAM_OPT_REUSEADDR},
	[IPC_DGRAM_OPT_REUSEPORT] = {true, DGRAM_OPT_REUSEPORT},
	[IPC_DGRAM_OPT_BROADCAST] = {true, DGRAM_OPT_BROADCAST},
	[IPC_DGRAM_OPT_RCVBUF] = {true, DGRAM_OPT_RCVBUF},
	[IPC_DGRAM_OPT_NO_CHECK] = {true, DGRAM_OPT_NO_CHECK},
	[IPC_DGRAM_OPT_TOS] = {true, DGRAM_OPT_TOS},
	[IPC_DGRAM_OPT_TTL] = {true, DGRAM_OPT_TTL},
	[IPC_DGRAM_OPT_MTU_DISCOVER] = {true, DGRAM_OPT_MTU_DISCOVER},
	[IPC_DGRAM_OPT_RECVERR] = {true, DGRAM_OPT_RECVERR},
	[IPC_DGRAM_OPT_MULTICAST_TTL] = {true, DGRAM_OPT_MULTICAST_TTL},
	[IPC_DGRAM_OPT_MULTICAST_LOOP] = {true, DGRAM_OPT_MULTICAST_LOOP},
	[IPC_DGRAM_OPT_MULTICAST_ALL] = {true, DGRAM_OPT_MULTICAST_ALL},
	[IPC_DGRAM_OPT_ICMP_FILTER] = {true, DGRAM_OPT_ICMP_FILTER},
};

void dgram_option_apply(struct engine *e, struct sock *s, unsigned option, int64_t value)
{
	if (option >= IPC_DGRAM_OPT_COUNT) {
		e->counters.bad_requests++;
		return;
	}
	if (translation[option].known &&
		dgram_set_option(s->dgram, translation[option].option, value) < 0)
		return;
	ipc_slot_begin(s->slot)->option[option] = value;
	ipc_slot_end(s->slot);
}

void dgram_fill(const struct sock *s, struct ipc_sock_info *info)
{
	info->local = *dgram_local(s->dgram);
	info->remote = *dgram_remote(s->dgram);
	info->tcp_state = dgram_is_connected(s->dgram) ? 1 : 7; /* ESTABLISHED, CLOSE, as Linux */
	info->kind = s->kind;
	info->error = s->dgram_error;
}

void dgram_drop(struct engine *e, struct sock *s)
{
	dgram_close(s->dgram, e->now);
	s->dgram = NULL;
	free(s->kept);
	s->kept = NULL;
}

/* --- network to program --- */

/* The wall's time at `at` of the engine's clock; the wall's is read once a turn. */
static int64_t wall_time(struct engine *e, nsec at)
{
	struct timespec t;

	if (e->wall_at != e->now) {
		clock_gettime(CLOCK_REALTIME, &t);
		e->wall_offset = t.tv_sec * SEC + t.tv_nsec - e->now;
		e->wall_at = e->now;
	}
	return at + e->wall_offset;
}

enum handed { HANDED, HANDED_FULL, HANDED_NOWHERE };

static enum handed hand_over(struct sock *s, struct ipc_dgram *h, const uint8_t *data, size_t len)
{
	struct iovec iov[2] = {{h, sizeof(*h)}, {(void *)(uintptr_t)data, len}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

	if (sendmsg(s->src.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return HANDED;
	return errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM ? HANDED_FULL
								      : HANDED_NOWHERE;
}

static bool hand_error(struct engine *e, struct sock *s)
{
	struct dgram_error error = {0};
	bool queued = dgram_peek_error(s->dgram, &error);
	struct ipc_dgram h = ipc_dgram(e->instance, IPC_DGRAM_ERROR, error.len);

	h.value = wall_time(e, queued ? error.arrival : e->now);
	h.error = queued ? error.error : s->dgram_error;
	h.flags = queued ? IPC_DGRAM_QUEUED : 0;
	h.flags |= s->dgram_told ? 0 : IPC_DGRAM_PENDING;
	h.flags |= error.local ? IPC_DGRAM_LOCAL : 0;
	h.remote = error.to;
	h.offender = error.offender;
	h.type = error.type;
	h.code = error.code;
	h.info = error.info;
	if (hand_over(s, &h, error.data, error.len) == HANDED_FULL)
		return false;
	s->dgram_told = true;
	if (queued)
		dgram_pop_error(s->dgram);
	return true;
}

static enum handed hand_datagram(struct engine *e, struct sock *s, const struct dgram_in *in)
{
	struct ipc_dgram h = ipc_dgram(e->instance, IPC_DGRAM_DATA, in->len);

	h.value = wall_time(e, in->arrival);
	h.remote = in->from;
	h.local = in->to;
	h.ttl = in->ttl;
	h.tos = in->tos;
	return hand_over(s, &h, in->data, in->len);
}

bool dgram_hand_over(void *ctx, struct dgram *d, void *user, const struct dgram_in *in)
{
	struct engine *e = ctx;
	struct sock *s = user;

	/* Behind an error that waits, or a lookup's: the queue is the place. */
	if (!s || s->state != ST_DGRAM || s->out_armed)
		return false;
	if (hand_datagram(e, s, in) != HANDED_FULL)
		return true;
	sock_want_out(e, s, true);
	return false;
}

/* Errors first: they are about what was sent before, and few. */
static void pump(struct engine *e, struct sock *s)
{
	struct dgram_error error;
	struct dgram_in in;
	bool room = true;

	while (room && (!s->dgram_told || dgram_peek_error(s->dgram, &error)))
		room = hand_error(e, s);
	while (room && dgram_peek(s->dgram, &in)) {
		room = hand_datagram(e, s, &in) != HANDED_FULL;
		if (room)
			dgram_pop(s->dgram);
	}
	sock_want_out(e, s, !room);
}

/* An error becomes the next call's; the table lets a sender know without asking. */
static void note_error(struct engine *e, struct sock *s, int error)
{
	s->dgram_error = error;
	s->dgram_told = false;
	table_write(e, s);
	pump(e, s);
}

bool dgram_run_events(struct engine *e)
{
	struct dgram *d;
	unsigned events;
	bool any = false;

	while ((d = dgram_next_event(e->stack, &events))) {
		struct sock *s = dgram_user(d);

		any = true;
		if (!s) /* a lookup's, which looks itself */
			continue;
		int error = dgram_take_error(d);
		if (error)
			note_error(e, s, error);
		else
			pump(e, s);
	}
	return any;
}

/* --- program to network --- */

static void keep(struct engine *e, struct sock *s, const uint8_t *message, size_t len)
{
	s->kept = malloc(sizeof(*s->kept) + len);
	if (!s->kept)
		return;
	s->kept->len = len;
	memcpy(s->kept->message, message, len);
	list_remove(&s->starved_link);
	list_append(&e->blocked, &s->starved_link);
}

/* `h` NULL: a plain write, to the connected peer. False: the link is full. */
static bool send_datagram(
	struct engine *e, struct sock *s, const struct ipc_dgram *h, const uint8_t *data, size_t len)
{
	struct dgram_out out = {
		.ttl = h ? h->ttl : -1,
		.tos = h ? h->tos : -1,
		.data[0] = {(void *)(uintptr_t)data, len},
		.npieces = 1,
	};
	bool first = dgram_local(s->dgram)->port == 0;

	if (h && !ipaddr_is_any(&h->remote.addr))
		out.to = &h->remote;
	/* The error was told in the answer to another call, or lies behind what is not read yet. */
	if (s->dgram_error && s->dgram_told) {
		s->dgram_error = 0;
		sock_dirty(e, s);
	}
	loop_datagram_sent(e);
	int err = dgram_send(s->dgram, &out, e->now);
	if (first)
		sock_dirty(e, s);
	if (err == -EAGAIN)
		return false;
	watch_datagram(e, dgram_local(s->dgram), out.to ? out.to : dgram_remote(s->dgram));
	if (err && err != -EMSGSIZE)
		note_error(e, s, -err);
	else if (err)
		pump(e, s);
	return true;
}

static void reply(struct sock *s, int fd, int error)
{
	struct ipc_reply r = {
		.h = ipc_header(IPC_REPLY, sizeof(r)),
		.error = error,
		.local = *dgram_local(s->dgram),
	};

	if (fd >= 0)
		send(fd, &r, sizeof(r), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool serve_open(struct engine *e, struct sock *s, const struct ipc_dgram *h)
{
	static const enum dgram_kind kind[] = {
		[IPC_KIND_UDP] = DGRAM_UDP,
		[IPC_KIND_PING] = DGRAM_PING,
		[IPC_KIND_RAW] = DGRAM_RAW,
	};
	struct ipc_sock_info first = ipc_sock_initial(h->family, h->kind);
	bool allowed = !s->foreign ||
		       sodium_memcmp(h->token, e->token, sizeof(e->token)) == 0;

	if (!allowed || h->kind < IPC_KIND_UDP || h->kind > IPC_KIND_RAW || s->refuse ||
		(h->family != AF_INET && h->family != AF_INET6) || !table_claim(e, s, h->cookie, &first))
		return false;
	s->dgram = dgram_new(e->stack, kind[h->kind], s);
	if (!s->dgram)
		return false;
	s->state = ST_DGRAM;
	s->kind = (uint8_t)h->kind;
	s->family = h->family;
	s->dgram_told = true;
	table_write(e, s);
	return true;
}

/* True: it was a request, and `error` is its answer. */
static bool serve_request(struct engine *e, struct sock *s, const struct ipc_dgram *h, int *error)
{
	switch (h->op) {
	case IPC_DGRAM_BIND:
		*error = -dgram_bind(s->dgram, &h->remote);
		return true;
	case IPC_DGRAM_CONNECT:
		*error = e->link_down ? ENETDOWN : -dgram_connect(s->dgram, &h->remote);
		return true;
	case IPC_DGRAM_DISCONNECT:
		dgram_disconnect(s->dgram);
		return true;
	case IPC_DGRAM_JOIN:
		*error = -dgram_join(s->dgram, &h->local, e->now);
		return true;
	case IPC_DGRAM_LEAVE:
		*error = -dgram_leave(s->dgram, &h->local, e->now);
		return true;
	case IPC_DGRAM_SYNC:
		return true;
	default:
		return false;
	}
}

/* False: the sock must end, it does not speak our language. `fd`: to answer on, or -1. */
static bool serve_headed(struct engine *e, struct sock *s, const struct ipc_dgram *h,
	const uint8_t *data, size_t len, int fd)
{
	int error = 0;

	if (s->state == ST_REQUEST)
		return h->op == IPC_DGRAM_OPEN && serve_open(e, s, h);
	if (h->op == IPC_DGRAM_DATA) {
		if (!send_datagram(e, s, h, data, len))
			keep(e, s, data - sizeof(*h), sizeof(*h) + len);
		return true;
	}
	if (h->op == IPC_DGRAM_SETOPT) {
		dgram_option_apply(e, s, h->option, h->value);
		return true;
	}
	if (!serve_request(e, s, h, &error))
		return false;
	table_write(e, s);
	reply(s, fd, error);
	return true;
}

static bool serve_message(struct engine *e, struct sock *s, uint8_t *message, size_t len, int fd)
{
	struct ipc_dgram h;

	if (len >= sizeof(h)) {
		memcpy(&h, message, sizeof(h));
		if (ipc_dgram_check(&h, len, e->instance))
			return serve_headed(e, s, &h, message + sizeof(h), len - sizeof(h), fd);
	}
	if (s->state == ST_REQUEST)
		return false;
	if (!dgram_is_connected(s->dgram))
		e->counters.bad_requests++;
	else if (!send_datagram(e, s, NULL, message, len))
		keep(e, s, message, len);
	return true;
}

/* One message and at most one fd with it. */
static ssize_t receive(struct engine *e, struct sock *s, int *fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {e->message, DGRAM_MESSAGE_MAX};
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_LEN(sizeof(int)), /* no room for a second */
	};
	ssize_t n = recvmsg(s->src.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*fd = -1;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len == CMSG_LEN(sizeof(*fd)))
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return n;
}

enum program_end { OPEN, SHUT, GONE };

static enum program_end look_at_program(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	if (poll(&p, 1, 0) <= 0)
		return OPEN;
	return p.revents & (POLLHUP | POLLERR | POLLNVAL) ? GONE : SHUT;
}

/*
 * The same, to the last one. The kernel looks into the queue, and then whether the program has shut
 * its end: a message that was sent, and the end closed, in between is not found, and 0 says that
 * there is none. After that nothing comes any more, so who looks again knows.
 */
static ssize_t receive_surely(struct engine *e, struct sock *s, int *fd)
{
	ssize_t n = receive(e, s, fd);

	return n == 0 && *fd < 0 && look_at_program(s->src.fd) != OPEN ? receive(e, s, fd) : n;
}

/* False: there is nothing more to read, now or ever. */
static bool serve_next(struct engine *e, struct sock *s)
{
	int fd;
	ssize_t n = receive_surely(e, s, &fd);
	enum program_end end = OPEN;
	bool sound = true;

	if (n < 0 && errno == ECONNRESET) /* closed with our datagrams unread: its own come first */
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0)
		end = n < 0 ? GONE : look_at_program(s->src.fd);
	if (end == OPEN)
		sound = serve_message(e, s, e->message, (size_t)n, fd);
	if (fd >= 0)
		close(fd);
	e->counters.bad_requests += !sound;
	if (!sound || end == GONE)
		sock_free(e, s, 0);
	return sound && end == OPEN && s->state != ST_DEAD;
}

static bool send_kept(struct engine *e, struct sock *s)
{
	struct waiting *kept = s->kept;

	if (!kept)
		return true;
	s->kept = NULL;
	bool sound = serve_message(e, s, kept->message, kept->len, -1);
	free(kept);
	return sound && !s->kept;
}

void dgram_serve(struct engine *e, struct sock *s, uint32_t events)
{
	bool more = send_kept(e, s);

	if (s->state == ST_DGRAM && (events & EPOLLOUT))
		pump(e, s);
	for (int i = 0; more && i < DGRAM_PER_TURN; i++)
		more = serve_next(e, s) && !s->kept;
	if (more)
		sock_due(e, s);
}

void dgram_retry(struct engine *e)
{
	LIST_FOR_EACH (link, &e->blocked) {
		struct sock *s = LIST_ENTRY(link, struct sock, starved_link);
		list_remove(link);
		sock_due(e, s);
	}
}
