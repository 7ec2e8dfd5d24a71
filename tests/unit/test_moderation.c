/* When datagrams are received in batches, and when they are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/engine/moderation.h"

enum { STREAK = 8 };

static struct moderation m;
static uint64_t total;
static nsec now;

static int setup(void **state)
{
	moderation_init(&m, MODERATION_DGRAMS);
	total = 1000;
	now = 5 * SEC;
	moderation_holds(&m, total, now);
	return 0;
}

/* `n` datagrams, `apart` from each other, with a look after each. True: the last look held. */
static bool after(unsigned n, nsec apart)
{
	bool held = false;

	for (unsigned i = 0; i < n; i++) {
		now += apart;
		total++;
		held = moderation_holds(&m, total, now);
	}
	return held;
}

static void a_flood_is_held_back_for_a_while(void **state)
{
	assert_false(after(STREAK - 1, 3 * USEC));
	assert_true(after(1, 3 * USEC));
	assert_int_equal(m.until, now + MODERATION_DGRAMS.hold);
	now = m.until - 1;
	assert_true(moderation_holds(&m, total, now));
	now++;
	assert_false(moderation_holds(&m, total, now));
	assert_int_equal(m.until, NSEC_NEVER);
}

static void and_again_when_as_many_come_of_it(void **state)
{
	after(STREAK, 3 * USEC);
	now = m.until;
	assert_false(moderation_holds(&m, total, now)); /* now they are received: a batch */
	total += STREAK;
	now += 10 * USEC;
	assert_true(moderation_holds(&m, total, now));
	now = m.until;
	assert_false(moderation_holds(&m, total, now));
	total += STREAK - 1;
	now += 10 * USEC;
	assert_false(moderation_holds(&m, total, now));
}

static void a_slow_stream_never_is(void **state)
{
	assert_false(after(1000, MODERATION_FAST / (STREAK - 1)));
	assert_false(after(1000, MSEC));
}

static void a_dialogue_never_is(void **state)
{
	for (int i = 0; i < 1000; i++) {
		assert_false(after(STREAK - 1, USEC));
		moderation_sent(&m, total, now);
	}
}

/* The first of a stream that begins after a pause do not count from before it. */
static void a_pause_ends_a_streak(void **state)
{
	after(STREAK - 1, USEC);
	now += SEC;
	assert_false(after(1, USEC));
	assert_false(after(STREAK - 1, USEC));
	assert_true(after(1, USEC));
}

static void bytes_are_held_back_for_half_as_long(void **state)
{
	total = 1 << 20;
	moderation_init(&m, MODERATION_BYTES);
	moderation_holds(&m, total, now);
	for (unsigned i = 0; i < 2; i++) {
		assert_false(moderation_holds(&m, total, now));
		total += 64 << 10;
		now += 30 * USEC;
	}
	assert_true(moderation_holds(&m, total, now));
	assert_int_equal(m.until, now + 50 * USEC);
}

static void one_long_answer_is_not_held_back(void **state)
{
	moderation_init(&m, MODERATION_BYTES);
	total = 1 << 20;
	for (unsigned i = 0; i < 100; i++) {
		moderation_sent(&m, total, now);
		for (unsigned k = 0; k < 15; k++) {
			total += 64 << 10;
			now += 10 * USEC;
			assert_false(moderation_holds(&m, total, now));
		}
	}
	total += 128 << 10; /* and what follows is bulk */
	assert_true(moderation_holds(&m, total, now));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(a_flood_is_held_back_for_a_while),
		T(and_again_when_as_many_come_of_it),
		T(a_slow_stream_never_is),
		T(a_dialogue_never_is),
		T(a_pause_ends_a_streak),
		T(bytes_are_held_back_for_half_as_long),
		T(one_long_answer_is_not_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
