/*
 * The engine's end of a datagram socket: a sock in ST_DGRAM (sock.h) whose handle of the stack is a
 * struct dgram. It has no residual byte and no way to fail: it lives until its program closes.
 */
#ifndef TEECEE_ENGINE_DGRAM_H
#define TEECEE_ENGINE_DGRAM_H

#include "core/engine/sock.h"
#include "core/ipc/dgram.h"

enum {
	DGRAM_PER_TURN = 64, /* messages of one program before others get their turn */
	DGRAM_MESSAGE_MAX = sizeof(struct ipc_dgram) + IPC_DGRAM_DATA_MAX,
};

/* Acts on s->events: messages of the program, room in its socket, its end. */
void dgram_serve(struct engine *e, struct sock *s, uint32_t events);

/* Acts on the stack's events of every datagram socket; whether there was one. */
bool dgram_run_events(struct engine *e);

/* stack_ops.deliver_dgram, with the engine as ctx. */
bool dgram_hand_over(void *ctx, struct dgram *d, void *user, const struct dgram_in *in);

/* Those that met a full link are served again. */
void dgram_retry(struct engine *e);

/* The sock ends: what it has of ours. */
void dgram_drop(struct engine *e, struct sock *s);

/* The slot's part that is a datagram socket's. */
void dgram_fill(const struct sock *s, struct ipc_sock_info *info);

/* An option of the program to its slot and to the stack. */
void dgram_option_apply(struct engine *e, struct sock *s, unsigned option, int64_t value);

#endif
