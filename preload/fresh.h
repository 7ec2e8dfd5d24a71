/*
 * Sockets that have not met the engine yet: made by socket(), nothing but a family and some
 * options. They are unconnected AF_UNIX sockets, which say nothing about themselves, so this
 * process remembers them by SO_COOKIE. The record goes when the socket is bound, connected or
 * closed; one that was closed behind our back goes when the pool would have to grow.
 */
#ifndef TEECEE_PRELOAD_FRESH_H
#define TEECEE_PRELOAD_FRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ipc/option.h"

struct fresh {
	uint64_t cookie;     /* 0: an empty place */
	int fd;              /* where it was made */
	uint16_t family;     /* AF_INET or AF_INET6 */
	bool duplicated;     /* dup was seen: `fd` may be closed while the socket lives */
	uint32_t option_set; /* bit per enum ipc_option */
	int64_t option[IPC_OPT_COUNT];
};

/* A record with nothing but initial options. */
struct fresh fresh_initial(int fd, uint64_t cookie, uint16_t family);

/* 0 or -ENOMEM. */
int fresh_add(const struct fresh *f);

/* False: none, and `out` is as it was. */
bool fresh_get(uint64_t cookie, struct fresh *out);
void fresh_set_option(uint64_t cookie, enum ipc_option o, int64_t value);
void fresh_set_duplicated(uint64_t cookie);
void fresh_drop(uint64_t cookie);

/* The close of `fd`: drops the record unless a duplicate may live. */
void fresh_closed(uint64_t cookie);

/* Whether there is any at all: costs one load. */
bool fresh_any(void);

#endif
