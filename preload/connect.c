/*
 * connect(2). One request and no answer: the engine reads the request when the connection is
 * established, which makes the socket writable, or closes it unread, which is an error; the errno
 * is in the table.
 *
 * Linux tells the outcome of a connect once: 0 to the first call after it succeeded (then EISCONN),
 * the error to the first after it failed (ECONNABORTED if SO_ERROR took it); after that a new
 * connect may begin. The hint remembers what has been told: CONNECTING, then OPEN or FAILED.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>

#include "preload/address.h"
#include "preload/dgram.h"
#include "preload/hint.h"
#include "preload/local.h"
#include "preload/real.h"
#include "preload/request.h"
#include "preload/sock.h"
#include "preload/swap.h"
#include "preload/wait.h"

/* The connect has come to its end, and this call tells which. Only POLLOUT: it was established. */
static int outcome(struct shim_sock *s, int events)
{
	bool failed = false;
	int error = 0;

	if (events & (POLLERR | POLLHUP)) {
		raw_getsockopt(s->fd, SO_ERROR, &error, sizeof error);
		shim_refresh(s);
		failed = error || !s->known || s->info.use != IPC_SLOT_LIVE || s->info.error;
	}
	if (!failed) {
		request_raise(s->fd);
		shim_note(s, HINT_OPEN, false);
		return 0;
	}
	shim_note(s, HINT_FAILED, true);
	if (!error)
		return -ECONNABORTED;
	/* An end without a reason is the engine's own. */
	return s->known && s->info.error ? -s->info.error : -ENETDOWN;
}

static int wait_for_outcome(struct shim_sock *s)
{
	int r = wait_for(s->fd, POLLOUT, SO_SNDTIMEO);

	if (r < 0)
		return r;
	return r == 0 ? -EINPROGRESS : outcome(s, r);
}

static int begin(struct shim_sock *s, const struct endpoint *remote)
{
	int r = request_send(s, IPC_CONNECT, remote, 0);

	if (r < 0)
		return r;
	request_lower(s->fd);
	shim_note(s, HINT_CONNECTING, true);
	return shim_is_nonblocking(s->fd) ? -EINPROGRESS : wait_for_outcome(s);
}

/* A port that it is bound to goes with it, if the kernel has it free too. */
static int connect_by_kernel(struct shim_sock *s, const struct sockaddr *addr, socklen_t len)
{
	uint16_t port = s->kind == SHIM_ENGAGED && s->known ? s->info.local.port : 0;
	struct sockaddr_in6 any = {.sin6_family = s->family, .sin6_port = htons(port)};
	int r = swap_to_kernel(s);

	if (r < 0)
		return r;
	/* sockaddr_in, which is shorter, is zero behind its port too. */
	if (port)
		real.bind(s->fd, (struct sockaddr *)&any, sizeof any);
	return raw_result(real.connect(s->fd, addr, len));
}

/* From a socket without a connection: to the kernel, to nowhere, or to the engine. */
static int connect_new(struct shim_sock *s, const struct endpoint *remote,
	const struct sockaddr *addr, socklen_t len)
{
	struct endpoint target = local_target(s->family, remote);

	if (local_connect_is_kernels(&target))
		return connect_by_kernel(s, addr, len);
	if (ipaddr_is_v4(&target.addr) ? s->family == AF_INET6 && shim_option(s, IPC_OPT_V6ONLY)
				       : !ipaddr_is_loopback(&target.addr))
		return -ENETUNREACH;
	return begin(s, &target);
}

/* Where a socket that has met the engine stands. */
enum standing {
	STANDS_IDLE,
	STANDS_PENDING,
	STANDS_DECIDED,
	STANDS_FAILED,
	STANDS_CONNECTED,
	STANDS_LOST
};

static enum standing standing_of(struct shim_sock *s, const struct hint *h)
{
	bool told_nothing = h->kind == HINT_CONNECTING && h->cookie == s->cookie;
	struct pollfd p = {.fd = s->fd, .events = POLLOUT};

	/* poll knows before the table is read, and also of an engine that was killed. */
	if (told_nothing)
		return raw_poll(&p, 0) > 0 ? STANDS_DECIDED : STANDS_PENDING;
	if (!s->known)
		return h->kind == HINT_FAILED && h->cookie == s->cookie ? STANDS_FAILED
									: STANDS_LOST;
	if (s->info.use != IPC_SLOT_LIVE)
		return h->kind == HINT_FAILED || (h->kind == HINT_NONE && s->info.error)
			       ? STANDS_FAILED
			       : STANDS_CONNECTED;
	if (s->info.tcp_state == STATE_SYN_SENT)
		return STANDS_PENDING;
	return s->info.tcp_state == STATE_CLOSED ? STANDS_IDLE : STANDS_CONNECTED;
}

static int connect_engaged(struct shim_sock *s, const struct endpoint *remote,
	const struct sockaddr *addr, socklen_t len)
{
	struct hint h = hint_get(s->fd);
	int r;

	switch (standing_of(s, &h)) {
	case STANDS_PENDING:
		r = shim_is_nonblocking(s->fd) ? -EINPROGRESS : wait_for_outcome(s);
		return r == -EINPROGRESS ? -EALREADY : r;
	case STANDS_DECIDED:
		return wait_for_outcome(s); /* which does not wait */
	case STANDS_CONNECTED:
		return -EISCONN;
	case STANDS_LOST:
		return -ENETDOWN;
	case STANDS_IDLE: /* bound; to "any" binds nothing to us, and may still go to the host's own services */
		return ipaddr_is_any(&s->info.local.addr) ? connect_new(s, remote, addr, len)
							  : begin(s, remote);
	case STANDS_FAILED:
		break;
	}
	r = swap_to_fresh(s);
	return r < 0 ? r : connect_new(s, remote, addr, len);
}

/* AF_UNSPEC: the connection is cut off, the socket as new. */
static int disconnect(struct shim_sock *s)
{
	return s->kind == SHIM_FRESH ? 0 : swap_to_fresh(s);
}

int shim_connect(struct shim_sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct endpoint remote;

	if (s->dgram)
		return dgram_connect(s, addr, len);
	int r = address_read(s->family, addr, len, &remote);

	if (r == ADDRESS_UNSPEC)
		return disconnect(s);
	if (r < 0)
		return r;
	if (s->kind == SHIM_ENGAGED)
		return connect_engaged(s, &remote, addr, len);
	r = connect_new(s, &remote, addr, len);
	if (r != -EISCONN)
		return r;
	/* Another process that shares this socket was faster. */
	return shim_identify(s->fd, s) ? connect_engaged(s, &remote, addr, len) : r;
}
