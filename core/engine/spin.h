/*
 * Adaptive busy polling: whether the engine looks a little longer before it sleeps. A wake-up costs
 * more than a round trip's work (an idle core must be woken, 5 to 50 µs); spinning costs a core.
 *
 * It spins only while that pays: two waits in a row that ended within `max` turn it on, one spin
 * that found nothing turns it off. It never spins on a machine with one CPU, and when a turn of
 * the spin took much longer than a system call, somebody else wanted the CPU (or the hypervisor
 * did): then it lets be for a time that doubles from 1 ms to 1 s. Between two looks it offers the CPU
 * (sched_yield) to whoever waits for it.
 *
 * An idle engine waits long, so it does not spin: it uses no CPU.
 */
#ifndef TEECEE_ENGINE_SPIN_H
#define TEECEE_ENGINE_SPIN_H

#include <stdbool.h>

#include "core/base/time.h"

struct spin {
	nsec max;      /* the longest spin; 0: never */
	unsigned paid; /* waits in a row that a spin would have met, or has */
	nsec back_off, quiet_until;
	nsec last;     /* previous look of this spin */
};

/* `max`: as TEECEE_BUSY_POLL says; `ncpus`: that we may run on. */
void spin_init(struct spin *s, nsec max, unsigned ncpus);

/* Until when to spin, for somebody who may sleep until `deadline`; `now` or earlier: not at all. */
nsec spin_until(struct spin *s, nsec now, nsec deadline);

/* A look that found nothing at `now`; false: no more of them. */
bool spin_goes_on(struct spin *s, nsec now);

/* The wait that began at `began`, spinning and sleeping, has ended. */
void spin_ended(struct spin *s, nsec began, nsec now);

#endif
