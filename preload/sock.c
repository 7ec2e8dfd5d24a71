#include "preload/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/base/log.h"
#include "preload/address.h"
#include "preload/config.h"
#include "preload/dgram.h"
#include "preload/engine.h"
#include "preload/hint.h"
#include "preload/local.h"
#include "preload/real.h"
#include "preload/request.h"
#include "preload/swap.h"
#include "preload/usermem.h"

bool shim_captures(int domain, int type, int protocol)
{
	if (domain != AF_INET && domain != AF_INET6)
		return false;
	if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
		return false;
	return protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP;
}

/* The person hears once why nothing works. */
bool shim_config_is_sound(void)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;
	const struct config *c = config_get();

	if (c->error == 0)
		return true;
	if (!atomic_flag_test_and_set(&told))
		log_line("%s", c->text);
	return false;
}

int shim_socket(int domain, int type, int protocol)
{
	if (!shim_config_is_sound())
		return -ENETDOWN;
	/* What a kernel without it says: everybody who asks for MPTCP then takes TCP. */
	if (protocol == IPPROTO_MPTCP)
		return -EPROTONOSUPPORT;
	int fd = real.socket(AF_UNIX, type, 0);
	if (fd < 0)
		return -errno;
	struct fresh f = fresh_initial(fd, raw_cookie(fd), (uint16_t)domain);
	int r = fresh_add(&f);
	if (r < 0) {
		raw_close(fd);
		return r;
	}
	hint_set(fd, (struct hint){.kind = HINT_FRESH, .cookie = f.cookie});
	return fd;
}

bool shim_identify_for(int fd, const struct sockaddr *addr, socklen_t len, struct shim_sock *out)
{
	int saved_errno = errno, domain, type;
	sa_family_t family;

	if (shim_identify(fd, out))
		return true;
	bool ip = len >= sizeof family && user_read(&family, addr, sizeof family) == 0 &&
		  (family == AF_INET || family == AF_INET6);
	bool adopt = ip && raw_getpeername(fd, NULL, NULL) == -ENOTCONN &&
		     raw_getsockopt(fd, SO_DOMAIN, &domain, sizeof domain) == 0 &&
		     domain == AF_UNIX && raw_getsockopt(fd, SO_TYPE, &type, sizeof type) == 0 &&
		     type == SOCK_STREAM;
	if (adopt) {
		out->fresh = fresh_initial(fd, raw_cookie(fd), family);
		out->cookie = out->fresh.cookie;
		out->family = family;
	}
	errno = saved_errno;
	return adopt;
}

void shim_note(const struct shim_sock *s, enum hint_kind kind, bool lowered)
{
	struct hint old = hint_get(s->fd);
	bool same = old.kind != HINT_NONE && old.cookie == s->cookie;

	hint_set(s->fd, (struct hint){.kind = kind,
				.lowered = lowered,
				.lingers = same ? old.lingers : shim_option(s, IPC_OPT_LINGER) > 0,
				.table = (uint8_t)s->instance,
				.cookie = s->cookie});
}

int shim_bind(struct shim_sock *s, const struct sockaddr *addr, socklen_t len)
{
	struct endpoint local;

	if (s->dgram)
		return dgram_bind(s, addr, len);
	int r = address_read(s->family, addr, len, &local);

	/* Linux lets AF_UNSPEC pass for AF_INET when the address is 0.0.0.0, for old programs. */
	if (r == ADDRESS_UNSPEC)
		r = s->family == AF_INET && len >= sizeof(struct sockaddr_in) &&
				    ipaddr_is_any(&local.addr)
			    ? 0
			    : -EAFNOSUPPORT;
	if (r < 0)
		return r;
	bool any = ipaddr_is_any(&local.addr);
	if (s->kind == SHIM_FRESH && !any && local_bind_is_kernels(&local.addr)) {
		r = swap_to_kernel(s);
		return r < 0 ? r : raw_result(real.bind(s->fd, addr, len));
	}
	if (s->family == AF_INET6 && ipaddr_is_v4(&local.addr) && shim_option(s, IPC_OPT_V6ONLY))
		return -EINVAL;
	if (!any && !ipaddr_is_v4(&local.addr) && !ipaddr_is_loopback(&local.addr))
		return -EADDRNOTAVAIL;
	/* A connected socket has no reader for the reply. */
	if (s->kind == SHIM_ENGAGED &&
		(!s->known || s->info.use != IPC_SLOT_LIVE || s->info.tcp_state != STATE_CLOSED))
		return -EINVAL;
	r = request_send(s, IPC_BIND, &local, 0);
	if (r < 0)
		return r == -EISCONN ? -EINVAL : r;
	shim_note(s, HINT_BOUND, false);
	return request_reply(s);
}

