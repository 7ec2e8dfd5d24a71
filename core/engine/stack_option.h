/*
 * A program's socket option as the stack's.
 */
#ifndef TEECEE_ENGINE_STACK_OPTION_H
#define TEECEE_ENGINE_STACK_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ipc/option.h"
#include "core/stack/tcp.h"

/* False: the stack has no such option. */
bool stack_option(enum ipc_option o, int64_t value, enum tcp_option *option, int64_t *translated);

#endif
