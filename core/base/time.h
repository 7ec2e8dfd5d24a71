/*
 * Time: one type, one unit, one clock.
 *
 * An instant and a duration are both an nsec, a signed count of nanoseconds. Instants are read from
 * CLOCK_MONOTONIC in one place, the engine's loop (or from the simulator's virtual clock), and are
 * passed down from there as the last parameter, named `now`. Nothing below reads a clock.
 */
#ifndef TEECEE_BASE_TIME_H
#define TEECEE_BASE_TIME_H

#include <stdint.h>

typedef int64_t nsec;

#define USEC ((nsec)1000)
#define MSEC (1000 * USEC)
#define SEC (1000 * MSEC)

/* A deadline that never comes; later than every instant. */
#define NSEC_NEVER INT64_MAX

static inline nsec nsec_min(nsec a, nsec b)
{
	return a < b ? a : b;
}

static inline nsec nsec_max(nsec a, nsec b)
{
	return a > b ? a : b;
}

#endif
