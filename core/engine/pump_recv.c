/*
 * Network to program. In-order payload of a frame goes straight into the AF_UNIX socket
 * (pump_deliver, called by the stack in the middle of its input); only what does not fit waits in
 * the receive ring, and closes the window by waiting there. EPOLLOUT is asked for only while
 * something waits: with it always in the interest set, every read of the program would wake us.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/base/bytes.h"
#include "core/engine/sock.h"
#include "core/stack/gro.h"

/*
 * Once full, an end is worth more memory, and once more after that: what fits there is not copied
 * through the ring. net.core.wmem_max bounds it (212,992 on stock systems). Half of what there is
 * for this is kept for those who ask for the first time.
 */
enum { RAISED_FIRST = 2 << 20, RAISED_AGAIN = 8 << 20 };

enum { DELIVER_MAX = MAX(GRO_PIECES_MAX, 2) }; /* pieces; the ring has two */

static void raise_sndbuf(struct engine *e, struct sock *s)
{
	uint32_t to = s->raised ? RAISED_AGAIN : RAISED_FIRST;
	uint64_t most = s->raised ? e->raised_max / 2 : e->raised_max;
	int size = (int)to / 2; /* the kernel doubles it */

	if (s->raised == RAISED_AGAIN || e->raised - s->raised + to > most)
		return;
	setsockopt(s->src.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	e->raised += to - s->raised;
	s->raised = to;
}

static bool program_is_gone(int fd)
{
	struct pollfd p = {.fd = fd};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}

static size_t length(const struct iovec *data, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += data[i].iov_len;
	return len;
}

/*
 * Sends what the program's socket takes: bytes taken, 0 when it is full or the program does not
 * want them.
 */
static size_t put(struct engine *e, struct sock *s, const struct iovec *data, unsigned n, int flags)
{
	struct msghdr m = {.msg_iov = (struct iovec *)data, .msg_iovlen = n};
	ssize_t took = sendmsg(s->src.fd, &m, flags | MSG_DONTWAIT | MSG_NOSIGNAL);

	if (took < 0 && errno == EOPNOTSUPP && flags) /* a kernel without CONFIG_AF_UNIX_OOB */
		took = sendmsg(s->src.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (took >= 0 && (size_t)took == length(data, n))
		return (size_t)took;
	if (took >= 0 || errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
		s->full = true;
		raise_sndbuf(e, s);
		sock_want_out(e, s, true);
		return took > 0 ? (size_t)took : 0;
	}
	/*
	 * EPIPE: shut for reading, or closed; of a close the epoll will tell us, and what is unread
	 * matters then.
	 */
	if (!program_is_gone(s->src.fd))
		s->recv = RECV_DISCARD;
	sock_due(e, s);
	return 0;
}

/* The first `len` bytes, which are fewer than all: in so many pieces. */
static unsigned front(const struct iovec *data, size_t len, struct iovec out[static DELIVER_MAX])
{
	unsigned n = 0;

	for (; len > 0; len -= out[n++].iov_len)
		out[n] = (struct iovec){data[n].iov_base, MIN(data[n].iov_len, len)};
	return n;
}

/*
 * The urgent byte goes alone: what is before it, then it, and what is behind it at the next call.
 */
static size_t hand_over(struct engine *e, struct sock *s, const struct iovec *data, unsigned n)
{
	int64_t urgent = tcp_recv_urgent(s->tcp);
	struct iovec part[DELIVER_MAX];

	if (urgent < 0 || (size_t)urgent >= length(data, n))
		return put(e, s, data, n, 0);
	return put(e, s, part, front(data, urgent > 0 ? (size_t)urgent : 1, part),
		urgent > 0 ? 0 : MSG_OOB);
}

size_t pump_deliver(void *ctx, struct tcp *t, void *user, const struct iovec *data, unsigned n)
{
	struct engine *e = ctx;
	struct sock *s = user;

	if (!s || s->state != ST_STREAM || s->full)
		return 0;
	sock_dirty(e, s);
	if (s->recv == RECV_DISCARD)
		return length(data, n);
	size_t took = hand_over(e, s, data, n);
	e->received += took;
	pump_catch_up(e, s);
	return took;
}

/* Everything in the ring was delivered and the peer has no more. */
static void pass_fin(struct engine *e, struct sock *s)
{
	s->recv = RECV_SHUT;
	table_write(e, s); /* the program may ask for its state as soon as it has seen the end */
	shutdown(s->src.fd, SHUT_WR);
}

void pump_recv(struct engine *e, struct sock *s)
{
	struct iovec data[2];
	int n;

	if (s->recv == RECV_SHUT || s->full)
		return;
	while ((n = tcp_recv_peek(s->tcp, data)) > 0) {
		size_t took = s->recv == RECV_DISCARD ? length(data, (unsigned)n)
						      : hand_over(e, s, data, (unsigned)n);

		if (took == 0 && s->recv != RECV_DISCARD)
			return;
		e->received += took;
		tcp_recv_consume(s->tcp, took, e->now);
		sock_dirty(e, s);
		if (s->full)
			return;
	}
	sock_want_out(e, s, false);
	if (tcp_recv_eof(s->tcp))
		pass_fin(e, s);
}
