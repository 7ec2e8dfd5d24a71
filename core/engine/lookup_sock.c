#include "core/engine/lookup_sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct lookup_sock *at(struct lookup_socks *s, ares_socket_t fd)
{
	return fd >= 0 && fd < LOOKUP_SOCKS_MAX && s->sock[fd].type ? &s->sock[fd] : NULL;
}

static ares_socket_t number(const struct lookup_sock *k)
{
	return (ares_socket_t)(k - k->owner->sock);
}

/* What the stack said as -errno, as a system call would. */
static int result(int r)
{
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

static bool to_endpoint(const struct sockaddr *addr, struct endpoint *out)
{
	const struct sockaddr_in6 *six = (const void *)addr;
	const struct sockaddr_in *four = (const void *)addr;

	if (addr->sa_family == AF_INET) {
		*out = (struct endpoint){
			ipaddr_v4(ntohl(four->sin_addr.s_addr)), ntohs(four->sin_port)};
		return true;
	}
	if (addr->sa_family != AF_INET6)
		return false;
	memcpy(&out->addr, &six->sin6_addr, sizeof(out->addr));
	out->port = ntohs(six->sin6_port);
	return true;
}

static void from_endpoint(const struct endpoint *e, struct sockaddr *addr, ares_socklen_t *len)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(e->port)};

	if (!addr || !len)
		return;
	four.sin_addr.s_addr = htonl(ipaddr_to_v4(&e->addr));
	memcpy(addr, &four, MIN(*len, sizeof(four)));
	*len = sizeof(four);
}

static bool is_by_host(const struct ipc_lookup *q, const struct endpoint *server)
{
	for (unsigned i = 0; i < q->nservers; i++) {
		if ((q->by_host & 1u << i) && endpoint_equal(&q->server[i], server))
			return true;
	}
	return false;
}

static ares_socket_t open_sock(int domain, int type, int protocol, void *ctx)
{
	struct lookup_socks *s = ctx;

	for (int i = 0; i < LOOKUP_SOCKS_MAX; i++) {
		struct lookup_sock *k = &s->sock[i];

		if (k->type)
			continue;
		*k = (struct lookup_sock){.src = {.fd = -1}, .owner = s, .type = type};
		return i;
	}
	errno = EMFILE;
	return -1;
}

static int close_sock(ares_socket_t fd, void *ctx)
{
	struct lookup_socks *s = ctx;
	struct lookup_sock *k = at(s, fd);

	if (!k)
		return 0;
	if (k->dgram)
		dgram_close(k->dgram, s->e->now);
	if (k->tcp)
		tcp_close(k->tcp, s->e->now);
	if (k->src.fd >= 0)
		close(k->src.fd);
	free(k->kept);
	k->dgram = NULL;
	k->tcp = NULL;
	k->kept = NULL;
	k->src.fd = -1;
	k->type = 0;
	return 0;
}

static void kernel_ready(struct engine *e, struct source *src, uint32_t events)
{
	struct lookup_sock *k = CONTAINER_OF(src, struct lookup_sock, src);
	ares_socket_t n;

	if (src->fd < 0)
		return;
	n = number(k);
	ares_process_fd(k->owner->channel, events & ~(uint32_t)EPOLLOUT ? n : ARES_SOCKET_BAD,
		events & EPOLLOUT ? n : ARES_SOCKET_BAD);
}

