#include "preload/real.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"

static int early_socket(int domain, int type, int protocol)
{
	return (int)syscall(SYS_socket, domain, type, protocol);
}

static int early_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return (int)syscall(SYS_connect, fd, addr, len);
}

static int early_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return (int)syscall(SYS_bind, fd, addr, len);
}

static int early_listen(int fd, int backlog)
{
	return (int)syscall(SYS_listen, fd, backlog);
}

static int early_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return (int)syscall(SYS_accept4, fd, addr, len, flags);
}

static int early_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	return early_accept4(fd, addr, len, 0);
}

static int early_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	return (int)syscall(SYS_getsockname, fd, addr, len);
}

static int early_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	return (int)syscall(SYS_getpeername, fd, addr, len);
}

static int early_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

static int early_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

static int early_shutdown(int fd, int how)
{
	return (int)syscall(SYS_shutdown, fd, how);
}

static int early_close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

static int early_dup(int fd)
{
	return (int)syscall(SYS_dup, fd);
}

static int early_dup3(int fd, int to, int flags)
{
	return (int)syscall(SYS_dup3, fd, to, flags);
}

static int early_dup2(int fd, int to)
{
	/* Some architectures have no dup2; dup3 refuses equal numbers, which dup2 only checks. */
	if (fd == to)
		return syscall(SYS_fcntl, fd, F_GETFD) < 0 ? -1 : fd;
	return early_dup3(fd, to, 0);
}

static int early_fcntl(int fd, int cmd, ...)
{
	va_list args;

	va_start(args, cmd);
	long arg = va_arg(args, long);
	va_end(args);
	return (int)syscall(SYS_fcntl, fd, cmd, arg);
}

static int early_ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	va_start(args, request);
	void *arg = va_arg(args, void *);
	va_end(args);
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static int early_ppoll(
	struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec t = {0};

	if (timeout) /* the system call writes what is left */
		t = *timeout;
	return (int)syscall(SYS_ppoll, fds, n, timeout ? &t : NULL, mask, mask ? _NSIG / 8 : 0);
}

static int early_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec t = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

	return early_ppoll(fds, n, timeout_ms < 0 ? NULL : &t, NULL);
}

static ssize_t early_read(int fd, void *buf, size_t n)
{
	return syscall(SYS_read, fd, buf, n);
}

static ssize_t early_readv(int fd, const struct iovec *iov, int n)
{
	return syscall(SYS_readv, fd, iov, n);
}

static ssize_t early_recvfrom(
	int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len)
{
	return syscall(SYS_recvfrom, fd, buf, n, flags, addr, len);
}

static ssize_t early_recv(int fd, void *buf, size_t n, int flags)
{
	return early_recvfrom(fd, buf, n, flags, NULL, NULL);
}

static ssize_t early_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return syscall(SYS_recvmsg, fd, msg, flags);
}

static int early_recvmmsg(
	int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
	return (int)syscall(SYS_recvmmsg, fd, msgs, n, flags, timeout);
}

static ssize_t early_write(int fd, const void *buf, size_t n)
{
	return syscall(SYS_write, fd, buf, n);
}

static ssize_t early_writev(int fd, const struct iovec *iov, int n)
{
	return syscall(SYS_writev, fd, iov, n);
}

static ssize_t early_sendto(
	int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len)
{
	return syscall(SYS_sendto, fd, buf, n, flags, addr, len);
}

static ssize_t early_send(int fd, const void *buf, size_t n, int flags)
{
	return early_sendto(fd, buf, n, flags, NULL, 0);
}

static ssize_t early_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return syscall(SYS_sendmsg, fd, msg, flags);
}

static int early_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	return (int)syscall(SYS_sendmmsg, fd, msgs, n, flags);
}

static ssize_t early_sendfile(int out, int in, off_t *offset, size_t n)
{
	return syscall(SYS_sendfile, out, in, offset, n);
}

static int early_setuid(uid_t uid)
{
	return (int)syscall(SYS_setuid, uid);
}

