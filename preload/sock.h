/*
 * The control calls, for a socket that is known to be ours. Each returns what the system call
 * would, with -errno for an error; pointers are the program's and may be bad.
 */
#ifndef TEECEE_PRELOAD_SOCK_H
#define TEECEE_PRELOAD_SOCK_H

#include <stdbool.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "preload/hint.h"
#include "preload/identity.h"

/* sock.c */
bool shim_captures(int domain, int type, int protocol);
int shim_socket(int domain, int type, int protocol);
bool shim_config_is_sound(void); /* if not, the person has been told */
int shim_bind(struct shim_sock *s, const struct sockaddr *addr, socklen_t len);
int shim_bind_reserved(struct shim_sock *s, struct sockaddr_in *addr); /* bindresvport(3) */
int shim_listen(struct shim_sock *s, int backlog);
int shim_shutdown(struct shim_sock *s, int how);
int shim_getsockname(struct shim_sock *s, struct sockaddr *addr, socklen_t *len);
int shim_getpeername(struct shim_sock *s, struct sockaddr *addr, socklen_t *len);

/*
 * Like shim_identify, but takes in a socket that was made by another program image or process and
 * never connected: an unconnected AF_UNIX stream socket that is given an IP address can be nothing
 * else.
 */
bool shim_identify_for(int fd, const struct sockaddr *addr, socklen_t len, struct shim_sock *out);

/* What this process remembers of the socket's fd from now on (hint.h). */
void shim_note(const struct shim_sock *s, enum hint_kind kind, bool lowered);

/* connect.c */
int shim_connect(struct shim_sock *s, const struct sockaddr *addr, socklen_t len);

/* accept.c */
int shim_accept(struct shim_sock *s, struct sockaddr *addr, socklen_t *len, int flags);

/* opt.c */
int shim_getsockopt(struct shim_sock *s, int level, int name, void *value, socklen_t *len);
int shim_setsockopt(struct shim_sock *s, int level, int name, const void *value, socklen_t len);

/* misc.c */
int shim_ioctl(struct shim_sock *s, unsigned long request, void *arg);

#endif
