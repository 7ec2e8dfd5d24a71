/*
 * Closing: RFC 9293 §3.6, the right half of figure 5, half-close both ways, and what happens to data on the way.
 */
#include "tests/unit/tcp_rig.h"

/* --- the arrows --- */

TEST(established_close_sends_fin_and_moves_to_fin_wait_1)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_close(t);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1), .ack = R(1));
	expect_state(t, TCPS_FIN_WAIT_1);
	rig_end(t);
}

TEST(established_fin_moves_to_close_wait)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = FIN | ACK);
	expect_tx(t, .seq = L(1), .ack = R(2));
	expect_state(t, TCPS_CLOSE_WAIT);
	expect_event(t, TCP_EV_EOF);
	assert_true(tcp_recv_eof(t->tcp));
	rig_end(t);
}

TEST(fin_wait_1_ack_of_fin_moves_to_fin_wait_2)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_1);

	rx(t, .ack = L(2));
	expect_state(t, TCPS_FIN_WAIT_2);
	expect_event(t, TCP_EV_SENT);
	expect_silence(t);
	rig_end(t);
}

TEST(fin_wait_1_fin_moves_to_closing)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_1);

	rx(t, .flags = FIN | ACK);
	expect_tx(t, .seq = L(2), .ack = R(2));
	expect_state(t, TCPS_CLOSING);
	expect_event(t, TCP_EV_EOF);
	rig_end(t);
}

TEST(fin_wait_1_fin_with_ack_of_fin_moves_to_time_wait)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_1);

	rx(t, .flags = FIN | ACK, .ack = L(2));
	expect_tx(t, .seq = L(2), .ack = R(2));
	expect_state(t, TCPS_TIME_WAIT);
	expect_event(t, TCP_EV_SENT | TCP_EV_EOF | TCP_EV_CLOSED);
	rig_end(t);
}

TEST(fin_wait_2_fin_moves_to_time_wait)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_2);

	rx(t, .flags = FIN | ACK);
	expect_tx(t, .seq = L(2), .ack = R(2));
	expect_state(t, TCPS_TIME_WAIT);
	rig_end(t);
}

TEST(closing_ack_of_fin_moves_to_time_wait)
{
	struct rig *t = rig_in_state(TCPS_CLOSING);

	rx(t, .ack = L(2));
	expect_silence(t);
	expect_state(t, TCPS_TIME_WAIT);
	rig_end(t);
}

TEST(closing_an_ack_of_less_than_the_fin_changes_nothing)
{
	struct rig *t = rig_in_state(TCPS_CLOSING);

	rx(t, .ack = L(1));
	expect_silence(t);
	expect_state(t, TCPS_CLOSING);
	rig_end(t);
}

TEST(close_wait_close_sends_fin_and_moves_to_last_ack)
{
	struct rig *t = rig_in_state(TCPS_CLOSE_WAIT);

	app_close(t);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1), .ack = R(2));
	expect_state(t, TCPS_LAST_ACK);
	rig_end(t);
}

TEST(last_ack_ack_of_fin_moves_to_closed)
{
	struct rig *t = rig_in_state(TCPS_LAST_ACK);

	rx(t, .ack = L(2));
	expect_silence(t);
	expect_error(t, 0);
	expect_event(t, TCP_EV_SENT | TCP_EV_CLOSED);
	rig_end(t);
}

TEST(last_ack_an_ack_of_less_than_the_fin_changes_nothing)
{
	struct rig *t = rig_in_state(TCPS_LAST_ACK);

	rx(t, .ack = L(1));
	expect_silence(t);
	expect_state(t, TCPS_LAST_ACK);
	rig_end(t);
}

TEST(simultaneous_close_ends_in_time_wait_on_both_sides)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_shutdown(t);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1), .ack = R(1));
	rx(t, .flags = FIN | ACK, .ack = L(1));
	expect_tx(t, .seq = L(2), .ack = R(2));
	rx(t, .ack = L(2));
	expect_state(t, TCPS_TIME_WAIT);
	rig_end(t);
}

TEST(an_orphan_in_last_ack_is_gone_with_the_ack_of_its_fin)
{
	struct rig *t = rig_in_state(TCPS_LAST_ACK);

	app_close(t);
	expect_silence(t);
	assert_int_equal(stack_socket_count(t->s), 1);
	rx(t, .ack = L(2));
	assert_int_equal(stack_socket_count(t->s), 0);
	assert_null(rig_conn(t));
	rig_end(t);
}

/* --- what the FIN stands behind --- */

TEST(the_fin_rides_on_the_last_data)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	tcp_shutdown(t->tcp, t->now);
	assert_int_equal(app_send(t, 10), 0); /* no more after shutdown */
	expect_tx(t, .flags = FIN | ACK, .seq = L(1));
	rig_end(t);
}

