/* Filters: what is wrong with one, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/link/filter.h"

static void an_error_has_its_place(void **state)
{
	static const struct {
		const char *filter, *says;
	} t[] = {
		{"foo", "position 1, \"foo\""},
		{"tcp prt 80", "position 5, \"prt 80\""},
		{"  tcp  prt 80", "position 8, \"prt 80\""},
		{"tcp port 80 and", "position 16, \"the end\""},
		{"(tcp or udp) and prt 5", "position 18, \"prt 5\""},
		{"(udp and port 53", "position 17, \"the end\""},
		{"ip host 1.2.3.4.5", "position 9, \"1.2.3.4.5\""},
		{"tcp[tcpflags] & tcp-syn != 0 an", "position 30, \"an\""},
		{"ether host 02:00 and tcp", "position 12, \"02:00 and tcp\""},
		{"src net 10.0.0.0/8 and portrange 1-x", "position 34, \"1-x\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		char error[FILTER_ERROR_LEN];
		struct filter f;

		assert_int_equal(filter_compile(&f, t[i].filter, error), -EINVAL);
		if (!strstr(error, t[i].says) || !strstr(error, "as in \"udp port 53\""))
			fail_msg("%s: %s", t[i].filter, error);
	}
}

static void whatever_is_written_there_is_answered(void **state)
{
	char text[600], error[FILTER_ERROR_LEN];
	struct filter f;

	memset(text, '(', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_int_equal(filter_compile(&f, text, error), -EINVAL);
	assert_true(strlen(error) < FILTER_ERROR_LEN);
	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = i % 4 == 3 ? ' ' : ')';
	assert_int_equal(filter_compile(&f, text, error), -EINVAL);
	memset(text, ' ', sizeof text - 1);
	assert_int_equal(filter_compile(&f, text, error), 0);
	filter_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_error_has_its_place),
		cmocka_unit_test(whatever_is_written_there_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
