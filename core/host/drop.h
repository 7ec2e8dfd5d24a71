/*
 * Why the stack dropped a frame: told by which of its counters has moved.
 */
#ifndef TEECEE_HOST_DROP_H
#define TEECEE_HOST_DROP_H

#include "core/stack/counters.h"

/* "dropped: TcpInCsumErrors"; NULL: no counter of a drop differs. */
const char *drop_reason(const struct counters *before, const struct counters *after);

#endif
