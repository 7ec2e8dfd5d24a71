/*
 * Whether the machine is crowded: more threads run, or want to, than it has CPUs. The kernel counts them in
 * /proc/loadavg; to ask takes 1 to 2 µs.
 */
#ifndef TEECEE_ENGINE_CROWD_H
#define TEECEE_ENGINE_CROWD_H

#include <stdbool.h>

struct crowd {
	int fd; /* of /proc/loadavg; -1: nobody tells */
	unsigned ncpus;
};

void crowd_open(struct crowd *c);
void crowd_close(struct crowd *c);

/* Whether it is now; false when nobody tells. */
bool crowd_is(const struct crowd *c);

#endif
