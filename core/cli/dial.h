/*
 * The command as a client of engines: found by their abstract names, greeted, asked.
 */
#ifndef TEECEE_CLI_DIAL_H
#define TEECEE_CLI_DIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/ipc/proto.h"

/*
 * A greeted control channel to the engine of these settings (for which nothing in particular is
 * asked), with a time limit on answers; or -errno, -ECONNREFUSED when there is none. Somebody
 * else's engine is none.
 */
int dial(const struct settings *s);

/* An ATTACH that needs no fd: 0 or -errno, with the engine's words in r->text. */
int dial_attach(int fd, const struct ipc_attach *m, struct ipc_result *r);

/*
 * Ends the engine of these settings and waits for that: its files are written, its address is free.
 * 0, -ECONNREFUSED when there is none, -ETIMEDOUT, or another -errno.
 */
int dial_stop(const struct settings *s);

/* The engines of this network namespace that are ours: calls `fn` for each; their number. */
unsigned dial_each(void (*fn)(int fd, const struct settings *s, void *ctx), void *ctx);

/* A snapshot, mapped; all pointers are into it. */
struct snapshot {
	const struct ipc_snapshot *head;
	const struct ipc_snap_sock *sock;
	const struct ipc_snap_counter *counter;
	void *map;
	size_t size;
};

int dial_snapshot(int fd, struct snapshot *out); /* 0 or -errno */
void snapshot_close(struct snapshot *s);

#endif
