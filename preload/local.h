/*
 * Who serves the loopback addresses: this stack, or the host's kernel (TEECEE_LOOPBACK, DESIGN:
 * 127.0.0.0/8 and ::1).
 */
#ifndef TEECEE_PRELOAD_LOCAL_H
#define TEECEE_PRELOAD_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"

/*
 * Where a connect to "any" goes: to the loopback address of the same kind. Others are returned as
 * they are.
 */
struct endpoint local_target(uint16_t family, const struct endpoint *remote);

/*
 * Whether a connection to this address is left to the kernel: it is in TEECEE_BYPASS; or it is a
 * loopback address, and TEECEE_LOOPBACK is host, or auto while nobody in this stack listens at its
 * port.
 */
bool local_connect_is_kernels(const struct endpoint *remote);

/* Whether a socket bound to this address is left to the kernel. */
bool local_bind_is_kernels(const struct ipaddr *a);

#endif
