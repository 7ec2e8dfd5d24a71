/*
 * The note of a capture about the lost segments of a super-segment, and its reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/link/losses.h"
#include "core/report/note.h"

#define TEST(name) static void name(void **state)

TEST(runs_are_told_and_read_back)
{
	static const unsigned lost[] = {2, 7, 8, 9, 45};
	char note[LOSSES_NOTE_LEN];
	struct losses l = {0};
	struct note n;

	for (unsigned i = 0; i < sizeof lost / sizeof lost[0]; i++)
		losses_add(&l, lost[i]);
	assert_true(losses_note(&l, "lost", 45, 1448, 1, note));
	assert_string_equal(note, "lost 5 of 45 segments of 1448: 2 7-9 45 (rule 1)");
	note_read(&n, note);
	assert_int_equal(n.lost, 5);
	assert_int_equal(n.nruns, 3);
	assert_int_equal(n.run[1].first, 6);
	assert_int_equal(n.run[1].last, 8);
}

TEST(nothing_lost_is_no_note)
{
	char note[LOSSES_NOTE_LEN];
	struct losses l = {0};

	assert_false(losses_note(&l, "lost", 45, 1448, 1, note));
}

TEST(a_list_without_room_keeps_the_number)
{
	char note[LOSSES_NOTE_LEN];
	struct losses l = {0};
	struct note n;

	for (unsigned i = 1; i < 200; i += 2)
		losses_add(&l, i);
	assert_true(losses_note(&l, "lost: limit", 200, 524, 16, note));
	assert_non_null(strstr(note, " ... (rule 16)"));
	note_read(&n, note);
	assert_int_equal(n.lost, 100);
	assert_true(n.nruns > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_told_and_read_back),
		cmocka_unit_test(nothing_lost_is_no_note),
		cmocka_unit_test(a_list_without_room_keeps_the_number),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
