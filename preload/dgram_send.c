/*
 * Writing datagrams. One system call, the program's own with a header in front: so it waits when
 * the program's would, is a cancellation point and wakes up for signals. Before it comes what the
 * kernel would refuse at once, checked against the table; what only the stack can know becomes the
 * socket's pending error. After a look at the table costs no system call; only a pending error
 * does.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "preload/address.h"
#include "preload/dgram.h"
#include "preload/dgram_msg.h"
#include "preload/hint.h"
#include "preload/instance.h"
#include "preload/real.h"
#include "preload/sock.h"
#include "preload/usermem.h"

enum {
	UDP_DATA_MAX = 65507, /* 65,535 less the headers of IPv4 and UDP */
	ICMP_DATA_MAX = 65515,
	IP_AND_UDP = 28,
	IP_ONLY = 20,
	FEW = 8, /* pieces of an iovec, usually */
	MANY = 1023,
};

/* What send calls have in common. */
struct outgoing {
	struct shim_sock s;
	struct ipc_dgram h;
	const struct sockaddr *addr; /* NULL: the connected peer */
	socklen_t addr_len;
	size_t len; /* of the data */
	int flags;
};

static bool is_broadcast(const struct ipc_table *t, const struct ipaddr *a)
{
	return ipaddr_is_broadcast(a) || (t && ipnet_is_broadcast(&t->address, a));
}

/* 0, -errno, or 1: the address is the kernel's. */
static int check_address(struct outgoing *o, const struct ipc_table *t)
{
	struct endpoint *to = &o->h.remote;
	int r = address_read(o->s.family, o->addr, o->addr_len, to);

	/* As Linux: AF_UNSPEC passes for AF_INET. */
	if (r == ADDRESS_UNSPEC)
		r = o->s.family == AF_INET && o->addr_len >= sizeof(struct sockaddr_in)
			    ? 0
			    : -EAFNOSUPPORT;
	if (r < 0)
		return r;
	if (o->s.info.kind == IPC_KIND_UDP && to->port == 0)
		return -EINVAL;
	if (ipaddr_is_any(&to->addr) || dgram_is_kernels(&to->addr))
		return 1;
	if (!ipaddr_is_v4(&to->addr))
		return -ENETUNREACH;
	if (is_broadcast(t, &to->addr))
		return dgram_option(&o->s, IPC_DGRAM_OPT_BROADCAST) ? 0 : -EACCES;
	bool near = !t || ipnet_contains(&t->address, &to->addr) ||
		    ipaddr_is_multicast(&to->addr) || ipaddr_is_loopback(&to->addr);
	return near || t->has_gateway ? 0 : -ENETUNREACH;
}

static int check_length(const struct outgoing *o, const struct ipc_table *t)
{
	bool udp = o->s.info.kind == IPC_KIND_UDP;
	bool must_fit = dgram_option(&o->s, IPC_DGRAM_OPT_MTU_DISCOVER) >= IP_PMTUDISC_DO;

	if (o->len > (udp ? UDP_DATA_MAX : ICMP_DATA_MAX))
		return -EMSGSIZE;
	/* With IP_RECVERR the stack has a story to tell about it, and gets the datagram. */
	if (must_fit && t && o->len + (udp ? IP_AND_UDP : IP_ONLY) > t->mtu)
		return -EMSGSIZE;
	return 0;
}

/* EPIPE, and the signal to this very thread unless it was declined. */
static int broken_pipe(int flags)
{
	if (!(flags & MSG_NOSIGNAL))
		syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGPIPE);
	return -EPIPE;
}

/* The first datagram decides whose the socket is. */
static void note_used(int fd)
{
	struct hint h = hint_get(fd);

	if (h.lowered)
		return;
	h.lowered = true;
	hint_set(fd, h);
}

