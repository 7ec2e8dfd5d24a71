/*
 * The data path. On an established connection each of these makes exactly the program's own system
 * call: hints are read from memory, and only a hint that asks for more (an error in the table, a
 * socket that is not connected) is checked against the fd.
 *
 * Before a call: io_before_recv/send. After it: io_after_recv/send. They take and return what libc
 * functions do, -1 and errno.
 */
#ifndef TEECEE_PRELOAD_IO_H
#define TEECEE_PRELOAD_IO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* False: errno is set, the call must not be made. `flags` as in send(2). */
bool io_before_recv(int fd);
bool io_before_send(int fd, int flags);

/* Translate the error of a call that was made; a result that is none passes through. */
ssize_t io_after_recv(int fd, ssize_t result, int flags);
ssize_t io_after_send(int fd, ssize_t result, int flags);

/*
 * The kinds of recv that AF_UNIX does otherwise: MSG_ERRQUEUE, MSG_TRUNC. False: not these, or not
 * ours.
 */
bool io_odd_recv(int fd, size_t n, int flags, ssize_t *result);

/*
 * Whether we may look into the program's struct ourselves, before the kernel did: NULL and small
 * numbers, which no program can have mapped, are left to it. To ask for more would take another
 * system call.
 */
static inline bool io_may_look(const void *user)
{
	return (uintptr_t)user >= 65536;
}

/*
 * A connection of ours: recvfrom and recvmsg leave the address alone and say that its length is 0.
 */
bool io_gives_no_name(int fd);

/*
 * The same for one without a hint, after a successful call: an engine's name in place of the peer's
 * address.
 */
void io_hide_name(int fd, const struct sockaddr *name, socklen_t *len);

/*
 * sendto and sendmsg: whether the address must be left out, because TCP ignores it and AF_UNIX does
 * not.
 */
bool io_ignores_address(int fd, ssize_t result);

/*
 * MSG_FASTOPEN is a hidden connect. True: it was one, `result` is final unless it is 0 (then send).
 */
bool io_fast_open(int fd, const struct sockaddr *addr, socklen_t len, int flags, ssize_t *result);

#endif
