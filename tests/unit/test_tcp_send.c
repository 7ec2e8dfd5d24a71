/*
 * When small segments leave: Nagle's rule in Minshall's form, TCP_NODELAY, TCP_CORK; pushes, urgent data and
 * super-segments; and the two faults of the ground below, a busy link and too little memory.
 */
#include "tests/unit/tcp_rig.h"

/* --- Nagle --- */

TEST(a_first_small_segment_leaves_at_once)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 10);
	expect_tx(t, .seq = L(1), .len = 10, .psh = true);
	rig_end(t);
}

TEST(a_second_small_segment_waits_for_the_ack_of_the_first)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 10);
	expect_tx(t, .seq = L(1), .len = 10);
	app_send(t, 10);
	app_send(t, 10);
	expect_silence(t);
	rx(t, .ack = L(11));
	expect_tx(t, .seq = L(11), .len = 20);
	rig_end(t);
}

TEST(what_grows_to_a_full_segment_waits_no_longer)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 10);
	expect_tx(t, .seq = L(1), .len = 10);
	app_send(t, 1005);
	expect_tx(t, .seq = L(11), .len = 1000);
	expect_silence(t); /* 5 are left */
	rig_end(t);
}

/* Minshall: only a small segment holds a small one back. */
TEST(a_small_tail_leaves_behind_full_segments)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 2010);
	expect_tx(t, .len = 1000);
	expect_tx(t, .len = 1000);
	expect_tx(t, .len = 10);
	rig_end(t);
}

TEST(nodelay_sends_every_small_segment)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_NODELAY] = 1});

	for (uint32_t i = 0; i < 5; i++) {
		app_send(t, 10);
		expect_tx(t, .seq = L(1 + 10 * i), .len = 10, .psh = true);
	}
	rig_end(t);
}

TEST(nodelay_set_later_sends_what_waits)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 10);
	expect_tx(t, .seq = L(1), .len = 10);
	app_send(t, 10);
	expect_silence(t);
	app_option(t, TCP_OPT_NODELAY, 1);
	expect_tx(t, .seq = L(11), .len = 10);
	rig_end(t);
}

/* The end of the last small segment must not look like one in flight when sequence numbers have come round. */
TEST(a_small_segment_of_two_gigabytes_ago_holds_nothing_back)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	t->tcp->snd.small =
		seq_add(t->tcp->snd.una, -0x80000001); /* as after 2 GiB of full segments */
	app_send(t, 10);
	expect_tx(t, .seq = L(1), .len = 10);
	rig_end(t);
}

/* --- cork --- */

TEST(cork_holds_back_a_partial_segment_for_200_ms)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_CORK] = 1});

	app_send(t, 10);
	expect_silence(t);
	expect_tx_after(t, TCP_CORK_MAX, .seq = L(1), .len = 10);
	rig_end(t);
}

TEST(cork_lets_full_segments_go)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_CORK] = 1});

	app_send(t, 600);
	expect_silence(t);
	app_send(t, 600);
	expect_tx(t, .seq = L(1), .len = 1000);
	expect_silence(t);
	rig_end(t);
}

TEST(uncorking_sends_what_waits)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_CORK] = 1});

	app_send(t, 600);
	app_option(t, TCP_OPT_CORK, 0);
	expect_tx(t, .seq = L(1), .len = 600);
	rig_end(t);
}

/* tcp(7): setting TCP_NODELAY forces out what is pending even if TCP_CORK is set. */
TEST(nodelay_flushes_a_corked_socket_once)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_CORK] = 1});

	app_send(t, 600);
	app_option(t, TCP_OPT_NODELAY, 1);
	advance(t, 1 * MSEC);
	expect_tx(t, .seq = L(1), .len = 600);
	app_send(t, 100);
	expect_silence(t);
	rig_end(t);
}

static void set(struct rig *t, enum tcp_option option, int64_t value)
{
	assert_int_equal(tcp_set_option(t->tcp, option, value, t->now), 0);
}

/* The calls come faster than the stack is polled. */
TEST(uncorking_and_corking_in_one_go_sends_what_was_before)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_CORK] = 1});

	app_send(t, 600);
	expect_silence(t);
	set(t, TCP_OPT_CORK, 0);
	set(t, TCP_OPT_CORK, 1);
	app_send(t, 100);
	expect_tx(t, .seq = L(1), .len = 600, .psh = true);
	rx(t, .ack = L(601));
	expect_tx_after(t, TCP_CORK_MAX, .seq = L(601), .len = 100);
	rig_end(t);
}

TEST(full_segments_take_what_was_before_the_cork_with_them)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_CORK] = 1});

	app_send(t, 600);
	set(t, TCP_OPT_CORK, 0);
	set(t, TCP_OPT_CORK, 1);
	app_send(t, 1500);
	expect_tx(t, .seq = L(1), .len = 1000);
	expect_tx(t, .seq = L(1001), .len = 1000);
	expect_silence(t);
	rig_end(t);
}

