/*
 * Loss, seen from the sender: RFC 6298, RFC 5681, RFC 6582, RFC 6675, RFC 8985, RFC 6937.
 */
#include "tests/unit/tcp_rig.h"

static void send_segments(struct rig *t, uint32_t n)
{
	uint32_t at = (uint32_t)t->written + 1;

	app_send(t, 1000 * n);
	for (uint32_t i = 0; i < n; i++)
		expect_tx(t, .seq = L(at + 1000 * i), .len = 1000);
}

/* --- the timeout --- */

TEST(the_first_rto_is_the_round_trip_and_200_ms)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	assert_int_equal(t->tcp->srtt / MSEC, RIG_RTT / MSEC);
	send_segments(t, 1);
	expect_tx_after(t, 210 * MSEC, .seq = L(1), .len = 1000);
	rig_end(t);
}

TEST(the_rto_doubles_with_each_timeout_up_to_two_minutes)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);
	nsec wait = t->tcp->rto;

	send_segments(t, 1);
	for (int i = 0; i < 13; i++) {
		nsec before = t->now;
		while (t->seen == t->ntx)
			advance(t, 1 * MSEC);
		assert_true(
			t->now - before >= wait - 2 * MSEC && t->now - before <= wait + 2 * MSEC);
		expect_tx(t, .seq = L(1), .len = 1000);
		wait = nsec_min(2 * wait, TCP_RTO_MAX);
	}
	rig_end(t);
}

/* RFC 6298 §5.3: an ACK of new data starts the timer again. */
TEST(progress_restarts_the_timer)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	send_segments(t, 2);
	advance(t, 200 * MSEC);
	rx(t, .ack = L(1001));
	expect_tx_after(t, t->tcp->rto, .seq = L(1001), .len = 1000);
	rig_end(t);
}

TEST(when_all_is_acknowledged_the_timer_stops)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	send_segments(t, 2);
	rx(t, .ack = L(2001));
	advance(t, 1000 * SEC);
	expect_silence(t);
	rig_end(t);
}

/* Karn: which transmission does the ACK belong to? */
TEST(a_retransmitted_segment_gives_no_round_trip)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);
	nsec before = t->tcp->srtt;

	send_segments(t, 1);
	expect_tx_after(t, t->tcp->rto, .seq = L(1), .len = 1000);
	advance(t, 77 * MSEC);
	rx(t, .ack = L(1001));
	assert_int_equal(t->tcp->srtt, before);
	rig_end(t);
}

TEST(a_timestamp_tells_which_transmission_it_was)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true, .ts = true);
	nsec before = t->tcp->srtt;

	app_send(t, 500);
	expect_tx(t, .len = 500);
	expect_tx_after(t, t->tcp->rto, .len = 500);
	advance(t, 77 * MSEC);
	rx(t, .ack = L(501));
	assert_true(t->tcp->srtt > before && t->tcp->srtt < 77 * MSEC);
	rig_end(t);
}

TEST(srtt_and_rttvar_follow_rfc_6298)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	assert_int_equal(t->tcp->rttvar / MSEC, 5); /* R/2 */
	send_segments(t, 1);
	advance(t, 18 * MSEC);
	rx(t, .ack = L(1001));
	assert_int_equal(t->tcp->srtt / USEC, 11000);  /* 7/8 10 + 1/8 18 */
	assert_int_equal(t->tcp->rttvar / USEC, 5750); /* 3/4 5 + 1/4 8 */
	assert_int_equal(t->tcp->rto / USEC, 211000);
	rig_end(t);
}

TEST(after_a_timeout_the_window_is_one_segment_and_grows_again)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	send_segments(t, 10);
	expect_tx_after(t, t->tcp->rto, .seq = L(1), .len = 1000);
	expect_silence(t);
	assert_int_equal(t->tcp->cong.cwnd, 1000);
	rx(t, .ack = L(1001));
	expect_tx(t, .seq = L(1001), .len = 1000);
	expect_tx(t, .seq = L(2001), .len = 1000);
	rx(t, .ack = L(3001));
	for (uint32_t i = 0; i < 4; i++)
		expect_tx(t, .seq = L(3001 + 1000 * i), .len = 1000);
	rx(t, .ack = L(10001));
	expect_silence(t);
	rig_end(t);
}

TEST(a_timeout_resends_a_super_segment_one_segment_at_a_time)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true, .gso_max = 65536);

	app_send(t, 8000);
	expect_tx(t, .seq = L(1), .len = 8000);
	expect_tx_after(t, t->tcp->rto, .seq = L(1), .len = 1000);
	rx(t, .ack = L(1001));
	expect_tx(t, .seq = L(1001), .len = 2000);
	rig_end(t);
}

/* --- fast retransmit without SACK --- */

