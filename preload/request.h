/*
 * Requests on a data socket: how a program's socket meets the engine.
 */
#ifndef TEECEE_PRELOAD_REQUEST_H
#define TEECEE_PRELOAD_REQUEST_H

#include "core/ipc/proto.h"
#include "preload/identity.h"

/*
 * Connects a fresh socket to the engine (started if need be), or uses the connection of an engaged
 * one, and sends the request. `s` is engaged afterwards. 0, -EISCONN (another process was faster),
 * or -errno.
 */
int request_send(struct shim_sock *s, enum ipc_op op, const struct endpoint *addr, int backlog);

/* The engine's answer to BIND and LISTEN: 0 or the error, as -errno. */
int request_reply(const struct shim_sock *s);

/*
 * SO_SNDBUF of the real socket: at its least, the unread request keeps POLLOUT away; as it should
 * be once the connection is established.
 */
void request_lower(int fd);
void request_raise(int fd);

/* It is full with the `queued` bytes of SIOCOUTQ, at 4608 or more; and not any more with a quarter of them. */
void request_fill(int fd, int queued);

#endif
