/*
 * Timers: a hierarchical wheel, O(1) to arm and to cancel. Six levels of 64 slots over a tick of
 * 2^16 ns (65.5 µs) span 52 days; later deadlines wait in the last slot and are put back. A timer
 * fires at the first timers_run whose `now` has reached its deadline rounded up to a tick: never
 * early, at most a tick late.
 */
#ifndef TEECEE_STACK_TIMER_H
#define TEECEE_STACK_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/list.h"
#include "core/base/time.h"

enum { TIMER_LEVELS = 6, TIMER_SLOTS = 64, TIMER_TICK_SHIFT = 16 };

struct timer {
	struct list link;
	nsec deadline; /* meaningful while armed */
	uint8_t level, slot;
	bool armed;
	/* the timer is unarmed when it is called and may arm itself */
	void (*fire)(struct timer *t, nsec now);
};

struct timers {
	uint64_t tick; /* everything up to and including it has run */
	uint64_t occupied[TIMER_LEVELS];
	struct list slot[TIMER_LEVELS][TIMER_SLOTS];
};

void timers_init(struct timers *w, nsec now);
void timer_init(struct timer *t, void (*fire)(struct timer *, nsec));

/* Arms or moves a timer; a deadline in the past fires at the next run. NSEC_NEVER cancels. */
void timer_arm(struct timers *w, struct timer *t, nsec deadline);
void timer_cancel(struct timers *w, struct timer *t);

/* Fires everything that is due, in order of ticks. */
void timers_run(struct timers *w, nsec now);

/*
 * When timers_run must run next, at the latest the earliest deadline's tick; NSEC_NEVER: nothing
 * armed.
 */
nsec timers_next(const struct timers *w);

#endif
