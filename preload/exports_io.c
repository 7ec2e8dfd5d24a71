/*
 * The other half of exports.c: reading and writing. On an established connection each wrapper makes
 * the program's own system call and no other.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/dgram.h"
#include "preload/exports.h"
#include "preload/io.h"
#include "preload/lend.h"
#include "preload/real.h"

#define EXPORT __attribute__((visibility("default")))

void __chk_fail(void) __attribute__((noreturn)); /* glibc's: "buffer overflow detected" */

/* What a datagram call of ours returns, which is -errno for an error. */
static ssize_t finish(ssize_t r, int saved_errno)
{
	errno = r < 0 ? (int)-r : saved_errno;
	return r < 0 ? -1 : r;
}

EXPORT ssize_t read(int fd, void *buf, size_t n)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_recvfrom(fd, buf, n, 0, NULL, NULL), saved);
	}
	return io_before_recv(fd) ? io_after_recv(fd, real.read(fd, buf, n), 0) : -1;
}

EXPORT ssize_t __read(int fd, void *buf, size_t n)
{
	return read(fd, buf, n);
}

EXPORT ssize_t __read_chk(int fd, void *buf, size_t n, size_t room)
{
	if (n > room)
		__chk_fail();
	return read(fd, buf, n);
}

EXPORT ssize_t readv(int fd, const struct iovec *iov, int n)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_readv(fd, iov, n), saved);
	}
	return io_before_recv(fd) ? io_after_recv(fd, real.readv(fd, iov, n), 0) : -1;
}

EXPORT ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_recvfrom(fd, buf, n, flags, NULL, NULL), saved);
	}
	ssize_t r;

	if (!io_before_recv(fd))
		return -1;
	return io_odd_recv(fd, n, flags, &r) ? r : io_after_recv(fd, real.recv(fd, buf, n, flags), flags);
}

EXPORT ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
	if (n > room)
		__chk_fail();
	return recv(fd, buf, n, flags);
}

EXPORT ssize_t recvfrom(
	int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_recvfrom(fd, buf, n, flags, addr, len), saved);
	}
	ssize_t r;

	if (!io_before_recv(fd))
		return -1;
	if (io_odd_recv(fd, n, flags, &r))
		return r;
	if (addr && io_gives_no_name(fd)) {
		r = recv(fd, buf, n, flags);
		if (r >= 0 && len)
			*len = 0;
		return r;
	}
	r = io_after_recv(fd, real.recvfrom(fd, buf, n, flags, addr, len), flags);
	if (r >= 0)
		io_hide_name(fd, addr, len);
	return r;
}

EXPORT ssize_t __recvfrom_chk(
	int fd, void *buf, size_t n, size_t room, int flags, struct sockaddr *addr, socklen_t *len)
{
	if (n > room)
		__chk_fail();
	return recvfrom(fd, buf, n, flags, addr, len);
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_recvmsg(fd, msg, flags), saved);
	}
	ssize_t r;

	if (!io_before_recv(fd))
		return -1;
	if ((flags & MSG_ERRQUEUE) && io_odd_recv(fd, 0, flags, &r))
		return r;
	if (io_may_look(msg) && msg->msg_name && io_gives_no_name(fd)) {
		void *name = msg->msg_name;
		msg->msg_name = NULL;
		r = io_after_recv(fd, real.recvmsg(fd, msg, flags), flags);
		msg->msg_name = name;
		if (r >= 0)
			msg->msg_namelen = 0;
		return r;
	}
	r = io_after_recv(fd, real.recvmsg(fd, msg, flags), flags);
	if (r >= 0)
		io_hide_name(fd, msg->msg_name, &msg->msg_namelen);
	return r;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return (int)finish(dgram_recvmmsg(fd, msgs, n, flags, timeout), saved);
	}
	if (!io_before_recv(fd))
		return -1;
	int r = (int)io_after_recv(fd, real.recvmmsg(fd, msgs, n, flags, timeout), flags);
	for (int i = 0; i < r; i++)
		io_hide_name(fd, msgs[i].msg_hdr.msg_name, &msgs[i].msg_hdr.msg_namelen);
	return r;
}

EXPORT ssize_t write(int fd, const void *buf, size_t n)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_sendto(fd, buf, n, 0, NULL, 0), saved);
	}
	ssize_t r;

	if (!io_before_send(fd, 0))
		return -1;
	if (!lend_send(fd, buf, n, 0, &r))
		r = real.write(fd, buf, n);
	return io_after_send(fd, r, 0);
}

EXPORT ssize_t __write(int fd, const void *buf, size_t n)
{
	return write(fd, buf, n);
}

EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_writev(fd, iov, n), saved);
	}
	return io_before_send(fd, 0) ? io_after_send(fd, real.writev(fd, iov, n), 0) : -1;
}

EXPORT ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_sendto(fd, buf, n, flags, NULL, 0), saved);
	}
	ssize_t r;

	if (!io_before_send(fd, flags))
		return -1;
	if (!lend_send(fd, buf, n, flags, &r))
		r = real.send(fd, buf, n, flags);
	return io_after_send(fd, r, flags);
}

EXPORT ssize_t __send(int fd, const void *buf, size_t n, int flags)
{
	return send(fd, buf, n, flags);
}

EXPORT ssize_t sendto(
	int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_sendto(fd, buf, n, flags, addr, len), saved);
	}
	ssize_t r;

	if (io_fast_open(fd, addr, len, flags, &r))
		return r < 0 ? r : send(fd, buf, n, flags & ~MSG_FASTOPEN);
	if (!io_before_send(fd, flags))
		return -1;
	if (!lend_send(fd, buf, n, flags, &r))
		r = real.sendto(fd, buf, n, flags, addr, len);
	if (addr && io_ignores_address(fd, r))
		r = real.sendto(fd, buf, n, flags, NULL, 0);
	return io_after_send(fd, r, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return finish(dgram_sendmsg(fd, msg, flags), saved);
	}
	struct msghdr bare;
	ssize_t r;

	if ((flags & MSG_FASTOPEN) && io_may_look(msg) &&
		io_fast_open(fd, msg->msg_name, msg->msg_namelen, flags, &r) && r < 0)
		return r;
	if (!io_before_send(fd, flags))
		return -1;
	r = real.sendmsg(fd, msg, flags);
	if (io_ignores_address(fd, r) && msg->msg_name) {
		bare = *msg;
		bare.msg_name = NULL;
		bare.msg_namelen = 0;
		r = real.sendmsg(fd, &bare, flags & ~MSG_FASTOPEN);
	}
	return io_after_send(fd, r, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	if (dgram_is(fd)) {
		int saved = errno;
		return (int)finish(dgram_sendmmsg(fd, msgs, n, flags), saved);
	}
	return io_before_send(fd, flags)
		       ? (int)io_after_send(fd, real.sendmmsg(fd, msgs, n, flags), flags)
		       : -1;
}

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t n)
{
	return io_before_send(out, 0) ? io_after_send(out, real.sendfile(out, in, offset, n), 0)
				      : -1;
}

EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t n)
{
	return io_before_send(out, 0) ? io_after_send(out, real.sendfile64(out, in, offset, n), 0)
				      : -1;
}

EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	int ready = dgram_poll_before(fds, n);

	return ready ? ready : dgram_poll_after(fds, n, real.poll(fds, n, timeout_ms));
}

EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t room)
{
	if (n > room / sizeof *fds)
		__chk_fail();
	return poll(fds, n, timeout_ms);
}

EXPORT int ppoll(
	struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	int ready = dgram_poll_before(fds, n);

	return ready ? ready : dgram_poll_after(fds, n, real.ppoll(fds, n, timeout, mask));
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
	const sigset_t *mask, size_t room)
{
	if (n > room / sizeof *fds)
		__chk_fail();
	return ppoll(fds, n, timeout, mask);
}

EXPORT ssize_t splice(
	int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
	if (!io_before_recv(in) || !io_before_send(out, 0))
		return -1;
	ssize_t r = real.splice(in, in_at, out, out_at, n, flags);
	/* Which side failed is not told: each looks whether the error is its own. */
	return io_after_send(out, io_after_recv(in, r, 0), 0);
}

EXPORT ssize_t preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	return io_before_recv(fd) ? io_after_recv(fd, real.preadv2(fd, iov, n, at, flags), 0) : -1;
}

EXPORT ssize_t preadv64v2(int fd, const struct iovec *iov, int n, off64_t at, int flags)
{
	return io_before_recv(fd) ? io_after_recv(fd, real.preadv64v2(fd, iov, n, at, flags), 0)
				  : -1;
}

EXPORT ssize_t pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	return io_before_send(fd, 0) ? io_after_send(fd, real.pwritev2(fd, iov, n, at, flags), 0)
				     : -1;
}

EXPORT ssize_t pwritev64v2(int fd, const struct iovec *iov, int n, off64_t at, int flags)
{
	return io_before_send(fd, 0) ? io_after_send(fd, real.pwritev64v2(fd, iov, n, at, flags), 0)
				     : -1;
}

EXPORT ssize_t __recv(int fd, void *buf, size_t n, int flags)
{
	return recv(fd, buf, n, flags);
}

EXPORT int __sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	return sendmmsg(fd, msgs, n, flags);
}
