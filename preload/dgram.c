#include "preload/dgram.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/address.h"
#include "preload/config.h"
#include "preload/engine.h"
#include "preload/hint.h"
#include "preload/real.h"
#include "preload/sock.h"
#include "preload/swap.h"
#include "preload/usermem.h"

enum {
	ENGINES_MAX = 3,     /* tried one after the other: one may be leaving just now */
	BACKLOG_NAPS = 1000, /* of 1 ms, while the engine's backlog is full */
	REPLY_TIMEOUT_MS = 30000,
	INHERITED_FDS = 256, /* looked at when the library is loaded */
};

static int kind_of(int type, int protocol)
{
	type &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP))
		return IPC_KIND_UDP;
	if (type == SOCK_DGRAM && protocol == IPPROTO_ICMP)
		return IPC_KIND_PING;
	return type == SOCK_RAW && protocol == IPPROTO_ICMP ? IPC_KIND_RAW : -1;
}

bool dgram_captures(int domain, int type, int protocol)
{
	int kind = kind_of(type, protocol);

	return kind == IPC_KIND_UDP ? domain == AF_INET || domain == AF_INET6
				    : kind >= 0 && domain == AF_INET;
}

/*
 * With TEECEE_LOOPBACK=auto the host's services are who UDP on 127.0.0.1 is for: without a
 * connection nobody could say whether a datagram has found somebody here.
 */
bool dgram_is_kernels(const struct ipaddr *a)
{
	const struct settings *s = &config_get()->settings;

	if (settings_is_bypassed(s, a))
		return true;
	return ipaddr_is_loopback(a) && (s->loopback != LOOPBACK_STACK || !ipaddr_is_v4(a));
}

bool dgram_is(int fd)
{
	struct hint h = hint_get(fd);
	int saved_errno = errno;
	bool is = h.kind == HINT_DGRAM && hint_holds(fd, &h);

	errno = saved_errno;
	return is;
}

void dgram_find_inherited(void)
{
	struct shim_sock s;
	int type, domain;

	for (int fd = 0; fd < INHERITED_FDS; fd++) {
		if (raw_getsockopt(fd, SO_TYPE, &type, sizeof type) < 0 ||
			type != SOCK_SEQPACKET ||
			raw_getsockopt(fd, SO_DOMAIN, &domain, sizeof domain) < 0 ||
			domain != AF_UNIX)
			continue;
		shim_identify(fd, &s); /* leaves a hint */
	}
}

static int connect_patiently(int fd, const struct engine_link *link)
{
	int r = -EAGAIN;

	for (int nap = 0; nap < BACKLOG_NAPS && r == -EAGAIN; nap++) {
		if (nap)
			raw_poll(NULL, 1);
		r = raw_result(syscall(SYS_connect, fd, &link->dgram, link->dgram_len));
	}
	return r;
}

static int engage(int fd, struct engine_link *link)
{
	int r = -ECONNREFUSED;

	for (int i = 0; i < ENGINES_MAX && r == -ECONNREFUSED; i++) {
		r = engine_get(true, link);
		if (r < 0)
			return r;
		r = connect_patiently(fd, link);
		if (r == -ECONNREFUSED)
			engine_lost(link->instance);
	}
	return r < 0 ? -ENETDOWN : 0;
}

/* Who may send ICMP messages is the kernel's to say: what it would give us is asked for. */
static int check_right(int domain, int type, int protocol)
{
	int fd = raw_result(syscall(SYS_socket, domain, type, protocol));

	if (fd >= 0)
		raw_close(fd);
	return fd < 0 ? fd : 0;
}

static int introduce(int fd, int domain, int kind)
{
	struct engine_link link;
	int r = engage(fd, &link);

	if (r < 0)
		return r;
	struct ipc_dgram h = ipc_dgram(link.id, IPC_DGRAM_OPEN, 0);
	h.cookie = raw_cookie(fd);
	h.family = (uint16_t)domain;
	h.kind = (uint16_t)kind;
	memcpy(h.token, link.token, sizeof h.token);
	r = dgram_tell(fd, &h, -1);
	if (r == 0)
		hint_set(fd, (struct hint){.kind = HINT_DGRAM,
				     .v6 = domain == AF_INET6,
				     .table = (uint8_t)link.instance,
				     .cookie = h.cookie});
	return r;
}

