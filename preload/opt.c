/*
 * getsockopt and setsockopt. Three kinds of options: those of TCP and IP and the few of the socket
 * level that the engine must know (core/ipc/option.h); those that say what kind of socket it is,
 * which must sound like TCP; and the rest of the socket level, which the real socket does itself
 * (time limits, SO_PRIORITY, …).
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "preload/cork.h"
#include "preload/dgram.h"
#include "preload/engine.h"
#include "preload/hint.h"
#include "preload/real.h"
#include "preload/recent.h"
#include "preload/request.h"
#include "preload/sock.h"
#include "preload/usermem.h"

enum { CA_NAME_LEN = 16 }; /* TCP_CA_NAME_MAX of the kernel */

static int give_int(int v, void *value, socklen_t *len)
{
	return user_give_option(value, len, &v, sizeof v);
}

/* Of a connection TCP_MAXSEG is what it has come to, not what was asked for. */
static bool knows_mss(const struct shim_sock *s, int64_t *mss)
{
	struct tcp_info info;

	if (s->kind != SHIM_ENGAGED || !s->known || s->info.tcp_state == STATE_CLOSED ||
		s->info.tcp_state == STATE_LISTEN || s->info.tcp_info_len < sizeof info)
		return false;
	memcpy(&info, s->info.tcp_info, sizeof info);
	*mss = info.tcpi_snd_mss;
	return true;
}

static int give_option(struct shim_sock *s, enum ipc_option o, void *value, socklen_t *len)
{
	int64_t v = shim_option(s, o), sent;
	char bytes[16];
	int room = user_room(len);

	if (room < 0)
		return room;
	if (s->kind == SHIM_ENGAGED && cork_has(o))
		v = cork_is_on(s, o, v);
	if (s->kind == SHIM_ENGAGED && recent_find(s->cookie, o, &sent)) {
		if (sent == v)
			recent_forget(s->cookie, o);
		v = sent;
	}
	if (o == IPC_OPT_MAXSEG)
		knows_mss(s, &v);
	size_t n = ipc_option_encode(o, v, bytes, MIN((size_t)room, sizeof bytes));
	return user_give_option(value, len, bytes, n);
}

/*
 * What went wrong, told once. The real socket knows that something did, the table what. Programs
 * ask this when poll says that a connect is over: a good moment to give the socket its send buffer
 * back.
 */
static int take_error(struct shim_sock *s)
{
	struct hint h = hint_get(s->fd);
	int error = 0;

	raw_getsockopt(s->fd, SO_ERROR, &error, sizeof error);
	if (s->kind == SHIM_FRESH)
		return 0;
	shim_refresh(s);
	if (error)
		return s->known && s->info.error   ? s->info.error
		       : h.kind == HINT_CONNECTING ? ENETDOWN
						   : error;
	if (h.lowered && h.cookie == s->cookie && s->known &&
		s->info.tcp_state == STATE_ESTABLISHED) {
		request_raise(s->fd);
		h.lowered = false;
		hint_set(s->fd, h);
	}
	return 0;
}

static int give_tcp_info(struct shim_sock *s, void *value, socklen_t *len)
{
	struct tcp_info none = {.tcpi_state = STATE_CLOSED};

	if (s->kind == SHIM_ENGAGED && s->known && s->info.tcp_info_len <= sizeof s->info.tcp_info)
		return user_give_option(value, len, s->info.tcp_info, s->info.tcp_info_len);
	return user_give_option(value, len, &none, sizeof none);
}

static int give_congestion(struct shim_sock *s, void *value, socklen_t *len)
{
	char name[CA_NAME_LEN] = "";
	int64_t v = shim_option(s, IPC_OPT_CONGESTION);

	if (s->kind == SHIM_ENGAGED)
		recent_find(s->cookie, IPC_OPT_CONGESTION, &v);
	ipc_congestion_unpack(v, name);
	return user_give_option(value, len, name, sizeof name);
}

static int get_socket_level(struct shim_sock *s, int name, void *value, socklen_t *len)
{
	/* Nobody's credentials: what the kernel says of a TCP peer. */
	static const struct ucred nobody = {.pid = 0, .uid = (uid_t)-1, .gid = (gid_t)-1};

	switch (name) {
	case SO_ERROR:
		return give_int(take_error(s), value, len);
	case SO_TYPE:
		return give_int(SOCK_STREAM, value, len);
	case SO_DOMAIN:
		return give_int(s->family, value, len);
	case SO_PROTOCOL:
		return give_int(IPPROTO_TCP, value, len);
	case SO_ACCEPTCONN:
		return give_int(
			s->kind == SHIM_ENGAGED && s->known && s->info.tcp_state == STATE_LISTEN,
			value, len);
	case SO_PASSCRED:
	case SO_PASSSEC:
		return -EOPNOTSUPP;
	case SO_PEERCRED:
		return user_give_option(value, len, &nobody, sizeof nobody);
	default:
		return raw_result(real.getsockopt(s->fd, SOL_SOCKET, name, value, len));
	}
}

