/* Adaptive busy polling: when the engine spins, and when it lets be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine/spin.h"

#define MAX (50 * USEC)

static nsec now;

/* A wait in which something happens after `length`. Whether it was met spinning. */
static bool wait_of(struct spin *s, nsec length)
{
	nsec began = now, until = spin_until(s, now, NSEC_NEVER);

	now += length;
	bool met = now < until;
	spin_ended(s, began, now);
	return met;
}

static void it_spins_once_two_short_waits_would_have_been_met(void **state)
{
	struct spin s;

	spin_init(&s, MAX, 2);
	assert_false(wait_of(&s, 10 * USEC));
	assert_false(wait_of(&s, 10 * USEC));
	assert_true(wait_of(&s, 10 * USEC));
	assert_true(wait_of(&s, 40 * USEC));
}

static void one_long_wait_turns_it_off(void **state)
{
	struct spin s;

	spin_init(&s, MAX, 2);
	for (int i = 0; i < 3; i++)
		wait_of(&s, 10 * USEC);
	assert_false(wait_of(&s, 60 * USEC));
	assert_int_equal(spin_until(&s, now, NSEC_NEVER), now);
}

static void an_idle_engine_never_spins(void **state)
{
	struct spin s;

	spin_init(&s, MAX, 2);
	for (int i = 0; i < 100; i++)
		assert_false(wait_of(&s, 10 * MSEC));
}

static void it_stops_at_the_deadline(void **state)
{
	struct spin s;

	spin_init(&s, MAX, 2);
	for (int i = 0; i < 3; i++)
		wait_of(&s, 10 * USEC);
	assert_int_equal(spin_until(&s, now, now + 7 * USEC), now + 7 * USEC);
}

static void not_with_one_cpu_and_not_when_told(void **state)
{
	struct spin s;

	spin_init(&s, MAX, 1);
	for (int i = 0; i < 10; i++)
		assert_false(wait_of(&s, USEC));
	spin_init(&s, 0, 8);
	for (int i = 0; i < 10; i++)
		assert_false(wait_of(&s, USEC));
}

/* Spins and loses the CPU; how long it lets be afterwards. */
static nsec quiet_after_a_loss(struct spin *s)
{
	for (int i = 0; i < 3; i++)
		wait_of(s, 10 * USEC);
	assert_true(spin_until(s, now, NSEC_NEVER) > now);
	assert_true(spin_goes_on(s, now += USEC));
	nsec lost = now += 3 * MSEC;
	assert_false(spin_goes_on(s, now));
	while (spin_until(s, now, NSEC_NEVER) == now)
		wait_of(s, 10 * USEC);
	return now - lost;
}

static void who_loses_the_cpu_lets_be_longer_each_time(void **state)
{
	struct spin s;

	spin_init(&s, MAX, 2);
	nsec first = quiet_after_a_loss(&s);
	nsec second = quiet_after_a_loss(&s);
	assert_in_range(first, MSEC, MSEC + 50 * USEC);
	assert_in_range(second, 2 * MSEC, 2 * MSEC + 50 * USEC);
	for (int i = 0; i < 20; i++)
		assert_true(quiet_after_a_loss(&s) <= SEC + 50 * USEC);
}

static void a_quiet_time_without_loss_is_forgotten(void **state)
{
	struct spin s;

	spin_init(&s, MAX, 2);
	quiet_after_a_loss(&s);
	quiet_after_a_loss(&s);
	for (int i = 0; i < 1000; i++)
		wait_of(&s, 10 * USEC);
	assert_in_range(quiet_after_a_loss(&s), MSEC, MSEC + 50 * USEC);
}

/* Asked as often as it wants to be: how far the last spin went. */
static nsec spin_where(struct spin *s, bool crowded, int waits)
{
	nsec until = 0;

	for (int i = 0; i < waits; i++) {
		wait_of(s, 30 * USEC);
		if (spin_asks(s, now))
			spin_answer(s, crowded);
		until = spin_until(s, now, NSEC_NEVER) - now;
	}
	return until;
}

static void in_a_crowd_it_looks_only_briefly(void **state)
{
	struct spin s;

	spin_init(&s, MAX, 2);
	assert_int_equal(spin_where(&s, false, 1000), MAX);
	assert_int_equal(spin_where(&s, true, 50), MAX); /* three answers: it may be by chance */
	assert_int_equal(spin_where(&s, true, 200), SPIN_CROWDED);
	assert_int_equal(spin_where(&s, false, 200), MAX);
}

static void it_asks_while_spinning_pays_and_not_at_every_wait(void **state)
{
	struct spin s;
	int asked = 0;

	spin_init(&s, MAX, 2);
	assert_false(spin_asks(&s, now));
	for (int i = 0; i < 1000; i++) {
		wait_of(&s, 10 * USEC);
		asked += spin_asks(&s, now);
	}
	assert_in_range(asked, 19, 20);
}

int main(void)
{
	now = SEC;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_spins_once_two_short_waits_would_have_been_met),
		cmocka_unit_test(one_long_wait_turns_it_off),
		cmocka_unit_test(an_idle_engine_never_spins),
		cmocka_unit_test(it_stops_at_the_deadline),
		cmocka_unit_test(not_with_one_cpu_and_not_when_told),
		cmocka_unit_test(who_loses_the_cpu_lets_be_longer_each_time),
		cmocka_unit_test(a_quiet_time_without_loss_is_forgotten),
		cmocka_unit_test(in_a_crowd_it_looks_only_briefly),
		cmocka_unit_test(it_asks_while_spinning_pays_and_not_at_every_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
