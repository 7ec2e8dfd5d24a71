/*
 * An engine without a network: its stack is joined to a peer's stack by a wire of memory, time is a
 * variable, and programs are sockets in this process. engine_turns() runs everything until nothing
 * moves.
 *
 * A program's socket is connected by a child process that passes it back: the engine tells its own
 * connections by their pid, and the test is the engine's process.
 */
#ifndef TEECEE_TESTS_ENGINE_RIG_H
#define TEECEE_TESTS_ENGINE_RIG_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/engine/sock.h"

struct engine_rig {
	struct engine e;
	struct stack *peer;
	struct list to_engine, to_peer; /* frames on the wire */
	bool cut;                       /* the wire drops everything */
	unsigned resets;                /* RST segments from the engine's stack */
};

struct engine_rig *engine_rig_new(void);
void engine_rig_free(struct engine_rig *r);

/*
 * Runs engine, wire and peer until nothing moves any more; then time is `later` further, once more.
 */
void engine_turns(struct engine_rig *r, nsec later);

/* The peer's side: a listener on `port`, the connection it accepts, its bytes. */
struct tcp *peer_listen(struct engine_rig *r, uint16_t port);
/* The bytes that fitted, that were there. */
size_t peer_write(struct engine_rig *r, struct tcp *t, const void *data, size_t len);
size_t peer_read(struct engine_rig *r, struct tcp *t, void *data, size_t len);

/* The program's side. */
int program_socket(struct engine_rig *r);
void program_request(int fd, enum ipc_op op, uint16_t port); /* CONNECT to the peer, BIND, LISTEN */
void program_option(int fd, enum ipc_option option, int64_t value); /* for the next request */
int program_accept(int listener, struct ipc_accepted *got);         /* the fd, or -1: none waits */
int program_reply(int fd);                                          /* its errno */
int program_poll(int fd);
struct ipc_sock_info program_table(struct engine_rig *r, int fd);

/* A connection through the rig: the program's fd; the peer's handle in *t. */
int program_connected(struct engine_rig *r, struct tcp **t);

#endif
