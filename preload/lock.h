/*
 * The one lock of the shim, for changes of the control channel and of the list of tables, and for
 * the errors kept for datagram sockets. Signals are blocked while it is held, because a handler may
 * call connect() too; nothing that waits, is a cancellation point or allocates happens inside. A
 * fork waits for it, and the child finds it free. Taking and giving it are two system calls, so
 * what every connection does is made without.
 */
#ifndef TEECEE_PRELOAD_LOCK_H
#define TEECEE_PRELOAD_LOCK_H

#include <signal.h>

void lock_take(sigset_t *saved);
void lock_give(const sigset_t *saved);

/*
 * Registers the fork handlers; once, from the constructor. `in_child` runs there with the lock
 * held.
 */
void lock_init(void (*in_child)(void));

#endif
