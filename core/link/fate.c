#include "core/link/fate.h"

/* One independent number per purpose. */
enum purpose { LOSS, DUPLICATE, REORDER, CORRUPT, BIT, CHAIN, SLOT, JITTER };

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every input bit changes half of the output. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint64_t draw(const struct fate_of *of, unsigned purpose)
{
	uint64_t who = (uint64_t)of->ordinal << 32 | of->rule << 8 | of->bare << 1 | of->out;

	return mix(mix(mix(of->seed) ^ who) ^ mix(of->nth << 8 | purpose));
}

static bool happens(const struct fate_of *of, unsigned purpose, uint32_t probability)
{
	return probability && ((draw(of, purpose) >> 32) * PROBABILITY_ONE) >> 32 < probability;
}

static double unit(const struct fate_of *of, unsigned purpose)
{
	return (double)(draw(of, purpose) >> 11) * 0x1p-53;
}

/* Mean 0, deviation 1: the sum of twelve uniform numbers, which no tail beyond 6 can tell from it. */
static double normal(const struct fate_of *of)
{
	double sum = -6;

	for (unsigned i = 0; i < 12; i++)
		sum += unit(of, JITTER + i);
	return sum;
}

/*
 * Pareto of shape 3 (finite variance), moved to mean 0 and scaled to deviation 1. The inverse cube
 * root by Newton's iteration, from below, so that no mathematics library has a say in what a seed
 * means.
 */
static double pareto(const struct fate_of *of)
{
	double v = 1 - unit(of, JITTER), y = 1;

	for (int i = 0; i < 64; i++)
		y *= (4 - v * y * y * y) / 3;
	return (y - 1.5) / 0.8660254037844386;
}

static nsec jittered(const struct impair_rule *r, const struct fate_of *of)
{
	double x = 0;

	if (!r->jitter)
		return r->delay;
	if (r->distribution == IMPAIR_UNIFORM)
		x = 2 * unit(of, JITTER) - 1;
	else if (r->distribution == IMPAIR_NORMAL)
		x = normal(of);
	else
		x = pareto(of);
	return nsec_max(r->delay + (nsec)(x * (double)r->jitter), 0);
}

struct fate fate_draw(const struct impair_rule *r, const struct fate_of *of, bool *bad)
{
	uint32_t loss = r->loss;

	if (r->bursts) {
		loss = *bad ? r->loss_in_bad : r->loss_in_good;
		*bad ^= happens(of, CHAIN, *bad ? r->r : r->p);
	}
	return (struct fate){
		.lost = happens(of, LOSS, loss),
		.duplicate = happens(of, DUPLICATE, r->duplicate),
		.corrupt = happens(of, CORRUPT, r->corrupt),
		.overtakes = happens(of, REORDER, r->reorder),
		.random = r->corrupt ? (uint32_t)draw(of, BIT) : 0,
		.delay = jittered(r, of),
	};
}

nsec fate_slot(const struct impair_rule *r, const struct fate_of *of)
{
	return r->slot_min + (nsec)(unit(of, SLOT) * (double)(r->slot_max - r->slot_min));
}
