#include "tests/packetdrill/psock.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/tcb.h"

/* Addresses cross this border only here. */
static int to_endpoint(const struct sockaddr *addr, socklen_t len, struct endpoint *out)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (addr->sa_family == AF_INET && len >= sizeof in) {
		memcpy(&in, addr, sizeof in);
		*out = (struct endpoint){ipaddr_v4(ntohl(in.sin_addr.s_addr)), ntohs(in.sin_port)};
		return 0;
	}
	if (addr->sa_family == AF_INET6 && len >= sizeof in6) {
		memcpy(&in6, addr, sizeof in6);
		memcpy(out->addr.b, &in6.sin6_addr, sizeof out->addr.b);
		out->port = ntohs(in6.sin6_port);
		return 0;
	}
	return len < sizeof in ? -EINVAL : -EAFNOSUPPORT;
}

void psock_address(const struct endpoint *e, int domain, struct sockaddr *out, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(e->port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
	socklen_t size = domain == AF_INET6 ? sizeof in6 : sizeof in;

	if (!out || !len)
		return;
	in.sin_addr.s_addr = htonl(ipaddr_to_v4(&e->addr));
	memcpy(&in6.sin6_addr, e->addr.b, sizeof e->addr.b);
	memcpy(out, domain == AF_INET6 ? (void *)&in6 : (void *)&in, MIN(*len, size));
	*len = size;
}

static struct psock *psock_over(struct world *w, struct tcp *t)
{
	struct psock *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	list_init(&p->link);
	p->world = w;
	p->tcp = t;
	p->fd = -1;
	p->domain = AF_INET;
	for (int o = 0; o < IPC_OPT_COUNT; o++)
		p->option[o] = ipc_option_info[o].initial;
	tcp_set_user(t, p);
	return p;
}

struct psock *psock_new(struct world *w)
{
	struct tcp *t = tcp_new(w->stack, NULL);

	return t ? psock_over(w, t) : NULL;
}

void psock_free(struct psock *p)
{
	list_remove(&p->link);
	free(p);
}

void psock_event(struct tcp *t, unsigned events, nsec now)
{
	struct psock *p = tcp_user(t);

	if (!p)
		return;
	p->wakeups++;
	if ((events & TCP_EV_CLOSED) && !p->over) {
		p->over = true;
		p->error = tcp_error(t);
	}
}

int psock_bind(struct psock *p, const struct sockaddr *addr, socklen_t len)
{
	struct endpoint local;
	int err = to_endpoint(addr, len, &local);

	return err ? err : tcp_bind(p->tcp, &local);
}

int psock_listen(struct psock *p, int backlog)
{
	if (p->state != PSOCK_NEW && p->state != PSOCK_LISTENING)
		return -EINVAL;
	int err = tcp_listen(p->tcp, (unsigned)MAX(backlog, 0), p->world->now);
	if (!err)
		p->state = PSOCK_LISTENING;
	return err;
}

int psock_accept(struct psock *p, struct psock **out)
{
	if (p->state != PSOCK_LISTENING)
		return -EINVAL;
	struct tcp *t = tcp_accept(p->tcp);
	if (!t)
		return -EAGAIN;
	*out = psock_over(p->world, t);
	if (!*out)
		return -ENOMEM;
	(*out)->state = PSOCK_CONNECTED;
	(*out)->domain = p->domain;
	memcpy((*out)->option, p->option, sizeof p->option);
	return 0;
}

static int take_error(struct psock *p)
{
	int error = p->error;

	p->error = 0;
	return error;
}

/* The same descriptor with a new socket in it: after a failed connect, or connect(AF_UNSPEC). */
static int renew(struct psock *p)
{
	struct tcp *t = tcp_new(p->world->stack, p);

	if (!t)
		return -ENOMEM;
	if (tcp_state(p->tcp) == TCPS_CLOSED || tcp_state(p->tcp) == TCPS_SYN_SENT)
		tcp_close(p->tcp, p->world->now);
	else
		tcp_abort(p->tcp, p->world->now);
	p->tcp = t;
	p->state = PSOCK_NEW;
	p->over = p->shut_read = p->shut_write = false;
	p->error = 0;
	return 0;
}

int psock_connect_result(struct psock *p)
{
	if (p->over) {
		int error = take_error(p);
		int err = renew(p);
		return err ? err : error ? -error : -ECONNABORTED;
	}
	if (!tcp_is_open(p->tcp))
		return -EINPROGRESS;
	p->state = PSOCK_CONNECTED;
	return 0;
}

int psock_connect(struct psock *p, const struct sockaddr *addr, socklen_t len)
{
	struct endpoint remote;

	if (addr->sa_family == AF_UNSPEC)
		return renew(p);
	if (tcp_fastopen_waits(p->tcp))
		return -EISCONN;
	int err = to_endpoint(addr, len, &remote);
	if (err)
		return err;
	if (p->state == PSOCK_CONNECTED)
		return -EISCONN;
	if (p->state == PSOCK_CONNECTING) {
		err = psock_connect_result(p);
		return err == -EINPROGRESS ? -EALREADY : err;
	}
	err = tcp_connect(p->tcp, &remote, p->world->now);
	if (err)
		return err;
	p->state = PSOCK_CONNECTING;
	world_settle(p->world);
	return tcp_fastopen_waits(p->tcp) ? 0 : psock_connect_result(p);
}

/* What sending on a socket in this state means before a byte is looked at. */
static int may_send(struct psock *p)
{
	if (p->error)
		return -take_error(p);
	if (p->shut_write || p->over || p->state == PSOCK_NEW || p->state == PSOCK_LISTENING)
		return -EPIPE;
	return tcp_is_open(p->tcp) ? 0 : -EAGAIN;
}

static size_t fill(struct tcp *t, const struct iovec *from, size_t skip)
{
	struct iovec room[2];
	size_t left = from->iov_len - skip, done = 0;
	int n = tcp_send_room(t, left, room);

	for (int i = 0; i < n && done < left; i++) {
		size_t len = MIN(room[i].iov_len, left - done);
		memcpy(room[i].iov_base, (const char *)from->iov_base + skip + done, len);
		done += len;
	}
	return done;
}

size_t psock_queue(struct psock *p, const struct iovec *iov, int n, size_t skip)
{
	size_t total = 0;

	for (int i = 0; i < n; i++) {
		size_t at = MIN(skip, iov[i].iov_len), len = 1;
		skip -= at;
		for (; at < iov[i].iov_len && len > 0; at += len) {
			len = fill(p->tcp, &iov[i], at);
			tcp_send_commit(p->tcp, len, p->world->now);
			total += len;
		}
		if (len == 0)
			break;
	}
	return total;
}

int psock_fastopen(struct psock *p, const struct sockaddr *addr, socklen_t len,
	const struct iovec *iov, int n, size_t *copied)
{
	int r = 0;

	*copied = 0;
	if (p->no_fastopen || (addr && addr->sa_family == AF_UNSPEC))
		return -EOPNOTSUPP;
	if (p->state == PSOCK_NEW) {
		if (!addr)
			return -EINVAL;
		tcp_set_option(p->tcp, TCP_OPT_FASTOPEN_CONNECT, 1, p->world->now);
		r = psock_connect(p, addr, len);
	} else if (p->state == PSOCK_CONNECTING && !tcp_fastopen_waits(p->tcp)) {
		r = psock_connect_result(p);
		return r == -EINPROGRESS ? -EALREADY : r;
	}
	if (r || !tcp_fastopen_waits(p->tcp))
		return r;
	*copied = psock_queue(p, iov, n, 0);
	tcp_fastopen_go(p->tcp);
	world_settle(p->world);
	return -EINPROGRESS;
}

ssize_t psock_send(struct psock *p, const struct iovec *iov, int n, int flags)
{
	nsec now = p->world->now;
	size_t total = 0;
	int err = may_send(p);

	if (err)
		return err;
	bool more = flags & MSG_MORE;
	if (more)
		tcp_set_option(p->tcp, TCP_OPT_CORK, 1, now);
	for (int i = 0; i < n; i++) {
		for (size_t at = 0, len; at < iov[i].iov_len; at += len) {
			len = fill(p->tcp, &iov[i], at);
			if (len == 0)
				return total ? (ssize_t)total : -EAGAIN;
			tcp_send_commit(p->tcp, len, now);
			total += len;
		}
	}
	if ((flags & MSG_OOB) && total)
		tcp_send_urgent(p->tcp);
	if (!more && p->cork_next)
		tcp_set_option(p->tcp, TCP_OPT_CORK, p->option[IPC_OPT_CORK], now);
	p->cork_next = more;
	return (ssize_t)total;
}

static ssize_t copy_out(struct psock *p, const struct iovec *iov, int n, int flags)
{
	struct iovec have[2];
	int pieces = tcp_recv_peek(p->tcp, have);
	size_t total = 0, at = 0;
	int piece = 0;

	for (int i = 0; i < n; i++) {
		for (size_t done = 0; done < iov[i].iov_len && piece < pieces;) {
			size_t len = MIN(iov[i].iov_len - done, have[piece].iov_len - at);
			if (!(flags & MSG_TRUNC))
				memcpy((char *)iov[i].iov_base + done,
					(char *)have[piece].iov_base + at, len);
			done += len;
			total += len;
			at += len;
			if (at == have[piece].iov_len) {
				piece++;
				at = 0;
			}
		}
	}
	if (!(flags & MSG_PEEK))
		tcp_recv_consume(p->tcp, total, p->world->now);
	return (ssize_t)total;
}

ssize_t psock_recv(struct psock *p, const struct iovec *iov, int n, int flags)
{
	if (p->state == PSOCK_LISTENING || p->state == PSOCK_NEW)
		return -ENOTCONN;
	if (tcp_recv_queued(p->tcp) > 0)
		return copy_out(p, iov, n, flags);
	if (p->error)
		return -take_error(p);
	if (p->shut_read || p->over || tcp_recv_eof(p->tcp))
		return 0;
	return -EAGAIN;
}

int psock_shutdown(struct psock *p, int how)
{
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (p->state == PSOCK_LISTENING && how != SHUT_WR)
		return renew(p);
	if (p->state == PSOCK_NEW || p->over)
		return -ENOTCONN;
	p->shut_read |= how != SHUT_WR;
	if (how != SHUT_RD) {
		p->shut_write = true;
		if (tcp_is_open(p->tcp))
			tcp_shutdown(p->tcp, p->world->now);
		else
			return renew(p);
	}
	p->wakeups++;
	return 0;
}

void psock_close(struct psock *p)
{
	if (p->option[IPC_OPT_LINGER] == 0)
		tcp_abort(p->tcp, p->world->now);
	else
		tcp_close(p->tcp, p->world->now);
	psock_free(p);
}

/*
 * A send found the ring full and nothing has been acknowledged since: only then is there no room.
 */
static bool is_writable(const struct tcp *t)
{
	return !t->snd.blocked;
}

/* The order of the questions is tcp_poll()'s in Linux. */
unsigned psock_poll(const struct psock *p)
{
	const struct tcp *t = p->tcp;
	unsigned r = 0;

	if (p->state == PSOCK_LISTENING)
		return t->naccept > 0 ? POLLIN | POLLRDNORM : 0;
	bool closed = tcp_state(t) == TCPS_CLOSED;
	bool no_more = p->shut_read || tcp_recv_eof(t) || t->rcv.fin || p->over;
	bool no_send = p->shut_write || p->over;
	if ((no_more && no_send) || closed)
		r |= POLLHUP;
	if (no_more)
		r |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (tcp_fastopen_waits(t))
		return POLLOUT | POLLWRNORM;
	if (tcp_is_open(t) || p->over) {
		if (tcp_recv_queued(t) > 0)
			r |= POLLIN | POLLRDNORM;
		if (no_send || is_writable(t))
			r |= POLLOUT | POLLWRNORM;
		if (t->rcv.urgent)
			r |= POLLPRI;
	} else if (closed) {
		r |= POLLOUT | POLLWRNORM;
	}
	return r | (p->error ? POLLERR : 0);
}