TEST(nodelay_for_a_moment_sends_what_nagle_holds)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 10);
	expect_tx(t, .seq = L(1), .len = 10);
	app_send(t, 10);
	expect_silence(t);
	set(t, TCP_OPT_NODELAY, 1);
	set(t, TCP_OPT_NODELAY, 0);
	app_send(t, 10);
	expect_tx(t, .seq = L(11), .len = 10);
	expect_silence(t);
	rig_end(t);
}

TEST(a_cork_for_a_moment_does_not_send_what_nagle_holds)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 10);
	expect_tx(t, .seq = L(1), .len = 10);
	app_send(t, 10);
	set(t, TCP_OPT_CORK, 1);
	set(t, TCP_OPT_CORK, 0);
	expect_silence(t);
	rx(t, .ack = L(11));
	expect_tx(t, .seq = L(11), .len = 10);
	rig_end(t);
}

TEST(cork_does_not_hold_back_a_close)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_CORK] = 1});

	app_send(t, 600);
	app_close(t);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1), .len = 600);
	rig_end(t);
}

/* --- flags --- */

TEST(push_is_set_where_the_queue_ends)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 2000);
	const struct sent *x = expect_tx(t, .len = 1000);
	assert_int_equal(x->h.flags & TH_PSH, 0);
	expect_tx(t, .len = 1000, .psh = true);
	rig_end(t);
}

/* RFC 9293 §3.8.5, RFC 6093: the pointer names the byte after the urgent one. */
TEST(urgent_data_is_pointed_at_until_it_is_acknowledged)
{
	struct rig *t =
		rig_in_state(TCPS_ESTABLISHED, .no_sack = true, .option = {[TCP_OPT_NODELAY] = 1});

	t->emit_result = -EAGAIN;
	app_send(t, 10);
	tcp_send_urgent(t->tcp);
	t->emit_result = 0;
	advance(t, 1 * MSEC);
	expect_tx(t, .flags = URG | ACK, .seq = L(1), .len = 10, .urgent = 10);
	app_send(t, 5); /* behind it */
	expect_tx(t, .seq = L(11), .len = 5);
	advance(t, t->tcp->rto + 1 * MSEC);
	expect_tx(t, .flags = URG | ACK, .seq = L(1), .len = 10, .urgent = 10);
	rx(t, .ack = L(11));
	expect_tx(t, .seq = L(11), .len = 5);
	rig_end(t);
}

TEST(an_urgent_pointer_reaches_the_program)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = URG | ACK, .urgent = 10, .len = 10);
	expect_tx(t, .ack = R(11));
	expect_event(t, TCP_EV_URGENT | TCP_EV_READ);
	assert_int_equal(t->tcp->rcv.up.v, t->irs.v + 11);
	rx(t, .flags = URG | ACK, .urgent = 0, .len = 1); /* the same one again: no news */
	forget_tx(t);
	expect_no_event(t, TCP_EV_URGENT);
	rig_end(t);
}

/* The pointer counts from the segment's own number, also when part of the segment is old. */
TEST(the_urgent_pointer_of_a_partly_old_segment_is_right)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 10);
	expect_tx(t, .ack = R(11));
	rx(t, .seq = R(1), .flags = URG | ACK, .urgent = 15, .len = 20);
	forget_tx(t);
	assert_int_equal(t->tcp->rcv.up.v, t->irs.v + 16);
	rig_end(t);
}

/* --- super-segments --- */

TEST(a_super_segment_leaves_as_one_frame)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .gso_max = 65536);

	app_send(t, 8500);
	expect_tx(t, .seq = L(1), .len = 8500, .gso_size = 1000, .psh = true);
	assert_int_equal(
		t->tcp->stats.segs_out, 2 + 9); /* the SYN, its ACK, and what the wire carries */
	rig_end(t);
}

TEST(a_super_segment_stays_within_the_congestion_window)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .gso_max = 65536);

	app_send(t, 40000);
	expect_tx(t, .seq = L(1), .len = 10000, .gso_size = 1000); /* RFC 6928 */
	rig_end(t);
}

TEST(part_of_a_super_segment_can_be_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .gso_max = 65536);

	app_send(t, 10000);
	expect_tx(t, .seq = L(1), .len = 10000);
	advance(t, RIG_RTT);
	rx(t, .ack = L(3001));
	rx(t, .ack = L(3001), .sack = {L(4001), L(8001)});
	advance(t, RIG_RTT / 2);
	expect_tx(t, .seq = L(3001), .len = 1000); /* RACK: later bytes arrived */
	rx(t, .ack = L(10001));
	assert_int_equal(tcp_send_queued(t->tcp), 0);
	forget_tx(t);
	rig_end(t);
}

