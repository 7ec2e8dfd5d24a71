/*
 * What programs asked to be done to the wire besides using it: captures, traces, impairment
 * (IPC_ATTACH). All of it concerns every frame of the engine, whoever asked for it.
 *
 * LIFE. A file is known by its inode: processes that name the same one share a capture, and rules
 * that read the same are the same rules. When the last process that asked for it has gone, it stays
 * until the connections are over too, or LINGER has passed; a trace on somebody's stderr ends at
 * once, for the person's pipe must end with the program.
 */
#ifndef TEECEE_ENGINE_WATCH_H
#define TEECEE_ENGINE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/list.h"
#include "core/base/time.h"
#include "core/ipc/proto.h"
#include "core/link/capfile.h"

struct endpoint;
struct engine;
struct flow_key;
struct owner;
struct sock;
struct tcp;
struct watch;

/* A client's part, embedded in it. */
struct client_watch {
	struct list link;
	bool known;       /* in the engine's list: has asked for something */
	int errors;       /* its stderr, or -1 */
	uint32_t sinks;   /* bit per sink that it holds */
	bool impairs;     /* holds the rules */
	unsigned nfiles;  /* of a capture that is not complete yet */
	int file[CAPFILE_FILES_MAX];
};

/* Of the engine; NULL: no memory. */
struct watch *watch_open(void);
/* Ends the rules: what is sent at the very end is not for them. */
void watch_mend(struct engine *e);

void watch_close(struct engine *e);

void watch_client_init(struct client_watch *c);

/* An ATTACH; `fd` (or -1) is taken. The answer goes into *r. */
void watch_attach(struct engine *e, struct client_watch *c, const struct ipc_attach *m, int fd,
	struct ipc_result *r);

/* The client is gone. */
void watch_leave(struct engine *e, struct client_watch *c);

/* Remembers whose connection this is. */
void watch_owner(struct engine *e, const struct sock *s);
/* And whose a datagram is, which may leave only when its socket is gone (ARP). */
void watch_datagram(struct engine *e, const struct endpoint *local, const struct endpoint *remote);
const struct owner *watch_owner_of(struct engine *e, const struct flow_key *key); /* or NULL */

/* host_ops.trace_state, with the engine as its context: a line in every trace. */
void watch_state(void *ctx, const struct tcp *t, int from, int to, nsec now);

/* Once per turn: lets go of what nobody holds. When to do so next. */
void watch_turn(struct engine *e);
nsec watch_deadline(const struct engine *e);

struct watch_stats {
	uint64_t captured, capture_lost, traced, trace_lost;
};

void watch_stats(const struct engine *e, struct watch_stats *out);

#endif
