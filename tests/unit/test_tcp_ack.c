/*
 * When an ACK leaves: RFC 9293 §3.8.6.3, RFC 5681 §4.2, Linux's 40 ms; and which ACKs count (RFC 9293 §3.10.7.4
 * step 5).
 */
#include "tests/unit/tcp_rig.h"

static struct rig *past_quickack(void)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_option(t, TCP_OPT_QUICKACK, 0);
	rx(t, .len = 1000); /* tells the peer's segment size */
	advance(t, TCP_DELACK_MAX);
	expect_tx(t, .ack = R(1001));
	return t;
}

TEST(the_first_segments_are_acknowledged_at_once)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	for (uint32_t i = 0; i < 8; i++) {
		rx(t, .len = 100);
		expect_tx(t, .ack = R(101 + 100 * i));
	}
	rig_end(t);
}

TEST(every_second_full_segment_is_acknowledged)
{
	struct rig *t = past_quickack();

	for (uint32_t i = 0; i < 10; i++) {
		rx(t, .len = 1000);
		expect_silence(t);
		rx(t, .len = 1000);
		expect_tx(t, .ack = R(3001 + 2000 * i));
	}
	rig_end(t);
}

TEST(a_lone_segment_is_acknowledged_within_40_ms)
{
	struct rig *t = past_quickack();

	rx(t, .len = 100);
	uint64_t before = counted(t, CNT_TcpExtDelayedAcks);
	advance(t, 3 * MSEC);
	expect_silence(t);
	advance(t, 37 * MSEC);
	expect_tx(t, .ack = R(1101));
	assert_int_equal(counted(t, CNT_TcpExtDelayedAcks), before + 1);
	rig_end(t);
}

TEST(a_delayed_ack_rides_on_data)
{
	struct rig *t = past_quickack();

	rx(t, .len = 100);
	app_send(t, 1000);
	expect_tx(t, .seq = L(1), .ack = R(1101), .len = 1000);
	advance(t, 10 * MSEC); /* before the tail loss probe */
	rig_end(t);
}

TEST(a_burst_is_answered_by_one_ack)
{
	struct rig *t = past_quickack();

	for (int i = 0; i < 10; i++)
		rx_burst(t, .len = 1000);
	rig_poll(t);
	expect_tx(t, .ack = R(11001));
	rig_end(t);
}

TEST(a_super_segment_is_acknowledged_at_once)
{
	struct rig *t = past_quickack();

	rx(t, .len = 20000, .gso_size = 1000);
	expect_tx(t, .ack = R(21001));
	rig_end(t);
}

/* Segments with timestamps are 12 bytes shorter than the MSS we offered; a merged one must not hide that. */
TEST(a_super_segment_of_unknown_parts_does_not_make_acks_rarer)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	app_option(t, TCP_OPT_QUICKACK, 0);
	rx(t, .len = 28960);
	expect_tx(t, .ack = R(28961));
	rx(t, .len = 1448);
	expect_silence(t);
	rx(t, .len = 1448);
	expect_tx(t, .ack = R(28961 + 2896));
	rig_end(t);
}

TEST(a_hole_is_reported_at_once)
{
	struct rig *t = past_quickack();

	rx(t, .seq = R(2001), .len = 100);
	expect_tx(t, .ack = R(1001), .sack = {R(2001), R(2101)});
	rig_end(t);
}

TEST(a_filled_hole_is_acknowledged_at_once)
{
	struct rig *t = past_quickack();

	rx(t, .seq = R(1101), .len = 100);
	expect_tx(t, .ack = R(1001));
	rx(t, .len = 100);
	expect_tx(t, .ack = R(1201), .nsack = SACKS(0));
	rig_end(t);
}

TEST(a_duplicate_is_acknowledged_at_once)
{
	struct rig *t = past_quickack();

	rx(t, .seq = R(1), .len = 1000);
	expect_tx(t, .ack = R(1001), .sack = {R(1), R(1001)});
	rig_end(t);
}

TEST(quickack_set_sends_what_is_owed)
{
	struct rig *t = past_quickack();

	rx(t, .len = 100);
	expect_silence(t);
	app_option(t, TCP_OPT_QUICKACK, 1);
	expect_tx(t, .ack = R(1101));
	rx(t, .len = 100);
	expect_tx(t, .ack = R(1201));
	rig_end(t);
}

TEST(a_pure_ack_is_never_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	for (int i = 0; i < 5; i++)
		rx(t, .ack = L(1));
	advance(t, 1 * SEC);
	expect_silence(t);
	rig_end(t);
}

TEST(a_fin_is_acknowledged_at_once)
{
	struct rig *t = past_quickack();

	rx(t, .flags = FIN | ACK, .len = 10);
	expect_tx(t, .ack = R(1012));
	rig_end(t);
}

