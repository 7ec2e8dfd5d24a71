/*
 * Preloaded, it sends what a program connects with to the relay (hop.c): connect() puts an AF_UNIX
 * socket in the place of an IPv4 one, TCP or UDP, and says whereto. All other calls on it are the
 * kernel's, as under libteecee.
 *
 * It is for programs that the benchmarks run, iperf3 and talk, and no more than these ask for:
 * connect() succeeds before anybody at the other end is reached; what was set on the socket before
 * is gone, but for O_NONBLOCK; every AF_UNIX socket of the program is taken for one of ours. Options
 * of TCP and IP are accepted and read as 0, the names of both ends as 0.0.0.0:0: the programs look at
 * the family only. No state is kept and nothing is looked up: system calls are made directly.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/bench/hop.h"

#define EXPORT __attribute__((visibility("default")))

enum { MSS = 1448 };

/* An option of SOL_SOCKET that is a number; -1: no socket. */
static int number_of(int fd, int name)
{
	int value;
	socklen_t len = sizeof value;

	return syscall(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static bool is_ours(int fd)
{
	return number_of(fd, SO_DOMAIN) == AF_UNIX;
}

/* A socket that has told the relay whereto; -1: errno says why not. */
static int dial(int type, const struct sockaddr *to)
{
	struct sockaddr_un at = hop_address(type);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (syscall(SYS_connect, fd, &at, sizeof at) < 0 ||
		send(fd, to, sizeof(struct sockaddr_in), MSG_NOSIGNAL) < 0) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

/* Puts the new socket in the old one's place. */
static int replace(int fd, int with)
{
	int flags = fcntl(fd, F_GETFL);
	bool set = flags >= 0 && (!(flags & O_NONBLOCK) || fcntl(with, F_SETFL, flags) == 0);
	bool ok = set && dup2(with, fd) == fd;
	int why = errno;

	close(with);
	errno = why;
	return ok ? 0 : -1;
}

EXPORT int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	int type = number_of(fd, SO_TYPE);

	if (len < sizeof(struct sockaddr_in) || to->sa_family != AF_INET ||
		(type != SOCK_STREAM && type != SOCK_DGRAM))
		return (int)syscall(SYS_connect, fd, to, len);
	int hop = dial(type == SOCK_DGRAM ? SOCK_SEQPACKET : type, to);
	return hop < 0 ? -1 : replace(fd, hop);
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (level != SOL_SOCKET && is_ours(fd))
		return 0;
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

EXPORT int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
	if (level == SOL_SOCKET || !is_ours(fd))
		return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
	memset(value, 0, *len);
	if (level == IPPROTO_TCP && name == TCP_MAXSEG && *len >= sizeof(int))
		memcpy(value, &(int){MSS}, sizeof(int)); /* iperf3 refuses to work with 0 */
	return 0;
}

static int nowhere(struct sockaddr *name, socklen_t *len)
{
	const struct sockaddr_in in = {.sin_family = AF_INET};

	memcpy(name, &in, *len < sizeof in ? *len : sizeof in);
	*len = sizeof in;
	return 0;
}

EXPORT int getpeername(int fd, struct sockaddr *restrict name, socklen_t *restrict len)
{
	return is_ours(fd) ? nowhere(name, len) : (int)syscall(SYS_getpeername, fd, name, len);
}

EXPORT int getsockname(int fd, struct sockaddr *restrict name, socklen_t *restrict len)
{
	return is_ours(fd) ? nowhere(name, len) : (int)syscall(SYS_getsockname, fd, name, len);
}
