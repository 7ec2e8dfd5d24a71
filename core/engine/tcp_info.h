/*
 * What a program asks with TCP_INFO, in the kernel's struct and the kernel's units.
 */
#ifndef TEECEE_ENGINE_TCP_INFO_H
#define TEECEE_ENGINE_TCP_INFO_H

#include <linux/tcp.h>
#include <stdint.h>

#include "core/base/time.h"
#include "core/stack/tcp.h"

/* The kernel's number of a state. */
uint8_t tcp_info_state(enum tcp_state state);

void tcp_info_fill(struct tcp_info *i, const struct tcp_stats *s, nsec now);

#endif
