/*
 * What this process believes about each of its fds, without asking the kernel.
 *
 * A hint can be stale at any time: fclose, close_range, the resolver and children of vfork close
 * and replace fds without our knowledge. So no hint is ever acted upon before hint_holds() has
 * compared the fd's SO_COOKIE with the hint's; and an fd without a hint (after exec, or received by
 * SCM_RIGHTS) still works, it only lacks the finer points. That is also why close() does not have
 * to touch them.
 *
 * Readers take no lock. Entries live in chunks that are never freed.
 */
#ifndef TEECEE_PRELOAD_HINT_H
#define TEECEE_PRELOAD_HINT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ipc/table.h"

enum hint_kind {
	HINT_NONE,
	HINT_FRESH, /* socket() only */
	HINT_BOUND, /* bind() done */
	HINT_LISTENING,
	HINT_CONNECTING, /* connect() was called and has not yet told the outcome */
	HINT_FAILED,     /* connect() has told its failure: the next one starts over */
	HINT_OPEN,       /* connected, by us or accepted */
	/* a datagram socket, in whatever state; `lowered`: it has sent something */
	HINT_DGRAM,
};

struct hint {
	enum hint_kind kind;
	bool lowered;  /* the real SO_SNDBUF is still at its minimum */
	bool v6;       /* DGRAM: an AF_INET6 socket */
	bool told;     /* what ended the connection has been told, though the real socket still lives */
	bool lingers;  /* SO_LINGER with a time: close() has to wait */
	uint8_t table; /* index for table_at() */
	uint64_t cookie;
};

struct hint hint_get(int fd);
void hint_set(int fd, struct hint h);
void hint_clear(int fd);

/*
 * `fd` was duplicated as `to` (-1: it was not): both are the same socket. Returns `to`; errno is
 * kept.
 */
int hint_duplicated(int fd, int to);

/* `fd`, whose hint is FRESH, is about to be closed: its record goes with it. */
void hint_closed_fresh(int fd, const struct hint *h);

/* Whether the fd still is the socket that the hint is about; a stale hint is cleared. */
bool hint_holds(int fd, const struct hint *h);

/* The slot of the hint's socket as far as it can be found by looking at memory only; or NULL. */
const struct ipc_slot *hint_slot(const struct hint *h);

#endif
