/*
 * Another socket under the same number: a kernel's, for destinations that are left to it, or a new
 * one of ours, because an AF_UNIX socket cannot be connected a second time.
 */
#ifndef TEECEE_PRELOAD_SWAP_H
#define TEECEE_PRELOAD_SWAP_H

#include "preload/identity.h"

/*
 * `with` becomes `fd`, and has what is `fd`'s: O_NONBLOCK, close-on-exec, time limits, epoll
 * registrations. -errno leaves everything as it was, but `with` is closed.
 */
int swap_in(int with, int fd);

/* Options, O_NONBLOCK, close-on-exec, time limits and epoll registrations are kept. 0 or -errno. */
int swap_to_kernel(const struct shim_sock *s);

/* The same; `s` then describes the new socket, which is fresh. */
int swap_to_fresh(struct shim_sock *s);

#endif
