/*
 * TIME-WAIT: RFC 9293 §3.6, §3.10.7.4, RFC 1337, RFC 6191.
 */
#include "tests/unit/tcp_rig.h"

TEST(time_wait_lasts_2_msl)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT);

	app_close(t);
	advance(t, TCP_TIME_WAIT - 100 * MSEC);
	expect_state(t, TCPS_TIME_WAIT);
	advance(t, 200 * MSEC);
	assert_null(rig_conn(t));
	expect_silence(t);
	rig_end(t);
}

TEST(time_wait_does_not_count_as_a_socket_once_it_is_closed)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT);

	assert_int_equal(stack_socket_count(t->s), 1);
	app_close(t);
	assert_int_equal(stack_socket_count(t->s), 0);
	rig_end(t);
}

TEST(time_wait_a_retransmitted_fin_is_acknowledged_and_restarts_the_wait)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT);

	app_close(t);
	advance(t, TCP_TIME_WAIT / 2);
	rx(t, .flags = FIN | ACK, .seq = R(1), .ack = L(2));
	expect_tx(t, .seq = L(2), .ack = R(2));
	advance(t, TCP_TIME_WAIT - 100 * MSEC);
	expect_state(t, TCPS_TIME_WAIT);
	advance(t, 200 * MSEC);
	assert_null(rig_conn(t));
	rig_end(t);
}

/* RFC 1337: assassination. */
TEST(time_wait_a_rst_is_ignored)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT);

	rx(t, .flags = RST, .seq = R(2));
	rx(t, .flags = RST | ACK, .seq = R(2), .ack = L(2));
	expect_silence(t);
	expect_state(t, TCPS_TIME_WAIT);
	rig_end(t);
}

TEST(time_wait_old_data_is_acknowledged_and_does_not_restart_the_wait)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT);

	app_close(t);
	advance(t, 30 * SEC);
	rx(t, .seq = R(-99), .len = 50);
	expect_tx(t, .seq = L(2), .ack = R(2));
	advance(t, 31 * SEC);
	assert_null(rig_conn(t));
	rig_end(t);
}

TEST(time_wait_the_expected_ack_is_not_answered)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT);

	rx(t, .seq = R(2), .ack = L(2));
	expect_silence(t);
	rig_end(t);
}

TEST(time_wait_a_newer_syn_takes_over)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT, .passive = true);

	app_close(t);
	rx(t, .flags = SYN, .seq = R(1000));
	const struct sent *x = expect_tx(t, .flags = SYN | ACK, .ack = R(1001));
	assert_true(seq_diff(x->h.seq, t->iss) >= 0); /* RFC 6528: monotonic per four-tuple */
	assert_int_equal(counted(t, CNT_TcpExtTimeWaitReused), 1);
	rig_end(t);
}

TEST(time_wait_an_older_syn_is_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT, .passive = true);

	app_close(t);
	rx(t, .flags = SYN, .seq = R(-5));
	expect_tx(t, .seq = L(2), .ack = R(2));
	expect_state(t, TCPS_TIME_WAIT);
	rig_end(t);
}

/* RFC 6191 §2: with timestamps they decide. */
TEST(time_wait_a_syn_with_a_newer_timestamp_takes_over_whatever_its_number)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT, .passive = true, .ts = true);

	app_close(t);
	rx(t, .flags = SYN, .seq = R(-5000), .ts = true, .tsval = t->peer_tsval + 1);
	expect_tx(t, .flags = SYN | ACK, .ack = R(-4999));
	rig_end(t);
}

TEST(time_wait_a_syn_with_an_older_timestamp_is_refused_whatever_its_number)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT, .passive = true, .ts = true);

	app_close(t);
	rx(t, .flags = SYN, .seq = R(5000), .ts = true, .tsval = t->peer_tsval - 1);
	expect_tx(t, .seq = L(2), .ack = R(2));
	expect_state(t, TCPS_TIME_WAIT);
	rig_end(t);
}