TEST(data_queued_before_close_leaves_before_the_fin)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 1500);
	app_close(t);
	expect_tx(t, .seq = L(1), .len = 1000);
	expect_tx(t, .seq = L(1001), .len = 500); /* Minshall: nothing small is unacknowledged */
	expect_tx(t, .flags = FIN | ACK, .seq = L(1501));
	rig_end(t);
}

TEST(a_fin_waits_for_data_that_the_window_holds_back)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .window = WIN(1000));

	app_send(t, 2500);
	app_close(t);
	expect_tx(t, .seq = L(1), .len = 1000);
	expect_silence(t);
	expect_state(t, TCPS_FIN_WAIT_1);
	rx(t, .ack = L(1001), .window = WIN(5000));
	expect_tx(t, .seq = L(1001), .len = 1000);
	expect_tx(t, .flags = FIN | ACK, .seq = L(2001), .len = 500);
	rx(t, .ack = L(2502));
	expect_state(t, TCPS_FIN_WAIT_2);
	rig_end(t);
}

TEST(a_lost_fin_is_sent_again)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_1, .no_sack = true);

	expect_tx_after(t, 210 * MSEC, .flags = FIN | ACK, .seq = L(1));
	expect_tx_after(t, 415 * MSEC, .flags = FIN | ACK, .seq = L(1));
	rx(t, .ack = L(2));
	expect_state(t, TCPS_FIN_WAIT_2);
	rig_end(t);
}

TEST(a_lost_fin_on_data_is_sent_again_with_the_data)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true, .window = WIN(500));

	app_send(t, 700);
	app_shutdown(t);
	expect_tx(t, .seq = L(1), .len = 500);
	rx(t, .ack = L(501));
	expect_tx(t, .flags = FIN | ACK, .seq = L(501), .len = 200);
	expect_tx_after(t, 210 * MSEC, .flags = FIN | ACK, .seq = L(501), .len = 200);
	rig_end(t);
}

/* --- half-close --- */

TEST(fin_wait_1_data_is_taken_and_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_1);

	rx(t, .len = 300);
	advance(t, TCP_DELACK_MAX);
	expect_tx(t, .seq = L(2), .ack = R(301));
	assert_int_equal(app_recv(t, 1000), 300);
	rig_end(t);
}

TEST(fin_wait_2_data_is_taken_and_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_2);

	rx(t, .len = 300);
	advance(t, TCP_DELACK_MAX);
	expect_tx(t, .seq = L(2), .ack = R(301));
	rx(t, .flags = FIN | ACK, .len = 300);
	expect_tx(t, .seq = L(2), .ack = R(602));
	expect_state(t, TCPS_TIME_WAIT);
	assert_int_equal(app_recv(t, 1000), 600); /* also after the end */
	assert_true(tcp_recv_eof(t->tcp));
	rig_end(t);
}

TEST(close_wait_still_sends)
{
	struct rig *t = rig_in_state(TCPS_CLOSE_WAIT);

	assert_true(tcp_can_send(t->tcp));
	app_send(t, 1000);
	expect_tx(t, .seq = L(1), .ack = R(2), .len = 1000);
	rx(t, .ack = L(1001));
	app_close(t);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1001));
	rx(t, .ack = L(1002));
	assert_null(rig_conn(t));
	rig_end(t);
}

TEST(data_beyond_the_fin_is_not_believed)
{
	struct rig *t = rig_in_state(TCPS_CLOSE_WAIT);

	rx(t, .seq = R(2), .len = 100);
	expect_silence(t);
	assert_int_equal(tcp_recv_queued(t->tcp), 0);
	rig_end(t);
}

TEST(a_retransmitted_fin_is_acknowledged_again)
{
	static const enum tcp_state with_fin[] = {TCPS_CLOSE_WAIT, TCPS_CLOSING, TCPS_LAST_ACK};

	for (size_t i = 0; i < ARRAY_LEN(with_fin); i++) {
		struct rig *t = rig_in_state(with_fin[i]);
		rx(t, .flags = FIN | ACK, .seq = R(1));
		expect_tx(t, .ack = R(2));
		expect_state(t, with_fin[i]);
		rig_end(t);
	}
}

TEST(a_fin_before_its_data_waits_for_it)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = FIN | ACK, .seq = R(501), .len = 100);
	expect_tx(t, .ack = R(1), .sack = {R(501), R(601)});
	expect_state(t, TCPS_ESTABLISHED);
	rx(t, .seq = R(1), .len = 500);
	expect_tx(t, .ack = R(602));
	expect_state(t, TCPS_CLOSE_WAIT);
	assert_int_equal(app_recv(t, 1000), 600);
	assert_true(tcp_recv_eof(t->tcp));
	rig_end(t);
}

