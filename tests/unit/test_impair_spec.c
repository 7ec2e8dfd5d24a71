/*
 * The language of impairment: what it says, and how it says no.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/ipc/impair_spec.h"

static struct impairment parsed(const char *spec)
{
	char error[IMPAIR_ERROR_LEN] = "";
	struct impairment out;

	if (impair_parse(&out, spec, error))
		fail_msg("%s: %s", spec, error);
	return out;
}

static void frames_are_impaired_in_netems_words(void **state)
{
	struct impairment i = parsed("out delay=20ms, jitter=1.5ms distribution=pareto loss=2.5% "
				     "duplicate=0.1% reorder=25% corrupt=1% rate=10mbit limit=50 "
				     "slot=800us/1ms");
	const struct impair_rule *r = &i.rule[0];

	assert_int_equal(i.n, 1);
	assert_int_equal(r->direction, IMPAIR_OUT);
	assert_int_equal(r->delay, 20 * MSEC);
	assert_int_equal(r->jitter, 1500 * USEC);
	assert_int_equal(r->distribution, IMPAIR_PARETO);
	assert_int_equal(r->loss, 25000000);
	assert_int_equal(r->duplicate, 1000000);
	assert_int_equal(r->reorder, 250000000);
	assert_int_equal(r->corrupt, 10000000);
	assert_int_equal(r->rate, 10000000);
	assert_int_equal(r->limit, 50);
	assert_int_equal(r->slot_min, 800 * USEC);
	assert_int_equal(r->slot_max, MSEC);
}

static void rules_stand_in_order(void **state)
{
	struct impairment i = parsed("in match='udp port 53' loss=100%; delay=1s;");

	assert_int_equal(i.n, 2);
	assert_string_equal(i.rule[0].match, "udp port 53");
	assert_int_equal(i.rule[0].direction, IMPAIR_IN);
	assert_int_equal(i.rule[1].direction, IMPAIR_BOTH);
	assert_int_equal(i.rule[1].delay, SEC);
	assert_int_equal(i.rule[1].limit, IMPAIR_LIMIT_DEFAULT);
}

static void gemodel_has_netems_defaults(void **state)
{
	struct impairment i = parsed("gemodel=1%; gemodel=1%/10%; gemodel=1%/10%/70%/0.1%");

	assert_int_equal(i.rule[0].r, PROBABILITY_ONE / 100 * 99);
	assert_int_equal(i.rule[1].r, PROBABILITY_ONE / 10);
	assert_int_equal(i.rule[1].loss_in_bad, PROBABILITY_ONE);
	assert_int_equal(i.rule[1].loss_in_good, 0);
	assert_int_equal(i.rule[2].loss_in_bad, PROBABILITY_ONE / 10 * 7);
	assert_int_equal(i.rule[2].loss_in_good, PROBABILITY_ONE / 1000);
}

static void faults_begin_at_bytes_or_times(void **state)
{
	struct impairment i = parsed("reset@64KiB; reset@3s; blackhole@2s+5s; window-zero@1MiB+2s; "
				     "syn-drop=3 mtu=576 icmp-unreachable=port slow-read=10KiB/s "
				     "accept-delay=2s; truncate-udp=100");

	assert_true(i.rule[0].reset.set && !i.rule[0].reset.by_time);
	assert_int_equal(i.rule[0].reset.bytes, 65536);
	assert_true(i.rule[1].reset.by_time);
	assert_int_equal(i.rule[1].reset.after, 3 * SEC);
	assert_int_equal(i.rule[2].blackhole.after, 2 * SEC);
	assert_int_equal(i.rule[2].blackhole.lasts, 5 * SEC);
	assert_int_equal(i.rule[3].window_zero.bytes, 1 << 20);
	assert_int_equal(i.rule[4].syn_drop, 3);
	assert_int_equal(i.rule[4].mtu, 576);
	assert_int_equal(i.rule[4].unreachable, 1 + 3);
	assert_int_equal(i.rule[4].slow_read, 10240);
	assert_int_equal(i.rule[5].truncate_udp, 100);
}

static void errors_tell_position_and_example(void **state)
{
	static const struct {
		const char *spec, *says;
	} t[] = {
		{"loss=2", "position 6, \"2\": the unit is not one, as in loss=2%"},
		{"loss=101%", "position 6, \"101%\": that is too much"},
		{"delay=20ms los=2%", "position 12, \"los=2%\": unknown"},
		{"delay 20ms", "position 1, \"delay\": its value is missing, as in delay=20ms"},
		{"delay=", "position 7, \"\": a number is missing"},
		{"delay=20msx", "position 7, \"20msx\": the unit is not one"},
		{"delay=1s;reorder=5%", "position 10, \"reorder=5%\": reorder needs a delay"},
		{"loss=1% gemodel=1%", "loss and gemodel exclude each other"},
		{"match=tcp loss=1%", "position 7, \"tcp\": a filter stands in quotes"},
		{"match='tcp loss=1%", "the closing quote is missing"},
		{"out", "the rule does nothing"},
		{"reset=64KiB", "as in reset@64KiB"},
		{"reset@64miles", "the unit is not one"},
		{"mtu=20", "an MTU is from 68 to 65535"},
		{"icmp-unreachable=moon", "net, host, port or admin"},
		{"distribution=normal delay=1ms", "a distribution needs jitter"},
		{"slot=5ms/1ms", "a slot lasts"},
		{"limit=0", "at least 1"},
		{"rate=0mbit", "that is nothing"},
		{";;", "no rule"},
		{"", "no rule"},
		{"loss=99999999999999999999%", "too much"},
	};
	char error[IMPAIR_ERROR_LEN];
	struct impairment out;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(impair_parse(&out, t[i].spec, error), -EINVAL);
		if (!strstr(error, t[i].says))
			fail_msg("\"%s\": %s", t[i].spec, error);
	}
}

static void every_example_is_in_the_language(void **state)
{
	const char *example, *meaning;
	char error[IMPAIR_ERROR_LEN], spec[128];
	struct impairment out;
	unsigned i = 0;

	for (; impair_word(i, &example, &meaning); i++) {
		/* What cannot stand alone is given company. */
		snprintf(spec, sizeof spec, "delay=1ms jitter=1ms %s", example);
		if (impair_parse(&out, spec, error))
			fail_msg("%s", error);
	}
	assert_in_range(i, 20, 30);
}

static void no_garbage_is_taken_or_kills(void **state)
{
	static const char letters[] = "delayossrtch=@'\";, 0159.%msKiB+/";
	char spec[64], error[IMPAIR_ERROR_LEN];
	struct impairment out;
	uint32_t x = 1;

	for (int i = 0; i < 200000; i++) {
		size_t n = 0;
		for (x = x * 1664525 + 1013904223; n < sizeof spec - 1 && (x >> 8) % 40; n++) {
			spec[n] = letters[(x >> 16) % (sizeof letters - 1)];
			x = x * 1664525 + 1013904223;
		}
		spec[n] = '\0';
		error[0] = '\0';
		if (impair_parse(&out, spec, error))
			assert_true(error[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_impaired_in_netems_words),
		cmocka_unit_test(rules_stand_in_order),
		cmocka_unit_test(gemodel_has_netems_defaults),
		cmocka_unit_test(faults_begin_at_bytes_or_times),
		cmocka_unit_test(errors_tell_position_and_example),
		cmocka_unit_test(every_example_is_in_the_language),
		cmocka_unit_test(no_garbage_is_taken_or_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
