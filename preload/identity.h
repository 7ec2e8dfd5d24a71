/*
 * Is this fd ours, and what does everybody know about it? Asked by control calls; it costs one
 * system call for a foreign fd and for one of ours whose hint is good, two or three for others.
 */
#ifndef TEECEE_PRELOAD_IDENTITY_H
#define TEECEE_PRELOAD_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/ipc/proto.h"
#include "core/ipc/table.h"
#include "preload/fresh.h"

enum sock_kind {
	SHIM_FRESH,   /* has not met the engine: `fresh` is valid */
	SHIM_ENGAGED, /* connected to the engine's data name */
};

struct shim_sock {
	int fd;
	enum sock_kind kind;
	uint64_t cookie;
	uint16_t family; /* AF_INET or AF_INET6 */
	struct fresh fresh;
	int instance; /* ENGAGED: index of the engine, -1: not reachable */
	bool dgram;   /* ENGAGED: a datagram socket, everything about it is in dgram.h */
	char id[IPC_INSTANCE_LEN]; /* ENGAGED: of the engine */
	bool known;   /* ENGAGED: `info` is valid */
	struct ipc_sock_info info;
};

/*
 * Linux's numbers in ipc_sock_info.tcp_state (netinet/tcp.h names them, but so does the stack's
 * enum).
 */
enum {
	STATE_ESTABLISHED = 1,
	STATE_SYN_SENT = 2,
	STATE_SYN_RECEIVED = 3,
	STATE_CLOSED = 7,
	STATE_LISTEN = 10,
};

/*
 * False: not ours, or not an fd. errno is kept. An engine that this process has not greeted yet is
 * greeted if it runs; none is started.
 */
bool shim_identify(int fd, struct shim_sock *out);

/* A datagram socket whose hint has just been found to hold: no system call. */
void shim_from_hint(int fd, struct shim_sock *out);

/*
 * Reads the table again; until it shows what became of a connect (the engine may not have got to the
 * request), at most a second.
 */
void shim_refresh(struct shim_sock *s);
void shim_await_connect(struct shim_sock *s);

/* The current value of an option, of either kind of socket. */
int64_t shim_option(const struct shim_sock *s, enum ipc_option o);

bool shim_is_nonblocking(int fd);

#endif
