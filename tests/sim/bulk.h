/*
 * Timed bulk flows over one simulated wire, from side 0 to side 1: what a controller makes of a
 * bottleneck.
 */
#ifndef TEECEE_TESTS_SIM_BULK_H
#define TEECEE_TESTS_SIM_BULK_H

#include "tests/sim/sim.h"

enum { BULK_FLOWS_MAX = 8 };

struct bulk_flow {
	const char *congestion;
	nsec start;        /* after the beginning */
	uint64_t received; /* bytes, when the time was over */
	struct tcp *from, *to;
	struct endpoint local; /* of `from`, to tell flows apart */
};

struct bulk {
	unsigned nflows;
	struct bulk_flow flow[BULK_FLOWS_MAX];
	nsec warmup;   /* bytes received before it do not count */
	nsec duration; /* from warmup on */
};

/*
 * Runs all flows for warmup + duration of virtual time; the programs read and write as fast as they
 * can.
 */
void bulk_run(struct sim *s, struct bulk *b);

/* bit/s of one flow during `duration`. */
double bulk_goodput(const struct bulk *b, unsigned flow);

/* Jain's fairness index over all flows: 1 is fair. */
double bulk_fairness(const struct bulk *b);

#endif
