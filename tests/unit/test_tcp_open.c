/*
 * Opening a connection: RFC 9293 §3.5, figures 6 to 8, and §3.10.7.2 to §3.10.7.4 as far as SYNs go.
 */
#include "tests/unit/tcp_rig.h"

/* --- active --- */

TEST(connect_sends_a_syn_with_every_option)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct endpoint remote = peer(9, PEER_PORT);

	assert_int_equal(tcp_connect(t->tcp, &remote, t->now), 0);
	expect_silence(t); /* a call never sends */
	rig_poll(t);
	expect_tx(t, .flags = SYN, .seq = L(0), .mss = RIG_MTU - 40, .sack_ok = true,
		.wscale = SCALE(8), .ts = true);
	expect_state(t, TCPS_SYN_SENT);
	rig_end(t);
}

TEST(the_rig_counts_from_just_below_two_to_the_32)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	assert_int_equal(t->iss.v, UINT32_MAX - 199);
	assert_int_equal(t->irs.v, UINT32_MAX - 299);
	rig_end(t);
}

TEST(syn_sent_syn_ack_moves_to_established)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN | ACK, .ack = L(1));
	expect_tx(t, .seq = L(1), .ack = R(1));
	expect_state(t, TCPS_ESTABLISHED);
	expect_event(t, TCP_EV_CONNECTED | TCP_EV_WRITE);
	rig_end(t);
}

TEST(syn_sent_syn_moves_to_syn_received_and_is_answered_with_a_syn_ack)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK, .seq = L(0), .ack = R(1));
	expect_state(t, TCPS_SYN_RECEIVED);
	rig_end(t);
}

TEST(simultaneous_open_ends_with_the_ack_of_our_syn)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK, .seq = L(0), .ack = R(1));
	rx(t, .ack = L(1));
	expect_state(t, TCPS_ESTABLISHED);
	expect_event(t, TCP_EV_CONNECTED);
	rig_end(t);
}

/* RFC 9293 figure 7, line 6: both sides answer a SYN with a SYN-ACK. */
TEST(simultaneous_open_ends_with_the_peers_syn_ack)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK, .seq = L(0), .ack = R(1));
	rx(t, .flags = SYN | ACK, .seq = R(0), .ack = L(1));
	expect_state(t, TCPS_ESTABLISHED);
	expect_event(t, TCP_EV_CONNECTED);
	expect_tx(t, .seq = L(1), .ack = R(1));
	rig_end(t);
}

TEST(data_flows_both_ways_after_a_simultaneous_open)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK);
	rx(t, .ack = L(1), .len = 400);
	expect_tx(t, .seq = L(1), .ack = R(401));
	app_send(t, 500);
	expect_tx(t, .seq = L(1), .len = 500, .ack = R(401));
	assert_int_equal(app_recv(t, 1000), 400);
	rig_end(t);
}

TEST(syn_sent_ack_of_nothing_we_sent_is_reset)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN | ACK, .ack = L(2));
	expect_tx(t, .flags = RST, .seq = L(2));
	rx(t, .flags = SYN | ACK, .ack = L(0));
	expect_tx(t, .flags = RST, .seq = L(0));
	rx(t, .ack = L(77));
	expect_tx(t, .flags = RST, .seq = L(77));
	expect_state(t, TCPS_SYN_SENT);
	rig_end(t);
}

TEST(syn_sent_rst_with_a_good_ack_is_connection_refused)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = RST | ACK, .seq = R(0), .ack = L(1));
	expect_error(t, ECONNREFUSED);
	expect_event(t, TCP_EV_CLOSED);
	rig_end(t);
}

TEST(syn_sent_rst_without_an_ack_is_ignored)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = RST, .seq = R(0));
	rx(t, .flags = RST | ACK, .seq = R(0), .ack = L(2));
	rx(t, .flags = RST | ACK, .seq = R(0), .ack = L(0));
	expect_state(t, TCPS_SYN_SENT);
	rig_end(t);
}

TEST(syn_sent_ack_without_a_syn_changes_nothing)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .ack = L(1), .len = 10);
	expect_silence(t);
	expect_state(t, TCPS_SYN_SENT);
	rig_end(t);
}

TEST(data_written_while_connecting_leaves_behind_the_handshake)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	assert_int_equal(app_send(t, 300), 300);
	expect_silence(t);
	rx(t, .flags = SYN | ACK, .ack = L(1));
	expect_tx(t, .seq = L(1), .len = 300, .ack = R(1));
	rig_end(t);
}

TEST(data_on_the_syn_ack_is_taken)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN | ACK, .ack = L(1), .len = 20);
	expect_tx(t, .seq = L(1), .ack = R(21));
	assert_int_equal(app_recv(t, 100), 20);
	rig_end(t);
}

