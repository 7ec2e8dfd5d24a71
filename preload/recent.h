/*
 * The options that this process has sent lately. The engine is not asked whether it has dealt with
 * them, so a getsockopt right after setsockopt must find the value here, not the old one in the
 * table.
 */
#ifndef TEECEE_PRELOAD_RECENT_H
#define TEECEE_PRELOAD_RECENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ipc/option.h"

void recent_note(uint64_t cookie, enum ipc_option o, int64_t value);

/* True and the value, if it was noted and not yet pushed out by others. */
bool recent_find(uint64_t cookie, enum ipc_option o, int64_t *value);

/* The table shows it now. */
void recent_forget(uint64_t cookie, enum ipc_option o);

#endif