/* 0: send it. 1: the socket has become the kernel's. */
static int prepare(struct outgoing *o, int fd)
{
	const struct ipc_table *t = instance_table((unsigned)o->s.instance);
	bool connected = o->s.known && o->s.info.tcp_state == STATE_ESTABLISHED;
	int r = 0;

	o->h = ipc_dgram(o->s.id, IPC_DGRAM_DATA, o->len);
	if (o->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (o->flags & MSG_MORE) /* a kernel without UDP_CORK would say so */
		return -EOPNOTSUPP;
	if (!o->s.known)
		o->s.info.kind = IPC_KIND_UDP;
	if (o->addr)
		r = check_address(o, t);
	else if (!connected)
		r = -EDESTADDRREQ;
	if (r == 1) {
		r = dgram_give_to_kernel(&o->s);
		return r < 0 ? r : 1;
	}
	if (r == 0)
		r = check_length(o, t);
	if (r == 0 && o->s.known && o->s.info.error)
		r = -dgram_take_error(fd, o->s.cookie);
	if (r == 0)
		note_used(fd);
	return r;
}

/* iov[0] is for the header. */
static ssize_t send_out(struct outgoing *o, int fd, struct iovec *iov, size_t n)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};

	iov[0] = (struct iovec){&o->h, sizeof o->h};
	ssize_t r = real.sendmsg(fd, &m, (o->flags & MSG_DONTWAIT) | MSG_NOSIGNAL);
	if (r >= 0)
		return r - (ssize_t)sizeof o->h;
	int error = errno;
	if (error != EPIPE && error != ECONNRESET && error != ENOTCONN)
		return -error;
	/* Shut by the program itself, or nobody is there any more. */
	return error == EPIPE && dgram_lost(fd) == 0 ? broken_pipe(o->flags) : -ENETDOWN;
}

static size_t length_of(const struct iovec *iov, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len > IPC_DGRAM_DATA_MAX)
			return IPC_DGRAM_DATA_MAX + 1; /* EMSGSIZE, and no overflow */
		len += iov[i].iov_len;
	}
	return len;
}

ssize_t dgram_sendto(
	int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
	struct outgoing o = {.addr = addr, .addr_len = len, .len = n, .flags = flags};
	struct iovec iov[2] = {[1] = {(void *)(uintptr_t)buf, n}};

	shim_from_hint(fd, &o.s);
	int r = prepare(&o, fd);
	if (r == 1)
		r = (int)raw_result(real.sendto(fd, buf, n, flags, addr, len));
	else if (r == 0)
		return send_out(&o, fd, iov, 2);
	return r;
}

/* iov[1] and on are the program's pieces. */
static ssize_t send_pieces(
	int fd, const struct msghdr *m, int flags, struct iovec *iov, const struct msghdr *user)
{
	struct outgoing o = {.addr = m->msg_name, .addr_len = m->msg_namelen, .flags = flags};

	if (user_read(iov + 1, m->msg_iov, m->msg_iovlen * sizeof *iov) < 0)
		return -EFAULT;
	o.len = length_of(iov + 1, m->msg_iovlen);
	shim_from_hint(fd, &o.s);
	int r = prepare(&o, fd);
	if (r == 0)
		r = cmsg_read(m, &o.s, &o.h);
	if (r == 1)
		return raw_result(real.sendmsg(fd, user, flags));
	return r < 0 ? r : send_out(&o, fd, iov, m->msg_iovlen + 1);
}

__attribute__((noinline)) static ssize_t send_many(
	int fd, const struct msghdr *m, int flags, const struct msghdr *user)
{
	struct iovec iov[MANY + 1];

	return send_pieces(fd, m, flags, iov, user);
}

static ssize_t send_message(
	int fd, const struct msghdr *m, int flags, const struct msghdr *user)
{
	struct iovec iov[FEW + 1];

	if (m->msg_iovlen > MANY)
		return -EMSGSIZE;
	return m->msg_iovlen > FEW ? send_many(fd, m, flags, user)
				   : send_pieces(fd, m, flags, iov, user);
}

ssize_t dgram_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct msghdr m;

	if (user_read(&m, msg, sizeof m) < 0)
		return -EFAULT;
	if (m.msg_name && m.msg_namelen == 0)
		m.msg_name = NULL;
	return send_message(fd, &m, flags, msg);
}

ssize_t dgram_writev(int fd, const struct iovec *iov, int n)
{
	struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)n};

	if (n < 0)
		return -EINVAL;
	return send_message(fd, &m, 0, &m);
}

int dgram_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	unsigned sent = 0;
	ssize_t r = 0;

	n = MIN(n, 1024u); /* UIO_MAXIOV: the kernel's limit for one call */
	for (; sent < n; sent++) {
		r = dgram_is(fd) ? dgram_sendmsg(fd, &msgs[sent].msg_hdr, flags)
				 : raw_result(real.sendmsg(fd, &msgs[sent].msg_hdr, flags));
		if (r < 0)
			break;
		unsigned len = (unsigned)r;
		if (user_write(&msgs[sent].msg_len, &len, sizeof len) < 0) {
			r = -EFAULT;
			break;
		}
	}
	return sent > 0 ? (int)sent : (int)r;
}