static int early_setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
	return (int)syscall(SYS_setresuid, ruid, euid, suid);
}

static int early_seteuid(uid_t uid)
{
	return early_setresuid((uid_t)-1, uid, (uid_t)-1);
}

static int early_setreuid(uid_t ruid, uid_t euid)
{
	return (int)syscall(SYS_setreuid, ruid, euid);
}

static int early_chroot(const char *path)
{
	return (int)syscall(SYS_chroot, path);
}

static ssize_t early_splice(
	int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
	return syscall(SYS_splice, in, in_at, out, out_at, n, flags);
}

/* The offset in two halves, as the kernel wants it everywhere. */
static ssize_t early_preadv2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	return syscall(SYS_preadv2, fd, iov, n, (long)at, (long)((uint64_t)at >> 32), flags);
}

static ssize_t early_pwritev2(int fd, const struct iovec *iov, int n, off_t at, int flags)
{
	return syscall(SYS_pwritev2, fd, iov, n, (long)at, (long)((uint64_t)at >> 32), flags);
}

/* Nobody asks for these before our constructor has run. */
static int early_bindresvport(int fd, struct sockaddr_in *addr)
{
	errno = ENOSYS;
	return -1;
}

static int early_getifaddrs(struct ifaddrs **out)
{
	errno = ENOSYS;
	return -1;
}

static struct if_nameindex *early_if_nameindex(void)
{
	errno = ENOBUFS;
	return NULL;
}

struct real real = {
	.socket = early_socket,
	.connect = early_connect,
	.bind = early_bind,
	.listen = early_listen,
	.accept = early_accept,
	.accept4 = early_accept4,
	.getsockname = early_getsockname,
	.getpeername = early_getpeername,
	.getsockopt = early_getsockopt,
	.setsockopt = early_setsockopt,
	.shutdown = early_shutdown,
	.close = early_close,
	.dup = early_dup,
	.dup2 = early_dup2,
	.dup3 = early_dup3,
	.fcntl = early_fcntl,
	.fcntl64 = early_fcntl,
	.ioctl = early_ioctl,
	.poll = early_poll,
	.ppoll = early_ppoll,
	.read = early_read,
	.readv = early_readv,
	.recv = early_recv,
	.recvfrom = early_recvfrom,
	.recvmsg = early_recvmsg,
	.recvmmsg = early_recvmmsg,
	.write = early_write,
	.writev = early_writev,
	.send = early_send,
	.sendto = early_sendto,
	.sendmsg = early_sendmsg,
	.sendmmsg = early_sendmmsg,
	.sendfile = early_sendfile,
	.sendfile64 = early_sendfile,
	.setuid = early_setuid,
	.seteuid = early_seteuid,
	.setreuid = early_setreuid,
	.setresuid = early_setresuid,
	.chroot = early_chroot,
	.splice = early_splice,
	.preadv2 = early_preadv2,
	.preadv64v2 = early_preadv2,
	.pwritev2 = early_pwritev2,
	.pwritev64v2 = early_pwritev2,
	.bindresvport = early_bindresvport,
	.getifaddrs = early_getifaddrs,
	.if_nameindex = early_if_nameindex,
};