/* --- incoming ACKs --- */

TEST(acknowledged_bytes_leave_the_send_queue)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 2000);
	expect_tx(t, .len = 1000);
	expect_tx(t, .len = 1000);
	assert_int_equal(tcp_send_queued(t->tcp), 2000);
	rx(t, .ack = L(501));
	assert_int_equal(tcp_send_queued(t->tcp), 1500);
	rx(t, .ack = L(2001));
	assert_int_equal(tcp_send_queued(t->tcp), 0);
	assert_int_equal(stack_memory(t->s), 0);
	rig_end(t);
}

TEST(an_older_ack_changes_nothing)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 2000);
	forget_tx(t);
	rx(t, .ack = L(2001));
	rx(t, .ack = L(1001), .window = WIN(0));
	expect_silence(t);
	assert_int_equal(t->tcp->snd.una.v, t->iss.v + 2001);
	assert_int_equal(t->tcp->snd.wnd, 65535); /* nor the window: RFC 9293 §3.10.7.4 */
	rig_end(t);
}

TEST(an_older_ack_with_new_data_leaves_the_window_alone)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 2000);
	forget_tx(t);
	rx(t, .ack = L(2001));
	rx(t, .ack = L(2001), .len = 10);
	rx(t, .ack = L(1), .len = 10, .window = WIN(5));
	forget_tx(t);
	assert_int_equal(tcp_recv_queued(t->tcp), 20);
	assert_int_equal(t->tcp->snd.wnd, 65535);
	rig_end(t);
}

/* wl1, wl2: a segment that was overtaken must not take the newer window back. */
TEST(a_segment_older_than_the_last_update_does_not_change_the_window)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 10, .window = WIN(9000));
	rx(t, .seq = R(1), .len = 10, .window = WIN(1));
	forget_tx(t);
	assert_int_equal(t->tcp->snd.wnd, 9000);
	rig_end(t);
}

TEST(room_is_told_only_to_who_found_none)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_SNDBUF] = 4000});

	assert_int_equal(app_send(t, 3000), 3000);
	forget_tx(t);
	rx(t, .ack = L(1001));
	expect_no_event(t, TCP_EV_WRITE);
	assert_int_equal(app_send(t, 5000), 2000);
	forget_tx(t);
	rx(t, .ack = L(2001));
	expect_event(t, TCP_EV_WRITE);
	forget_tx(t);
	rig_end(t);
}

/* RFC 1122 §2.3.2.1: while what we send is acknowledged nobody is asked for the address. */
TEST(progress_confirms_the_neighbour)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);
	advance(t, ARP_LIFETIME / 4);
	uint64_t asked = counted(t, CNT_ArpOutRequests); /* our own address was announced */
	for (int i = 0; i < 10; i++) {
		advance(t, ARP_LIFETIME / 4);
		app_send(t, 10);
		expect_tx(t, .len = 10);
		rx(t, .ack = L(11 + 10 * i));
	}
	assert_int_equal(counted(t, CNT_ArpOutRequests), asked);
	advance(t, ARP_LIFETIME);
	app_send(t, 10);
	expect_tx(t, .len = 10);
	assert_int_equal(counted(t, CNT_ArpOutRequests), asked + 1);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_segments_are_acknowledged_at_once),
		cmocka_unit_test(every_second_full_segment_is_acknowledged),
		cmocka_unit_test(a_lone_segment_is_acknowledged_within_40_ms),
		cmocka_unit_test(a_delayed_ack_rides_on_data),
		cmocka_unit_test(a_burst_is_answered_by_one_ack),
		cmocka_unit_test(a_super_segment_is_acknowledged_at_once),
		cmocka_unit_test(a_super_segment_of_unknown_parts_does_not_make_acks_rarer),
		cmocka_unit_test(a_hole_is_reported_at_once),
		cmocka_unit_test(a_filled_hole_is_acknowledged_at_once),
		cmocka_unit_test(a_duplicate_is_acknowledged_at_once),
		cmocka_unit_test(quickack_set_sends_what_is_owed),
		cmocka_unit_test(a_pure_ack_is_never_acknowledged),
		cmocka_unit_test(a_fin_is_acknowledged_at_once),
		cmocka_unit_test(acknowledged_bytes_leave_the_send_queue),
		cmocka_unit_test(an_older_ack_changes_nothing),
		cmocka_unit_test(an_older_ack_with_new_data_leaves_the_window_alone),
		cmocka_unit_test(a_segment_older_than_the_last_update_does_not_change_the_window),
		cmocka_unit_test(room_is_told_only_to_who_found_none),
		cmocka_unit_test(progress_confirms_the_neighbour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
