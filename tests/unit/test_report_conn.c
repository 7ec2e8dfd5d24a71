/*
 * What the analysis of captures tells of connections: every number in these scripts is known.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "tests/unit/report_rig.h"

#define TEST(name) static void name(void **state)
#define MARK(m) (1u << MARK_##m)

/* The server's data [a, b), and the client's ACK of a. */
#define DATA(s, then, a, b, ...)                                                                   \
	SAY(s, then, .from = SERVER, .seq = S(a), .ack = C(1), .flags = TH_ACK, .len = (b) - (a),  \
		.win = 500, __VA_ARGS__)
#define ACKS(s, then, a, ...)                                                                      \
	SAY(s, then, .from = CLIENT, .seq = C(1), .ack = S(a), .flags = TH_ACK, .win = 500, __VA_ARGS__)

static void read_well(struct script *s)
{
	script_read(s, "");
	if (s->result)
		fail_msg("%s", s->message);
	assert_string_equal(s->totals.partial, "");
}

static const struct segment *last(const struct script *s)
{
	assert_true(s->nseen > 0);
	return &s->seen[s->nseen - 1];
}

TEST(numbers_are_relative_across_the_wrap_and_windows_scaled)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	SAY(&s, 0, .from = CLIENT, .seq = C(1), .ack = S(1), .flags = TH_ACK | TH_PSH, .len = 100, .win = 250);
	DATA(&s, 0, 1, 1001);
	read_well(&s);
	assert_int_equal(s.nseen, 5);
	assert_int_equal(s.seen[0].window, 1000);
	assert_int_equal(s.seen[3].seq, 1);
	assert_int_equal(s.seen[3].end, 101);
	assert_int_equal(s.seen[3].window, 1000);
	assert_int_equal(last(&s)->end, 1001);
	assert_int_equal(last(&s)->flight, 1000);
	assert_int_equal(s.seen[2].conn->handshake, 10 * MSEC + 100 * USEC);
	assert_int_equal(s.seen[0].conn->side[1].rtt.n, 1); /* of the SYN-ACK: 100 µs */
	script_end(&s);
}

TEST(sent_again_is_told_with_the_time_since)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	DATA(&s, 200 * MSEC, 1, 1001);
	DATA(&s, 1 * MSEC, 1, 1001);
	ACKS(&s, 1 * MSEC, 1001);
	DATA(&s, 0, 1, 1001);
	read_well(&s);
	assert_int_equal(s.seen[4].marks, MARK(AGAIN));
	assert_int_equal(s.seen[4].since, 200 * MSEC);
	assert_int_equal(s.seen[5].rtt, 0); /* Karn: of which of the two would it be? */
	assert_int_equal(last(&s)->marks, MARK(AGAIN) | MARK(NEEDLESS));
	assert_int_equal(s.seen[0].conn->side[1].fresh, 1000);
	assert_int_equal(s.seen[0].conn->side[1].payload, 3000);
	script_end(&s);
}

TEST(what_fills_a_hole_soon_was_overtaken_and_late_is_sent_again)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	DATA(&s, 1 * MSEC, 1, 1001);
	DATA(&s, 1 * MSEC, 2001, 3001);
	DATA(&s, 1 * MSEC, 1001, 2001);
	DATA(&s, 50 * MSEC, 4001, 5001);
	DATA(&s, 0, 3001, 4001);
	read_well(&s);
	assert_int_equal(s.seen[4].marks, MARK(HOLE));
	assert_int_equal(s.seen[4].hole, 1000);
	assert_int_equal(s.seen[5].marks, MARK(OUT_OF_ORDER));
	assert_int_equal(last(&s)->marks, MARK(AGAIN) | MARK(WINDOW_FULL)); /* 4000 from byte 1 */
	assert_int_equal(s.seen[0].conn->side[1].fresh, 5000);
	script_end(&s);
}

