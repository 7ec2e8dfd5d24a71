/*
 * close() of a connection with SO_LINGER and a time: it returns when the peer has acknowledged
 * everything or the time is over.
 */
#ifndef TEECEE_PRELOAD_LINGER_H
#define TEECEE_PRELOAD_LINGER_H

#include "preload/hint.h"

/*
 * What close(2) returns, -1 and errno included. `h` is the fd's hint, which says that it lingers.
 */
int linger_close(int fd, const struct hint *h);

#endif