/*
 * A port below 1024 that is free, from 600 on as in glibc; a different one first in each process.
 */
int shim_bind_reserved(struct shim_sock *s, struct sockaddr_in *addr)
{
	enum { FIRST = 600, COUNT = 1024 - FIRST };
	struct sockaddr_in a = {.sin_family = AF_INET};
	int r = addr ? user_read(&a, addr, sizeof a) : 0;

	if (r < 0 || a.sin_family != AF_INET)
		return r < 0 ? r : -EAFNOSUPPORT;
	r = -EADDRINUSE;
	for (int i = 0; i < COUNT && r == -EADDRINUSE; i++) {
		a.sin_port = htons((uint16_t)(FIRST + (getpid() + i) % COUNT));
		r = shim_bind(s, (struct sockaddr *)&a, sizeof a);
		shim_identify(s->fd, s);
	}
	return r < 0 || !addr ? r : user_write(addr, &a, sizeof a);
}

int shim_listen(struct shim_sock *s, int backlog)
{
	if (s->dgram)
		return -EOPNOTSUPP;
	if (s->kind == SHIM_ENGAGED) {
		if (!s->known || s->info.use != IPC_SLOT_LIVE)
			return s->known ? -EINVAL : -ENETDOWN;
		/*
		 * Already listening: the backlog alone changes; a reply could not be told from a
		 * connection.
		 */
		if (s->info.tcp_state == STATE_LISTEN)
			return engine_set_option(s->instance, s->cookie, IPC_OPT_BACKLOG, backlog);
		if (s->info.tcp_state != STATE_CLOSED)
			return -EINVAL;
	}
	int r = request_send(s, IPC_LISTEN, NULL, backlog);
	if (r < 0)
		return r == -EISCONN ? -EINVAL : r;
	request_lower(s->fd);
	r = request_reply(s);
	shim_note(s, r < 0 ? HINT_BOUND : HINT_LISTENING, false);
	return r;
}

int shim_shutdown(struct shim_sock *s, int how)
{
	if (s->dgram)
		return dgram_shutdown(s, how);
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	bool connected = s->kind == SHIM_ENGAGED && s->known && s->info.tcp_state != STATE_CLOSED;
	bool unsure = s->kind == SHIM_ENGAGED && !s->known;
	if (!connected && !unsure)
		return -ENOTCONN;
	/*
	 * A listener stops listening by SHUT_RD, and whoever waits in accept is woken; SHUT_WR is
	 * nothing to it.
	 */
	if (connected && s->info.tcp_state == STATE_LISTEN)
		return how == SHUT_WR ? 0 : raw_result(real.shutdown(s->fd, SHUT_RDWR));
	return raw_result(real.shutdown(s->fd, how));
}

/* A pending connect may not have reached the engine; its address and port are asked for at once. */
static void look_up(struct shim_sock *s)
{
	struct hint h = hint_get(s->fd);

	if (s->kind == SHIM_ENGAGED && h.kind == HINT_CONNECTING && h.cookie == s->cookie)
		shim_await_connect(s);
}

int shim_getsockname(struct shim_sock *s, struct sockaddr *addr, socklen_t *len)
{
	if (s->dgram)
		return dgram_getsockname(s, addr, len);
	look_up(s);
	return address_give(s->family, &s->info.local, addr, len);
}

int shim_getpeername(struct shim_sock *s, struct sockaddr *addr, socklen_t *len)
{
	if (s->dgram)
		return dgram_getpeername(s, addr, len);
	look_up(s);
	bool connected = s->kind == SHIM_ENGAGED && s->known && s->info.use == IPC_SLOT_LIVE &&
			 s->info.tcp_state != STATE_CLOSED && s->info.tcp_state != STATE_SYN_SENT &&
			 s->info.tcp_state != STATE_LISTEN;
	return connected ? address_give(s->family, &s->info.remote, addr, len) : -ENOTCONN;
}