TEST(the_senders_clock_says_what_was_overtaken)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	DATA(&s, 50 * MSEC, 1001, 2001, .opts = TO_TIMESTAMP, .tsval = 100);
	DATA(&s, 1 * MSEC, 1, 1001, .opts = TO_TIMESTAMP, .tsval = 99);
	DATA(&s, 1 * MSEC, 3001, 4001, .opts = TO_TIMESTAMP, .tsval = 200);
	DATA(&s, 0, 2001, 3001, .opts = TO_TIMESTAMP, .tsval = 201);
	read_well(&s);
	assert_int_equal(s.seen[4].marks, MARK(OUT_OF_ORDER));
	assert_int_equal(last(&s)->marks, MARK(AGAIN));
	script_end(&s);
}

TEST(round_trips_come_from_acks_and_sacks)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	DATA(&s, 1 * MSEC, 1, 1001);
	DATA(&s, 1 * MSEC, 1001, 2001);
	DATA(&s, 18 * MSEC, 2001, 3001);
	ACKS(&s, 1 * MSEC, 1001);
	ACKS(&s, 0, 1001, .nsack = 1, .sack = {{seq(S(2001)), seq(S(3001))}});
	read_well(&s);
	assert_int_equal(s.seen[6].rtt, 20 * MSEC);
	assert_int_equal(last(&s)->rtt, 19 * MSEC);
	assert_int_equal(last(&s)->marks, MARK(DUP_ACK));
	const struct round_trips *r = &s.seen[0].conn->side[1].rtt;
	assert_int_equal(r->n, 3);
	assert_int_equal(r->max, 20 * MSEC);
	script_end(&s);
}

TEST(a_mere_receiver_learns_the_round_trip_from_echoed_timestamps)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	DATA(&s, 1 * MSEC, 1, 1001, .opts = TO_TIMESTAMP, .tsval = 500, .tsecr = 10);
	ACKS(&s, 25 * MSEC, 1001, .opts = TO_TIMESTAMP, .tsval = 20, .tsecr = 500);
	DATA(&s, 5 * MSEC, 1001, 2001, .opts = TO_TIMESTAMP, .tsval = 525, .tsecr = 10);
	DATA(&s, 0, 2001, 3001, .opts = TO_TIMESTAMP, .tsval = 530, .tsecr = 20);
	read_well(&s);
	assert_int_equal(last(&s)->echo_rtt, 30 * MSEC);
	script_end(&s);
}

TEST(duplicates_windows_probes_and_resets_are_named)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	DATA(&s, 1 * MSEC, 1, 1001);
	DATA(&s, 1 * MSEC, 1001, 2001);
	ACKS(&s, 1 * MSEC, 1001);
	ACKS(&s, 1 * MSEC, 1001);
	ACKS(&s, 1 * MSEC, 1001);
	SAY(&s, MSEC, .from = CLIENT, .seq = C(1), .ack = S(2001), .flags = TH_ACK, .win = 0);
	DATA(&s, 1 * MSEC, 2001, 2002);
	SAY(&s, MSEC, .from = CLIENT, .seq = C(1), .ack = S(2001), .flags = TH_ACK, .win = 900);
	SAY(&s, MSEC, .from = SERVER, .seq = S(2001), .flags = TH_RST);
	read_well(&s);
	assert_int_equal(s.seen[6].marks, MARK(DUP_ACK));
	assert_int_equal(s.seen[7].dup_acks, 2);
	assert_int_equal(s.seen[8].marks, MARK(ZERO_WINDOW));
	assert_int_equal(s.seen[9].marks, MARK(PROBE));
	assert_int_equal(s.seen[10].marks, MARK(WINDOW_UPDATE));
	assert_int_equal(s.seen[11].marks, MARK(RESET));
	assert_true(s.seen[0].conn->reset);
	script_end(&s);
}

TEST(a_duplicate_selective_acknowledgement_is_known)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	DATA(&s, 1 * MSEC, 1, 1001);
	ACKS(&s, 1 * MSEC, 1001);
	ACKS(&s, 1 * MSEC, 1001, .nsack = 1, .sack = {{seq(S(1)), seq(S(1001))}});
	read_well(&s);
	assert_true(last(&s)->marks & MARK(DSACK));
	script_end(&s);
}

