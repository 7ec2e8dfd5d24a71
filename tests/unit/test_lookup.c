/* What shim and engine say to each other about names: what is taken apart is what was put together, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/ipc/lookup.h"

static struct ipc_answer *a;

static int new_answer(void **state)
{
	a = calloc(1, sizeof(*a) + IPC_ANSWER_DATA_MAX);
	ipc_answer_begin(a, 0);
	return a ? 0 : -1;
}

static int free_answer(void **state)
{
	free(a);
	return 0;
}

static struct ipc_lookup question(enum ipc_lookup_kind kind, const char *name)
{
	struct ipc_lookup q = {.h = ipc_header(IPC_LOOKUP, sizeof(q)), .kind = (uint16_t)kind};

	q.name_len = (uint16_t)strlen(name);
	memcpy(q.name, name, q.name_len);
	return q;
}

static void addresses_and_names_come_back_in_order(void **state)
{
	struct ipaddr one = ipaddr_v4(0x0a000001), two = ipaddr_v4(0x0a000002), got;

	assert_true(ipc_answer_add_addr(a, &one));
	assert_true(ipc_answer_add_addr(a, &two));
	assert_true(ipc_answer_add_name(a, "canonical.test"));
	assert_true(ipc_answer_add_name(a, "alias.test"));
	assert_true(ipc_answer_check(a, a->h.len));
	assert_int_equal(a->naddrs, 2);
	got = ipc_answer_addr(a, 0);
	assert_true(ipaddr_equal(&got, &one));
	got = ipc_answer_addr(a, 1);
	assert_true(ipaddr_equal(&got, &two));
	const char *name = ipc_answer_name(a);
	assert_string_equal(name, "canonical.test");
	assert_string_equal(ipc_answer_next_name(name), "alias.test");
}

static void a_failure_is_an_answer_without_data(void **state)
{
	ipc_answer_begin(a, 2);
	assert_true(ipc_answer_check(a, sizeof(*a)));
	assert_int_equal(a->status, 2);
	assert_int_equal(ipc_answer_data_len(a), 0);
}

static void a_full_answer_takes_no_more_and_stays_whole(void **state)
{
	static uint8_t most[IPC_ANSWER_DATA_MAX];
	struct ipaddr addr = ipaddr_v4(1);

	assert_true(ipc_answer_add_bytes(a, most, sizeof(most)));
	assert_false(ipc_answer_add_bytes(a, most, 1));
	assert_false(ipc_answer_add_addr(a, &addr));
	assert_false(ipc_answer_add_name(a, ""));
	assert_int_equal(a->naddrs + a->nnames, 0);
	assert_true(ipc_answer_check(a, sizeof(*a) + sizeof(most)));
}

static void a_short_answer_is_none(void **state)
{
	struct ipaddr addr = ipaddr_v4(1);

	ipc_answer_add_addr(a, &addr);
	for (size_t len = 0; len < a->h.len; len++)
		assert_false(ipc_answer_check(a, len));
	assert_true(ipc_answer_check(a, a->h.len));
}

static void counts_beyond_the_data_are_refused(void **state)
{
	struct ipaddr addr = ipaddr_v4(1);

	ipc_answer_add_addr(a, &addr);
	ipc_answer_add_name(a, "x");
	a->naddrs = 2;
	assert_false(ipc_answer_check(a, a->h.len));
	a->naddrs = 1;
	a->nnames = 2;
	assert_false(ipc_answer_check(a, a->h.len));
	a->nnames = 1;
	assert_true(ipc_answer_check(a, a->h.len));
}

static void a_name_without_its_end_is_refused(void **state)
{
	ipc_answer_add_name(a, "x.test");
	a->data[6] = 'x';
	assert_false(ipc_answer_check(a, a->h.len));
}

static void a_sound_question_is_taken(void **state)
{
	struct ipc_lookup q = question(IPC_LOOKUP_FORWARD, "one.test");

	assert_true(ipc_lookup_check(&q, sizeof(q)));
	assert_false(ipc_lookup_check(&q, sizeof(q) - 1));
}

static void a_question_of_no_kind_is_refused(void **state)
{
	struct ipc_lookup q = question(IPC_LOOKUP_FORWARD, "one.test");

	q.kind = 0;
	assert_false(ipc_lookup_check(&q, sizeof(q)));
	q.kind = IPC_LOOKUP_KINDS;
	assert_false(ipc_lookup_check(&q, sizeof(q)));
}

static void what_would_be_read_beyond_its_end_is_refused(void **state)
{
	struct ipc_lookup q = question(IPC_LOOKUP_FORWARD, "one.test");

	q.nservers = SETTINGS_DNS_MAX + 1;
	assert_false(ipc_lookup_check(&q, sizeof(q)));
	q.nservers = SETTINGS_DNS_MAX;
	memset(q.domains, 'x', sizeof(q.domains) - 1);
	assert_false(ipc_lookup_check(&q, sizeof(q)));
	memset(q.domains, 0, sizeof(q.domains));
	q.name[q.name_len] = 'x';
	assert_false(ipc_lookup_check(&q, sizeof(q)));
	q.name_len = sizeof(q.name);
	assert_false(ipc_lookup_check(&q, sizeof(q)));
	q = question(IPC_LOOKUP_SEND, "");
	assert_false(ipc_lookup_check(&q, sizeof(q)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			addresses_and_names_come_back_in_order, new_answer, free_answer),
		cmocka_unit_test_setup_teardown(
			a_failure_is_an_answer_without_data, new_answer, free_answer),
		cmocka_unit_test_setup_teardown(
			a_full_answer_takes_no_more_and_stays_whole, new_answer, free_answer),
		cmocka_unit_test_setup_teardown(a_short_answer_is_none, new_answer, free_answer),
		cmocka_unit_test_setup_teardown(
			counts_beyond_the_data_are_refused, new_answer, free_answer),
		cmocka_unit_test_setup_teardown(
			a_name_without_its_end_is_refused, new_answer, free_answer),
		cmocka_unit_test(a_sound_question_is_taken),
		cmocka_unit_test(a_question_of_no_kind_is_refused),
		cmocka_unit_test(what_would_be_read_beyond_its_end_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
