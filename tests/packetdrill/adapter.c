#include "tests/packetdrill/adapter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

/* packetdrill's plugin interface: the order of the members is its ABI, and it has no version. */
struct packetdrill_interface {
	void *userdata;
	void (*free)(void *);
	int (*socket)(void *, int, int, int);
	int (*bind)(void *, int, const struct sockaddr *, socklen_t);
	int (*listen)(void *, int, int);
	int (*accept)(void *, int, struct sockaddr *, socklen_t *);
	int (*connect)(void *, int, const struct sockaddr *, socklen_t);
	ssize_t (*read)(void *, int, void *, size_t);
	ssize_t (*readv)(void *, int, const struct iovec *, int);
	ssize_t (*recv)(void *, int, void *, size_t, int);
	ssize_t (*recvfrom)(void *, int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(void *, int, struct msghdr *, int);
	ssize_t (*write)(void *, int, const void *, size_t);
	ssize_t (*writev)(void *, int, const struct iovec *, int);
	ssize_t (*send)(void *, int, const void *, size_t, int);
	ssize_t (*sendto)(
		void *, int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	ssize_t (*sendmsg)(void *, int, const struct msghdr *, int);
	int (*fcntl)(void *, int, int, ...);
	int (*ioctl)(void *, int, unsigned long, ...);
	int (*close)(void *, int);
	int (*shutdown)(void *, int, int);
	int (*getsockopt)(void *, int, int, int, void *, socklen_t *);
	int (*setsockopt)(void *, int, int, int, const void *, socklen_t);
	int (*poll)(void *, struct pollfd *, nfds_t, int);
	int (*netdev_send)(void *, const void *, size_t);
	int (*netdev_receive)(void *, void *, size_t *, long long *);
	int (*usleep)(void *, useconds_t);
	int (*gettimeofday)(void *, struct timeval *, struct timezone *);
	int (*epoll_create)(void *, int);
	int (*epoll_ctl)(void *, int, int, int, struct epoll_event *);
	int (*epoll_wait)(void *, int, struct epoll_event *, int, int);
	int (*pipe)(void *, int[2]);
	ssize_t (*splice)(void *, int, loff_t *, int, loff_t *, size_t, unsigned);
};

__attribute__((visibility("default"))) void packetdrill_interface_init(
	const char *flags, struct packetdrill_interface *ifc);

/* How much longer than anything in a script takes an answer may be awaited. */
#define RECEIVE_PATIENCE (4 * SEC)

static int do_socket(void *data, int domain, int type, int protocol)
{
	if ((domain != AF_INET && domain != AF_INET6) || (type & 0xf) != SOCK_STREAM)
		return (int)adapter_result(-EAFNOSUPPORT);
	adapter_lock();
	struct psock *p = psock_new(&adapter.world);
	int r = -ENOMEM;
	if (p) {
		p->domain = domain;
		p->nonblocking = type & SOCK_NONBLOCK;
		r = adapter_install(p);
	}
	adapter_unlock();
	return (int)adapter_result(r);
}

static int do_bind(void *data, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct psock *p = adapter_sock(fd);

	return (int)adapter_result(p ? psock_bind(p, addr, len) : -EBADF);
}

static int do_listen(void *data, int fd, int backlog)
{
	struct psock *p = adapter_sock(fd);

	if (!p)
		return (int)adapter_result(-EBADF);
	adapter_lock();
	int r = psock_listen(p, backlog);
	adapter_apply_sysctls(p);
	adapter_unlock();
	return (int)adapter_result(r);
}

static ssize_t accept_once(struct attempt *c)
{
	return psock_accept(c->p, &c->accepted);
}

static int do_accept(void *data, int fd, struct sockaddr *addr, socklen_t *len)
{
	struct attempt c = {.once = accept_once, .p = adapter_sock(fd)};

	if (!c.p)
		return (int)adapter_result(-EBADF);
	adapter_lock();
	int r = (int)adapter_try(&c, c.p->nonblocking ? 0 : NSEC_NEVER);
	if (r == 0) {
		psock_address(tcp_remote(c.accepted->tcp), c.p->domain, addr, len);
		r = adapter_install(c.accepted);
	}
	adapter_unlock();
	return (int)adapter_result(r);
}

static ssize_t connect_once(struct attempt *c)
{
	int r = c->addr ? psock_connect(c->p, c->addr, c->len) : psock_connect_result(c->p);

	c->addr = NULL;
	return r == -EINPROGRESS ? -EAGAIN : r;
}

static int do_connect(void *data, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct attempt c = {.once = connect_once, .p = adapter_sock(fd), .addr = addr, .len = len};

	if (!c.p)
		return (int)adapter_result(-EBADF);
	adapter_lock();
	adapter_apply_sysctls(c.p);
	ssize_t r = adapter_try(&c, c.p->nonblocking ? 0 : NSEC_NEVER);
	adapter_unlock();
	return (int)adapter_result(r == -EAGAIN ? -EINPROGRESS : r);
}

static ssize_t do_read(void *data, int fd, void *buf, size_t n)
{
	return adapter_recv(fd, &(struct iovec){buf, n}, 1, 0);
}

static ssize_t do_readv(void *data, int fd, const struct iovec *iov, int n)
{
	return adapter_recv(fd, iov, n, 0);
}

static ssize_t do_recv(void *data, int fd, void *buf, size_t n, int flags)
{
	return adapter_recv(fd, &(struct iovec){buf, n}, 1, flags);
}

static ssize_t do_recvfrom(
	void *data, int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
	if (len)
		*len = 0;
	return adapter_recv(fd, &(struct iovec){buf, n}, 1, flags);
}

static ssize_t do_write(void *data, int fd, const void *buf, size_t n)
{
	return adapter_send(fd, &(struct iovec){(void *)buf, n}, 1, 0);
}

static ssize_t do_writev(void *data, int fd, const struct iovec *iov, int n)
{
	return adapter_send(fd, iov, n, 0);
}

static ssize_t do_send(void *data, int fd, const void *buf, size_t n, int flags)
{
	return adapter_send(fd, &(struct iovec){(void *)buf, n}, 1, flags);
}

static ssize_t do_sendto(void *data, int fd, const void *buf, size_t n, int flags,
	const struct sockaddr *addr, socklen_t len)
{
	return adapter_sendto(fd, &(struct iovec){(void *)buf, n}, 1, flags, addr, len);
}

static ssize_t do_sendmsg(void *data, int fd, const struct msghdr *msg, int flags)
{
	return adapter_sendto(
		fd, msg->msg_iov, (int)msg->msg_iovlen, flags, msg->msg_name, msg->msg_namelen);
}

static int do_fcntl(void *data, int fd, int cmd, ...)
{
	struct psock *p = adapter_sock(fd);
	va_list ap;

	va_start(ap, cmd);
	int arg = cmd == F_SETFL ? va_arg(ap, int) : 0;
	va_end(ap);
	if (!p)
		return (int)adapter_result(-EBADF);
	if (cmd == F_GETFL)
		return O_RDWR | (p->nonblocking ? O_NONBLOCK : 0);
	if (cmd != F_SETFL)
		return (int)adapter_result(-EINVAL);
	p->nonblocking = arg & O_NONBLOCK;
	return 0;
}

static int do_ioctl(void *data, int fd, unsigned long request, ...)
{
	struct psock *p = adapter_sock(fd);
	va_list ap;

	va_start(ap, request);
	int *arg = va_arg(ap, int *);
	va_end(ap);
	if (!p)
		return (int)adapter_result(-EBADF);
	if (request == SIOCINQ)
		*arg = (int)tcp_recv_queued(p->tcp);
	else if (request == SIOCOUTQ)
		*arg = (int)tcp_send_queued(p->tcp);
	else if (request == FIONBIO)
		p->nonblocking = *arg;
	else
		return (int)adapter_result(-EINVAL);
	return 0;
}

static int do_close(void *data, int fd)
{
	return close(fd); /* ours, in adapter_libc.c */
}

static int do_shutdown(void *data, int fd, int how)
{
	struct psock *p = adapter_sock(fd);

	if (!p)
		return (int)adapter_result(-EBADF);
	adapter_lock();
	int r = psock_shutdown(p, how);
	world_settle(&adapter.world);
	adapter_unlock();
	return (int)adapter_result(r);
}

static int do_getsockopt(void *data, int fd, int level, int name, void *value, socklen_t *len)
{
	return adapter_getsockopt(fd, level, name, value, len);
}

static int do_setsockopt(void *data, int fd, int level, int name, const void *value, socklen_t len)
{
	struct psock *p = adapter_sock(fd);

	if (!p)
		return (int)adapter_result(-EBADF);
	adapter_lock();
	adapter_apply_sysctls(p);
	int r = psock_set_option(p, level, name, value, len);
	world_settle(&adapter.world);
	adapter_unlock();
	return (int)adapter_result(r);
}

static int netdev_send(void *data, const void *packet, size_t len)
{
	adapter_lock();
	world_input(&adapter.world, packet, len);
	adapter_unlock();
	return 0;
}

static int netdev_receive(void *data, void *buf, size_t *count, long long *time_usecs)
{
	adapter_lock();
	adapter_advance(adapter.world.now + RECEIVE_PATIENCE, true);
	struct world_packet *p = world_take(&adapter.world);
	if (p && p->len <= *count) {
		memcpy(buf, p->data, p->len);
		*count = p->len;
		*time_usecs = p->at / USEC;
	} else {
		*count = 0;
	}
	free(p);
	adapter_unlock();
	return 0;
}

static int do_usleep(void *data, useconds_t usec)
{
	adapter_lock();
	adapter_advance(adapter.world.now + usec * USEC, false);
	adapter_unlock();
	adapter_await_idle();
	return 0;
}

static int do_gettimeofday(void *data, struct timeval *tv, struct timezone *tz)
{
	adapter_lock();
	nsec now = adapter_now();
	adapter_unlock();
	tv->tv_sec = now / SEC;
	tv->tv_usec = now % SEC / USEC;
	return 0;
}

static int do_pipe(void *data, int fd[2])
{
	return pipe(fd);
}

static void do_free(void *data)
{
	adapter_lock();
	adapter.running = false;
	for (int fd = 0; fd < ADAPTER_FDS; fd++) {
		if (adapter.sock[fd])
			psock_free(adapter.sock[fd]);
		free(adapter.epoll[fd]);
		adapter.sock[fd] = NULL;
		adapter.epoll[fd] = NULL;
	}
	world_free(&adapter.world);
	adapter_unlock();
}

static const struct packetdrill_interface implementation = {
	.free = do_free,
	.socket = do_socket,
	.bind = do_bind,
	.listen = do_listen,
	.accept = do_accept,
	.connect = do_connect,
	.read = do_read,
	.readv = do_readv,
	.recv = do_recv,
	.recvfrom = do_recvfrom,
	.recvmsg = adapter_recvmsg,
	.write = do_write,
	.writev = do_writev,
	.send = do_send,
	.sendto = do_sendto,
	.sendmsg = do_sendmsg,
	.fcntl = do_fcntl,
	.ioctl = do_ioctl,
	.close = do_close,
	.shutdown = do_shutdown,
	.getsockopt = do_getsockopt,
	.setsockopt = do_setsockopt,
	.poll = adapter_poll,
	.netdev_send = netdev_send,
	.netdev_receive = netdev_receive,
	.usleep = do_usleep,
	.gettimeofday = do_gettimeofday,
	.epoll_create = adapter_epoll_create,
	.epoll_ctl = adapter_epoll_ctl,
	.epoll_wait = adapter_epoll_wait,
	.pipe = do_pipe,
	.splice = adapter_splice,
};

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *ifc)
{
	static const char key[] = "ip=", fallback[] = "192.168.0.1";
	bool given = flags && strncmp(flags, key, sizeof key - 1) == 0;
	struct ipaddr address;

	*ifc = implementation;
	if (!ipaddr_parse(&address, given ? flags + sizeof key - 1 : fallback) ||
		!world_init(&adapter.world, &address))
		abort(); /* the interface has no way to say it, and packetdrill shows the signal */
	adapter.world.changed = adapter_changed;
	adapter.main_thread = pthread_self();
	adapter.sleeping = adapter.poked = adapter.returning = false;
	adapter.running = true;
}
