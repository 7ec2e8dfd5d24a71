/*
 * The timer wheel (Varghese and Lauck 1987, scheme 7).
 *
 * A slot of level l spans 64^l ticks. A timer sits on the lowest level on which its tick is less
 * than 64 slots ahead of the current one, in slot (tick / 64^l) mod 64. When the wheel reaches the
 * first tick of an occupied slot above level 0, that slot is emptied and its timers are placed
 * anew, lower.
 *
 * Invariants between calls:
 *  - bit i of occupied[l] is set exactly when slot[l][i] is not empty;
 *  - above level 0 the slot of the current tick is empty;
 *  - on level 0 the slot of the current tick holds the timers that were armed for the past:
 *    every run begins with it.
 *
 * A run jumps from one occupied slot to the next by the bitmaps, so that an hour without timers
 * costs nothing.
 */
#include "core/stack/timer.h"

#include <stddef.h>

enum { SLOT_BITS = 6, TOP = TIMER_LEVELS - 1 };

_Static_assert(1 << SLOT_BITS == TIMER_SLOTS, "one bit of `occupied` per slot");

#define TICK_NEVER UINT64_MAX

static uint64_t tick_of(nsec now)
{
	return now < 0 ? 0 : (uint64_t)now >> TIMER_TICK_SHIFT;
}

static uint64_t tick_at_or_after(nsec deadline)
{
	nsec below_a_tick = ((nsec)1 << TIMER_TICK_SHIFT) - 1;

	return tick_of(deadline) + (deadline > 0 && (deadline & below_a_tick));
}

/* The first occupied slot of a level after the current one, as the tick at which it begins. */
static uint64_t next_of_level(const struct timers *w, unsigned level)
{
	uint64_t position = w->tick >> (level * SLOT_BITS);
	unsigned current = position % TIMER_SLOTS;
	uint64_t ahead = w->occupied[level] >> current | w->occupied[level]
								 << (-current % TIMER_SLOTS);

	ahead &= ~UINT64_C(1);
	if (ahead == 0)
		return TICK_NEVER;
	return (position + (unsigned)__builtin_ctzll(ahead)) << (level * SLOT_BITS);
}

static uint64_t next_tick(const struct timers *w)
{
	uint64_t next = TICK_NEVER;

	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		uint64_t t = next_of_level(w, level);
		if (t < next)
			next = t;
	}
	return next;
}

static void place(struct timers *w, struct timer *t)
{
	uint64_t tick = tick_at_or_after(t->deadline);
	unsigned level = 0;

	if (tick < w->tick)
		tick = w->tick;
	while (level < TOP &&
		(tick >> (level * SLOT_BITS)) - (w->tick >> (level * SLOT_BITS)) >= TIMER_SLOTS)
		level++;
	uint64_t here = w->tick >> (level * SLOT_BITS);
	uint64_t there = tick >> (level * SLOT_BITS);
	if (there - here >= TIMER_SLOTS)
		there = here + TIMER_SLOTS - 1;
	t->level = (uint8_t)level;
	t->slot = (uint8_t)(there % TIMER_SLOTS);
	list_append(&w->slot[t->level][t->slot], &t->link);
	w->occupied[t->level] |= UINT64_C(1) << t->slot;
}

static void take_slot(struct timers *w, unsigned level, unsigned slot, struct list *out)
{
	list_init(out);
	list_splice(out, &w->slot[level][slot]);
	w->occupied[level] &= ~(UINT64_C(1) << slot);
}

/* The wheel has come to a new tick: slots that begin here are placed anew. */
static void cascade(struct timers *w)
{
	for (unsigned level = TOP; level > 0; level--) {
		struct list moved;

		take_slot(w, level, (w->tick >> (level * SLOT_BITS)) % TIMER_SLOTS, &moved);
		LIST_FOR_EACH (l, &moved) {
			list_remove(l);
			place(w, LIST_ENTRY(l, struct timer, link));
		}
	}
}

/*
 * Timers that are armed for the past while this runs wait for the next run: no fire function can
 * keep us here.
 */
static void fire_slot(struct timers *w, nsec now)
{
	struct list due, *l;

	take_slot(w, 0, w->tick % TIMER_SLOTS, &due);
	while ((l = list_first(&due)) != NULL) {
		struct timer *t = LIST_ENTRY(l, struct timer, link);

		list_remove(l);
		t->armed = false;
		t->fire(t, now);
	}
}

void timers_init(struct timers *w, nsec now)
{
	w->tick = tick_of(now);
	for (unsigned level = 0; level < TIMER_LEVELS; level++) {
		w->occupied[level] = 0;
		for (unsigned i = 0; i < TIMER_SLOTS; i++)
			list_init(&w->slot[level][i]);
	}
}

void timer_init(struct timer *t, void (*fire)(struct timer *, nsec))
{
	list_init(&t->link);
	t->deadline = NSEC_NEVER;
	t->level = t->slot = 0;
	t->armed = false;
	t->fire = fire;
}

void timer_arm(struct timers *w, struct timer *t, nsec deadline)
{
	timer_cancel(w, t);
	if (deadline == NSEC_NEVER)
		return;
	t->deadline = deadline;
	t->armed = true;
	place(w, t);
}

void timer_cancel(struct timers *w, struct timer *t)
{
	if (!t->armed)
		return;
	t->armed = false;
	list_remove(&t->link);
	if (list_empty(&w->slot[t->level][t->slot]))
		w->occupied[t->level] &= ~(UINT64_C(1) << t->slot);
}

void timers_run(struct timers *w, nsec now)
{
	uint64_t target = tick_of(now), next;

	fire_slot(w, now);
	while ((next = next_tick(w)) <= target) {
		w->tick = next;
		cascade(w);
		fire_slot(w, now);
	}
	if (target > w->tick)
		w->tick = target;
}

nsec timers_next(const struct timers *w)
{
	bool overdue = w->occupied[0] >> (w->tick % TIMER_SLOTS) & 1;
	uint64_t next = overdue ? w->tick : next_tick(w);

	return next == TICK_NEVER ? NSEC_NEVER : (nsec)(next << TIMER_TICK_SHIFT);
}
