/*
 * Large writes on a stream socket go into memory that this process shares with its engine
 * (core/ipc/lend.h). With enough of it on the way they wait, or say EAGAIN, as with a full socket; what
 * cannot be lent goes into the socket.
 *
 * Only write, send and sendto know of it: where the bytes of a vector are, and how many, is in the
 * program's memory, and to look there as safely as the kernel does would be another system call for
 * every small one, which a sandbox may forbid.
 */
#ifndef TEECEE_PRELOAD_LEND_H
#define TEECEE_PRELOAD_LEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/ipc/cork.h"
#include "core/ipc/lend.h"
#include "core/ipc/proto.h"
#include "preload/hint.h"

/* The pool that came with a WELCOME, or NULL; the fd stays the caller's. And one that is not used. */
struct ipc_lend *lend_map(int fd);
void lend_unmap(struct ipc_lend *pool);

/* From now on this one is used, for sockets of the engine `id`; NULL: none. The lock is held. */
void lend_use(struct ipc_lend *pool, const char id[static IPC_INSTANCE_LEN]);

/*
 * Instead of a send-like call with `flags` (send(2)), after io_before_send: true and what the program
 * gets, errno kept; false: the call is to be made as it is, as always in a confined process.
 */
bool lend_send(int fd, const void *data, size_t n, int flags, ssize_t *result);

/* The real socket of the hint, whose word says LOW, gets its SO_SNDBUF back; errno is kept. */
void lend_raise(int fd, const struct hint *h, ipc_cork_word *word);

/* Bytes of a socket that are on their way to the engine in such memory. */
size_t lend_unsent(uint64_t cookie);

#endif