TEST(three_duplicate_acks_retransmit_at_once)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	send_segments(t, 10);
	rx(t, .ack = L(1));
	rx(t, .ack = L(1));
	expect_silence(t);
	rx(t, .ack = L(1));
	expect_tx(t, .seq = L(1), .len = 1000);
	assert_int_equal(counted(t, CNT_TcpExtFastRetrans), 1);
	rx(t, .ack = L(10001));
	expect_silence(t);
	assert_int_equal(t->tcp->recovery, RECOVERY_OPEN);
	rig_end(t);
}

/* RFC 6582 §3.2 step 3. */
TEST(a_partial_ack_retransmits_the_next_hole)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	send_segments(t, 10);
	for (int i = 0; i < 3; i++)
		rx(t, .ack = L(1));
	expect_tx(t, .seq = L(1), .len = 1000);
	rx(t, .ack = L(4001));
	expect_tx(t, .seq = L(4001), .len = 1000);
	rx(t, .ack = L(10001));
	expect_silence(t);
	rig_end(t);
}

TEST(an_ack_with_data_or_another_window_is_no_duplicate)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	send_segments(t, 10);
	for (uint32_t i = 0; i < 5; i++)
		rx(t, .ack = L(1), .len = 10);
	for (uint32_t i = 0; i < 5; i++)
		rx(t, .ack = L(1), .window = WIN(30000 + i));
	for (; t->seen < t->ntx; t->seen++)
		assert_int_equal(t->tx[t->seen].len, 0);
	rig_end(t);
}

TEST(duplicate_acks_with_nothing_outstanding_mean_nothing)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	for (int i = 0; i < 5; i++)
		rx(t, .ack = L(1));
	assert_int_equal(t->tcp->dupacks, 0);
	expect_silence(t);
	rig_end(t);
}

/* --- with SACK --- */

TEST(a_sacked_later_segment_and_a_quarter_round_trip_make_a_loss)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	send_segments(t, 10);
	advance(t, 10 * MSEC);
	rx(t, .ack = L(1), .sack = {L(1001), L(2001)});
	expect_silence(t);
	advance(t, 2 * MSEC);
	expect_silence(t);
	advance(t, 1 * MSEC); /* min_rtt / 4 is 2.5 ms */
	expect_tx(t, .seq = L(1), .len = 1000);
	rx(t, .ack = L(10001));
	expect_silence(t);
	rig_end(t);
}

TEST(a_segment_that_is_only_late_is_not_retransmitted)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	send_segments(t, 10);
	advance(t, 10 * MSEC);
	rx(t, .ack = L(1), .sack = {L(1001), L(3001)}); /* with three it would be lost at once */
	advance(t, 1 * MSEC);
	rx(t, .ack = L(10001));
	advance(t, 1 * SEC);
	expect_silence(t);
	assert_int_equal(counted(t, CNT_TcpRetransSegs), 0);
	assert_int_equal(t->tcp->recovery, RECOVERY_OPEN);
	rig_end(t);
}

TEST(what_is_sacked_is_not_sent_again_after_a_timeout)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	send_segments(t, 4);
	rx(t, .ack = L(1), .sack = {L(1001), L(3001)});
	advance(t, 5 * MSEC);
	expect_tx(t, .seq = L(1), .len = 1000);
	expect_tx_after(t, t->tcp->rto - 5 * MSEC, .seq = L(1), .len = 1000);
	rx(t, .ack = L(3001));
	expect_tx(t, .seq = L(3001), .len = 1000);
	rig_end(t);
}

/* RFC 2018 §8: a receiver may take a SACK back. */
TEST(reneged_sacks_are_forgotten_after_a_timeout)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	send_segments(t, 3);
	rx(t, .ack = L(1), .sack = {L(1001), L(3001)});
	advance(t, 5 * MSEC);
	expect_tx(t, .seq = L(1), .len = 1000);
	rx(t, .ack = L(1001)); /* and not 3001 */
	advance(t, 300 * MSEC);
	expect_tx(t, .seq = L(1001), .len = 1000);
	assert_int_equal(counted(t, CNT_TcpExtRenegedSacks), 1);
	rx(t, .ack = L(2001));
	expect_tx(t, .seq = L(2001), .len = 1000);
	rig_end(t);
}

TEST(nonsense_in_sack_blocks_is_ignored)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	send_segments(t, 4);
	rx(t, .ack = L(1), .sack = {L(5001), L(9001)});             /* beyond what was sent */
	rx(t, .ack = L(1), .sack = {L(2001), L(1001)});             /* backwards */
	rx(t, .ack = L(1), .sack = {L(1001), L(1001)});             /* empty */
	rx(t, .ack = L(1), .sack = {L(0x70000000), L(0x70000010)}); /* far away */
	assert_int_equal(t->tcp->sacked_bytes, 0);
	forget_tx(t);
	rig_end(t);
}

