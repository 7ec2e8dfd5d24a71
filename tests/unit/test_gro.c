/* Segments that are taken together, and what ends a run. */
#include "tests/unit/tcp_rig.h"

static struct rig *connected(void)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .deliver = true);

	t->take = 1 << 20;
	return t;
}

/* All that came has been handed over, in so many calls, and acknowledged once. */
static void expect_delivered(struct rig *t, uint64_t bytes, unsigned calls)
{
	expect_tx(t, .ack = R(bytes + 1));
	assert_int_equal(t->read, bytes);
	assert_int_equal(t->delivered, calls);
}

TEST(what_comes_together_is_handed_over_at_once)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000, .stays = 7);
	rx_burst(t, .len = 1000, .stays = 7);
	assert_int_equal(t->delivered, 0);
	rx(t, .len = 300, .stays = 7);
	expect_delivered(t, 2300, 1);
	assert_int_equal(counted(t, CNT_TcpExtRcvCoalesce), 2);
	assert_int_equal(t->tcp->stats.data_segs_in, 3);
	assert_int_equal(stack_memory(t->s), 0);
	rig_end(t);
}

TEST(super_segments_too)
{
	struct rig *t = connected();

	rx_burst(t, .len = 20000, .gso_size = 1000, .stays = 7);
	rx(t, .len = 20000, .gso_size = 1000, .stays = 7);
	expect_delivered(t, 40000, 1);
	rig_end(t);
}

TEST(the_peers_segments_are_not_longer_for_it)
{
	struct rig *t = connected();

	rx_burst(t, .len = 100, .stays = 7);
	rx(t, .len = 500, .stays = 7);
	assert_int_equal(t->tcp->rcv.mss, 536);
	expect_delivered(t, 600, 1);
	rx_burst(t, .len = 100, .stays = 7);
	rx(t, .len = 700, .stays = 7);
	assert_int_equal(t->tcp->rcv.mss, 700);
	expect_delivered(t, 1400, 2);
	rig_end(t);
}

TEST(a_frame_that_does_not_stay_is_acted_on_at_once)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000);
	assert_int_equal(t->delivered, 1);
	rx_burst(t, .len = 1000, .stays = 7);
	rx_burst(t, .len = 1000); /* the last of a run need not */
	assert_int_equal(t->delivered, 2);
	rig_poll(t);
	expect_delivered(t, 3000, 2);
	rig_end(t);
}

/* The rig frees it right then. */
TEST(a_run_ends_before_its_first_frame_is_gone)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000, .stays = 2);
	rx_burst(t, .len = 1000, .stays = 7);
	rx_burst(t, .len = 1000, .stays = 7);
	assert_int_equal(t->delivered, 1);
	rx_burst(t, .len = 1000, .stays = 7);
	rx_burst(t, .len = 1000, .stays = 1);
	rx_burst(t, .len = 1000, .stays = 7);
	assert_int_equal(t->delivered, 2);
	rig_poll(t);
	expect_delivered(t, 6000, 2);
	rig_end(t);
}

TEST(a_run_has_so_many_pieces_at_most)
{
	struct rig *t = connected();

	for (unsigned i = 0; i < GRO_PIECES_MAX; i++)
		rx_burst(t, .len = 100, .stays = 15);
	assert_int_equal(t->delivered, 1);
	rig_poll(t);
	expect_delivered(t, 100 * GRO_PIECES_MAX, 1);
	rig_end(t);
}

/* Each of these says something beside its bytes. */
TEST(only_what_is_the_same_continues_a_run)
{
	static const struct seg other[] = {
		{.len = 1000, .stays = 7, .window = WIN(60000)},
		{.len = 1000, .stays = 7, .ack = L(501)},
		{.len = 1000, .stays = 7, .ts = true, .tsval = 7},
		{.len = 1000, .stays = 7, .flags = ACK | URG, .urgent = 2000},
	};

	for (unsigned i = 0; i < ARRAY_LEN(other); i++) {
		struct rig *t = connected();

		app_send(t, 500);
		rig_poll(t);
		forget_tx(t);
		rx_burst(t, .len = 1000, .stays = 7);
		rx_segment(t, &other[i]);
		rig_poll(t);
		expect_delivered(t, 2000, 2);
		assert_int_equal(counted(t, CNT_TcpExtRcvCoalesce), 0);
		rig_end(t);
	}
}

TEST(psh_does_not_matter)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000, .stays = 7, .flags = ACK | PSH);
	rx_burst(t, .len = 1000, .stays = 7);
	rx(t, .len = 1000, .stays = 7, .flags = ACK | PSH);
	expect_delivered(t, 3000, 1);
	rig_end(t);
}

TEST(a_fin_comes_behind_the_run)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000, .stays = 7);
	rx(t, .len = 1000, .flags = ACK | FIN, .stays = 7);
	expect_tx(t, .ack = R(2002));
	assert_int_equal(t->read, 2000);
	expect_state(t, TCPS_CLOSE_WAIT);
	rig_end(t);
}

