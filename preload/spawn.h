/*
 * Starting the engine so that the program cannot tell: see spawn.c.
 */
#ifndef TEECEE_PRELOAD_SPAWN_H
#define TEECEE_PRELOAD_SPAWN_H

#include "core/ipc/proto.h"

/*
 * Runs `path` with the environment `env` and waits for its first line, at most ten seconds. 0:
 * somebody listens, or will in an instant, and `text` has a note for the person or is ""; else a
 * positive errno with one line in `text`.
 */
int spawn_engine(const char *path, char *const env[], char text[static IPC_TEXT_LEN]);

#endif
