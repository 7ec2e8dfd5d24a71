/*
 * The engines that this process has met, each with its table mapped read-only. One is current: the
 * one whose control channel was opened last. Tables of engines that are gone stay readable (they
 * say how the old connections ended) until the place is needed: a long-lived program meets a new
 * engine whenever it was idle.
 */
#ifndef TEECEE_PRELOAD_INSTANCE_H
#define TEECEE_PRELOAD_INSTANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ipc/proto.h"
#include "core/ipc/table.h"

enum { INSTANCE_MAX = 16 };

/*
 * Maps the table, of `size` bytes, and the cork words; its index from then on, or -errno. The fds
 * stay the caller's.
 */
int instance_add(const char id[static IPC_INSTANCE_LEN], const int fd[IPC_FDS_MAX], uint64_t size);

/* The index, or -1. */
int instance_find(const char id[static IPC_INSTANCE_LEN]);

/* Copies the engine's id; false: no such index. */
bool instance_id(unsigned index, char out[static IPC_INSTANCE_LEN]);

/* NULL: no such index. Never unmapped, at most replaced. */
const struct ipc_table *instance_table(unsigned index);

#endif