TEST(a_reset_comes_behind_the_run)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000, .stays = 7);
	rx_burst(t, .len = 1000, .stays = 7);
	rx(t, .flags = RST);
	assert_int_equal(t->read, 2000);
	expect_error(t, ECONNRESET);
	rig_end(t);
}

TEST(a_hole_ends_the_run_and_none_begins_behind_it)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000, .stays = 7);
	rx_burst(t, .seq = R(2001), .len = 1000, .stays = 7);
	rx_burst(t, .seq = R(3001), .len = 1000, .stays = 7);
	assert_int_equal(t->delivered, 1);
	rig_poll(t);
	forget_tx(t);
	assert_int_equal(t->read, 1000);
	rx_burst(t, .seq = R(1001), .len = 1000, .stays = 7); /* fills it */
	rx(t, .seq = R(4001), .len = 1000, .stays = 7);
	forget_tx(t);
	assert_int_equal(t->read, 2000);
	assert_int_equal(app_recv(t, 10000), 3000);
	forget_tx(t);
	rig_end(t);
}

TEST(a_repeated_segment_ends_the_run_and_is_a_duplicate)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000, .stays = 7);
	rx_burst(t, .len = 1000, .stays = 7);
	rx_burst(t, .seq = R(1001), .len = 1000, .stays = 7);
	rx(t, .seq = R(2001), .len = 1000, .stays = 7);
	forget_tx(t);
	assert_int_equal(t->read, 3000);
	assert_int_equal(counted(t, CNT_TcpExtDupDropped), 1);
	rig_end(t);
}

TEST(a_broken_segment_is_not_taken_along)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000, .stays = 7);
	rx_segment(t, &(struct seg){.len = 1000, .stays = 7, .bad_csum = true});
	rig_poll(t);
	expect_delivered(t, 1000, 1);
	assert_int_equal(counted(t, CNT_TcpInCsumErrors), 1);
	rig_end(t);
}

TEST(what_is_beyond_the_window_is_not_taken_along)
{
	struct rig *t =
		rig_in_state(TCPS_ESTABLISHED, .deliver = true, .option[TCP_OPT_RCVBUF] = 4096);
	uint32_t window = tcp_receive_window(t->tcp);

	t->take = 1 << 20;
	rx_burst(t, .len = window - 500, .stays = 7);
	rx(t, .len = 1000, .stays = 7);
	expect_delivered(t, window, 2);
	rig_end(t);
}

/* Wherever the program's socket is full: within a piece, and between two. */
TEST(what_does_not_fit_waits_in_order)
{
	for (unsigned take = 0; take <= 3000; take += 250) {
		struct rig *t = connected();

		t->take = take;
		rx_burst(t, .len = 1000, .stays = 7);
		rx_burst(t, .len = 1000, .stays = 7);
		rx(t, .len = 1000, .stays = 7);
		expect_tx(t, .ack = R(3001));
		assert_int_equal(t->read, take);
		assert_int_equal(app_recv(t, 10000), 3000 - take);
		rig_end(t);
	}
}

TEST(other_connections_and_other_frames_come_between)
{
	struct rig *t = connected();

	rx_burst(t, .len = 1000, .stays = 7);
	rx_burst(t, .seq = R(1001), .len = 1000, .stays = 7, .port = PEER_PORT + 1);
	rx_burst(t, .seq = R(1001), .len = 1000, .stays = 7);
	rx_icmp(t, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, L(1), 0);
	assert_int_equal(t->read, 2000);
	forget_tx(t);
	rig_end(t);
}

/* A listener's child, before it is accepted, has nobody to deliver to. */
TEST(without_an_owner_it_waits_in_the_ring)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED, .deliver = true, .passive = true);

	rx(t, .ack = L(1));
	rx_burst(t, .len = 1000, .stays = 7);
	rx(t, .len = 1000, .stays = 7);
	expect_tx(t, .ack = R(2001));
	app_accept(t);
	assert_int_equal(app_recv(t, 10000), 2000);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_together_is_handed_over_at_once),
		cmocka_unit_test(super_segments_too),
		cmocka_unit_test(the_peers_segments_are_not_longer_for_it),
		cmocka_unit_test(a_frame_that_does_not_stay_is_acted_on_at_once),
		cmocka_unit_test(a_run_ends_before_its_first_frame_is_gone),
		cmocka_unit_test(a_run_has_so_many_pieces_at_most),
		cmocka_unit_test(only_what_is_the_same_continues_a_run),
		cmocka_unit_test(psh_does_not_matter),
		cmocka_unit_test(a_fin_comes_behind_the_run),
		cmocka_unit_test(a_reset_comes_behind_the_run),
		cmocka_unit_test(a_hole_ends_the_run_and_none_begins_behind_it),
		cmocka_unit_test(a_repeated_segment_ends_the_run_and_is_a_duplicate),
		cmocka_unit_test(a_broken_segment_is_not_taken_along),
		cmocka_unit_test(what_is_beyond_the_window_is_not_taken_along),
		cmocka_unit_test(what_does_not_fit_waits_in_order),
		cmocka_unit_test(other_connections_and_other_frames_come_between),
		cmocka_unit_test(without_an_owner_it_waits_in_the_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