TEST(a_fin_on_the_syn_ack_is_taken)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN | ACK | FIN, .ack = L(1), .len = 20);
	expect_tx(t, .seq = L(1), .ack = R(22));
	expect_state(t, TCPS_CLOSE_WAIT);
	assert_int_equal(app_recv(t, 100), 20);
	assert_true(tcp_recv_eof(t->tcp));
	rig_end(t);
}

TEST(closing_a_connecting_socket_forgets_it)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	app_close(t);
	expect_silence(t);
	assert_int_equal(stack_socket_count(t->s), 0);
	rx(t, .flags = SYN | ACK, .ack = L(1));
	expect_tx(
		t, .flags = RST, .seq = L(1)); /* RFC 9293 §3.5.2: half-open from the peer's side */
	rig_end(t);
}

TEST(a_duplicate_syn_ack_is_acknowledged_again)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = SYN | ACK, .seq = R(0), .ack = L(1));
	expect_tx(t, .seq = L(1), .ack = R(1));
	expect_state(t, TCPS_ESTABLISHED);
	rig_end(t);
}

/* --- timeouts --- */

TEST(a_syn_is_sent_seven_times_and_given_up_after_127_seconds)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	for (int i = 0; i < 6; i++)
		expect_tx_after(
			t, (1 << i) * SEC - (i ? 5 * MSEC : RIG_RTT), .flags = SYN, .seq = L(0));
	advance(t, 63 * SEC);
	expect_state(t, TCPS_SYN_SENT);
	advance(t, 2 * SEC);
	expect_error(t, ETIMEDOUT);
	expect_event(t, TCP_EV_CLOSED);
	rig_end(t);
}

TEST(syncnt_bounds_the_retransmissions_of_a_syn)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT, .option = {[TCP_OPT_SYNCNT] = 2});

	expect_tx_after(t, 1 * SEC - RIG_RTT, .flags = SYN, .seq = L(0));
	expect_tx_after(t, 2 * SEC, .flags = SYN, .seq = L(0));
	advance(t, 4 * SEC);
	expect_error(t, ETIMEDOUT);
	rig_end(t);
}

/* RFC 6298 §5.7. */
TEST(a_lost_syn_makes_the_first_data_wait_three_seconds)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	expect_tx_after(t, 1 * SEC - RIG_RTT, .flags = SYN);
	advance(t, 10 * MSEC);
	rx(t, .flags = SYN | ACK, .ack = L(1));
	expect_tx(t, .seq = L(1));
	app_send(t, 100);
	expect_tx(t, .seq = L(1), .len = 100);
	expect_tx_after(t, 3 * SEC, .seq = L(1), .len = 100);
	rig_end(t);
}

/* RFC 7323 §4.1: the echo tells which SYN was answered. */
TEST(with_timestamps_a_lost_syn_costs_no_caution)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT, .ts = true);

	expect_tx_after(t, 1 * SEC - RIG_RTT, .flags = SYN);
	advance(t, 10 * MSEC);
	rx(t, .flags = SYN | ACK, .ack = L(1));
	expect_tx(t, .seq = L(1));
	app_send(t, 100);
	expect_tx(t, .seq = L(1), .len = 100);
	assert_true(t->tcp->rto < 1 * SEC);
	expect_tx_after(
		t, 78 * MSEC, .seq = L(1), .len = 100); /* tail loss probe: 2 srtt + 48 ms */
	expect_tx_after(t, t->tcp->rto, .seq = L(1), .len = 100);
	rig_end(t);
}

/* RFC 5681 §3.1; Linux forgives one, since an initial RTO of 1 s may just have been too short. */
TEST(a_syn_lost_twice_begins_with_one_segment)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	expect_tx_after(t, 1 * SEC - RIG_RTT, .flags = SYN);
	expect_tx_after(t, 2 * SEC, .flags = SYN);
	rx(t, .flags = SYN | ACK, .ack = L(1));
	expect_tx(t, .seq = L(1));
	app_send(t, 5000);
	expect_tx(t, .seq = L(1), .len = 1000);
	rig_end(t);
}

/* --- passive --- */

TEST(listen_syn_makes_a_child_in_syn_received)
{
	struct rig *t = rig_in_state(TCPS_LISTEN);

	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK, .seq = L(0), .ack = R(1));
	expect_state(t, TCPS_SYN_RECEIVED);
	assert_int_equal(t->listener->state, TCPS_LISTEN);
	assert_int_equal(t->listener_events, 0);
	rig_end(t);
}

TEST(syn_received_ack_of_syn_moves_to_established)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .ack = L(1));
	expect_silence(t);
	expect_state(t, TCPS_ESTABLISHED);
	assert_int_equal(t->listener_events, TCP_EV_ACCEPT);
	app_accept(t);
	assert_null(tcp_accept(t->listener));
	rig_end(t);
}

