/*
 * MSG_MORE: a cork that the next call without it takes off. The engine is told by the control
 * channel, before the bytes that are to wait and after those that let them go; AF_UNIX itself
 * ignores the flag. Only who uses the flag pays for it.
 */
#ifndef TEECEE_PRELOAD_MORE_H
#define TEECEE_PRELOAD_MORE_H

#include "preload/hint.h"

/* Before and after a send-like call with these flags (send(2)). errno is kept. */
void more_before_send(int fd, struct hint h, int flags);
void more_after_send(int fd, int flags);

#endif
