/*
 * TCP_CORK, TCP_NODELAY and MSG_MORE, by the word that each socket shares with its engine
 * (core/ipc/cork.h). On the data path only the flag costs a system call, and the end of a cork that
 * the engine has seen.
 */
#ifndef TEECEE_PRELOAD_CORK_H
#define TEECEE_PRELOAD_CORK_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/hint.h"
#include "preload/identity.h"

/* Before a send-like call with these flags (send(2)), and after it has sent something. errno is kept. */
void cork_before_send(int fd, struct hint h, int flags);
void cork_after_send(int fd, int flags);

/* Whether the option is one of those. */
bool cork_has(enum ipc_option o);

/* setsockopt of one of them, of a socket that its engine knows: 0 or -errno. */
int cork_set(struct shim_sock *s, enum ipc_option o, bool on);

/* getsockopt; `otherwise`: what it is if the word is not there yet. */
int64_t cork_is_on(const struct shim_sock *s, enum ipc_option o, int64_t otherwise);

#endif