TEST(comments_of_our_captures_are_understood)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	DATA(&s, 0, 1, 1001, .comment = "wget[4711]; cwnd 14480; lost (rule 1)");
	DATA(&s, 0, 1001, 5001, .comment = "lost 3 of 4 segments of 1000: 1-2 4 (rule 1); dropped: TcpInErrs");
	read_well(&s);
	const struct side *server = &s.seen[0].conn->side[1];
	assert_string_equal(s.seen[0].conn->process, "wget[4711]");
	assert_int_equal(server->lost, 4);
	assert_int_equal(server->cwnd_max, 14480);
	assert_string_equal(s.seen[3].note.text, "lost (rule 1)");
	const struct note *n = &last(&s)->note;
	assert_int_equal(n->segments, 4);
	assert_int_equal(n->step, 1000);
	assert_int_equal(n->nruns, 2);
	assert_int_equal(n->run[0].last, 1);
	assert_int_equal(n->run[1].first, 3);
	assert_int_equal(last(&s)->marks, MARK(LOST) | MARK(DROPPED));
	script_end(&s);
}

/* With a delay, what is lost on the way out is captured before those that it came after. */
TEST(a_segment_lost_ahead_of_delayed_ones_takes_its_place)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
#define SENT(then, a, b, ...)                                                                      \
	SAY(&s, then, .from = CLIENT, .seq = C(a), .ack = S(1), .flags = TH_ACK, .len = (b) - (a),   \
		.win = 500, __VA_ARGS__)
	SENT(1 * MSEC, 101, 201, .comment = "lost (rule 1)");
	SENT(1 * MSEC, 1, 101);
	SENT(1 * MSEC, 201, 301);
	SENT(1 * MSEC, 401, 501, .comment = "lost (rule 1)");
	SENT(1 * MSEC, 301, 401);
	SENT(1 * MSEC, 101, 201);
	SENT(1 * MSEC, 401, 501);
	read_well(&s);
	for (unsigned i = 4; i < 8; i++)
		assert_int_equal(s.seen[i].marks, i == 6 ? MARK(LOST) : 0);
	assert_int_equal(s.seen[8].marks, MARK(AGAIN));
	assert_int_equal(s.seen[8].since, 5 * MSEC);
	assert_int_equal(last(&s)->marks, MARK(AGAIN));
	assert_int_equal(last(&s)->since, 3 * MSEC);
	assert_int_equal(s.seen[0].conn->side[0].fresh, 500);
	script_end(&s);
}

TEST(comments_that_only_look_like_ours_do_no_harm)
{
	static const char *const comments[] = {"lost 9 of 3 segments of 1448: 1 (rule 1)",
		"lost 2 of 3 segments of 0: 1", "lost 1 of 2 segments of 1: 7-9 3-1 99999999999999999999",
		"[1]; cwnd ; x[]; ; ; ", "\033[31mred\n", "cwnd 99999999999999999999"};
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	for (unsigned i = 0; i < ARRAY_LEN(comments); i++)
		DATA(&s, 0, 1 + i, 2 + i, .comment = comments[i]);
	read_well(&s);
	assert_int_equal(s.seen[3].note.lost, 1);
	assert_int_equal(s.seen[5].note.nruns, 0);
	assert_string_equal(s.seen[7].note.text, "?[31mred?");
	script_end(&s);
}

TEST(a_syn_between_the_same_ends_begins_another_connection)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	SAY(&s, SEC, .from = CLIENT, .seq = C(1), .flags = TH_RST);
	SAY(&s, 0, .from = CLIENT, .seq = 12345, .flags = TH_SYN, .win = 1);
	SAY(&s, 0, .from = CLIENT, .seq = 12345, .flags = TH_SYN, .win = 1);
	SAY(&s, 0, .from = CLIENT, .seq = 1, .flags = TH_SYN, .win = 1, .client_port = 40001);
	read_well(&s);
	assert_int_equal(conns_count(s.conns), 3);
	assert_int_equal(s.seen[5].conn->number, 2);
	assert_int_equal(s.seen[5].marks, MARK(AGAIN));
	script_end(&s);
}

