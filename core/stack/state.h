/*
 * The whole state of a stack, for its own files only: one struct per part, each part's functions
 * touch their own.
 */
#ifndef TEECEE_STACK_STATE_H
#define TEECEE_STACK_STATE_H

#include "core/base/list.h"
#include "core/stack/acd.h"
#include "core/stack/counters.h"
#include "core/stack/dgram_state.h"
#include "core/stack/gro.h"
#include "core/stack/hash.h"
#include "core/stack/icmp.h"
#include "core/stack/igmp.h"
#include "core/stack/ip.h"
#include "core/stack/limits.h"
#include "core/stack/loop.h"
#include "core/stack/neigh.h"
#include "core/stack/reasm.h"
#include "core/stack/stack.h"
#include "core/stack/tcp_table.h"
#include "core/stack/timer.h"

struct stack {
	struct stack_config config;
	struct stack_ops ops;
	void *ctx;

	struct ipnet address;
	struct ipaddr gateway;

	struct timers timers;
	struct counters counters;
	uint64_t random_counter;
	/* bytes in buffers and queues: every allocation that a packet or a program's data causes */
	size_t memory;

	struct timer link_busy; /* armed when the link refused a frame: poll again then */

	struct acd acd;
	struct neigh_table neigh;
	struct reasm_table reasm;
	struct ip_state ip;
	struct loop loop;
	struct icmp_state icmp;
	struct tcp_table tcp;
	struct gro *gro;
	struct igmp_state igmp;
	struct dgram_table dgram;
};

/*
 * Hands a frame to the owner: 0 or emit's error. After -EAGAIN the stack asks to be polled again
 * soon.
 */
int stack_emit(struct stack *s, const struct tx_frame *f, nsec now);

#define COUNT(s, name) ((s)->counters.v[CNT_##name]++)
#define COUNT_N(s, name, n) ((s)->counters.v[CNT_##name] += (n))

#endif