TEST(syn_received_data_on_the_ack_is_taken)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .ack = L(1), .len = 500);
	expect_tx(t, .seq = L(1), .ack = R(501));
	app_accept(t);
	expect_event(t, TCP_EV_READ);
	assert_int_equal(app_recv(t, 1000), 500);
	rig_end(t);
}

TEST(syn_received_data_before_the_ack_waits_for_it)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .seq = R(501), .ack = L(1), .len = 500); /* the bare ACK was lost */
	expect_tx(t, .seq = L(1), .ack = R(1));
	rx(t, .seq = R(1), .ack = L(1), .len = 500);
	expect_tx(t, .seq = L(1), .ack = R(1001));
	rig_end(t);
}

TEST(syn_received_fin_with_the_ack_moves_to_close_wait)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .flags = FIN | ACK, .ack = L(1), .len = 5);
	expect_tx(t, .seq = L(1), .ack = R(7));
	expect_state(t, TCPS_CLOSE_WAIT);
	app_accept(t);
	expect_event(t, TCP_EV_EOF);
	rig_end(t);
}

TEST(syn_received_close_before_the_ack_sends_fin_after_it)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK);
	app_close(t);
	expect_silence(t);
	rx(t, .ack = L(1));
	expect_tx(t, .flags = FIN | ACK, .seq = L(1));
	expect_state(t, TCPS_FIN_WAIT_1);
	rig_end(t);
}

TEST(syn_received_wrong_ack_is_reset)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .ack = L(2));
	expect_tx(t, .flags = RST, .seq = L(2));
	rx(t, .ack = L(0));
	expect_tx(t, .flags = RST, .seq = L(0));
	expect_state(t, TCPS_SYN_RECEIVED);
	rig_end(t);
}

TEST(syn_received_rst_returns_to_listen)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .flags = RST, .seq = R(1));
	expect_state(t, TCPS_LISTEN);
	assert_int_equal(t->listener->nchildren, 0);
	rig_end(t);
}

TEST(syn_received_the_same_syn_again_is_answered_again)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .flags = SYN, .seq = R(0));
	expect_tx(t, .flags = SYN | ACK, .seq = L(0), .ack = R(1));
	expect_state(t, TCPS_SYN_RECEIVED);
	rig_end(t);
}

/* RFC 5961 §4: a SYN in the window is no reason to give anything up. */
TEST(syn_received_another_syn_is_challenged)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .flags = SYN, .seq = R(100));
	expect_tx(t, .seq = L(1), .ack = R(1));
	expect_state(t, TCPS_SYN_RECEIVED);
	rig_end(t);
}

TEST(syn_received_a_segment_out_of_the_window_is_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .seq = R(200000), .ack = L(1), .len = 5);
	expect_tx(t, .seq = L(1), .ack = R(1));
	expect_state(t, TCPS_SYN_RECEIVED);
	rig_end(t);
}

TEST(a_syn_ack_is_sent_six_times_and_given_up_after_63_seconds)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	for (int i = 0; i < 5; i++)
		expect_tx_after(t, (1 << i) * SEC - (i ? 5 * MSEC : RIG_RTT), .flags = SYN | ACK,
			.seq = L(0), .ack = R(1));
	advance(t, 31 * SEC);
	expect_state(t, TCPS_SYN_RECEIVED);
	advance(t, 2 * SEC);
	expect_state(t, TCPS_LISTEN);
	rig_end(t);
}

TEST(listen_an_ack_is_reset)
{
	struct rig *t = rig_in_state(TCPS_LISTEN);

	rx(t, .seq = R(5), .ack = R(9));
	expect_tx(t, .flags = RST, .seq = R(9));
	rx(t, .flags = SYN | ACK, .ack = R(9));
	expect_tx(t, .flags = RST, .seq = R(9));
	rig_end(t);
}

TEST(listen_anything_else_is_ignored)
{
	struct rig *t = rig_in_state(TCPS_LISTEN);

	rx(t, .flags = RST, .seq = R(1));
	rx(t, .flags = RST | ACK, .seq = R(1), .ack = R(1));
	rx(t, .flags = FIN, .seq = R(1));
	rx(t, .flags = SYN | FIN);
	rx(t, .flags = PSH, .seq = R(1), .len = 7);
	expect_silence(t);
	expect_state(t, TCPS_LISTEN);
	rig_end(t);
}

/* --- CLOSED: RFC 9293 §3.10.7.1 --- */

