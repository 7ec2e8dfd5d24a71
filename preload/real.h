/*
 * The functions that this library stands in front of, as the next library in line defines them:
 * usually glibc, so that they stay cancellation points; another preloaded library if there is one.
 *
 * Until real_init has run, each pointer is a bare system call. Programs, allocators and other
 * libraries' constructors may call read() before our constructor, and dlsym() may allocate: neither
 * must find an empty pointer, nor make us call dlsym from inside an allocator.
 */
#ifndef TEECEE_PRELOAD_REAL_H
#define TEECEE_PRELOAD_REAL_H

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

struct real {
	int (*socket)(int domain, int type, int protocol);
	int (*connect)(int fd, const struct sockaddr *addr, socklen_t len);
	int (*bind)(int fd, const struct sockaddr *addr, socklen_t len);
	int (*listen)(int fd, int backlog);
	int (*accept)(int fd, struct sockaddr *addr, socklen_t *len);
	int (*accept4)(int fd, struct sockaddr *addr, socklen_t *len, int flags);
	int (*getsockname)(int fd, struct sockaddr *addr, socklen_t *len);
	int (*getpeername)(int fd, struct sockaddr *addr, socklen_t *len);
	int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *len);
	int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t len);
	int (*shutdown)(int fd, int how);
	int (*close)(int fd);
	int (*dup)(int fd);
	int (*dup2)(int fd, int to);
	int (*dup3)(int fd, int to, int flags);
	int (*fcntl)(int fd, int cmd, ...);
	int (*fcntl64)(int fd, int cmd, ...);
	int (*ioctl)(int fd, unsigned long request, ...);
	int (*poll)(struct pollfd *fds, nfds_t n, int timeout_ms);
	int (*ppoll)(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		const sigset_t *mask);
	ssize_t (*read)(int fd, void *buf, size_t n);
	ssize_t (*readv)(int fd, const struct iovec *iov, int n);
	ssize_t (*recv)(int fd, void *buf, size_t n, int flags);
	ssize_t (*recvfrom)(
		int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len);
	ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
	int (*recvmmsg)(
		int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout);
	ssize_t (*write)(int fd, const void *buf, size_t n);
	ssize_t (*writev)(int fd, const struct iovec *iov, int n);
	ssize_t (*send)(int fd, const void *buf, size_t n, int flags);
	ssize_t (*sendto)(int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr,
		socklen_t len);
	ssize_t (*sendmsg)(int fd, const struct msghdr *msg, int flags);
	int (*sendmmsg)(int fd, struct mmsghdr *msgs, unsigned n, int flags);
	ssize_t (*sendfile)(int out, int in, off_t *offset, size_t n);
	ssize_t (*sendfile64)(int out, int in, off64_t *offset, size_t n);
	int (*setuid)(uid_t uid);
	int (*seteuid)(uid_t uid);
	int (*setreuid)(uid_t ruid, uid_t euid);
	int (*setresuid)(uid_t ruid, uid_t euid, uid_t suid);
	int (*chroot)(const char *path);
	ssize_t (*splice)(
		int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags);
	ssize_t (*preadv2)(int fd, const struct iovec *iov, int n, off_t at, int flags);
	ssize_t (*preadv64v2)(int fd, const struct iovec *iov, int n, off64_t at, int flags);
	ssize_t (*pwritev2)(int fd, const struct iovec *iov, int n, off_t at, int flags);
	ssize_t (*pwritev64v2)(int fd, const struct iovec *iov, int n, off64_t at, int flags);
	int (*bindresvport)(int fd, struct sockaddr_in *addr);
	int (*getifaddrs)(struct ifaddrs **out);
	struct if_nameindex *(*if_nameindex)(void);
};

extern struct real real;

/* Asks dlsym(RTLD_NEXT) for every one of them; what is not there stays a system call. */
void real_init(void);

/*
 * For the shim's own purposes, on any fd: straight to the kernel, never a cancellation point, never
 * one of our own wrappers; the result or -errno.
 */
int raw_result(long r);
int raw_socket(int type);
int raw_close(int fd);
int raw_getpeername(int fd, void *addr, socklen_t *len);
int raw_getsockopt(int fd, int name, void *value, socklen_t len); /* SOL_SOCKET */
int raw_setsockopt(int fd, int name, const void *value, socklen_t len);
int raw_fcntl(int fd, int cmd, long arg);
ssize_t raw_send(int fd, const void *data, size_t len); /* does not wait, no signal */
ssize_t raw_recv(int fd, void *data, size_t len);       /* does not wait */
int raw_poll(struct pollfd *p, int timeout_ms);         /* one of them */

/* SO_COOKIE, which no two sockets of a boot share; 0: not a socket. */
uint64_t raw_cookie(int fd);

#endif
