/*
 * A link around a link that loses, delays, repeats and damages what passes, by rule and seed
 * (core/base/impairment.h, teecee-impair(5)). Without rules it costs one look at a flag.
 *
 * Super-segments pass whole when nothing has to be done to a part of them, otherwise they are cut
 * into what the wire carries, in both directions.
 */
#ifndef TEECEE_LINK_IMPAIR_H
#define TEECEE_LINK_IMPAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/impairment.h"
#include "core/link/filter.h"
#include "core/link/link.h"

/* Segments, not frames: a super-segment counts as what the wire carries. */
struct impair_stats {
	uint64_t seen;       /* by some rule */
	uint64_t lost;       /* by loss or gemodel */
	uint64_t over_limit; /* lost because the queue was full */
	uint64_t duplicated, corrupted, reordered, delayed, truncated;
	uint64_t faulted; /* dropped or changed by a scripted fault */
	uint64_t forged;  /* made by one */
};

/* Takes over `inner`, which is a capture (capture.h), also when it fails: NULL, no memory. */
struct link *impair_wrap(struct link *inner);

/*
 * From now on these rules, with nothing remembered of before; NULL: none. What is held back leaves
 * at once. 0, -ENOMEM, or -EINVAL with libpcap's word on a match.
 */
int impair_set(struct link *l, const struct impairment *spec, uint64_t seed, char error[static FILTER_ERROR_LEN]);

void impair_stats(const struct link *l, struct impair_stats *out);

#endif
