/*
 * The timer wheel: never early, at most a tick late, in order, at any distance; a random run is compared
 * with the obvious list of deadlines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/stack/timer.h"

#define TEST(name) static void name(void **state)
#define TICK ((nsec)1 << TIMER_TICK_SHIFT)

struct alarm {
	struct timer t;
	struct timers *w;
	unsigned fired;
	nsec at, rearm; /* rearm: the next deadline, from within fire; 0: none */
	unsigned order;
};

static unsigned order;

static void on_fire(struct timer *t, nsec now)
{
	struct alarm *a = CONTAINER_OF(t, struct alarm, t);

	assert_false(t->armed);
	a->fired++;
	a->at = now;
	a->order = ++order;
	if (a->rearm)
		timer_arm(a->w, t, a->rearm);
}

static struct alarm alarm_on(struct timers *w)
{
	struct alarm a = {.w = w};

	timer_init(&a.t, on_fire);
	return a;
}

static const nsec distances[] = {1, 100, TICK - 1, TICK, TICK + 1, 63 * TICK, 64 * TICK, 65 * TICK,
	1 * MSEC, 40 * MSEC, 200 * MSEC, 1 * SEC, 4096 * TICK - 1, 4096 * TICK, 60 * SEC,
	262144 * TICK, 7200 * SEC, 24 * 3600 * SEC, 40 * 24 * 3600 * SEC};

TEST(a_timer_fires_within_a_tick_after_its_deadline_and_never_before)
{
	for (size_t i = 0; i < ARRAY_LEN(distances); i++) {
		for (nsec begin = 0; begin < 3 * SEC; begin += SEC + 12345) {
			struct timers w;
			nsec deadline = begin + distances[i];

			timers_init(&w, begin);
			struct alarm a = alarm_on(&w);
			timer_arm(&w, &a.t, deadline);
			timers_run(&w, deadline - 1);
			assert_int_equal(a.fired, 0);
			assert_true(timers_next(&w) < deadline + TICK);
			timers_run(&w, deadline + TICK - 1);
			assert_int_equal(a.fired, 1);
			assert_true(timers_next(&w) == NSEC_NEVER);
		}
	}
}

TEST(following_timers_next_leads_to_the_deadline_in_few_steps)
{
	for (size_t i = 0; i < ARRAY_LEN(distances); i++) {
		struct timers w;
		nsec begin = 77 * SEC + 5, now = begin;
		unsigned steps = 0;

		timers_init(&w, begin);
		struct alarm a = alarm_on(&w);
		timer_arm(&w, &a.t, begin + distances[i]);
		for (; a.fired == 0; steps++) {
			now = timers_next(&w);
			assert_true(now != NSEC_NEVER);
			timers_run(&w, now);
		}
		assert_in_range(now, begin + distances[i], begin + distances[i] + TICK - 1);
		assert_true(steps <= TIMER_LEVELS);
	}
}

TEST(a_deadline_in_the_past_fires_at_the_next_run)
{
	struct timers w;

	timers_init(&w, 5 * SEC + 1);
	struct alarm a = alarm_on(&w);
	timer_arm(&w, &a.t, 3 * SEC);
	assert_true(timers_next(&w) <= 5 * SEC + 1);
	timers_run(&w, 5 * SEC + 1);
	assert_int_equal(a.fired, 1);
}

TEST(a_timer_that_arms_itself_for_the_past_does_not_hold_the_run_up)
{
	struct timers w;

	timers_init(&w, SEC);
	struct alarm a = alarm_on(&w);
	a.rearm = 1;
	timer_arm(&w, &a.t, 1);
	timers_run(&w, SEC);
	assert_int_equal(a.fired, 1);
	timers_run(&w, SEC);
	assert_int_equal(a.fired, 2);
}

TEST(a_cancelled_timer_does_not_fire_and_leaves_nothing_to_wait_for)
{
	struct timers w;

	timers_init(&w, 0);
	struct alarm a = alarm_on(&w), b = alarm_on(&w);
	timer_arm(&w, &a.t, SEC);
	timer_arm(&w, &b.t, SEC);
	timer_cancel(&w, &a.t);
	timer_cancel(&w, &a.t);
	timer_arm(&w, &b.t, NSEC_NEVER);
	assert_true(timers_next(&w) == NSEC_NEVER);
	timers_run(&w, 2 * SEC);
	assert_int_equal(a.fired + b.fired, 0);
}

TEST(a_moved_timer_fires_once_at_the_new_deadline)
{
	struct timers w;

	timers_init(&w, 0);
	struct alarm a = alarm_on(&w);
	timer_arm(&w, &a.t, SEC);
	timer_arm(&w, &a.t, 3 * SEC);
	timers_run(&w, 2 * SEC);
	assert_int_equal(a.fired, 0);
	timers_run(&w, 4 * SEC);
	assert_int_equal(a.fired, 1);
}

