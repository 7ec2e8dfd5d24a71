/*
 * Every symbol that this library takes from libc, and nothing else: exports.map lists them, and a
 * test compares the list with what the library shows. A wrapper finds out whose fd it is and calls;
 * it decides nothing.
 *
 * errno is set here and in io.c only, and untouched by a call that succeeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "preload/dgram.h"
#include "preload/exports.h"
#include "preload/hint.h"
#include "preload/ifaddr.h"
#include "preload/io.h"
#include "preload/linger.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/sock.h"

#define EXPORT __attribute__((visibility("default")))

/* What a libc function returns for ours, which is -errno for an error. */
static int finish(int r, int saved_errno)
{
	errno = r < 0 ? -r : saved_errno;
	return r < 0 ? -1 : r;
}

EXPORT int socket(int domain, int type, int protocol)
{
	int saved = errno;

	if (dgram_captures(domain, type, protocol))
		return finish(dgram_socket(domain, type, protocol), saved);
	if (!shim_captures(domain, type, protocol))
		return real.socket(domain, type, protocol);
	return finish(shim_socket(domain, type, protocol), saved);
}

EXPORT int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify_for(fd, addr, len, &s) ? finish(shim_connect(&s, addr, len), saved)
						    : real.connect(fd, addr, len);
}

EXPORT int __connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return connect(fd, addr, len);
}

EXPORT int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify_for(fd, addr, len, &s) ? finish(shim_bind(&s, addr, len), saved)
						    : real.bind(fd, addr, len);
}

EXPORT int listen(int fd, int backlog)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify(fd, &s) ? finish(shim_listen(&s, backlog), saved)
				     : real.listen(fd, backlog);
}

EXPORT int accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify(fd, &s) ? finish(shim_accept(&s, addr, len, 0), saved)
				     : real.accept(fd, addr, len);
}

EXPORT int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify(fd, &s) ? finish(shim_accept(&s, addr, len, flags), saved)
				     : real.accept4(fd, addr, len, flags);
}

EXPORT int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify(fd, &s) ? finish(shim_getsockname(&s, addr, len), saved)
				     : real.getsockname(fd, addr, len);
}

EXPORT int getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify(fd, &s) ? finish(shim_getpeername(&s, addr, len), saved)
				     : real.getpeername(fd, addr, len);
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify(fd, &s) ? finish(shim_getsockopt(&s, level, name, value, len), saved)
				     : real.getsockopt(fd, level, name, value, len);
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify(fd, &s) ? finish(shim_setsockopt(&s, level, name, value, len), saved)
				     : real.setsockopt(fd, level, name, value, len);
}

/* An established connection's shutdown is the program's own system call, as its read is. */
EXPORT int shutdown(int fd, int how)
{
	struct hint h = hint_get(fd);
	struct shim_sock s;
	int saved = errno;

	bool established = h.kind == HINT_OPEN || (h.kind == HINT_CONNECTING && !h.lowered);
	if (h.kind == HINT_NONE || established || !shim_identify(fd, &s))
		return real.shutdown(fd, how);
	return finish(shim_shutdown(&s, how), saved);
}

EXPORT int close(int fd)
{
	struct hint h = hint_get(fd);

	if (h.kind == HINT_FRESH)
		hint_closed_fresh(fd, &h);
	return h.lingers && h.kind == HINT_OPEN ? linger_close(fd, &h) : real.close(fd);
}

EXPORT int __close(int fd)
{
	return close(fd);
}

EXPORT int dup(int fd)
{
	return hint_duplicated(fd, real.dup(fd));
}

EXPORT int dup2(int fd, int to)
{
	return hint_duplicated(fd, real.dup2(fd, to));
}

EXPORT int __dup2(int fd, int to)
{
	return dup2(fd, to);
}

EXPORT int dup3(int fd, int to, int flags)
{
	return hint_duplicated(fd, real.dup3(fd, to, flags));
}

/* The third argument is a pointer, an int or nothing; a pointer holds all three. */
EXPORT int fcntl(int fd, int cmd, ...)
{
	va_list args;

	va_start(args, cmd);
	void *arg = va_arg(args, void *);
	va_end(args);
	int r = real.fcntl(fd, cmd, arg);
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? hint_duplicated(fd, r) : r;
}

EXPORT int fcntl64(int fd, int cmd, ...)
{
	va_list args;

	va_start(args, cmd);
	void *arg = va_arg(args, void *);
	va_end(args);
	int r = real.fcntl64(fd, cmd, arg);
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC ? hint_duplicated(fd, r) : r;
}

EXPORT int __fcntl(int fd, int cmd, ...)
{
	va_list args;

	va_start(args, cmd);
	void *arg = va_arg(args, void *);
	va_end(args);
	return fcntl(fd, cmd, arg);
}

/* Terminals and files are asked this much more often than sockets. */
static bool ioctl_differs(unsigned long request)
{
	return request == FIONREAD || request == SIOCOUTQ || request == SIOCATMARK ||
	       (request >= SIOCADDRT && request <= SIOCDEVPRIVATE);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct shim_sock s;
	int saved = errno;
	va_list args;

	va_start(args, request);
	void *arg = va_arg(args, void *);
	va_end(args);
	if (!ioctl_differs(request) || !shim_identify(fd, &s))
		return real.ioctl(fd, request, arg);
	return finish(shim_ioctl(&s, request, arg), saved);
}

EXPORT int __socket(int domain, int type, int protocol)
{
	return socket(domain, type, protocol);
}

/* glibc's would call its own bind. */
EXPORT int bindresvport(int fd, struct sockaddr_in *addr)
{
	struct shim_sock s;
	int saved = errno;

	return shim_identify(fd, &s) ? finish(shim_bind_reserved(&s, addr), saved)
				     : real.bindresvport(fd, addr);
}

EXPORT int prctl(int option, ...)
{
	unsigned long arg[4];
	va_list args;

	va_start(args, option);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(args, unsigned long);
	va_end(args);
	if (option == PR_SET_SECCOMP)
		process_confine();
	return (int)syscall(SYS_prctl, option, arg[0], arg[1], arg[2], arg[3]);
}

EXPORT int getifaddrs(struct ifaddrs **out)
{
	int saved = errno;

	return finish(ifaddr_list(out), saved);
}

EXPORT struct if_nameindex *if_nameindex(void)
{
	return ifaddr_names(real.if_nameindex());
}
