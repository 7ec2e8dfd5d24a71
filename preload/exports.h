/*
 * glibc's other names of some calls, which no header declares: aliases that its own objects and
 * fortified programs use.
 */
#ifndef TEECEE_PRELOAD_EXPORTS_H
#define TEECEE_PRELOAD_EXPORTS_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

int __connect(int fd, const struct sockaddr *addr, socklen_t len);
int __close(int fd);
int __socket(int domain, int type, int protocol);
int __dup2(int fd, int to);
int __fcntl(int fd, int cmd, ...);
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
	size_t room);
ssize_t __read(int fd, void *buf, size_t n);
ssize_t __write(int fd, const void *buf, size_t n);
ssize_t __recv(int fd, void *buf, size_t n, int flags);
int __sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags);
ssize_t __send(int fd, const void *buf, size_t n, int flags);
ssize_t __read_chk(int fd, void *buf, size_t n, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(
	int fd, void *buf, size_t n, size_t room, int flags, struct sockaddr *addr, socklen_t *len);

struct __res_state;
int __res_nquery(struct __res_state *state, const char *name, int class, int type, unsigned char *out, int len);
int __res_nsearch(struct __res_state *state, const char *name, int class, int type, unsigned char *out, int len);
int __res_query(const char *name, int class, int type, unsigned char *out, int len);
int __res_search(const char *name, int class, int type, unsigned char *out, int len);
int __res_nsend(struct __res_state *state, const unsigned char *query, int query_len, unsigned char *out, int len);
int __res_send(const unsigned char *query, int query_len, unsigned char *out, int len);

#endif