int dgram_socket(int domain, int type, int protocol)
{
	int kind = kind_of(type, protocol);
	int r = 0;

	if (!shim_config_is_sound())
		return -ENETDOWN;
	if (kind != IPC_KIND_UDP)
		r = check_right(domain, type, protocol);
	if (r < 0)
		return r;
	int flags = type & (SOCK_NONBLOCK | SOCK_CLOEXEC);
	int fd = real.socket(AF_UNIX, SOCK_SEQPACKET | flags, 0);
	if (fd < 0)
		return -errno;
	r = introduce(fd, domain, kind);
	if (r < 0)
		raw_close(fd);
	return r < 0 ? r : fd;
}

int dgram_lost(int fd)
{
	struct pollfd p = {.fd = fd};

	return raw_poll(&p, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) ? -ENETDOWN : 0;
}

int dgram_tell(int socket, const struct ipc_dgram *h, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)h, sizeof *h};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct pollfd p = {.fd = socket, .events = POLLOUT};
	int r;

	if (fd >= 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof control.bytes;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	while ((r = raw_result(syscall(SYS_sendmsg, socket, &m, MSG_DONTWAIT | MSG_NOSIGNAL))) ==
		-EAGAIN) {
		if (raw_poll(&p, REPLY_TIMEOUT_MS) == 0)
			break;
	}
	return r < 0 ? -ENETDOWN : 0;
}

struct ipc_dgram dgram_header(const struct shim_sock *s, enum ipc_dgram_op op)
{
	return ipc_dgram(s->id, op, 0);
}

static int await_reply(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct ipc_reply m;
	int r;

	do
		r = raw_poll(&p, REPLY_TIMEOUT_MS);
	while (r == -EINTR);
	if (r <= 0 || raw_recv(fd, &m, sizeof m) != sizeof m ||
		!ipc_check(&m, sizeof m, IPC_REPLY, sizeof m))
		return -ENETDOWN;
	return m.error > 0 && m.error < 4096 ? -m.error : m.error ? -ENETDOWN : 0;
}

int dgram_request(struct shim_sock *s, struct ipc_dgram *h)
{
	int pair[2];
	int r = raw_result(
		syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));

	if (r < 0)
		return r;
	r = dgram_tell(s->fd, h, pair[1]);
	raw_close(pair[1]); /* the engine's is the last: when it goes, the wait ends */
	if (r == 0)
		r = await_reply(pair[0]);
	raw_close(pair[0]);
	shim_refresh(s);
	return r;
}

/* What the table says, once the engine has read what we sent before. */
static int look(struct shim_sock *s)
{
	struct ipc_dgram h = dgram_header(s, IPC_DGRAM_SYNC);

	return s->known && s->info.local.port ? 0 : dgram_request(s, &h);
}

int dgram_give_to_kernel(struct shim_sock *s)
{
	int type = s->known && s->info.kind == IPC_KIND_RAW ? SOCK_RAW : SOCK_DGRAM;
	int protocol = s->known && s->info.kind != IPC_KIND_UDP ? IPPROTO_ICMP : 0;
	struct endpoint local = s->known ? s->info.local : (struct endpoint){0};
	struct hint h = hint_get(s->fd);
	struct sockaddr_in6 addr;
	socklen_t len = sizeof addr;

	if (h.lowered || (s->known && !ipaddr_is_any(&local.addr) && !s->info.remote.port))
		return -ENETUNREACH;
	int fd = raw_result(syscall(SYS_socket, s->family, type | SOCK_CLOEXEC, protocol));
	if (fd < 0)
		return fd;
	for (int o = 0; o < IPC_DGRAM_OPT_COUNT; o++) {
		const struct ipc_option_info *info = &ipc_dgram_option_info[o];
		int v = (int)dgram_option(s, (enum ipc_dgram_option)o);
		bool is_buffer = o == IPC_DGRAM_OPT_SNDBUF || o == IPC_DGRAM_OPT_RCVBUF;
		int given = is_buffer ? v / 2 : v; /* the kernel doubles what it is given */
		if (v != info->initial)
			syscall(SYS_setsockopt, fd, info->level, info->optname, &given,
				sizeof given);
	}
	/* A port that was bound comes along. */
	struct endpoint any = {.port = local.port};
	if (local.port && !(s->known && s->info.remote.port) &&
		address_give(s->family, &any, (struct sockaddr *)&addr, &len) == 0)
		syscall(SYS_bind, fd, &addr, len);
	hint_clear(s->fd);
	return swap_in(fd, s->fd);
}