TEST(a_capture_that_begins_in_the_middle_counts_from_1)
{
	struct script s;

	script_begin(&s);
	ACKS(&s, MSEC, 700000);
	DATA(&s, MSEC, 700000, 701000);
	read_well(&s);
	assert_int_equal(s.seen[0].from, 0); /* the higher port is the client's */
	assert_int_equal(s.seen[0].ack, 1);
	assert_int_equal(s.seen[1].seq, 1);
	assert_int_equal(s.seen[1].end, 1001);
	assert_int_equal(s.seen[1].marks, 0);
	script_end(&s);
}

TEST(a_filter_chooses_what_is_shown_and_leaves_the_analysis_alone)
{
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	DATA(&s, 0, 1, 1001);
	DATA(&s, 0, 1, 1001);
	script_read(&s, "len > 1000");
	assert_int_equal(s.nseen, 2);
	assert_int_equal(s.totals.tcp, 5);
	assert_true(last(&s)->marks & MARK(AGAIN));
	script_end(&s);
	script_begin(&s);
	script_read(&s, "no filter");
	assert_int_equal(s.result, -EINVAL);
	assert_non_null(strstr(s.message, "no filter"));
	script_end(&s);
}

static bool count_segment(void *ctx, const struct segment *g)
{
	++*(unsigned *)ctx;
	return true;
}

/* Cut at every byte: the packets that are whole are there, and that it is not all is told. */
TEST(a_file_that_is_cut_off_gives_what_it_has)
{
	unsigned seen, whole = 0;
	struct capture_reading how = {
		.filter = "", .packets_max = UINT64_MAX, .segment = count_segment, .ctx = &seen};
	struct script s;

	script_begin(&s);
	size_t begin = s.len, next = begin;
	script_handshake(&s);
	for (size_t len = 1; len < s.len; len++) {
		struct capture_totals totals;
		struct conns *conns;

		bool at_end = len == next;
		seen = 0;
		if (at_end) {
			uint32_t block;
			memcpy(&block, s.bytes + len + 4, sizeof block);
			whole += len > begin;
			next += block;
		}
		int result = capture_read(script_open(&s, len), "cut", &how, &conns, &totals, s.message);
		assert_int_equal(result, len < begin ? -EINVAL : 0);
		if (result)
			continue;
		assert_int_equal(seen, whole);
		assert_int_equal(totals.partial[0] == '\0', at_end);
		conns_free(conns);
	}
	script_end(&s);
}

TEST(what_is_no_capture_is_refused)
{
	static const char text[] = "my thesis, chapter one: on the nature of things";
	struct script s = {.bytes = (uint8_t *)(uintptr_t)text, .len = sizeof text};

	script_read(&s, "");
	assert_int_equal(s.result, -EINVAL);
	assert_non_null(strstr(s.message, "script is no capture file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_relative_across_the_wrap_and_windows_scaled),
		cmocka_unit_test(sent_again_is_told_with_the_time_since),
		cmocka_unit_test(what_fills_a_hole_soon_was_overtaken_and_late_is_sent_again),
		cmocka_unit_test(the_senders_clock_says_what_was_overtaken),
		cmocka_unit_test(round_trips_come_from_acks_and_sacks),
		cmocka_unit_test(a_mere_receiver_learns_the_round_trip_from_echoed_timestamps),
		cmocka_unit_test(duplicates_windows_probes_and_resets_are_named),
		cmocka_unit_test(a_duplicate_selective_acknowledgement_is_known),
		cmocka_unit_test(comments_of_our_captures_are_understood),
		cmocka_unit_test(a_segment_lost_ahead_of_delayed_ones_takes_its_place),
		cmocka_unit_test(comments_that_only_look_like_ours_do_no_harm),
		cmocka_unit_test(a_syn_between_the_same_ends_begins_another_connection),
		cmocka_unit_test(a_capture_that_begins_in_the_middle_counts_from_1),
		cmocka_unit_test(a_filter_chooses_what_is_shown_and_leaves_the_analysis_alone),
		cmocka_unit_test(a_file_that_is_cut_off_gives_what_it_has),
		cmocka_unit_test(what_is_no_capture_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
