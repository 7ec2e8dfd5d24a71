/*
 * Points in time for a chart, at most so many: when there are too many, neighbours are merged into
 * one that keeps the least and the greatest of both, twice as far apart each time. So what a chart
 * draws of a bucket is its true range, and a file of a gigabyte makes a page of a megabyte.
 */
#ifndef TEECEE_REPORT_SERIES_H
#define TEECEE_REPORT_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/time.h"

/* What happened from t0 to t1. A kind of series uses some of the others. */
struct point {
	nsec t0, t1;
	int64_t a, b;   /* at t0 and at t1 */
	int64_t lo, hi; /* in between */
	uint32_t n;     /* how many were merged */
};

struct series {
	struct point *p;
	size_t n, room;
	nsec width;      /* of a bucket; 0: every point is its own */
	bool joins_only; /* only what continues the last point is merged with it: b is the next a */
	bool full;       /* some are missing for want of memory */
};

/* Behind the others, in order of t0; no more than `max` are kept, or twice as many if joins_only. */
void series_add(struct series *s, const struct point *p, size_t max);

void series_shrink(struct series *s, size_t max);
void series_free(struct series *s);

#endif
