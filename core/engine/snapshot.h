/*
 * What `teecee ss` and `teecee stat` show: every socket and every counter, at one moment, in a
 * memfd (struct ipc_snapshot).
 */
#ifndef TEECEE_ENGINE_SNAPSHOT_H
#define TEECEE_ENGINE_SNAPSHOT_H

struct engine;

/* The memfd, sealed, for the caller to close; or -errno. */
int snapshot_take(struct engine *e);

#endif
