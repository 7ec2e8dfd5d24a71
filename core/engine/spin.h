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
 * IN A CROWD (crowd.h) it looks for SPIN_CROWDED only. Whoever waits for a CPU then waits for another than
 * ours, so the yield is of no use to them, and as long as we spin ours is not idle, where the kernel would put
 * whom we wake. It is asked every SPIN_ASKS while spinning pays, and believed by the average of the last
 * answers: three processes that take turns are three for a moment.
 *
 * An idle engine waits long, so it does not spin: it uses no CPU.
 */
#ifndef TEECEE_ENGINE_SPIN_H
#define TEECEE_ENGINE_SPIN_H

#include <stdbool.h>

#include "core/base/time.h"

#define SPIN_CROWDED (5 * USEC)
#define SPIN_ASKS (500 * USEC)

struct spin {
	nsec max;      /* the longest spin; 0: never */
	unsigned paid; /* waits in a row that a spin would have met, or has */
	nsec back_off, quiet_until;
	nsec last;      /* previous look of this spin */
	nsec asked_at;  /* whether it is crowded */
	unsigned crowd; /* the answers' moving average, in 256ths */
};

/* `max`: as TEECEE_BUSY_POLL says; `ncpus`: that we may run on. */
void spin_init(struct spin *s, nsec max, unsigned ncpus);

/* Until when to spin, for somebody who may sleep until `deadline`; `now` or earlier: not at all. */
nsec spin_until(struct spin *s, nsec now, nsec deadline);

/* Before a spin: whether it is time to ask whether the machine is crowded, and the answer. */
bool spin_asks(struct spin *s, nsec now);
void spin_answer(struct spin *s, bool crowded);

/* A look that found nothing at `now`; false: no more of them. */
bool spin_goes_on(struct spin *s, nsec now);

/* The wait that began at `began`, spinning and sleeping, has ended. */
void spin_ended(struct spin *s, nsec began, nsec now);

#endif