TEST(a_bare_fin_before_its_data_waits_for_it)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = FIN | ACK, .seq = R(501));
	expect_tx(t, .ack = R(1));
	rx(t, .seq = R(1), .len = 500);
	expect_tx(t, .ack = R(502));
	expect_state(t, TCPS_CLOSE_WAIT);
	rig_end(t);
}

/* --- orphans --- */

TEST(close_with_unread_data_sends_rst)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 10);
	expect_tx(t, .ack = R(11));
	app_close(t);
	expect_tx(t, .flags = RST | ACK, .seq = L(1), .ack = R(11));
	assert_null(rig_conn(t));
	rig_end(t);
}

TEST(close_wait_close_with_unread_data_sends_rst)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = FIN | ACK, .len = 10);
	expect_tx(t, .ack = R(12));
	app_close(t);
	expect_tx(t, .flags = RST | ACK, .seq = L(1), .ack = R(12));
	rig_end(t);
}

TEST(data_after_close_is_answered_by_rst)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_close(t);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1));
	rx(t, .ack = L(2), .len = 10);
	expect_tx(t, .flags = RST, .seq = L(2)); /* in the form that answers a segment, as Linux */
	assert_null(rig_conn(t));
	rig_end(t);
}

TEST(old_data_after_close_is_only_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 10);
	expect_tx(t, .ack = R(11));
	app_recv(t, 10);
	app_close(t);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1));
	rx(t, .seq = R(1), .len = 10);
	expect_tx(t, .ack = R(11));
	expect_state(t, TCPS_FIN_WAIT_1);
	rig_end(t);
}

TEST(an_orphans_fin_wait_2_ends_after_a_minute)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_2);

	app_close(t);
	expect_silence(t);
	advance(t, 59 * SEC);
	expect_state(t, TCPS_FIN_WAIT_2);
	advance(t, 2 * SEC);
	assert_null(rig_conn(t));
	rx(t, .flags = FIN | ACK);
	expect_tx(t, .flags = RST, .seq = L(2));
	rig_end(t);
}

TEST(linger2_sets_how_long_an_orphan_waits_for_the_fin)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_LINGER2] = 5 * SEC});

	app_close(t);
	expect_tx(t, .flags = FIN | ACK);
	rx(t, .ack = L(2));
	advance(t, 4900 * MSEC);
	expect_state(t, TCPS_FIN_WAIT_2);
	advance(t, 200 * MSEC);
	assert_null(rig_conn(t));
	rig_end(t);
}

TEST(an_owned_fin_wait_2_waits_for_ever)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_2);

	advance(t, 10000 * SEC);
	expect_state(t, TCPS_FIN_WAIT_2);
	rig_end(t);
}

/* tcp_orphan_retries: 8, after 0.21, 0.42, … 26.9 s; the end comes 53.8 s after the last. */
TEST(an_orphan_gives_up_its_fin_sooner)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	app_close(t);
	expect_tx(t, .flags = FIN | ACK);
	advance(t, 54 * SEC);
	for (int i = 0; i < 8; i++)
		expect_tx(t, .flags = FIN | ACK, .seq = L(1));
	expect_silence(t);
	expect_state(t, TCPS_FIN_WAIT_1);
	advance(t, 54 * SEC);
	expect_tx(t, .flags = RST | ACK);
	assert_null(rig_conn(t));
	rig_end(t);
}

TEST(abort_sends_rst_in_every_synchronized_state)
{
	static const enum tcp_state states[] = {TCPS_ESTABLISHED, TCPS_FIN_WAIT_1, TCPS_FIN_WAIT_2,
		TCPS_CLOSE_WAIT, TCPS_CLOSING, TCPS_LAST_ACK};

	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct rig *t = rig_in_state(states[i]);
		app_abort(t);
		expect_tx(t, .flags = RST | ACK);
		assert_null(rig_conn(t));
		rig_end(t);
	}
}

TEST(shutdown_needs_a_connection)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);

	assert_int_equal(tcp_shutdown(t->tcp, t->now), -ENOTCONN);
	rig_end(t);
	t = rig_in_state(TCPS_LISTEN);
	assert_int_equal(tcp_shutdown(t->listener, t->now), -ENOTCONN);
	rig_end(t);
}

TEST(shutdown_twice_sends_one_fin)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_1);

	app_shutdown(t);
	expect_silence(t);
	rig_end(t);
}