TEST(time_wait_a_syn_with_the_same_timestamp_needs_a_newer_number)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT, .passive = true, .ts = true);

	app_close(t);
	rx(t, .flags = SYN, .seq = R(-5));
	expect_tx(t, .seq = L(2), .ack = R(2));
	rx(t, .flags = SYN, .seq = R(5000));
	expect_tx(t, .flags = SYN | ACK, .ack = R(5001));
	rig_end(t);
}

/* Nobody listens: there is nothing to take over, and a port scan must not end the wait. */
TEST(time_wait_a_syn_for_which_nobody_listens_is_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT);

	app_close(t);
	rx(t, .flags = SYN, .seq = R(1000));
	expect_tx(t, .seq = L(2), .ack = R(2));
	expect_state(t, TCPS_TIME_WAIT);
	rig_end(t);
}

TEST(time_wait_unread_data_can_still_be_read)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_2);

	rx(t, .flags = FIN | ACK, .len = 300);
	expect_tx(t, .ack = R(302));
	expect_state(t, TCPS_TIME_WAIT);
	assert_int_equal(app_recv(t, 1000), 300);
	assert_true(tcp_recv_eof(t->tcp));
	app_close(t);
	expect_silence(t);
	rig_end(t);
}

TEST(time_wait_closing_with_unread_data_is_no_longer_the_peers_business)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_2);

	rx(t, .flags = FIN | ACK, .len = 300);
	expect_tx(t, .ack = R(302));
	app_close(t);
	expect_silence(t);
	expect_state(t, TCPS_TIME_WAIT);
	rig_end(t);
}

TEST(time_wait_holds_the_four_tuple_but_not_the_port)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT, .option = {[TCP_OPT_REUSEADDR] = 1});
	struct endpoint same = peer(9, PEER_PORT), another = peer(10, PEER_PORT);
	struct endpoint local = us(OUR_PORT);

	app_close(t);
	struct tcp *x = tcp_new(t->s, NULL);
	tcp_set_option(x, TCP_OPT_REUSEADDR, 1, t->now);
	assert_int_equal(tcp_bind(x, &local), 0);
	assert_int_equal(tcp_connect(x, &same, t->now), -EADDRNOTAVAIL);
	assert_int_equal(tcp_connect(x, &another, t->now), 0);
	rig_poll(t);
	expect_tx(t, .flags = SYN, .host = 10);
	tcp_abort(x, t->now);
	rig_end(t);
}

TEST(time_wait_ends_for_its_owner_too)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT);

	advance(t, TCP_TIME_WAIT + 100 * MSEC);
	expect_error(t, 0);
	app_close(t);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_wait_lasts_2_msl),
		cmocka_unit_test(time_wait_does_not_count_as_a_socket_once_it_is_closed),
		cmocka_unit_test(
			time_wait_a_retransmitted_fin_is_acknowledged_and_restarts_the_wait),
		cmocka_unit_test(time_wait_a_rst_is_ignored),
		cmocka_unit_test(time_wait_old_data_is_acknowledged_and_does_not_restart_the_wait),
		cmocka_unit_test(time_wait_the_expected_ack_is_not_answered),
		cmocka_unit_test(time_wait_a_newer_syn_takes_over),
		cmocka_unit_test(time_wait_an_older_syn_is_acknowledged),
		cmocka_unit_test(
			time_wait_a_syn_with_a_newer_timestamp_takes_over_whatever_its_number),
		cmocka_unit_test(
			time_wait_a_syn_with_an_older_timestamp_is_refused_whatever_its_number),
		cmocka_unit_test(time_wait_a_syn_with_the_same_timestamp_needs_a_newer_number),
		cmocka_unit_test(time_wait_a_syn_for_which_nobody_listens_is_acknowledged),
		cmocka_unit_test(time_wait_unread_data_can_still_be_read),
		cmocka_unit_test(
			time_wait_closing_with_unread_data_is_no_longer_the_peers_business),
		cmocka_unit_test(time_wait_holds_the_four_tuple_but_not_the_port),
		cmocka_unit_test(time_wait_ends_for_its_owner_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
