#include "preload/request.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/ipc/proto.h"
#include "preload/engine.h"
#include "preload/real.h"

enum {
	ENGINES_MAX = 3,     /* tried one after the other: one may be leaving just now */
	BACKLOG_NAPS = 1000, /* of 1 ms, while the engine's backlog is full */
	SNDBUF = 212992,     /* net.core.wmem_max of stock kernels; more would need CAP_NET_ADMIN */
	REPLY_TIMEOUT_MS = 30000,
};

void request_lower(int fd)
{
	int least = 1; /* the kernel makes 4608 of it, which the 8191 bytes exceed */

	raw_setsockopt(fd, SO_SNDBUF, &least, sizeof least);
}

void request_fill(int fd, int queued)
{
	int size = queued / 2; /* the kernel doubles it */

	raw_setsockopt(fd, SO_SNDBUF, &size, sizeof size);
}

void request_raise(int fd)
{
	int size = SNDBUF;

	raw_setsockopt(fd, SO_SNDBUF, &size, sizeof size);
}

/* A non-blocking socket is not told to come back because our engine's queue is full. */
static int connect_data(int fd, const struct engine_link *link)
{
	int r = -EAGAIN;

	for (int nap = 0; nap < BACKLOG_NAPS && r == -EAGAIN; nap++) {
		if (nap)
			raw_poll(NULL, 1);
		r = raw_result(syscall(SYS_connect, fd, &link->data, link->data_len));
	}
	return r;
}

/* Engaged with an engine: `s` no longer is fresh, its options travel in the first request. */
static int engage(struct shim_sock *s, struct engine_link *link)
{
	int r = -ECONNREFUSED;

	for (int i = 0; i < ENGINES_MAX && r == -ECONNREFUSED; i++) {
		r = engine_get(true, link);
		if (r < 0)
			return r;
		r = connect_data(s->fd, link);
		if (r == -ECONNREFUSED)
			engine_lost(link->instance);
	}
	if (r < 0)
		return r == -EISCONN ? r : -ENETDOWN;
	s->kind = SHIM_ENGAGED;
	s->instance = link->instance;
	return 0;
}

static int send_whole(int fd, const struct ipc_request *m)
{
	char room[IPC_REQUEST_LEN];

	memset(room, 0, sizeof room);
	memcpy(room, m, sizeof *m);
	if (raw_send(fd, room, sizeof room) != sizeof room || raw_send(fd, "", 1) != 1)
		return -ENETDOWN;
	return 0;
}

int request_send(struct shim_sock *s, enum ipc_op op, const struct endpoint *addr, int backlog)
{
	struct ipc_request m = {.h = ipc_header(op, sizeof m),
		.cookie = s->cookie,
		.family = s->family,
		.backlog = backlog};
	struct engine_link link;
	int r;

	if (addr)
		m.addr = *addr;
	m.v6only = shim_option(s, IPC_OPT_V6ONLY) != 0;
	if (s->kind == SHIM_FRESH) {
		m.option_set = s->fresh.option_set;
		memcpy(m.option, s->fresh.option, sizeof m.option);
		r = engage(s, &link);
	} else {
		/* A listener was lowered; its next request must fit. */
		request_raise(s->fd);
		r = engine_get(false, &link);
	}
	if (r < 0)
		return r == -ECONNREFUSED ? -ENETDOWN : r;
	memcpy(m.token, link.token, sizeof m.token);
	r = send_whole(s->fd, &m);
	if (r == 0)
		fresh_drop(s->cookie);
	return r;
}

int request_reply(const struct shim_sock *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	struct ipc_reply m;
	int r;

	do
		r = raw_poll(&p, REPLY_TIMEOUT_MS);
	while (r == -EINTR);
	if (r <= 0 || raw_recv(s->fd, &m, sizeof m) != sizeof m ||
		!ipc_check(&m, sizeof m, IPC_REPLY, sizeof m))
		return -ENETDOWN;
	return m.error > 0 && m.error < 4096 ? -m.error : m.error ? -ENETDOWN : 0;
}