TEST(a_super_segment_far_above_the_mss_is_received)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 60000);
	expect_tx(t, .ack = R(60001));
	assert_int_equal(app_recv(t, 1 << 20), 60000);
	forget_tx(t);
	rig_end(t);
}

/* --- deliver --- */

TEST(deliver_takes_all_and_nothing_is_stored)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .deliver = true);

	t->take = 100000;
	rx(t, .len = 5000);
	expect_tx(t, .ack = R(5001));
	assert_int_equal(t->read, 5000);
	assert_int_equal(stack_memory(t->s), 0);
	expect_no_event(t, TCP_EV_READ);
	rig_end(t);
}

TEST(deliver_takes_some_and_the_rest_waits_in_order)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .deliver = true);

	t->take = 1234;
	rx(t, .len = 5000);
	expect_tx(t, .ack = R(5001));
	assert_int_equal(t->read, 1234);
	expect_event(t, TCP_EV_READ);
	t->take = 100000;
	rx(t, .len = 1000); /* must queue up behind the rest */
	expect_tx(t, .ack = R(6001));
	assert_int_equal(t->read, 1234);
	assert_int_equal(app_recv(t, 100000), 6000 - 1234);
	rx(t, .len = 1000);
	expect_tx(t, .ack = R(7001));
	assert_int_equal(t->read, 7000);
	rig_end(t);
}

TEST(deliver_takes_nothing)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .deliver = true);

	rx(t, .len = 5000);
	expect_tx(t, .ack = R(5001));
	expect_event(t, TCP_EV_READ);
	assert_int_equal(app_recv(t, 100000), 5000);
	rig_end(t);
}

TEST(deliver_takes_some_while_there_is_a_hole)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .deliver = true);

	t->take = 700;
	rx(t, .seq = R(2001), .len = 1000);
	rx(t, .seq = R(1), .len = 1000);
	rx(t, .seq = R(1001), .len = 1000);
	forget_tx(t);
	assert_int_equal(t->read, 700);
	assert_int_equal(app_recv(t, 100000), 2300);
	rig_end(t);
}

/* --- a busy link --- */

TEST(a_busy_link_delays_data_and_loses_none)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	t->emit_result = -EAGAIN;
	app_send(t, 3000);
	expect_silence(t);
	t->emit_result = 0;
	advance(t, 1 * MSEC);
	expect_tx(t, .seq = L(1), .len = 1000);
	expect_tx(t, .seq = L(1001), .len = 1000);
	expect_tx(t, .seq = L(2001), .len = 1000);
	assert_int_equal(counted(t, CNT_TcpRetransSegs), 0);
	rig_end(t);
}

TEST(a_busy_link_delays_a_syn_an_ack_and_a_fin)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct endpoint remote = peer(9, PEER_PORT);

	t->emit_result = -EAGAIN;
	tcp_connect(t->tcp, &remote, t->now);
	advance(t, 10 * MSEC);
	t->emit_result = 0;
	advance(t, 1 * MSEC);
	expect_tx(t, .flags = SYN);
	t->emit_result = -EAGAIN;
	rx(t, .flags = SYN | ACK, .ack = L(1));
	advance(t, 10 * MSEC);
	t->emit_result = 0;
	advance(t, 1 * MSEC);
	expect_tx(t, .ack = R(1));
	t->emit_result = -EAGAIN;
	app_shutdown(t);
	t->emit_result = 0;
	advance(t, 1 * MSEC);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1));
	rig_end(t);
}

TEST(a_busy_link_delays_a_retransmission)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	app_send(t, 1000);
	expect_tx(t, .seq = L(1), .len = 1000);
	t->emit_result = -EAGAIN;
	advance(t, 220 * MSEC);
	t->emit_result = 0;
	advance(t, 1 * MSEC);
	expect_tx(t, .seq = L(1), .len = 1000);
	rig_end(t);
}

/* --- memory --- */

TEST(a_full_memory_bounds_what_is_queued_and_frees_up_again)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mem_max = 16384);

	assert_int_equal(app_send(t, 100000), 16384);
	for (uint32_t at = 1; at < 16000; at += 10000) {
		forget_tx(t);
		rx(t, .ack = L(MIN(at + 10000, 16385u)));
	}
	forget_tx(t);
	expect_event(t, TCP_EV_WRITE);
	assert_int_equal(stack_memory(t->s), 0);
	rig_end(t);
}

