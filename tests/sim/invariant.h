/*
 * What must hold for every connection after every event, whatever the network does.
 */
#ifndef TEECEE_TESTS_SIM_INVARIANT_H
#define TEECEE_TESTS_SIM_INVARIANT_H

#include "tests/sim/sim.h"

/* For struct sim's check: prints what is wrong, with the seed, and aborts. */
void invariant_check(struct sim *s, void *unused);

#endif