static int to_kernel(struct shim_sock *s, bool bind, const struct sockaddr *addr, socklen_t len)
{
	int r = dgram_give_to_kernel(s);

	if (r < 0)
		return r;
	return raw_result(bind ? real.bind(s->fd, addr, len) : real.connect(s->fd, addr, len));
}

int dgram_bind(struct shim_sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct ipc_dgram h = dgram_header(s, IPC_DGRAM_BIND);
	struct endpoint local;
	int r = address_read(s->family, addr, len, &local);

	if (r == ADDRESS_UNSPEC)
		r = s->family == AF_INET && len >= sizeof(struct sockaddr_in) &&
				    ipaddr_is_any(&local.addr)
			    ? 0
			    : -EAFNOSUPPORT;
	if (r < 0)
		return r;
	if (!ipaddr_is_any(&local.addr) && dgram_is_kernels(&local.addr))
		return to_kernel(s, true, addr, len);
	if (s->family == AF_INET6 && ipaddr_is_v4(&local.addr) &&
		dgram_option(s, IPC_DGRAM_OPT_V6ONLY))
		return -EINVAL;
	if (!ipaddr_is_any(&local.addr) && !ipaddr_is_v4(&local.addr))
		return -EADDRNOTAVAIL;
	h.remote = local;
	return dgram_request(s, &h);
}

int dgram_connect(struct shim_sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct ipc_dgram h = dgram_header(s, IPC_DGRAM_CONNECT);
	struct endpoint remote;
	int r = address_read(s->family, addr, len, &remote);

	if (r == ADDRESS_UNSPEC) {
		h.op = IPC_DGRAM_DISCONNECT;
		return dgram_request(s, &h);
	}
	if (r < 0)
		return r;
	if (ipaddr_is_any(&remote.addr) || dgram_is_kernels(&remote.addr))
		return to_kernel(s, false, addr, len);
	if (!ipaddr_is_v4(&remote.addr) ||
		(s->family == AF_INET6 && dgram_option(s, IPC_DGRAM_OPT_V6ONLY)))
		return -ENETUNREACH;
	h.remote = remote;
	return dgram_request(s, &h);
}

int dgram_shutdown(struct shim_sock *s, int how)
{
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (!s->known || s->info.tcp_state != STATE_ESTABLISHED)
		return -ENOTCONN;
	return raw_result(real.shutdown(s->fd, how));
}

int dgram_getsockname(struct shim_sock *s, struct sockaddr *addr, socklen_t *len)
{
	int r = look(s);

	return r < 0 ? r : address_give(s->family, &s->info.local, addr, len);
}

int dgram_getpeername(struct shim_sock *s, struct sockaddr *addr, socklen_t *len)
{
	if (!s->known || s->info.tcp_state != STATE_ESTABLISHED)
		return -ENOTCONN;
	return address_give(s->family, &s->info.remote, addr, len);
}

int dgram_ioctl(struct shim_sock *s, unsigned long request, void *arg)
{
	struct ipc_dgram h;
	int n = 0;

	if (request == FIONREAD) {
		ssize_t len = dgram_peek_head(s->fd, &h);
		n = len > 0 && h.op == IPC_DGRAM_DATA ? (int)len : 0;
	}
	return user_write(arg, &n, sizeof n);
}
