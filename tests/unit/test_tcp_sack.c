/*
 * Out of order, seen from the receiver: what is kept, which SACK blocks are sent in which order (RFC 2018 §4), and
 * duplicates (RFC 2883).
 */
#include "tests/unit/tcp_rig.h"

TEST(segments_in_any_order_are_delivered_in_order)
{
	static const uint32_t order[] = {3, 1, 4, 0, 6, 5, 2};
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		rx(t, .seq = R(1 + 500 * order[i]), .len = 500);
	forget_tx(t);
	assert_int_equal(app_recv(t, 10000), 3500);
	assert_null(t->tcp->ofo);
	rig_end(t);
}

TEST(the_newest_block_comes_first)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .seq = R(2001), .len = 500);
	expect_tx(t, .ack = R(1), .sack = {R(2001), R(2501)});
	rx(t, .seq = R(6001), .len = 500);
	expect_tx(t, .ack = R(1), .sack = {R(6001), R(6501), R(2001), R(2501)});
	rx(t, .seq = R(4001), .len = 500);
	expect_tx(t, .ack = R(1), .sack = {R(4001), R(4501), R(6001), R(6501), R(2001), R(2501)});
	rx(t, .seq = R(2501), .len = 100);
	expect_tx(t, .ack = R(1), .sack = {R(2001), R(2601), R(4001), R(4501), R(6001), R(6501)});
	rig_end(t);
}

TEST(a_block_grows_at_both_ends_and_swallows_its_neighbours)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .seq = R(2001), .len = 500);
	rx(t, .seq = R(3001), .len = 500);
	forget_tx(t);
	rx(t, .seq = R(2501), .len = 500);
	expect_tx(t, .ack = R(1), .sack = {R(2001), R(3501)});
	rx(t, .seq = R(1501), .len = 3000);
	expect_tx(t, .ack = R(1), .sack = {R(1501), R(4501)});
	rig_end(t);
}

TEST(four_blocks_fit_without_timestamps_and_three_with)
{
	for (unsigned ts = 0; ts < 2; ts++) {
		struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = ts);
		for (uint32_t i = 1; i <= 6; i++)
			rx(t, .seq = R(1 + 1000 * i), .len = 10);
		t->seen = t->ntx - 1;
		expect_tx(t, .ack = R(1), .nsack = SACKS(ts ? 3 : 4));
		rig_end(t);
	}
}

TEST(a_filled_hole_takes_its_block_away)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .seq = R(1001), .len = 500);
	rx(t, .seq = R(3001), .len = 500);
	forget_tx(t);
	rx(t, .seq = R(1), .len = 1000);
	expect_tx(t, .ack = R(1501), .sack = {R(3001), R(3501)});
	rx(t, .seq = R(1501), .len = 1500);
	expect_tx(t, .ack = R(3501), .nsack = SACKS(0));
	rig_end(t);
}

TEST(blocks_ride_on_data_too)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .seq = R(1001), .len = 500);
	forget_tx(t);
	app_send(t, 2000);
	expect_tx(t, .seq = L(1), .len = 988, .sack = {R(1001), R(1501)}); /* 12 bytes of options */
	expect_tx(t, .seq = L(989), .len = 988);
	expect_tx(t, .seq = L(1977), .len = 24);
	rig_end(t);
}

TEST(without_agreement_no_block_is_sent)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	rx(t, .seq = R(1001), .len = 500);
	expect_tx(t, .ack = R(1), .nsack = SACKS(0));
	rx(t, .seq = R(1), .len = 1000);
	expect_tx(t, .ack = R(1501));
	assert_int_equal(app_recv(t, 5000), 1500); /* kept all the same */
	rig_end(t);
}

/* --- RFC 2883 --- */

TEST(a_whole_duplicate_is_reported_once)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 1000);
	forget_tx(t);
	rx(t, .seq = R(1), .len = 1000);
	expect_tx(t, .ack = R(1001), .sack = {R(1), R(1001)});
	rx(t, .len = 1000);
	expect_tx(t, .ack = R(2001), .nsack = SACKS(0));
	rig_end(t);
}

TEST(a_duplicate_before_a_hole_comes_before_the_blocks)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 1000);
	rx(t, .seq = R(3001), .len = 500);
	forget_tx(t);
	rx(t, .seq = R(501), .len = 100);
	expect_tx(t, .ack = R(1001), .sack = {R(501), R(601), R(3001), R(3501)});
	rig_end(t);
}

