/*
 * Reading datagrams. The program's own system call, with room for the header in front; so it waits,
 * returns and is interrupted as the program's would. MSG_TRUNC is always asked for: it tells how
 * long the datagram was.
 *
 * Messages that are errors are reported as such or put aside (dgram_error.c), and the call is made
 * again for what follows.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/time.h"
#include "preload/address.h"
#include "preload/dgram.h"
#include "preload/dgram_msg.h"
#include "preload/hint.h"
#include "preload/real.h"
#include "preload/usermem.h"

enum { FEW = 8, MANY = 1023 };

/* A datagram that was read. */
struct arrived {
	struct ipc_dgram h;
	size_t len;  /* of the datagram */
	size_t room; /* that the program had */
};

ssize_t dgram_peek_head(int fd, struct ipc_dgram *h)
{
	struct iovec iov = {h, sizeof *h};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	int n = raw_result(
		syscall(SYS_recvmsg, fd, &m, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT));

	if (n < 0)
		return n;
	return n < (int)sizeof *h ? -ENETDOWN : n - (int)sizeof *h;
}

/* An error came: its errno, or 0 when it was for the queue only. */
static int take_error(int fd, const struct arrived *a, const struct iovec *iov, size_t n, int flags)
{
	struct hint h = hint_get(fd);

	if (flags & MSG_PEEK)
		return dgram_take_error(fd, h.cookie);
	dgram_keep_error(h.cookie, &a->h, iov, (int)n, a->len);
	return a->h.flags & IPC_DGRAM_PENDING ? a->h.error : 0;
}

/*
 * iov[0] is for the header, iov[1..n] are the program's pieces. 1: a datagram, 0: the end (the
 * program shut its read side), or -errno.
 */
static int receive(int fd, struct iovec *iov, size_t n, int flags, struct arrived *a)
{
	enum { PASSED = MSG_PEEK | MSG_DONTWAIT };
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = n + 1};

	iov[0] = (struct iovec){&a->h, sizeof a->h};
	a->room = 0;
	for (size_t i = 1; i <= n; i++)
		a->room += iov[i].iov_len;
	for (;;) {
		ssize_t r = real.recvmsg(fd, &m, (flags & PASSED) | MSG_TRUNC);
		if (r < 0 && errno != ECONNRESET)
			return -errno;
		if (r < (ssize_t)sizeof a->h)
			return r == 0 ? dgram_lost(fd) : -ENETDOWN;
		a->len = (size_t)r - sizeof a->h;
		if (a->h.op != IPC_DGRAM_ERROR)
			return 1;
		int error = take_error(fd, a, iov + 1, n, flags);
		if (error)
			return -error;
	}
}

static ssize_t result_of(const struct arrived *a, int flags)
{
	return (ssize_t)(flags & MSG_TRUNC ? a->len : MIN(a->len, a->room));
}

ssize_t dgram_recvfrom(
	int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
	struct iovec iov[2] = {[1] = {buf, n}};
	struct shim_sock s;
	struct arrived a;

	if (flags & (MSG_OOB | MSG_ERRQUEUE))
		return flags & MSG_OOB ? -EOPNOTSUPP : -EAGAIN;
	int r = receive(fd, iov, 1, flags, &a);
	if (r <= 0)
		return r;
	if (addr) {
		shim_from_hint(fd, &s);
		r = address_give(s.family, &a.h.remote, addr, len);
	}
	return r < 0 ? r : result_of(&a, flags);
}

static ssize_t read_pieces(int fd, const struct iovec *pieces, size_t n, struct iovec *iov)
{
	struct arrived a;

	if (user_read(iov + 1, pieces, n * sizeof *iov) < 0)
		return -EFAULT;
	int r = receive(fd, iov, n, 0, &a);
	return r <= 0 ? r : result_of(&a, 0);
}

__attribute__((noinline)) static ssize_t read_many(int fd, const struct iovec *pieces, size_t n)
{
	struct iovec iov[MANY + 1];

	return read_pieces(fd, pieces, n, iov);
}

ssize_t dgram_readv(int fd, const struct iovec *pieces, int n)
{
	struct iovec iov[FEW + 1];

	if (n < 0 || n > MANY)
		return -EINVAL;
	return n > FEW ? read_many(fd, pieces, (size_t)n)
		       : read_pieces(fd, pieces, (size_t)n, iov);
}

/* Fills the program's msghdr, of which *m is a copy. */
static int furnish(int fd, const struct arrived *a, struct msghdr *m, struct msghdr *user)
{
	uint8_t bytes[CMSG_ROOM];
	struct cmsg_room room = {.bytes = bytes};
	struct shim_sock s;
	int r = 0;

	shim_from_hint(fd, &s);
	m->msg_flags = a->len > a->room ? MSG_TRUNC : 0;
	if (m->msg_name)
		r = address_give(s.family, &a->h.remote, m->msg_name, &m->msg_namelen);
	else
		m->msg_namelen = 0;
	cmsg_timestamp(&room, &s, a->h.value);
	cmsg_datagram(&room, &s, &a->h);
	if (r == 0)
		r = cmsg_give(&room, m);
	return r == 0 ? user_write(user, m, sizeof *m) : r;
}

static ssize_t receive_message(
	int fd, struct msghdr *m, int flags, struct iovec *iov, struct msghdr *user)
{
	struct arrived a;

	if (user_read(iov + 1, m->msg_iov, m->msg_iovlen * sizeof *iov) < 0)
		return -EFAULT;
	int r = receive(fd, iov, m->msg_iovlen, flags, &a);
	if (r > 0)
		r = furnish(fd, &a, m, user);
	else if (r == 0)
		return 0;
	return r < 0 ? r : result_of(&a, flags);
}

__attribute__((noinline)) static ssize_t receive_many(
	int fd, struct msghdr *m, int flags, struct msghdr *user)
{
	struct iovec iov[MANY + 1];

	return receive_message(fd, m, flags, iov, user);
}

ssize_t dgram_recvmsg(int fd, struct msghdr *user, int flags)
{
	struct iovec iov[FEW + 1];
	struct msghdr m;

	if (flags & MSG_ERRQUEUE)
		return dgram_recv_error(fd, user);
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (user_read(&m, user, sizeof m) < 0)
		return -EFAULT;
	if (m.msg_iovlen > MANY)
		return -EMSGSIZE;
	return m.msg_iovlen > FEW ? receive_many(fd, &m, flags, user)
				  : receive_message(fd, &m, flags, iov, user);
}

static nsec clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

/* As the kernel: the time limit is looked at after each datagram only (recvmmsg(2), BUGS). */
int dgram_recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
	struct timespec limit = {0};
	unsigned got = 0;
	ssize_t r = 0;

	if (timeout && user_read(&limit, timeout, sizeof limit) < 0)
		return -EFAULT;
	nsec end = timeout ? clock_now() + limit.tv_sec * SEC + limit.tv_nsec : NSEC_NEVER;
	while (got < n) {
		r = dgram_recvmsg(fd, &msgs[got].msg_hdr, flags & ~MSG_WAITFORONE);
		if (r < 0)
			break;
		unsigned len = (unsigned)r;
		if (user_write(&msgs[got].msg_len, &len, sizeof len) < 0)
			return -EFAULT;
		got++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (clock_now() >= end)
			break;
	}
	return got > 0 ? (int)got : (int)r;
}
