/*
 * accept(2). The engine passes each connection as one message with one fd through the listening
 * socket. A message whose fd finds no room in the process is lost with its connection; so room is
 * made sure of before anything is read: at EMFILE the connection stays where it is, as it does in a
 * kernel's backlog.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "core/ipc/proto.h"
#include "preload/address.h"
#include "preload/hint.h"
#include "preload/instance.h"
#include "preload/real.h"
#include "preload/request.h"
#include "preload/sock.h"
#include "preload/wait.h"

enum { DEAD_PAUSE_MS = 10 };

/*
 * 0, or -EMFILE. Another thread may take the place we saw: the window is a few hundred nanoseconds.
 */
static int has_room(int fd)
{
	int probe = raw_fcntl(fd, F_DUPFD_CLOEXEC, 0);

	if (probe < 0)
		return probe;
	raw_close(probe);
	return 0;
}

/*
 * Not ipc_recv_fd: its recvmsg would be our own wrapper, which protects listeners from being read.
 */
static ssize_t receive_message(int fd, struct ipc_accepted *m, int *accepted, int flags)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = real.recvmsg(fd, &msg, MSG_DONTWAIT | flags);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	*accepted = -1;
	if (n < 0)
		return -errno;
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(*accepted)))
		memcpy(accepted, CMSG_DATA(c), sizeof(*accepted));
	return n;
}

/* The end of a listener is that of the engine, or somebody's shutdown(). */
static bool engine_lives(int fd)
{
	struct hint h = hint_get(fd);
	const struct ipc_table *t = h.kind == HINT_NONE ? NULL : instance_table(h.table);

	return t && ipc_table_is_alive(t);
}

/* One whole message and its fd: 0, -EAGAIN, or what the end of the engine is told as. */
static int receive(int fd, struct ipc_accepted *m, int *accepted, int flags)
{
	int r = has_room(fd);

	if (r < 0)
		return r;
	ssize_t n = receive_message(fd, m, accepted, flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0);
	if (n == -EAGAIN || n == -EINTR)
		return (int)n;
	if (n > 0 && ipc_check(m, (size_t)n, IPC_ACCEPTED, sizeof(*m)))
		return *accepted >= 0 ? 0 : -EMFILE;
	if (*accepted >= 0)
		raw_close(*accepted);
	if ((n == 0 || n == -ECONNRESET) && engine_lives(fd))
		return -EINVAL;
	/* A server that goes on asking, because poll goes on telling it of the end, is slowed down. */
	raw_poll(NULL, DEAD_PAUSE_MS);
	return -ENETDOWN;
}

static int wait_and_receive(int fd, struct ipc_accepted *m, int *accepted, int flags)
{
	for (;;) {
		int r = receive(fd, m, accepted, flags);
		if (r == -EINTR)
			continue;
		if (r != -EAGAIN || shim_is_nonblocking(fd))
			return r;
		r = wait_for(fd, POLLIN, SO_RCVTIMEO);
		if (r <= 0)
			return r == 0 ? -EAGAIN : r;
	}
}

int shim_accept(struct shim_sock *s, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct hint h = hint_get(s->fd);
	struct ipc_accepted m;
	int fd;

	if (s->dgram)
		return -EOPNOTSUPP;
	if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		return -EINVAL;
	bool listened = h.kind == HINT_LISTENING && h.cookie == s->cookie;
	if (s->kind != SHIM_ENGAGED ||
		(!listened && (!s->known || s->info.tcp_state != STATE_LISTEN)))
		return -EINVAL;
	int r = wait_and_receive(s->fd, &m, &fd, flags);
	if (r < 0)
		return r;
	if (!(flags & SOCK_NONBLOCK))
		raw_fcntl(fd, F_SETFL, O_RDWR);
	/*
	 * The residual byte can pin 64 KiB of a sendfile; the default buffer would then never poll
	 * writable again.
	 */
	request_raise(fd);
	hint_set(fd, (struct hint){.kind = HINT_OPEN,
			     .lingers = shim_option(s, IPC_OPT_LINGER) > 0,
			     .table = (uint8_t)s->instance,
			     .cookie = m.cookie});
	r = addr ? address_give(s->family, &m.remote, addr, len) : 0;
	if (r < 0) {
		raw_close(fd);
		return r;
	}
	return fd;
}