/* §4.2.1: the block that contains the duplicate follows it. */
TEST(a_duplicate_beyond_a_hole_is_followed_by_the_block_around_it)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .seq = R(2001), .len = 1000);
	rx(t, .seq = R(5001), .len = 1000);
	forget_tx(t);
	rx(t, .seq = R(2501), .len = 100);
	expect_tx(t, .ack = R(1), .sack = {R(2501), R(2601), R(2001), R(3001), R(5001), R(6001)});
	rig_end(t);
}

/* --- limits --- */

TEST(too_many_holes_are_refused_and_what_is_kept_stays)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .wscale = SCALE(7));

	for (uint32_t i = 1; i <= TCP_OFO_RANGES_MAX + 10; i++)
		rx(t, .seq = R(1 + 20 * i), .len = 10);
	forget_tx(t);
	assert_int_equal(t->tcp->ofo->n, TCP_OFO_RANGES_MAX);
	assert_int_equal(counted(t, CNT_TcpExtOfoDropped), 10);
	rx(t, .seq = R(1), .len = 20);
	expect_tx(t, .ack = R(31));
	assert_int_equal(app_recv(t, 1000), 30);
	rig_end(t);
}

TEST(overlapping_segments_are_put_together_without_gap_or_repeat)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .seq = R(301), .len = 400);
	rx(t, .seq = R(501), .len = 600);
	rx(t, .seq = R(201), .len = 200);
	rx(t, .seq = R(1), .len = 350);
	forget_tx(t);
	assert_int_equal(app_recv(t, 5000), 1100);
	rig_end(t);
}

TEST(out_of_order_bytes_survive_reading_and_growing)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .wscale = SCALE(7));

	rx(t, .seq = R(1), .len = 3000);
	rx(t, .seq = R(4001), .len = 1000);
	assert_int_equal(app_recv(t, 2000), 2000);
	rx(t, .seq = R(60001), .len = 1000); /* the ring grows */
	assert_int_equal(app_recv(t, 5000), 1000);
	rx(t, .seq = R(3001), .len = 1000);
	assert_int_equal(app_recv(t, 5000), 2000);
	rx(t, .seq = R(5001), .len = 55000);
	assert_int_equal(app_recv(t, 100000), 56000);
	forget_tx(t);
	rig_end(t);
}

TEST(closing_with_holes_frees_them)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .seq = R(1001), .len = 1000);
	forget_tx(t);
	app_close(t);
	forget_tx(t);
	rx(t, .seq = R(1), .len = 1000);
	expect_tx(t, .flags = RST);
	assert_int_equal(stack_memory(t->s), 0);
	rig_end(t);
}

/* The smallest MSS there is, every option there can be: what is left for data is little, but not nothing. */
TEST(options_never_eat_up_a_tiny_segment)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true, .mss = 1);

	for (uint32_t i = 1; i <= 5; i++)
		rx(t, .seq = R(1 + 1000 * i), .len = 10);
	rx_burst(t, .seq = R(1001), .len = 10);
	forget_tx(t);
	app_send(t, 100);
	for (; t->seen < t->ntx; t->seen++) {
		const struct sent *x = &t->tx[t->seen];
		assert_true(x->len > 0 && x->len + x->h.hdr_len <= 20 + TCP_MSS_MIN);
	}
	assert_true(t->ntx > 0);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_in_any_order_are_delivered_in_order),
		cmocka_unit_test(the_newest_block_comes_first),
		cmocka_unit_test(a_block_grows_at_both_ends_and_swallows_its_neighbours),
		cmocka_unit_test(four_blocks_fit_without_timestamps_and_three_with),
		cmocka_unit_test(a_filled_hole_takes_its_block_away),
		cmocka_unit_test(blocks_ride_on_data_too),
		cmocka_unit_test(without_agreement_no_block_is_sent),
		cmocka_unit_test(a_whole_duplicate_is_reported_once),
		cmocka_unit_test(a_duplicate_before_a_hole_comes_before_the_blocks),
		cmocka_unit_test(a_duplicate_beyond_a_hole_is_followed_by_the_block_around_it),
		cmocka_unit_test(too_many_holes_are_refused_and_what_is_kept_stays),
		cmocka_unit_test(overlapping_segments_are_put_together_without_gap_or_repeat),
		cmocka_unit_test(out_of_order_bytes_survive_reading_and_growing),
		cmocka_unit_test(closing_with_holes_frees_them),
		cmocka_unit_test(options_never_eat_up_a_tiny_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
