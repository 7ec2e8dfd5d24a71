/*
 * Names: each question of a program (core/ipc/lookup.h) is one lookup with a c-ares channel of its own,
 * whose sockets are the stack's, so DNS leaves from our address; each has its own random port
 * (RFC 5452). Only the servers that the question marks (those on the host's loopback) are asked over
 * the host's kernel.
 */
#ifndef TEECEE_ENGINE_RESOLVER_H
#define TEECEE_ENGINE_RESOLVER_H

#include "core/base/time.h"
#include "core/engine/engine.h"

/* Takes `fd`, the pair's end that came with an IPC_LOOKUP; the question waits in it. */
void resolver_ask(struct engine *e, int fd);

/* What came for lookups; whether anything did. */
bool resolver_run_events(struct engine *e);

/* Once per turn: timeouts, and the end of those that are done. When it must run next. */
void resolver_turn(struct engine *e);
nsec resolver_deadline(const struct engine *e);

/* Every lookup ends without an answer. */
void resolver_close(struct engine *e);

#endif