int shim_getsockopt(struct shim_sock *s, int level, int name, void *value, socklen_t *len)
{
	int o = ipc_option_find(level, name);

	if (s->dgram)
		return dgram_getsockopt(s, level, name, value, len);
	if (level == IPPROTO_IPV6 && s->family != AF_INET6)
		return -EOPNOTSUPP;
	if (o >= 0)
		return give_option(s, (enum ipc_option)o, value, len);
	if (level == SOL_SOCKET)
		return get_socket_level(s, name, value, len);
	if (level == IPPROTO_TCP && name == TCP_INFO)
		return give_tcp_info(s, value, len);
	if (level == IPPROTO_TCP && name == TCP_CONGESTION)
		return give_congestion(s, value, len);
	return level == IPPROTO_TCP || level == IPPROTO_IP || level == IPPROTO_IPV6 ? -ENOPROTOOPT
										    : -EOPNOTSUPP;
}

static void note_linger(const struct shim_sock *s, bool lingers)
{
	struct hint h = hint_get(s->fd);

	if (h.kind == HINT_NONE || h.cookie != s->cookie)
		return;
	h.lingers = lingers;
	hint_set(s->fd, h);
}

static int set_known(
	struct shim_sock *s, enum ipc_option o, int64_t v, const void *value, socklen_t len)
{
	/* Urgent data inline or not is the real socket's doing. */
	if (o == IPC_OPT_OOBINLINE)
		syscall(SYS_setsockopt, s->fd, SOL_SOCKET, SO_OOBINLINE, value, len);
	if (o == IPC_OPT_LINGER)
		note_linger(s, v > 0);
	if (s->kind == SHIM_FRESH) {
		/* One taken in from elsewhere has no record yet. */
		if (!fresh_get(s->cookie, &s->fresh))
			fresh_add(&s->fresh);
		fresh_set_option(s->cookie, o, v);
		return 0;
	}
	if (o == IPC_OPT_V6ONLY)
		return -EINVAL; /* too late */
	/*
	 * Its engine is gone, or the connection is: as on a kernel's dead socket, no harm is done.
	 */
	if (s->known && s->info.use != IPC_SLOT_LIVE)
		return 0;
	if (cork_has(o))
		return cork_set(s, o, v);
	int r = engine_set_option(s->instance, s->cookie, o, v);
	if (r == 0)
		recent_note(s->cookie, o, v);
	return r;
}

/* What the real socket would take, and what recvmsg would then show. */
static bool is_only_unix(int name)
{
	enum { PASSPIDFD = 76, PASSRIGHTS = 83 }; /* newer than some headers */

	return name == SO_PASSCRED || name == SO_PASSSEC || name == PASSPIDFD || name == PASSRIGHTS;
}

static int set_congestion(struct shim_sock *s, const char *name, socklen_t len)
{
	int64_t v = ipc_congestion_pack(name, MIN(len, (socklen_t)CA_NAME_LEN - 1));

	if (len == 0)
		return -EINVAL;
	return v < 0 ? -ENOENT : set_known(s, IPC_OPT_CONGESTION, v, NULL, 0);
}

int shim_setsockopt(struct shim_sock *s, int level, int name, const void *value, socklen_t len)
{
	char bytes[16] = "";
	int64_t v;
	int o = ipc_option_find(level, name);

	if (s->dgram)
		return dgram_setsockopt(s, level, name, value, len);
	if (level == IPPROTO_IPV6 && s->family != AF_INET6)
		return -ENOPROTOOPT;
	if (o < 0 && level == SOL_SOCKET && is_only_unix(name))
		return -EOPNOTSUPP;
	if (o < 0 && level == SOL_SOCKET)
		return raw_result(real.setsockopt(s->fd, level, name, value, len));
	if ((int)len < 0)
		return -EINVAL;
	int r = user_read(bytes, value, MIN(len, sizeof bytes));
	if (r < 0)
		return r;
	if (level == IPPROTO_TCP && name == TCP_CONGESTION)
		return set_congestion(s, bytes, len);
	if (o < 0)
		return -ENOPROTOOPT;
	r = ipc_option_decode((enum ipc_option)o, bytes, len, &v);
	return r < 0 ? r : set_known(s, (enum ipc_option)o, v, value, len);
}
