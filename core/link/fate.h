/*
 * What becomes of one frame under one rule. Nothing is left to chance: the draw is a hash of the
 * seed, the rule, the conversation's ordinal and direction, and which MTU-sized segment of it this
 * is; so the same spec and seed do the same to the same traffic, however its segments are bundled
 * into super-segments and however conversations interleave.
 */
#ifndef TEECEE_LINK_FATE_H
#define TEECEE_LINK_FATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/impairment.h"
#include "core/base/time.h"

struct fate_of {
	uint64_t seed;
	unsigned rule;
	uint32_t ordinal; /* of the conversation: the how-manieth of its kind since the spec came */
	bool out;
	bool bare;    /* of TCP, and carries nothing: counted apart */
	uint64_t nth; /* segment of this direction */
};

struct fate {
	bool lost, duplicate, corrupt, overtakes;
	uint32_t random; /* which bit, when corrupt */
	nsec delay;
};

/* `bad`: the state of gemodel's chain for this rule, conversation and direction; it moves on. */
struct fate fate_draw(const struct impair_rule *r, const struct fate_of *of, bool *bad);

/* The length of the nth slot of a rule. */
nsec fate_slot(const struct impair_rule *r, const struct fate_of *of);

#endif
