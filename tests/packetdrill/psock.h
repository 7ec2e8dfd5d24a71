/*
 * Socket calls over core/stack/tcp.h as Linux answers them, without ever blocking: -EAGAIN where
 * the kernel would put the caller to sleep. What the shim and the engine do with real descriptors,
 * done in one struct, so that a script can be played against the bare stack.
 *
 * Results are libc's with -errno for -1. After a call that reached the stack the caller settles the
 * world.
 */
#ifndef TEECEE_TESTS_PACKETDRILL_PSOCK_H
#define TEECEE_TESTS_PACKETDRILL_PSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/ipc/option.h"
#include "core/stack/tcp.h"
#include "tests/packetdrill/world.h"

enum psock_state { PSOCK_NEW, PSOCK_LISTENING, PSOCK_CONNECTING, PSOCK_CONNECTED };

struct psock {
	struct list link; /* in struct psocks */
	struct world *world;
	struct tcp *tcp; /* never NULL */
	int fd;
	int domain;
	uint8_t state; /* enum psock_state */
	bool nonblocking;
	bool shut_read, shut_write;
	bool over;         /* TCP_EV_CLOSED was seen */
	int error;         /* positive errno, reported once, then 0 */
	bool cork_next;    /* the last send said MSG_MORE: it is as if corked until the next one */
	bool inq;          /* TCP_INQ */
	bool fastopen_set; /* TCP_FASTOPEN */
	bool tcp_keys_set; /* TCP_FASTOPEN_KEY */
	bool no_fastopen;  /* net.ipv4.tcp_fastopen says that clients may not */
	unsigned wakeups;  /* counts what would wake a sleeper: edges of epoll */
	uint32_t option_set; /* bit per enum ipc_option: the program said so itself */
	int64_t option[IPC_OPT_COUNT];
};

/* A new socket; the caller sets its fd. NULL: no memory. */
struct psock *psock_new(struct world *w);
void psock_free(struct psock *p);

/*
 * From world_settle: an event of one of our sockets, or of one that was not accepted yet (ignored).
 */
void psock_event(struct tcp *t, unsigned events, nsec now);

int psock_bind(struct psock *p, const struct sockaddr *addr, socklen_t len);
int psock_listen(struct psock *p, int backlog);
int psock_accept(struct psock *p, struct psock **out);
int psock_connect(struct psock *p, const struct sockaddr *addr, socklen_t len);

/* How the connect in progress stands: -EINPROGRESS, 0, or -errno (reported once). */
int psock_connect_result(struct psock *p);

/*
 * The first step of a send with MSG_FASTOPEN, or on a socket whose connect waits for data: 0: go on
 * with psock_send; -EINPROGRESS: the SYN has left with the first *copied bytes.
 */
int psock_fastopen(struct psock *p, const struct sockaddr *addr, socklen_t len,
	const struct iovec *iov, int n, size_t *copied);

/* Data for a connection that is being opened; it leaves once it is. How many bytes were taken. */
size_t psock_queue(struct psock *p, const struct iovec *iov, int n, size_t skip);

/* At least one byte or -EAGAIN; a blocking caller goes on until all is sent. */
ssize_t psock_send(struct psock *p, const struct iovec *iov, int n, int flags);
ssize_t psock_recv(struct psock *p, const struct iovec *iov, int n, int flags);

int psock_shutdown(struct psock *p, int how);
void psock_close(struct psock *p); /* frees p */

/* poll(2)'s revents, unmasked. */
unsigned psock_poll(const struct psock *p);

int psock_set_option(struct psock *p, int level, int name, const void *value, socklen_t len);
int psock_get_option(struct psock *p, int level, int name, void *value, socklen_t *len);

void psock_address(const struct endpoint *e, int domain, struct sockaddr *out, socklen_t *len);

#endif
