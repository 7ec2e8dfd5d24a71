/*
 * The conversation as it happens: a watcher (capture.h) that writes one aligned line per segment.
 *
 *	0.000000  curl[4711]  10.77.0.129:40812 > 10.77.0.2:80  S     0:0  win 64240  mss 1460
 *
 * and one per change of a connection's state, with the reason when it ends in error:
 *
 *	0.000211  curl[4711]  10.77.0.129:40812 = 10.77.0.2:80  SYN-SENT -> ESTABLISHED
 *
 * It never blocks: lines that the reader is too slow for are counted, and said so in the next.
 */
#ifndef TEECEE_ENGINE_TRACE_H
#define TEECEE_ENGINE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/time.h"

struct engine;
struct tcp;
struct watcher;

/* Takes fd; NULL: no memory, fd is closed. */
struct watcher *trace_open(struct engine *e, int fd, bool colour);
void trace_close(struct watcher *w);

/* A connection goes from one state to another (enum tcp_state). */
void trace_state(struct watcher *w, const struct tcp *t, int from, int to, nsec now);

/* Adds to both: lines written, and lost. */
void trace_stats(const struct watcher *w, uint64_t *written, uint64_t *lost);

/* Whether a line can be written without waiting. */
bool trace_can_write(int fd);

#endif