TEST(a_closed_connection_answers_questions_until_it_is_given_back)
{
	struct rig *t = rig_in_state(TCPS_LAST_ACK);
	struct endpoint remote = peer(9, PEER_PORT);

	rx(t, .ack = L(2));
	assert_true(endpoint_equal(tcp_remote(t->tcp), &remote));
	assert_int_equal(tcp_local(t->tcp)->port, OUR_PORT);
	assert_int_equal(tcp_connect(t->tcp, &remote, t->now), -EISCONN);
	assert_int_equal(tcp_listen(t->tcp, 1, t->now), -EINVAL);
	assert_false(tcp_can_send(t->tcp));
	rig_end(t);
}

/* What is acknowledged counts even if the end cannot be: memory ran out under a segment that also carried the FIN. */
TEST(a_fin_behind_data_that_found_no_memory_is_not_believed)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mem_max = 8192);
	uint32_t at = 1;

	for (int i = 0; i < 8; i++, at += 1000)
		rx(t, .len = 1000);
	forget_tx(t);
	rx(t, .flags = FIN | ACK, .len = 1000);
	forget_tx(t);
	expect_state(t, TCPS_ESTABLISHED);
	assert_false(tcp_recv_eof(t->tcp));
	assert_int_equal(app_recv(t, 100000), 8000);
	assert_false(tcp_recv_eof(t->tcp));
	forget_tx(t);
	rx(t, .flags = FIN | ACK, .seq = R(at), .len = 1000);
	expect_tx(t, .ack = R(at + 1001));
	assert_int_equal(app_recv(t, 100000), 1000);
	assert_true(tcp_recv_eof(t->tcp));
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(established_close_sends_fin_and_moves_to_fin_wait_1),
		cmocka_unit_test(established_fin_moves_to_close_wait),
		cmocka_unit_test(fin_wait_1_ack_of_fin_moves_to_fin_wait_2),
		cmocka_unit_test(fin_wait_1_fin_moves_to_closing),
		cmocka_unit_test(fin_wait_1_fin_with_ack_of_fin_moves_to_time_wait),
		cmocka_unit_test(fin_wait_2_fin_moves_to_time_wait),
		cmocka_unit_test(closing_ack_of_fin_moves_to_time_wait),
		cmocka_unit_test(closing_an_ack_of_less_than_the_fin_changes_nothing),
		cmocka_unit_test(close_wait_close_sends_fin_and_moves_to_last_ack),
		cmocka_unit_test(last_ack_ack_of_fin_moves_to_closed),
		cmocka_unit_test(last_ack_an_ack_of_less_than_the_fin_changes_nothing),
		cmocka_unit_test(simultaneous_close_ends_in_time_wait_on_both_sides),
		cmocka_unit_test(an_orphan_in_last_ack_is_gone_with_the_ack_of_its_fin),
		cmocka_unit_test(the_fin_rides_on_the_last_data),
		cmocka_unit_test(data_queued_before_close_leaves_before_the_fin),
		cmocka_unit_test(a_fin_waits_for_data_that_the_window_holds_back),
		cmocka_unit_test(a_lost_fin_is_sent_again),
		cmocka_unit_test(a_lost_fin_on_data_is_sent_again_with_the_data),
		cmocka_unit_test(fin_wait_1_data_is_taken_and_acknowledged),
		cmocka_unit_test(fin_wait_2_data_is_taken_and_acknowledged),
		cmocka_unit_test(close_wait_still_sends),
		cmocka_unit_test(data_beyond_the_fin_is_not_believed),
		cmocka_unit_test(a_retransmitted_fin_is_acknowledged_again),
		cmocka_unit_test(a_fin_before_its_data_waits_for_it),
		cmocka_unit_test(a_bare_fin_before_its_data_waits_for_it),
		cmocka_unit_test(close_with_unread_data_sends_rst),
		cmocka_unit_test(close_wait_close_with_unread_data_sends_rst),
		cmocka_unit_test(data_after_close_is_answered_by_rst),
		cmocka_unit_test(old_data_after_close_is_only_acknowledged),
		cmocka_unit_test(an_orphans_fin_wait_2_ends_after_a_minute),
		cmocka_unit_test(linger2_sets_how_long_an_orphan_waits_for_the_fin),
		cmocka_unit_test(an_owned_fin_wait_2_waits_for_ever),
		cmocka_unit_test(an_orphan_gives_up_its_fin_sooner),
		cmocka_unit_test(abort_sends_rst_in_every_synchronized_state),
		cmocka_unit_test(shutdown_needs_a_connection),
		cmocka_unit_test(shutdown_twice_sends_one_fin),
		cmocka_unit_test(a_closed_connection_answers_questions_until_it_is_given_back),
		cmocka_unit_test(a_fin_behind_data_that_found_no_memory_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