TEST(sack_blocks_without_agreement_are_ignored)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	send_segments(t, 4);
	rx(t, .ack = L(1), .sack = {L(1001), L(4001)});
	assert_int_equal(t->tcp->sacked_bytes, 0);
	expect_silence(t);
	rig_end(t);
}

TEST(a_sack_in_the_middle_of_a_segment_splits_it)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	send_segments(t, 2);
	rx(t, .ack = L(1), .sack = {L(301), L(1501)});
	assert_int_equal(t->tcp->sacked_bytes, 1200);
	advance(t, 5 * MSEC);
	expect_tx(t, .seq = L(1), .len = 300);
	rx(t, .ack = L(2001));
	rig_end(t);
}

/* The window comes down in proportion to what arrives, not in one silence (RFC 6937). */
TEST(during_recovery_new_data_still_flows)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);
	unsigned fresh = 0, again = 0;

	app_send(t, 40000);
	for (uint32_t i = 0; i < 10; i++)
		expect_tx(t, .seq = L(1 + 1000 * i), .len = 1000);
	advance(t, 10 * MSEC);
	for (uint32_t i = 2; i <= 10; i++) {
		rx(t, .ack = L(1), .sack = {L(1001), L(1000 * i + 1)});
		advance(t, 3 * MSEC);
	}
	for (; t->seen < t->ntx; t->seen++) {
		fresh += seq_ge(t->tx[t->seen].h.seq, seq_add(t->iss, 10001));
		again += seq_eq(t->tx[t->seen].h.seq, seq_add(t->iss, 1));
	}
	assert_int_equal(again, 1);
	assert_true(fresh >= 3 && fresh <= 8);
	assert_true(tcp_in_flight(t->tcp) <= t->tcp->cong.cwnd);
	rig_end(t);
}

/* RFC 8985 §7: the last segment of a burst is lost, and nothing comes back that could tell. */
TEST(a_lost_tail_is_probed_after_two_round_trips)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	send_segments(t, 4);
	expect_tx_after(t, 28 * MSEC, .seq = L(3001), .len = 1000);
	assert_int_equal(counted(t, CNT_TcpExtTimeouts), 0);
	rx(t, .ack = L(4001));
	rig_end(t);
}

/* Its ACK may be delayed. */
TEST(a_lone_segment_is_probed_40_ms_later_than_that)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	send_segments(t, 1);
	expect_tx_after(t, 68 * MSEC, .seq = L(1), .len = 1000);
	assert_int_equal(counted(t, CNT_TcpExtTimeouts), 0);
	rx(t, .ack = L(1001));
	rig_end(t);
}

TEST(idle_acks_do_not_grow_the_window)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);
	uint32_t before = t->tcp->cong.cwnd;

	for (uint32_t i = 0; i < 50; i++) {
		app_send(t, 100);
		expect_tx(t, .len = 100);
		rx(t, .ack = L(101 + 100 * i));
	}
	assert_int_equal(t->tcp->cong.cwnd, before);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_rto_is_the_round_trip_and_200_ms),
		cmocka_unit_test(the_rto_doubles_with_each_timeout_up_to_two_minutes),
		cmocka_unit_test(progress_restarts_the_timer),
		cmocka_unit_test(when_all_is_acknowledged_the_timer_stops),
		cmocka_unit_test(a_retransmitted_segment_gives_no_round_trip),
		cmocka_unit_test(a_timestamp_tells_which_transmission_it_was),
		cmocka_unit_test(srtt_and_rttvar_follow_rfc_6298),
		cmocka_unit_test(after_a_timeout_the_window_is_one_segment_and_grows_again),
		cmocka_unit_test(a_timeout_resends_a_super_segment_one_segment_at_a_time),
		cmocka_unit_test(three_duplicate_acks_retransmit_at_once),
		cmocka_unit_test(a_partial_ack_retransmits_the_next_hole),
		cmocka_unit_test(an_ack_with_data_or_another_window_is_no_duplicate),
		cmocka_unit_test(duplicate_acks_with_nothing_outstanding_mean_nothing),
		cmocka_unit_test(a_sacked_later_segment_and_a_quarter_round_trip_make_a_loss),
		cmocka_unit_test(a_segment_that_is_only_late_is_not_retransmitted),
		cmocka_unit_test(what_is_sacked_is_not_sent_again_after_a_timeout),
		cmocka_unit_test(reneged_sacks_are_forgotten_after_a_timeout),
		cmocka_unit_test(nonsense_in_sack_blocks_is_ignored),
		cmocka_unit_test(sack_blocks_without_agreement_are_ignored),
		cmocka_unit_test(a_sack_in_the_middle_of_a_segment_splits_it),
		cmocka_unit_test(during_recovery_new_data_still_flows),
		cmocka_unit_test(a_lost_tail_is_probed_after_two_round_trips),
		cmocka_unit_test(a_lone_segment_is_probed_40_ms_later_than_that),
		cmocka_unit_test(idle_acks_do_not_grow_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