static int connect_by_host(struct lookup_sock *k, const struct sockaddr *addr, socklen_t len)
{
	int fd = socket(addr->sa_family, k->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	k->src = (struct source){.fd = fd, .class = SOURCE_DATA, .ready = kernel_ready};
	if (connect(fd, addr, len) < 0 && errno != EINPROGRESS)
		return -1;
	if ((errno = loop_add(k->owner->e, &k->src, EPOLLIN)))
		return -1;
	errno = EINPROGRESS;
	return k->type == SOCK_STREAM ? -1 : 0;
}

static int connect_sock(
	ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len, void *ctx)
{
	struct lookup_socks *s = ctx;
	struct lookup_sock *k = at(s, fd);
	struct endpoint server;

	if (!k || !to_endpoint(addr, &server))
		return result(-EINVAL);
	if (is_by_host(s->question, &server))
		return connect_by_host(k, addr, len);
	if (k->type == SOCK_DGRAM) {
		k->dgram = dgram_new(s->e->stack, DGRAM_UDP, NULL);
		return result(k->dgram ? dgram_connect(k->dgram, &server) : -ENOBUFS);
	}
	k->tcp = tcp_new(s->e->stack, NULL);
	int r = k->tcp ? tcp_connect(k->tcp, &server, s->e->now) : -ENOBUFS;
	return result(r < 0 ? r : -EINPROGRESS);
}

static ares_ssize_t recv_dgram(struct lookup_sock *k, void *buf, size_t len, struct sockaddr *from,
	ares_socklen_t *from_len)
{
	struct dgram_in in;

	if (!dgram_peek(k->dgram, &in)) {
		int error = k->error;

		k->error = 0;
		return result(error ? -error : -EAGAIN);
	}
	len = MIN(len, in.len);
	memcpy(buf, in.data, len);
	from_endpoint(&in.from, from, from_len);
	dgram_pop(k->dgram);
	return (ares_ssize_t)len;
}

static ares_ssize_t recv_stream(struct lookup_sock *k, void *buf, size_t len)
{
	struct iovec iov[2];
	int error = tcp_error(k->tcp);

	if (tcp_recv_peek(k->tcp, iov) > 0) {
		len = MIN(len, iov[0].iov_len);
		memcpy(buf, iov[0].iov_base, len);
		tcp_recv_consume(k->tcp, len, k->owner->e->now);
		return (ares_ssize_t)len;
	}
	if (error)
		return result(-error);
	return tcp_recv_eof(k->tcp) ? 0 : result(-EAGAIN);
}

static ares_ssize_t recv_sock(ares_socket_t fd, void *buf, size_t len, int flags,
	struct sockaddr *from, ares_socklen_t *from_len, void *ctx)
{
	struct lookup_sock *k = at(ctx, fd);

	if (k && k->src.fd >= 0)
		return recvfrom(k->src.fd, buf, len, flags, from, from_len);
	if (k && k->dgram)
		return recv_dgram(k, buf, len, from, from_len);
	return k && k->tcp ? recv_stream(k, buf, len) : result(-EBADF);
}

/* The kernel would have made room; c-ares takes a refusal for a dead server. */
static ares_ssize_t keep(struct lookup_sock *k, const struct iovec *data)
{
	if (!k->kept)
		k->kept = malloc(data->iov_len);
	if (!k->kept)
		return result(-ENOBUFS);
	memcpy(k->kept, data->iov_base, data->iov_len);
	k->kept_len = data->iov_len;
	return (ares_ssize_t)data->iov_len;
}

static ares_ssize_t send_dgram(struct lookup_sock *k, const struct iovec *data)
{
	struct dgram_out out = {.ttl = -1, .tos = -1, .data = {*data}, .npieces = 1};
	int r = k->kept ? -ENOBUFS : dgram_send(k->dgram, &out, k->owner->e->now);

	if (r == -EAGAIN)
		return keep(k, data);
	return r < 0 ? result(r) : (ares_ssize_t)data->iov_len;
}

static ares_ssize_t send_stream(struct lookup_sock *k, const struct iovec *data, int n)
{
	struct iovec room[2];
	size_t sent = 0;

	if (tcp_error(k->tcp) || !tcp_can_send(k->tcp))
		return result(tcp_error(k->tcp) ? -tcp_error(k->tcp) : -EPIPE);
	if (!tcp_is_open(k->tcp))
		return result(-EAGAIN);
	for (int i = 0; i < n; i++) {
		size_t done = 0;

		while (done < data[i].iov_len &&
			tcp_send_room(k->tcp, data[i].iov_len - done, room) > 0) {
			size_t piece = MIN(room[0].iov_len, data[i].iov_len - done);

			memcpy(room[0].iov_base, (const char *)data[i].iov_base + done, piece);
			tcp_send_commit(k->tcp, piece, k->owner->e->now);
			done += piece;
		}
		sent += done;
		if (done < data[i].iov_len)
			break;
	}
	return sent > 0 ? (ares_ssize_t)sent : result(-EAGAIN);
}

static ares_ssize_t send_sock(ares_socket_t fd, const struct iovec *data, int n, void *ctx)
{
	struct lookup_sock *k = at(ctx, fd);
	struct msghdr m = {.msg_iov = (struct iovec *)data, .msg_iovlen = (size_t)n};

	if (k && k->src.fd >= 0)
		return sendmsg(k->src.fd, &m, MSG_NOSIGNAL);
	if (k && k->dgram && n == 1)
		return send_dgram(k, data);
	return k && k->tcp ? send_stream(k, data, n) : result(-EBADF);
}

void lookup_socks_init(struct lookup_socks *s, struct engine *e, const struct ipc_lookup *question)
{
	s->e = e;
	s->question = question;
}

void lookup_socks_use(struct lookup_socks *s, ares_channel channel)
{
	static const struct ares_socket_functions functions = {
		.asocket = open_sock,
		.aclose = close_sock,
		.aconnect = connect_sock,
		.arecvfrom = recv_sock,
		.asendv = send_sock,
	};

	s->channel = channel;
	ares_set_socket_functions(channel, &functions, s);
}

void lookup_socks_state(void *data, ares_socket_t fd, int readable, int writable)
{
	struct lookup_socks *s = data;
	struct lookup_sock *k = at(s, fd);

	if (!k)
		return;
	k->wants_write = writable;
	if (k->src.fd >= 0)
		loop_rearm(s->e, &k->src, EPOLLIN | (writable ? (uint32_t)EPOLLOUT : 0));
}

static bool is_readable(struct lookup_sock *k)
{
	struct dgram_in in;
	struct iovec iov[2];

	if (k->dgram && !k->error)
		k->error = dgram_take_error(k->dgram);
	if (k->dgram)
		return k->error || dgram_peek(k->dgram, &in);
	return k->tcp &&
	       (tcp_error(k->tcp) || tcp_recv_eof(k->tcp) || tcp_recv_peek(k->tcp, iov) > 0);
}

static bool is_writable(const struct lookup_sock *k)
{
	return k->tcp && k->wants_write && tcp_is_open(k->tcp) && tcp_can_send(k->tcp);
}

static void send_kept(struct lookup_sock *k)
{
	struct iovec data = {k->kept, k->kept_len};
	struct dgram_out out = {.ttl = -1, .tos = -1, .data = {data}, .npieces = 1};

	if (!k->kept || dgram_send(k->dgram, &out, k->owner->e->now) == -EAGAIN)
		return;
	free(k->kept);
	k->kept = NULL;
}

bool lookup_socks_serve(struct lookup_socks *s)
{
	bool any = false;

	for (int i = 0; i < LOOKUP_SOCKS_MAX; i++) {
		struct lookup_sock *k = &s->sock[i];
		bool writable = k->type && is_writable(k);

		send_kept(k);
		if (writable)
			ares_process_fd(s->channel, ARES_SOCKET_BAD, i);
		bool readable = k->type && is_readable(k);
		if (readable)
			ares_process_fd(s->channel, i, ARES_SOCKET_BAD);
		any |= readable || writable;
	}
	return any;
}
