#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/packetdrill/adapter.h"

struct psock *adapter_sock(int fd)
{
	return fd >= 0 && fd < ADAPTER_FDS ? adapter.sock[fd] : NULL;
}

int adapter_install(struct psock *p)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0 || fd >= ADAPTER_FDS) {
		psock_close(p);
		return -EMFILE;
	}
	p->fd = fd;
	adapter.sock[fd] = p;
	return fd;
}

static nsec patience(const struct psock *p, int flags)
{
	return p->nonblocking || (flags & MSG_DONTWAIT) ? 0 : NSEC_NEVER;
}

/* The part of a send that connects: 0 when that is done, else what the send returns. */
static ssize_t connect_once(struct attempt *c)
{
	bool wait = !c->p->nonblocking && !(c->flags & MSG_DONTWAIT);
	size_t copied;

	if (c->connecting) {
		int r = psock_connect_result(c->p);
		c->connecting = r == -EINPROGRESS;
		return r == -EINPROGRESS ? -EAGAIN : r;
	}
	int r = psock_fastopen(c->p, c->addr, c->len, c->iov, c->n, &copied);
	c->fastopen = false;
	if (r != -EINPROGRESS)
		return r;
	if (!wait)
		return copied ? (ssize_t)copied : -EINPROGRESS;
	c->done = (ssize_t)(copied + psock_queue(c->p, c->iov, c->n, copied));
	c->connecting = true;
	return -EAGAIN;
}

/* All of it, unless the socket does not wait. */
static ssize_t send_once(struct attempt *c)
{
	if (c->fastopen || c->connecting) {
		ssize_t r = connect_once(c);
		if (r != 0)
			return r;
	}

	struct iovec rest[UIO_MAXIOV];
	size_t skip;
	int n = 0;

	skip = (size_t)c->done;
	for (int i = 0; i < c->n; i++) {
		size_t cut = skip < c->iov[i].iov_len ? skip : c->iov[i].iov_len;
		rest[n] = (struct iovec){(char *)c->iov[i].iov_base + cut, c->iov[i].iov_len - cut};
		skip -= cut;
		n += rest[n].iov_len > 0;
	}
	if (n == 0 && c->done > 0)
		return c->done;
	ssize_t r = psock_send(c->p, rest, n, c->flags);
	if (r < 0)
		return r == -EAGAIN || c->done == 0 ? r : c->done;
	c->done += r;
	size_t left = 0;
	for (int i = 0; i < n; i++)
		left += rest[i].iov_len;
	bool wait = !c->p->nonblocking && !(c->flags & MSG_DONTWAIT);
	return wait && (size_t)r < left ? -EAGAIN : c->done;
}

/* The program's memory is read and written by the kernel first: a bad pointer is an errno. */
static bool is_accessible(const struct iovec *iov, int n)
{
	for (int i = 0; i < n; i++) {
		char byte;
		struct iovec to = {&byte, 1}, from = {iov[i].iov_base, 1};
		if (iov[i].iov_len > 0 && process_vm_readv(getpid(), &to, 1, &from, 1, 0) != 1)
			return false;
	}
	return true;
}

ssize_t adapter_sendto(int fd, const struct iovec *iov, int n, int flags,
	const struct sockaddr *addr, socklen_t len)
{
	struct attempt c = {
		.once = send_once, .iov = iov, .n = n, .flags = flags, .addr = addr, .len = len};

	if (n < 0 || n > UIO_MAXIOV)
		return adapter_result(-EMSGSIZE);
	if (!is_accessible(iov, n))
		return adapter_result(-EFAULT);
	c.p = adapter_sock(fd);
	if (!c.p)
		return adapter_result(-EBADF);
	adapter_lock();
	if (flags & MSG_FASTOPEN)
		adapter_apply_sysctls(c.p);
	c.fastopen = (flags & MSG_FASTOPEN) || tcp_fastopen_waits(c.p->tcp);
	ssize_t r = adapter_try(&c, patience(c.p, flags));
	adapter_unlock();
	return adapter_result(r);
}

ssize_t adapter_send(int fd, const struct iovec *iov, int n, int flags)
{
	return adapter_sendto(fd, iov, n, flags, NULL, 0);
}

static ssize_t recv_once(struct attempt *c)
{
	return psock_recv(c->p, c->iov, c->n, c->flags);
}

ssize_t adapter_recv(int fd, const struct iovec *iov, int n, int flags)
{
	struct attempt c = {.once = recv_once, .iov = iov, .n = n, .flags = flags};

	c.p = adapter_sock(fd);
	if (!c.p)
		return adapter_result(-EBADF);
	if (flags & MSG_ERRQUEUE)
		return adapter_result(-EAGAIN);
	if (!(flags & MSG_TRUNC) && !is_accessible(iov, n))
		return adapter_result(-EFAULT);
	adapter_lock();
	ssize_t r = adapter_try(&c, patience(c.p, flags));
	adapter_unlock();
	return adapter_result(r);
}

int adapter_close(int fd)
{
	struct psock *p = adapter_sock(fd);

	if (fd >= 0 && fd < ADAPTER_FDS && adapter.epoll[fd]) {
		free(adapter.epoll[fd]);
		adapter.epoll[fd] = NULL;
		return 0;
	}
	if (!p)
		return -EBADF;
	adapter_lock();
	adapter_epoll_forget(p);
	adapter.sock[fd] = NULL;
	psock_close(p);
	world_settle(&adapter.world);
	adapter_unlock();
	return 0;
}

int adapter_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct psock *p = adapter_sock(fd);

	if (!p)
		return (int)adapter_result(-EBADF);
	adapter_lock();
	int r = psock_get_option(p, level, name, value, len);
	adapter_unlock();
	return (int)adapter_result(r);
}
