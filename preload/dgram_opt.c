/*
 * Options of datagram sockets. Those that matter travel to the engine in their order among the
 * datagrams and are read from the table; what was just set is remembered until the table shows it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "preload/dgram.h"
#include "preload/instance.h"
#include "preload/real.h"
#include "preload/recent.h"
#include "preload/usermem.h"

static enum ipc_option place(enum ipc_dgram_option o)
{
	return (enum ipc_option)o;
}

int64_t dgram_option(const struct shim_sock *s, enum ipc_dgram_option o)
{
	int64_t v = s->known ? s->info.option[o] : ipc_dgram_option_info[o].initial, sent;

	if (!recent_find(s->cookie, place(o), &sent))
		return v;
	if (sent == v)
		recent_forget(s->cookie, place(o));
	return sent;
}

static int give_int(int v, void *value, socklen_t *len)
{
	return user_give_option(value, len, &v, sizeof v);
}

static int give_option(
	const struct shim_sock *s, enum ipc_dgram_option o, void *value, socklen_t *len)
{
	char bytes[sizeof(int)];
	int room = user_room(len);

	if (room < 0)
		return room;
	size_t n = ipc_dgram_option_encode(
		o, dgram_option(s, o), bytes, MIN((size_t)room, sizeof bytes));
	return user_give_option(value, len, bytes, n);
}

/* Which socket it is; until the engine has said so, it is waited for. */
static uint32_t kind_of(struct shim_sock *s)
{
	struct ipc_dgram h = dgram_header(s, IPC_DGRAM_SYNC);

	if (!s->known)
		dgram_request(s, &h);
	return s->known ? s->info.kind : IPC_KIND_UDP;
}

static int get_socket_level(struct shim_sock *s, int name, void *value, socklen_t *len)
{
	switch (name) {
	case SO_ERROR:
		return give_int(s->known && s->info.error ? dgram_take_error(s->fd, s->cookie) : 0,
			value, len);
	case SO_TYPE:
		return give_int(kind_of(s) == IPC_KIND_RAW ? SOCK_RAW : SOCK_DGRAM, value, len);
	case SO_DOMAIN:
		return give_int(s->family, value, len);
	case SO_PROTOCOL:
		return give_int(
			kind_of(s) == IPC_KIND_UDP ? IPPROTO_UDP : IPPROTO_ICMP, value, len);
	case SO_ACCEPTCONN:
		return give_int(0, value, len);
	default:
		return raw_result(real.getsockopt(s->fd, SOL_SOCKET, name, value, len));
	}
}

static int give_mtu(struct shim_sock *s, void *value, socklen_t *len)
{
	const struct ipc_table *t = s->instance >= 0 ? instance_table((unsigned)s->instance) : NULL;

	if (!s->known || s->info.tcp_state != STATE_ESTABLISHED || !t)
		return -ENOTCONN;
	return give_int(t->mtu, value, len);
}

int dgram_getsockopt(struct shim_sock *s, int level, int name, void *value, socklen_t *len)
{
	static const struct in_addr any_interface;
	int o = ipc_dgram_option_find(level, name);

	if (level == IPPROTO_IPV6 && s->family != AF_INET6)
		return -EOPNOTSUPP;
	if (o >= 0)
		return give_option(s, (enum ipc_dgram_option)o, value, len);
	if (level == SOL_SOCKET)
		return get_socket_level(s, name, value, len);
	if (level == IPPROTO_IP && name == IP_MTU)
		return give_mtu(s, value, len);
	if (level == IPPROTO_IP && name == IP_MULTICAST_IF)
		return user_give_option(value, len, &any_interface, sizeof any_interface);
	return level == IPPROTO_IP || level == IPPROTO_IPV6 || level == IPPROTO_UDP ? -ENOPROTOOPT
										    : -EOPNOTSUPP;
}

/* An interface by its address or index: ours, or none named. */
static int check_interface(const struct shim_sock *s, struct in_addr address, unsigned index)
{
	const struct ipc_table *t = s->instance >= 0 ? instance_table((unsigned)s->instance) : NULL;
	struct ipaddr a = ipaddr_v4(ntohl(address.s_addr));

	if (!t || (index && index != t->ifindex))
		return -ENODEV;
	if (!index && !ipaddr_is_any(&a) && !ipaddr_equal(&a, &t->address.addr))
		return -ENODEV;
	return 0;
}