static const struct symbol {
	const char *name;
	size_t offset;
} symbols[] = {
	{"socket", offsetof(struct real, socket)},
	{"connect", offsetof(struct real, connect)},
	{"bind", offsetof(struct real, bind)},
	{"listen", offsetof(struct real, listen)},
	{"accept", offsetof(struct real, accept)},
	{"accept4", offsetof(struct real, accept4)},
	{"getsockname", offsetof(struct real, getsockname)},
	{"getpeername", offsetof(struct real, getpeername)},
	{"getsockopt", offsetof(struct real, getsockopt)},
	{"setsockopt", offsetof(struct real, setsockopt)},
	{"shutdown", offsetof(struct real, shutdown)},
	{"close", offsetof(struct real, close)},
	{"dup", offsetof(struct real, dup)},
	{"dup2", offsetof(struct real, dup2)},
	{"dup3", offsetof(struct real, dup3)},
	{"fcntl", offsetof(struct real, fcntl)},
	{"fcntl64", offsetof(struct real, fcntl64)},
	{"ioctl", offsetof(struct real, ioctl)},
	{"poll", offsetof(struct real, poll)},
	{"ppoll", offsetof(struct real, ppoll)},
	{"read", offsetof(struct real, read)},
	{"readv", offsetof(struct real, readv)},
	{"recv", offsetof(struct real, recv)},
	{"recvfrom", offsetof(struct real, recvfrom)},
	{"recvmsg", offsetof(struct real, recvmsg)},
	{"recvmmsg", offsetof(struct real, recvmmsg)},
	{"write", offsetof(struct real, write)},
	{"writev", offsetof(struct real, writev)},
	{"send", offsetof(struct real, send)},
	{"sendto", offsetof(struct real, sendto)},
	{"sendmsg", offsetof(struct real, sendmsg)},
	{"sendmmsg", offsetof(struct real, sendmmsg)},
	{"sendfile", offsetof(struct real, sendfile)},
	{"sendfile64", offsetof(struct real, sendfile64)},
	{"setuid", offsetof(struct real, setuid)},
	{"seteuid", offsetof(struct real, seteuid)},
	{"setreuid", offsetof(struct real, setreuid)},
	{"setresuid", offsetof(struct real, setresuid)},
	{"chroot", offsetof(struct real, chroot)},
	{"splice", offsetof(struct real, splice)},
	{"preadv2", offsetof(struct real, preadv2)},
	{"preadv64v2", offsetof(struct real, preadv64v2)},
	{"pwritev2", offsetof(struct real, pwritev2)},
	{"pwritev64v2", offsetof(struct real, pwritev64v2)},
	{"bindresvport", offsetof(struct real, bindresvport)},
	{"getifaddrs", offsetof(struct real, getifaddrs)},
	{"if_nameindex", offsetof(struct real, if_nameindex)},
};

static_assert(ARRAY_LEN(symbols) * sizeof(void *) == sizeof(struct real), "one symbol per pointer");

void real_init(void)
{
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		void *found = dlsym(RTLD_NEXT, symbols[i].name);
		if (found)
			*(void **)((char *)&real + symbols[i].offset) = found;
	}
}

int raw_result(long r)
{
	return r < 0 ? -errno : (int)r;
}

int raw_socket(int type)
{
	return raw_result(syscall(SYS_socket, AF_UNIX, type | SOCK_CLOEXEC, 0));
}

int raw_close(int fd)
{
	return raw_result(syscall(SYS_close, fd));
}

int raw_getpeername(int fd, void *addr, socklen_t *len)
{
	return raw_result(syscall(SYS_getpeername, fd, addr, len));
}

int raw_getsockopt(int fd, int name, void *value, socklen_t len)
{
	return raw_result(syscall(SYS_getsockopt, fd, SOL_SOCKET, name, value, &len));
}

int raw_setsockopt(int fd, int name, const void *value, socklen_t len)
{
	return raw_result(syscall(SYS_setsockopt, fd, SOL_SOCKET, name, value, len));
}

int raw_fcntl(int fd, int cmd, long arg)
{
	return raw_result(syscall(SYS_fcntl, fd, cmd, arg));
}

ssize_t raw_send(int fd, const void *data, size_t len)
{
	return raw_result(syscall(SYS_sendto, fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0));
}

ssize_t raw_recv(int fd, void *data, size_t len)
{
	return raw_result(syscall(SYS_recvfrom, fd, data, len, MSG_DONTWAIT, NULL, NULL));
}

int raw_poll(struct pollfd *p, int timeout_ms)
{
	struct timespec t = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};

	return raw_result(syscall(SYS_ppoll, p, p ? 1 : 0, timeout_ms < 0 ? NULL : &t, NULL, 0));
}

uint64_t raw_cookie(int fd)
{
	uint64_t cookie;

	return raw_getsockopt(fd, SO_COOKIE, &cookie, sizeof cookie) < 0 ? 0 : cookie;
}