TEST(a_clock_that_steps_back_changes_nothing)
{
	struct timers w;

	timers_init(&w, 5 * SEC);
	struct alarm a = alarm_on(&w);
	timer_arm(&w, &a.t, 5 * SEC + 10 * MSEC);
	timers_run(&w, 1 * SEC);
	assert_in_range(timers_next(&w), 5 * SEC, 5 * SEC + 10 * MSEC + TICK);
	timers_run(&w, 7 * SEC);
	assert_int_equal(a.fired, 1);
}

static struct alarm *victim;

static void cancel_victim(struct timer *t, nsec now)
{
	struct alarm *a = CONTAINER_OF(t, struct alarm, t);

	a->fired++;
	timer_cancel(victim->w, &victim->t);
}

TEST(a_timer_may_cancel_another_that_is_due_in_the_same_tick)
{
	struct timers w;

	timers_init(&w, 0);
	struct alarm a = alarm_on(&w), b = alarm_on(&w);
	victim = &b;
	timer_init(&a.t, cancel_victim);
	timer_arm(&w, &a.t, SEC);
	timer_arm(&w, &b.t, SEC);
	timers_run(&w, 2 * SEC);
	assert_int_equal(a.fired, 1);
	assert_int_equal(b.fired, 0);
}

TEST(a_late_run_fires_everything_in_order_of_ticks)
{
	struct timers w;
	struct alarm a[50];

	timers_init(&w, 0);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++) {
		a[i] = alarm_on(&w);
		timer_arm(&w, &a[i].t, (nsec)(i * 37 % ARRAY_LEN(a) + 1) * 100 * MSEC);
	}
	order = 0;
	timers_run(&w, 3600 * SEC);
	for (unsigned i = 0; i < ARRAY_LEN(a); i++)
		assert_int_equal(a[i].order, i * 37 % ARRAY_LEN(a) + 1);
}

TEST(a_deadline_beyond_the_wheel_is_put_back_until_it_comes)
{
	struct timers w;
	nsec deadline = 200 * 24 * 3600 * SEC, now = 0;

	timers_init(&w, 0);
	struct alarm a = alarm_on(&w);
	timer_arm(&w, &a.t, deadline);
	while (a.fired == 0 && now <= deadline) {
		now = timers_next(&w);
		timers_run(&w, now);
	}
	assert_int_equal(a.fired, 1);
	assert_in_range(now, deadline, deadline + TICK - 1);
}

/* --- against the obvious --- */

enum { MANY = 300, STEPS = 20000 };

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % n;
}

static nsec random_distance(void)
{
	return (nsec)random_below((uint64_t)1 << (10 + random_below(40)));
}

/* After a run: whoever's deadline is a tick ago has fired, and nobody whose deadline is to come. */
static void compare(struct alarm *a, const nsec *deadline, bool *armed, nsec now)
{
	for (unsigned i = 0; i < MANY; i++) {
		if (a[i].fired) {
			assert_true(armed[i] && deadline[i] <= now);
			armed[i] = false;
			a[i].fired = 0;
		}
		assert_false(armed[i] && deadline[i] + TICK <= now);
		assert_int_equal(armed[i], a[i].t.armed);
	}
}

TEST(twenty_thousand_random_steps_agree_with_a_list_of_deadlines)
{
	static struct alarm a[MANY];
	static nsec deadline[MANY];
	static bool armed[MANY];
	struct timers w;
	nsec now = 123456789;

	timers_init(&w, now);
	for (unsigned i = 0; i < MANY; i++)
		a[i] = alarm_on(&w);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)random_below(MANY);
		armed[i] = random_below(4) != 0;
		deadline[i] = armed[i] ? now + random_distance() : NSEC_NEVER;
		timer_arm(&w, &a[i].t, deadline[i]);
		nsec next = timers_next(&w);
		for (unsigned k = 0; k < MANY; k++)
			assert_false(armed[k] && next >= deadline[k] + TICK);
		now += random_below(3) ? random_distance() >> 10 : 0;
		timers_run(&w, now);
		compare(a, deadline, armed, now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_within_a_tick_after_its_deadline_and_never_before),
		cmocka_unit_test(following_timers_next_leads_to_the_deadline_in_few_steps),
		cmocka_unit_test(a_deadline_in_the_past_fires_at_the_next_run),
		cmocka_unit_test(a_timer_that_arms_itself_for_the_past_does_not_hold_the_run_up),
		cmocka_unit_test(a_cancelled_timer_does_not_fire_and_leaves_nothing_to_wait_for),
		cmocka_unit_test(a_moved_timer_fires_once_at_the_new_deadline),
		cmocka_unit_test(a_clock_that_steps_back_changes_nothing),
		cmocka_unit_test(a_timer_may_cancel_another_that_is_due_in_the_same_tick),
		cmocka_unit_test(a_late_run_fires_everything_in_order_of_ticks),
		cmocka_unit_test(a_deadline_beyond_the_wheel_is_put_back_until_it_comes),
		cmocka_unit_test(twenty_thousand_random_steps_agree_with_a_list_of_deadlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