/* struct ip_mreqn, ip_mreq, or for IP_MULTICAST_IF an address alone. */
static int read_membership(const void *value, socklen_t len, struct ip_mreqn *out)
{
	memset(out, 0, sizeof *out);
	if (len < sizeof(struct ip_mreq))
		return -EINVAL;
	return user_read(out, value, MIN(len, sizeof *out));
}

static int change_membership(
	struct shim_sock *s, enum ipc_dgram_op op, const void *value, socklen_t len)
{
	struct ipc_dgram h = dgram_header(s, op);
	struct ip_mreqn m;
	int r = read_membership(value, len, &m);

	if (r == 0)
		r = check_interface(s, m.imr_address, (unsigned)m.imr_ifindex);
	if (r < 0)
		return r;
	h.local = ipaddr_v4(ntohl(m.imr_multiaddr.s_addr));
	return dgram_request(s, &h);
}

/* There is one interface: naming it changes nothing. */
static int set_interface(const struct shim_sock *s, const void *value, socklen_t len)
{
	struct ip_mreqn m = {0};
	int r;

	if (len < sizeof(struct in_addr))
		return -EINVAL;
	r = len >= sizeof(struct ip_mreq) ? read_membership(value, len, &m)
					  : user_read(&m.imr_address, value, sizeof m.imr_address);
	r = r < 0 ? r : check_interface(s, m.imr_address, (unsigned)m.imr_ifindex);
	return r == -ENODEV ? -EADDRNOTAVAIL : r;
}

static int set_known(struct shim_sock *s, enum ipc_dgram_option o, const void *value, socklen_t len)
{
	struct ipc_dgram h = dgram_header(s, IPC_DGRAM_SETOPT);
	char bytes[sizeof(int)] = "";
	int64_t v;
	int r = user_read(bytes, value, MIN(len, sizeof bytes));

	if (r == 0)
		r = ipc_dgram_option_decode(o, bytes, len, &v);
	if (r < 0)
		return r;
	h.option = o;
	h.value = v;
	r = dgram_tell(s->fd, &h, -1);
	if (r < 0)
		return r;
	recent_note(s->cookie, place(o), v);
	/* Others' binds look at it, on sockets whose messages may overtake this one: it waits. */
	if ((o == IPC_DGRAM_OPT_REUSEADDR || o == IPC_DGRAM_OPT_REUSEPORT) && s->known &&
		s->info.local.port) {
		h.op = IPC_DGRAM_SYNC;
		r = dgram_request(s, &h);
	}
	return r;
}

/*
 * A filter would be run over our headers: what programs attach to ICMP sockets only saves them
 * wake-ups, and is refused.
 */
static int set_socket_level(struct shim_sock *s, int name, const void *value, socklen_t len)
{
	if (name == SO_ATTACH_FILTER || name == SO_ATTACH_BPF || name == SO_TIMESTAMPING ||
		name == SO_PEEK_OFF || name == SO_PASSCRED || name == SO_ZEROCOPY)
		return -ENOPROTOOPT;
	return raw_result(real.setsockopt(s->fd, SOL_SOCKET, name, value, len));
}

int dgram_setsockopt(struct shim_sock *s, int level, int name, const void *value, socklen_t len)
{
	int o = ipc_dgram_option_find(level, name);

	if ((int)len < 0)
		return -EINVAL;
	if (level == IPPROTO_IPV6 && s->family != AF_INET6)
		return -ENOPROTOOPT;
	if (o == IPC_DGRAM_OPT_V6ONLY && s->known && s->info.local.port)
		return -EINVAL;
	if (o >= 0)
		return set_known(s, (enum ipc_dgram_option)o, value, len);
	if (level == SOL_SOCKET)
		return set_socket_level(s, name, value, len);
	if (level == IPPROTO_IP && name == IP_ADD_MEMBERSHIP)
		return change_membership(s, IPC_DGRAM_JOIN, value, len);
	if (level == IPPROTO_IP && name == IP_DROP_MEMBERSHIP)
		return change_membership(s, IPC_DGRAM_LEAVE, value, len);
	if (level == IPPROTO_IP && name == IP_MULTICAST_IF)
		return set_interface(s, value, len);
	return -ENOPROTOOPT;
}
