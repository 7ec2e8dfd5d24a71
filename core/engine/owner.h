/*
 * Whose conversation a frame belongs to: which process made the socket. Remembered beyond the
 * socket's end, for the frames that follow it, until the place is needed.
 */
#ifndef TEECEE_ENGINE_OWNER_H
#define TEECEE_ENGINE_OWNER_H

#include <sys/types.h>

#include "core/link/flow.h"

enum { OWNERS = 4096, OWNER_NAME_LEN = 16 };

struct owner {
	struct flow_key key;
	pid_t pid; /* 0: none */
	char name[OWNER_NAME_LEN];
};

struct owners {
	struct owner slot[OWNERS];
};

/* `named`: its name is asked of /proc, which costs 10 µs. */
void owner_add(struct owners *o, const struct flow_key *key, pid_t pid, bool named);
const struct owner *owner_find(const struct owners *o, const struct flow_key *key); /* or NULL */

#endif
