/*
 * What may be done to a network, as values: the shim and the command read them from text
 * (core/ipc/impair_spec.h), the link carries them out (core/link/impair.h). teecee-impair(5) says
 * what each means.
 *
 * A frame is impaired by the first rule that matches it and impairs; a connection gets the faults
 * of the first rule that matches its first frame and has some.
 */
#ifndef TEECEE_BASE_IMPAIRMENT_H
#define TEECEE_BASE_IMPAIRMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/time.h"

enum {
	IMPAIR_RULES_MAX = 16,
	IMPAIR_MATCH_LEN = 128,
	IMPAIR_LIMIT_DEFAULT = 10000, /* netem's 1,000 lose packets at 1 Gbit/s and 20 ms */
	PROBABILITY_ONE = 1000000000, /* probabilities count parts per billion */
};

enum impair_direction { IMPAIR_BOTH, IMPAIR_IN, IMPAIR_OUT };
enum impair_distribution { IMPAIR_UNIFORM, IMPAIR_NORMAL, IMPAIR_PARETO };

/* When a fault of a connection begins. */
struct fault_start {
	bool set, by_time;
	uint64_t bytes; /* of payload in the rule's direction; else */
	nsec after;     /* the connection's first frame */
	nsec lasts;     /* 0: for good */
};

struct impair_rule {
	enum impair_direction direction;
	char match[IMPAIR_MATCH_LEN]; /* pcap syntax; "": everything */

	/* Of frames. */
	nsec delay, jitter;
	enum impair_distribution distribution;
	uint32_t loss, duplicate, reorder, corrupt;
	bool bursts;                      /* gemodel: */
	uint32_t p, r;                    /* good to bad, bad to good */
	uint32_t loss_in_bad, loss_in_good;
	uint64_t rate;                    /* bit/s; 0: no limit */
	unsigned limit;                   /* frames held at a time */
	nsec slot_min, slot_max;          /* 0: no slots */

	/* Of connections. */
	struct fault_start reset, blackhole, window_zero;
	unsigned syn_drop;
	unsigned mtu;
	uint8_t unreachable;    /* 1 + the ICMP code; 0: off */
	uint64_t slow_read;     /* bytes per second; 0: off */
	nsec accept_delay;
	unsigned truncate_udp;  /* payload bytes that are left; 0: off */
};

struct impairment {
	unsigned n;
	struct impair_rule rule[IMPAIR_RULES_MAX];
};

static inline bool impair_rule_is_of_frames(const struct impair_rule *r)
{
	return r->delay || r->jitter || r->loss || r->duplicate || r->reorder || r->corrupt ||
	       r->bursts || r->rate || r->slot_max || r->truncate_udp;
}

static inline bool impair_rule_is_of_connections(const struct impair_rule *r)
{
	return r->reset.set || r->blackhole.set || r->window_zero.set || r->syn_drop || r->mtu ||
	       r->unreachable || r->slow_read || r->accept_delay;
}

#endif
