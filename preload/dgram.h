/*
 * Datagram sockets: UDP, ping and raw ICMP. The program's fd is an AF_UNIX SEQPACKET socket whose
 * messages begin with a header (core/ipc/dgram.h) that is put there and taken away here. So, unlike
 * on a TCP connection, every call that reads or writes comes by: dgram_is() says whose it is.
 *
 * Each function returns what the system call would, with -errno for an error; pointers are the
 * program's and may be bad.
 *
 * DESTINATIONS OF THE KERNEL (TEECEE_BYPASS, "any", 127/8 and ::1 unless TEECEE_LOOPBACK=stack). A
 * socket that has not sent anything yet and is not bound to our address becomes a kernel's socket
 * under the same number when it connects, binds or first sends there, and stays one. Later that is
 * ENETUNREACH.
 *
 * WHAT CANNOT WORK. A program without the shim that inherited such a socket can write() to its
 * connected peer, but reads our headers. So does one with the shim that got it by SCM_RIGHTS, until
 * its first control call on it; exec and fork are no trouble. POLLERR is seen by poll and ppoll
 * with POLLIN in the set. MSG_MORE, UDP_CORK, UDP_SEGMENT, source-specific multicast and
 * SO_ATTACH_FILTER (which would see our headers) are refused, as by a kernel that lacks them.
 */
#ifndef TEECEE_PRELOAD_DGRAM_H
#define TEECEE_PRELOAD_DGRAM_H

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "core/ipc/dgram.h"
#include "preload/identity.h"

/* dgram.c */
bool dgram_captures(int domain, int type, int protocol);
int dgram_socket(int domain, int type, int protocol);
int dgram_bind(struct shim_sock *s, const struct sockaddr *addr, socklen_t len);
int dgram_connect(struct shim_sock *s, const struct sockaddr *addr, socklen_t len);
int dgram_shutdown(struct shim_sock *s, int how);
int dgram_getsockname(struct shim_sock *s, struct sockaddr *addr, socklen_t *len);
int dgram_getpeername(struct shim_sock *s, struct sockaddr *addr, socklen_t *len);
int dgram_ioctl(struct shim_sock *s, unsigned long request, void *arg);

/* Whether the fd is one of them; a hint that is checked against the fd. errno is kept. */
bool dgram_is(int fd);

/* Whether datagrams to (or a socket bound to) this address are left to the kernel. */
bool dgram_is_kernels(const struct ipaddr *a);

/* Those that this program image inherited get their hints; once, when the library is loaded. */
void dgram_find_inherited(void);

/* Sends a header alone, with `fd` (-1: none): 0 or -errno. Waits while the socket is full. */
int dgram_tell(int socket, const struct ipc_dgram *h, int fd);

/* A request and its answer; `s` is fresh from the table afterwards. */
int dgram_request(struct shim_sock *s, struct ipc_dgram *h);
struct ipc_dgram dgram_header(const struct shim_sock *s, enum ipc_dgram_op op);

/* The kernel's socket under the same number: 0, then `fd` is the kernel's; or -errno. */
int dgram_give_to_kernel(struct shim_sock *s);

/* What the socket is called when nobody answers any more: -ENETDOWN if the engine is gone, or 0. */
int dgram_lost(int fd);

/* dgram_opt.c */
int dgram_getsockopt(struct shim_sock *s, int level, int name, void *value, socklen_t *len);
int dgram_setsockopt(struct shim_sock *s, int level, int name, const void *value, socklen_t len);
int64_t dgram_option(const struct shim_sock *s, enum ipc_dgram_option o);

/* dgram_send.c */
ssize_t dgram_sendto(
	int fd, const void *buf, size_t n, int flags, const struct sockaddr *addr, socklen_t len);
ssize_t dgram_writev(int fd, const struct iovec *iov, int n);
ssize_t dgram_sendmsg(int fd, const struct msghdr *msg, int flags);
int dgram_sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags);

/* dgram_recv.c */
ssize_t dgram_recvfrom(
	int fd, void *buf, size_t n, int flags, struct sockaddr *addr, socklen_t *len);
ssize_t dgram_readv(int fd, const struct iovec *iov, int n);
ssize_t dgram_recvmsg(int fd, struct msghdr *msg, int flags);
int dgram_recvmmsg(
	int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout);

/* The header at the head of the queue, which stays; the length of what follows, or -errno. */
ssize_t dgram_peek_head(int fd, struct ipc_dgram *h);

/*
 * dgram_error.c. Takes an error from the head of the queue, if there is one, and remembers it if
 * the program asked for IP_RECVERR: its errno, or 0.
 */
int dgram_take_error(int fd, uint64_t cookie);

/* An error that a read brought along, with its data. */
void dgram_keep_error(uint64_t cookie, const struct ipc_dgram *h, const struct iovec *iov, int n,
	size_t len);

/* recvmsg(MSG_ERRQUEUE). */
ssize_t dgram_recv_error(int fd, struct msghdr *msg);

/* Whether recvmsg(MSG_ERRQUEUE) would return something that was taken from the queue already. */
bool dgram_has_error(int fd);
bool dgram_any_error(void); /* of any socket: a memory load */

/*
 * dgram_poll.c. Before a poll: the number of ready fds if there are errors that its system call
 * does not see, else 0. After it: POLLIN that means an error becomes POLLERR; returns `result`.
 */
int dgram_poll_before(struct pollfd *fds, nfds_t n);
int dgram_poll_after(struct pollfd *fds, nfds_t n, int result);

#endif
