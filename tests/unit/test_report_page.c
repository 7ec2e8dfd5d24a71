/*
 * What the page of a report is made of: series that shrink without losing their extremes, marks of
 * which none is lost, numbers packed, and a page in which nobody's bytes become its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/report/pack.h"
#include "core/report/report.h"
#include "core/report/series.h"
#include "core/report/story.h"
#include "tests/unit/report_rig.h"

#define TEST(name) static void name(void **state)

static struct point value(nsec at, int64_t v)
{
	return (struct point){.t0 = at, .t1 = at, .a = v, .b = v, .lo = v, .hi = v, .n = 1};
}

TEST(a_series_that_is_merged_keeps_its_extremes_and_its_count)
{
	struct series s = {0};
	int64_t least = INT64_MAX, most = INT64_MIN, counted = 0;

	for (int64_t i = 0; i < 100000; i++) {
		struct point p = value(i * 1000, i == 51234 ? 99 : i == 77777 ? -99 : i % 10);
		series_add(&s, &p, 500);
	}
	assert_true(s.n <= 500 && s.n > 100);
	assert_false(s.full);
	for (size_t i = 0; i < s.n; i++) {
		least = MIN(least, s.p[i].lo);
		most = MAX(most, s.p[i].hi);
		counted += s.p[i].n;
		assert_true(s.p[i].t0 <= s.p[i].t1 && (!i || s.p[i - 1].t1 < s.p[i].t0));
	}
	assert_int_equal(least, -99);
	assert_int_equal(most, 99);
	assert_int_equal(counted, 100000);
	series_free(&s);
}

TEST(few_points_are_left_alone)
{
	struct series s = {0};

	for (int64_t i = 0; i < 500; i++) {
		struct point p = value(0, i);
		series_add(&s, &p, 500);
	}
	assert_int_equal(s.n, 500);
	series_shrink(&s, 1);
	assert_int_equal(s.n, 1);
	assert_int_equal(s.p[0].n, 500);
	series_free(&s);
}

TEST(data_is_joined_only_where_it_follows)
{
	struct series s = {.joins_only = true, .width = SEC};
	struct point p[] = {{.t0 = 0, .t1 = 0, .a = 0, .b = 10, .n = 1},
		{.t0 = 1, .t1 = 1, .a = 10, .b = 20, .n = 1},
		{.t0 = 2, .t1 = 2, .a = 30, .b = 40, .n = 1}};

	for (unsigned i = 0; i < ARRAY_LEN(p); i++)
		series_add(&s, &p[i], 100);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.p[0].b, 20);
	assert_int_equal(s.p[0].n, 2);
	series_free(&s);
}

TEST(numbers_are_packed_in_base64_of_varints)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	struct pack p;

	pack_begin(&p, out);
	pack_unsigned(&p, 1);
	pack_unsigned(&p, 300);
	pack_signed(&p, -1);
	pack_signed(&p, INT64_MIN);
	pack_end(&p);
	fclose(out);
	/* 01, ac 02, 01, ff × 9 and 01 */
	assert_string_equal(text, "\"AawCAf///////////wE=\"");
	free(text);
}

/* Every run of lost segments is a mark of its own, at its place; what the note leaves out is the frame's. */
TEST(losses_are_marked_where_they_are)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	SAY(&s, 0, .from = SERVER, .seq = S(1), .ack = C(1), .flags = TH_ACK, .len = 4500, .win = 9,
		.comment = "lost 4 of 5 segments of 1000: 2-3 5 ... (rule 1)");
	script_read(&s, "");
	struct story *story = story_new(s.seen[0].conn);
	for (unsigned i = 0; i < s.nseen; i++)
		story_add(story, &s.seen[i], 100);
	assert_int_equal(story->nmarks, 3);
	assert_int_equal(story->mark[0].seq, 1001);
	assert_int_equal(story->mark[0].end, 3001);
	assert_int_equal(story->mark[0].count, 2);
	assert_int_equal(story->mark[1].seq, 4001);
	assert_int_equal(story->mark[1].end, 4501);
	assert_int_equal(story->mark[2].count, 1);
	assert_int_equal(story->mark[2].end, 4501);
	story_end(story);
	assert_int_equal(story->nrows, s.nseen);
	story_free(story);
	script_end(&s);
}

static char *page_of(const struct script *s, size_t len, const char *name, int expected)
{
	struct report_config config = {.name = name, .packets_max = 1000};
	char message[SOURCE_ERROR_LEN], *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(report_write(script_open(s, len), out, &config, message), expected);
	assert_int_equal(message[0] == '\0', expected == 0);
	fclose(out);
	return text;
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

TEST(nobodys_bytes_become_the_pages_own)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	SAY(&s, 0, .from = SERVER, .seq = S(1), .ack = C(1), .flags = TH_ACK, .len = 10, .win = 9,
		.comment = "x[1]; </script><img src=x>&\"\\");
	char *page = page_of(&s, s.len, "<b>\"\xff.pcap", 0);
	assert_int_equal(count_of(page, "</script>"), 2);
	assert_int_equal(count_of(page, "<img"), 0);
	assert_int_equal(count_of(page, "<b>"), 0);
	assert_non_null(
		strstr(page, "\\u003c/script\\u003e\\u003cimg src=x\\u003e\\u0026\\u0022\\u005c"));
	/* Nothing is loaded from anywhere. */
	assert_int_equal(count_of(page, "src="), count_of(page, "img src=x"));
	assert_int_equal(
		count_of(page, "http:") + count_of(page, "https:") + count_of(page, "url("), 0);
	assert_non_null(strstr(page, "default-src 'none'"));
	free(page);
	script_end(&s);
}

TEST(a_page_says_when_it_is_not_all)
{
	struct script s;

	script_begin(&s);
	size_t begin = s.len;
	script_handshake(&s);
	char *page = page_of(&s, s.len - 10, "cut", 1);
	assert_non_null(strstr(page, "\"partial\":\"cut ends being readable after packet 2"));
	free(page);
	page = page_of(&s, begin, "none", 0);
	assert_non_null(strstr(page, "\"packets\":0"));
	free(page);
	page = page_of(&s, begin - 10, "nothing", -EINVAL);
	assert_string_equal(page, "");
	free(page);
	script_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_series_that_is_merged_keeps_its_extremes_and_its_count),
		cmocka_unit_test(few_points_are_left_alone),
		cmocka_unit_test(data_is_joined_only_where_it_follows),
		cmocka_unit_test(numbers_are_packed_in_base64_of_varints),
		cmocka_unit_test(losses_are_marked_where_they_are),
		cmocka_unit_test(nobodys_bytes_become_the_pages_own),
		cmocka_unit_test(a_page_says_when_it_is_not_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