TEST(closed_a_syn_is_reset_with_an_ack_of_it)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);

	rx(t, .flags = SYN);
	expect_tx(t, .flags = RST | ACK, .ack = R(1));
	rx(t, .flags = SYN, .len = 10);
	expect_tx(t, .flags = RST | ACK, .ack = R(11));
	rx(t, .flags = FIN, .seq = R(3), .len = 4);
	expect_tx(t, .flags = RST | ACK, .ack = R(8));
	rig_end(t);
}

TEST(closed_an_ack_is_reset_at_its_number)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);

	rx(t, .ack = R(99));
	expect_tx(t, .flags = RST, .seq = R(99));
	rx(t, .flags = FIN | ACK, .ack = R(5));
	expect_tx(t, .flags = RST, .seq = R(5));
	rig_end(t);
}

TEST(closed_a_rst_is_never_answered)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);

	rx(t, .flags = RST);
	rx(t, .flags = RST | ACK, .ack = R(1));
	expect_silence(t);
	rig_end(t);
}

/* RFC 9293 §3.5: a connection with oneself is a simultaneous open. */
TEST(a_socket_can_connect_to_itself)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct endpoint self = us(OUR_PORT);
	struct iovec iov[2];

	assert_int_equal(tcp_connect(t->tcp, &self, t->now), 0);
	rig_poll(t);
	expect_silence(t); /* on the wire */
	expect_state(t, TCPS_ESTABLISHED);
	app_send(t, 100);
	assert_int_equal(tcp_recv_peek(t->tcp, iov), 1);
	assert_int_equal(iov[0].iov_len, 100);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connect_sends_a_syn_with_every_option),
		cmocka_unit_test(the_rig_counts_from_just_below_two_to_the_32),
		cmocka_unit_test(syn_sent_syn_ack_moves_to_established),
		cmocka_unit_test(syn_sent_syn_moves_to_syn_received_and_is_answered_with_a_syn_ack),
		cmocka_unit_test(simultaneous_open_ends_with_the_ack_of_our_syn),
		cmocka_unit_test(simultaneous_open_ends_with_the_peers_syn_ack),
		cmocka_unit_test(data_flows_both_ways_after_a_simultaneous_open),
		cmocka_unit_test(syn_sent_ack_of_nothing_we_sent_is_reset),
		cmocka_unit_test(syn_sent_rst_with_a_good_ack_is_connection_refused),
		cmocka_unit_test(syn_sent_rst_without_an_ack_is_ignored),
		cmocka_unit_test(syn_sent_ack_without_a_syn_changes_nothing),
		cmocka_unit_test(data_written_while_connecting_leaves_behind_the_handshake),
		cmocka_unit_test(data_on_the_syn_ack_is_taken),
		cmocka_unit_test(a_fin_on_the_syn_ack_is_taken),
		cmocka_unit_test(closing_a_connecting_socket_forgets_it),
		cmocka_unit_test(a_duplicate_syn_ack_is_acknowledged_again),
		cmocka_unit_test(a_syn_is_sent_seven_times_and_given_up_after_127_seconds),
		cmocka_unit_test(syncnt_bounds_the_retransmissions_of_a_syn),
		cmocka_unit_test(a_lost_syn_makes_the_first_data_wait_three_seconds),
		cmocka_unit_test(with_timestamps_a_lost_syn_costs_no_caution),
		cmocka_unit_test(a_syn_lost_twice_begins_with_one_segment),
		cmocka_unit_test(listen_syn_makes_a_child_in_syn_received),
		cmocka_unit_test(syn_received_ack_of_syn_moves_to_established),
		cmocka_unit_test(syn_received_data_on_the_ack_is_taken),
		cmocka_unit_test(syn_received_data_before_the_ack_waits_for_it),
		cmocka_unit_test(syn_received_fin_with_the_ack_moves_to_close_wait),
		cmocka_unit_test(syn_received_close_before_the_ack_sends_fin_after_it),
		cmocka_unit_test(syn_received_wrong_ack_is_reset),
		cmocka_unit_test(syn_received_rst_returns_to_listen),
		cmocka_unit_test(syn_received_the_same_syn_again_is_answered_again),
		cmocka_unit_test(syn_received_another_syn_is_challenged),
		cmocka_unit_test(syn_received_a_segment_out_of_the_window_is_acknowledged),
		cmocka_unit_test(a_syn_ack_is_sent_six_times_and_given_up_after_63_seconds),
		cmocka_unit_test(listen_an_ack_is_reset),
		cmocka_unit_test(listen_anything_else_is_ignored),
		cmocka_unit_test(closed_a_syn_is_reset_with_an_ack_of_it),
		cmocka_unit_test(closed_an_ack_is_reset_at_its_number),
		cmocka_unit_test(closed_a_rst_is_never_answered),
		cmocka_unit_test(a_socket_can_connect_to_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