/* Somebody else holds all of it: who found no room must still be able to go on. */
TEST(a_full_memory_still_grants_everybody_a_page)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mem_max = 16384);
	struct tcp *hog = t->tcp;

	app_send(t, 100000);
	forget_tx(t);
	t->tcp = tcp_new(t->s, NULL);
	struct endpoint remote = peer(10, PEER_PORT);
	assert_int_equal(tcp_connect(t->tcp, &remote, t->now), 0);
	t->written = 0;
	assert_int_equal(app_send(t, 100000), TCP_RING_MIN);
	expect_tx(t, .flags = SYN, .host = 10);
	tcp_abort(hog, t->now);
	rig_poll(t);
	forget_tx(t);
	rig_end(t);
}

TEST(a_full_memory_drops_what_arrives_and_takes_it_later)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mem_max = 8192);

	for (int i = 0; i < 12; i++)
		rx(t, .seq = R(1 + 1000 * i), .len = 1000);
	forget_tx(t);
	assert_true(stack_memory(t->s) <= 8192 + sizeof(struct ofo));
	size_t n = app_recv(t, 100000);
	assert_true(n >= 7000 && n <= 8192);
	forget_tx(t);
	rx(t, .seq = R(1 + n), .len = 1000);
	expect_tx(t, .ack = R(1001 + n));
	assert_int_equal(app_recv(t, 100000), 1000);
	forget_tx(t);
	rig_end(t);
}

TEST(room_that_is_not_used_is_given_back)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);
	size_t before = stack_memory(t->s);
	struct iovec room[2];

	assert_int_equal(tcp_send_room(t->tcp, 100, room), 1);
	assert_true(stack_memory(t->s) > before);
	tcp_send_commit(t->tcp, 0, t->now);
	assert_int_equal(stack_memory(t->s), before);
	app_send(t, 10);
	expect_tx(t, .seq = L(1), .len = 10);
	assert_int_equal(tcp_send_room(t->tcp, 100, room), 1);
	tcp_send_commit(t->tcp, 0, t->now); /* what is in flight stays */
	advance(t, 250 * MSEC);
	expect_tx(t, .seq = L(1), .len = 10);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_that_is_not_used_is_given_back),
		cmocka_unit_test(a_first_small_segment_leaves_at_once),
		cmocka_unit_test(a_second_small_segment_waits_for_the_ack_of_the_first),
		cmocka_unit_test(what_grows_to_a_full_segment_waits_no_longer),
		cmocka_unit_test(a_small_tail_leaves_behind_full_segments),
		cmocka_unit_test(nodelay_sends_every_small_segment),
		cmocka_unit_test(nodelay_set_later_sends_what_waits),
		cmocka_unit_test(a_small_segment_of_two_gigabytes_ago_holds_nothing_back),
		cmocka_unit_test(cork_holds_back_a_partial_segment_for_200_ms),
		cmocka_unit_test(cork_lets_full_segments_go),
		cmocka_unit_test(uncorking_sends_what_waits),
		cmocka_unit_test(nodelay_flushes_a_corked_socket_once),
		cmocka_unit_test(uncorking_and_corking_in_one_go_sends_what_was_before),
		cmocka_unit_test(full_segments_take_what_was_before_the_cork_with_them),
		cmocka_unit_test(nodelay_for_a_moment_sends_what_nagle_holds),
		cmocka_unit_test(a_cork_for_a_moment_does_not_send_what_nagle_holds),
		cmocka_unit_test(cork_does_not_hold_back_a_close),
		cmocka_unit_test(push_is_set_where_the_queue_ends),
		cmocka_unit_test(urgent_data_is_pointed_at_until_it_is_acknowledged),
		cmocka_unit_test(an_urgent_pointer_reaches_the_program),
		cmocka_unit_test(the_urgent_pointer_of_a_partly_old_segment_is_right),
		cmocka_unit_test(a_super_segment_leaves_as_one_frame),
		cmocka_unit_test(a_super_segment_stays_within_the_congestion_window),
		cmocka_unit_test(part_of_a_super_segment_can_be_acknowledged),
		cmocka_unit_test(a_super_segment_far_above_the_mss_is_received),
		cmocka_unit_test(deliver_takes_all_and_nothing_is_stored),
		cmocka_unit_test(deliver_takes_some_and_the_rest_waits_in_order),
		cmocka_unit_test(deliver_takes_nothing),
		cmocka_unit_test(deliver_takes_some_while_there_is_a_hole),
		cmocka_unit_test(a_busy_link_delays_data_and_loses_none),
		cmocka_unit_test(a_busy_link_delays_a_syn_an_ack_and_a_fin),
		cmocka_unit_test(a_busy_link_delays_a_retransmission),
		cmocka_unit_test(a_full_memory_bounds_what_is_queued_and_frees_up_again),
		cmocka_unit_test(a_full_memory_still_grants_everybody_a_page),
		cmocka_unit_test(a_full_memory_drops_what_arrives_and_takes_it_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
