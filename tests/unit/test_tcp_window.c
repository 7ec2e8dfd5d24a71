/*
 * Windows: scaling (RFC 7323 §2), silly windows on both sides (RFC 9293 §3.8.6.2), and the right edge that never
 * moves left.
 */
#include "tests/unit/tcp_rig.h"

/* The right edge that a segment promises, as a distance from the peer's ISN. */
static uint32_t edge(struct rig *t, const struct sent *x)
{
	return x->h.ack.v - t->irs.v + ((uint32_t)x->h.window << t->tcp->rcv.wscale);
}

TEST(the_window_of_a_syn_is_never_scaled)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct endpoint remote = peer(9, PEER_PORT);

	tcp_connect(t->tcp, &remote, t->now);
	rig_poll(t);
	expect_tx(t, .flags = SYN, .window = WIN(65535));
	rx(t, .flags = SYN | ACK, .ack = L(1), .window = WIN(1000));
	expect_tx(t, .ack = R(1));
	assert_int_equal(t->tcp->snd.wnd, 1000);
	rig_end(t);
}

TEST(the_window_of_a_syn_ack_is_never_scaled)
{
	struct rig *t = rig_in_state(TCPS_LISTEN, .wscale = SCALE(7));

	rx(t, .flags = SYN, .window = WIN(500));
	expect_tx(t, .flags = SYN | ACK, .window = WIN(65535), .wscale = SCALE(8));
	assert_int_equal(rig_conn(t)->snd.wnd, 500);
	rx(t, .ack = L(1), .window = WIN(1280));
	assert_int_equal(rig_conn(t)->snd.wnd, 1280); /* 10 << 7 */
	rig_end(t);
}

TEST(both_windows_are_scaled_after_the_handshake)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT, .wscale = SCALE(3));

	rx(t, .flags = SYN | ACK, .ack = L(1), .window = WIN(20000));
	expect_tx(t, .window = WIN(TCP_RCVBUF_INITIAL >> 8));
	assert_int_equal(t->tcp->snd.wnd, 20000);
	rx(t, .window = WIN(400000));
	assert_int_equal(t->tcp->snd.wnd, 400000);
	rig_end(t);
}

/* A simultaneous open ends with a SYN-ACK: its window is not scaled either. */
TEST(the_window_of_the_peers_syn_ack_in_syn_received_is_not_scaled)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT, .wscale = SCALE(3));

	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK);
	rx(t, .flags = SYN | ACK, .seq = R(0), .ack = L(1), .window = WIN(1000));
	expect_tx(t, .ack = R(1));
	assert_int_equal(t->tcp->snd.wnd, 1000);
	rig_end(t);
}

TEST(without_the_peers_consent_nothing_is_scaled)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 10, .window = WIN(30000));
	expect_tx(t, .window = WIN(65535));
	assert_int_equal(t->tcp->snd.wnd, 30000);
	rig_end(t);
}

TEST(a_syn_ack_does_not_scale_when_the_syn_did_not)
{
	struct rig *t = rig_in_state(TCPS_LISTEN);

	rx(t, .flags = SYN);
	const struct sent *x = expect_tx(t, .flags = SYN | ACK);
	assert_int_equal(x->h.opts & TO_WSCALE, 0);
	rig_end(t);
}

/* RFC 7323 §2.3. */
TEST(a_shift_above_14_is_taken_as_14)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT, .wscale = SCALE(200));

	rx(t, .flags = SYN | ACK, .ack = L(1));
	expect_tx(t, .ack = R(1));
	assert_int_equal(t->tcp->snd.wscale, 14);
	rig_end(t);
}

TEST(a_small_receive_buffer_needs_no_scale)
{
	struct rig *t = rig_in_state(TCPS_CLOSED, .option = {[TCP_OPT_RCVBUF] = 60000});
	struct endpoint remote = peer(9, PEER_PORT);

	tcp_connect(t->tcp, &remote, t->now);
	rig_poll(t);
	expect_tx(t, .flags = SYN, .wscale = SCALE(0), .window = WIN(60000));
	rig_end(t);
}

/* --- the receiver --- */

TEST(the_window_closes_as_the_buffer_fills_and_its_edge_stays)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_RCVBUF] = 5000});

	for (uint32_t i = 1; i <= 5; i++) {
		rx(t, .len = 1000);
		expect_tx(t, .ack = R(1 + 1000 * i), .window = WIN(5000 - 1000 * i));
	}
	rig_end(t);
}

TEST(the_edge_never_moves_left)
{
	static const uint32_t sizes[] = {60000, 1 << 20, 4 << 20, 1 << 29};

	for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
		struct rig *t = rig_in_state(TCPS_ESTABLISHED, .wscale = SCALE(7),
			.option = {[TCP_OPT_RCVBUF] = sizes[k]});
		uint32_t last = 1;
		for (uint32_t i = 0; i < 300; i++) {
			rx(t, .len = 1 + i * 37 % 1000);
			if (i % 7 == 3)
				app_recv(t, i * 53 % 3000);
			for (; t->seen < t->ntx; t->seen++) {
				uint32_t right = edge(t, &t->tx[t->seen]);
				assert_true((int32_t)(right - last) >= 0);
				last = right;
			}
		}
		rig_end(t);
	}
}

TEST(bytes_beyond_the_window_are_cut_off)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_RCVBUF] = 1500});

	rx(t, .len = 1000);
	expect_tx(t, .ack = R(1001));
	rx(t, .seq = R(1001), .flags = FIN | ACK, .len = 1000);
	expect_tx(t, .ack = R(1501), .window = WIN(0));
	expect_state(t, TCPS_ESTABLISHED); /* the FIN was beyond */
	assert_int_equal(app_recv(t, 5000), 1500);
	forget_tx(t);
	rig_end(t);
}

TEST(bytes_before_rcv_nxt_are_cut_off)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 1000);
	expect_tx(t, .ack = R(1001));
	rx(t, .seq = R(501), .len = 1000);
	expect_tx(t, .ack = R(1501), .sack = {R(501), R(1001)}); /* DSACK */
	assert_int_equal(app_recv(t, 5000), 1500);
	rig_end(t);
}

TEST(a_closed_window_is_told_to_whoever_probes_it)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_RCVBUF] = 1000});

	rx(t, .len = 1000);
	expect_tx(t, .ack = R(1001), .window = WIN(0));
	rx(t, .seq = R(1001), .len = 1); /* BSD's probe: a byte beyond */
	expect_tx(t, .ack = R(1001), .window = WIN(0));
	rx(t, .seq = R(1000)); /* Linux's: none, one before */
	expect_tx(t, .ack = R(1001), .window = WIN(0));
	assert_int_equal(app_recv(t, 5000), 1000);
	forget_tx(t);
	rig_end(t);
}

TEST(a_closed_window_takes_a_fin_and_acks)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_RCVBUF] = 1000});

	app_send(t, 500);
	expect_tx(t, .len = 500);
	rx(t, .len = 1000, .ack = L(1));
	advance(t, TCP_DELACK_MAX);
	expect_tx(t, .ack = R(1001), .window = WIN(0));
	rx(t, .ack = L(501));
	assert_int_equal(tcp_send_queued(t->tcp), 0);
	rx(t, .flags = FIN | ACK);
	expect_tx(t, .ack = R(1002));
	expect_state(t, TCPS_CLOSE_WAIT);
	rig_end(t);
}

/* RFC 9293 §3.8.6.2.2: by a full segment or half of the buffer, or not at all. */
TEST(the_window_opens_again_in_steps_worth_telling)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_RCVBUF] = 10000});

	for (int i = 0; i < 10; i++)
		rx(t, .len = 1000);
	forget_tx(t);
	app_recv(t, 500);
	expect_silence(t);
	app_recv(t, 1000);
	expect_silence(t);
	app_recv(t, 500);
	expect_tx(t, .ack = R(10001), .window = WIN(2000));
	rig_end(t);
}

TEST(an_ack_of_data_does_not_move_the_edge_by_less_than_a_segment)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_RCVBUF] = 10000});

	rx(t, .len = 1000);
	expect_tx(t, .ack = R(1001), .window = WIN(9000));
	app_recv(t, 400);
	rx(t, .len = 1000);
	expect_tx(t, .ack = R(2001), .window = WIN(8000));
	app_recv(t, 600);
	rx(t, .len = 1000);
	expect_tx(t, .ack = R(3001), .window = WIN(8000));
	rig_end(t);
}

TEST(a_tiny_buffer_opens_by_half)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_RCVBUF] = 800});

	rx(t, .len = 800);
	expect_tx(t, .ack = R(801), .window = WIN(0));
	app_recv(t, 399);
	expect_silence(t);
	app_recv(t, 1);
	expect_tx(t, .ack = R(801), .window = WIN(400));
	rig_end(t);
}

TEST(a_reader_that_keeps_up_causes_no_window_updates)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	for (uint32_t i = 0; i < 50; i++) {
		rx(t, .len = 1000);
		app_recv(t, 1000);
	}
	assert_true(t->ntx - t->seen <= 50);
	forget_tx(t);
	rig_end(t);
}

TEST(the_buffer_grows_with_what_a_fast_reader_takes)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .wscale = SCALE(7));
	uint32_t before = t->tcp->rcv.limit;

	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 8; i++) {
			rx(t, .len = 30000, .gso_size = 1000);
			app_recv(t, 1 << 20);
		}
		advance(t, 11 * MSEC);
	}
	assert_true(t->tcp->rcv.limit > before);
	assert_true(t->tcp->rcv.limit <= TCP_RCVBUF_MAX);
	forget_tx(t);
	rig_end(t);
}

/* RFC 7323 §2.3: a scale of 14, and a window of 65,535 units of it. */
TEST(a_buffer_of_1_GiB_is_a_window_of_nearly_that)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .wscale = SCALE(14), .window = WIN(65535),
		.mem_max = (size_t)8 << 30, .option = {[TCP_OPT_RCVBUF] = 1 << 30});

	assert_int_equal(t->tcp->rcv.wscale, 14);
	rx(t, .len = 1000, .window = WIN(65535u << 14));
	app_recv(t, 1000);
	expect_tx(t, .ack = R(1001), .window = WIN(65535));
	assert_int_equal(t->tcp->snd.wnd, 65535u << 14);
	rig_end(t);
}

/* The handshake took 10 ms, all that follows 100: what comes in 10 ms says nothing about the window. */
TEST(the_buffer_grows_though_the_handshake_was_too_quick)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .wscale = SCALE(7), .ts = true);
	uint32_t before = t->tcp->rcv.limit;

	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 10; i++) {
			rx(t, .len = 20000, .gso_size = 1000, .ts = true, .tsval = t->peer_tsval + 1,
				.tsecr = tcp_ts_now(t->tcp, t->now - 100 * MSEC));
			app_recv(t, 1 << 20);
			forget_tx(t);
			advance(t, 10 * MSEC);
		}
	}
	assert_true(t->tcp->rcv.limit > before);
	forget_tx(t);
	rig_end(t);
}

/* The peer sends five times per round trip, for `time`, and echoes what has reached it. */
static void stream(struct rig *t, nsec rtt, nsec waited, uint32_t len, nsec time)
{
	for (nsec end = t->now + time; t->now < end;) {
		rx(t, .len = len, .gso_size = 1000, .ts = true, .tsval = t->peer_tsval,
			.tsecr = tcp_ts_now(t->tcp, t->now - rtt), .waited = waited);
		app_recv(t, 1 << 20);
		clear_tx(t);
		advance(t, rtt / 5);
	}
}

TEST(a_receiver_measures_round_trips_exactly)
{
	static const nsec rtt[] = {50 * USEC, 300 * USEC, 900 * USEC, 3 * MSEC, 50 * MSEC};

	for (size_t i = 0; i < ARRAY_LEN(rtt); i++) {
		struct rig *t = rig_in_state(TCPS_ESTABLISHED, .wscale = SCALE(7), .ts = true);

		stream(t, rtt[i], 0, 3000, 100 * nsec_max(rtt[i], MSEC));
		assert_in_range(t->tcp->rcv.rtt, rtt[i] * 99 / 100, rtt[i] * 101 / 100);
		rig_end(t);
	}
}

TEST(what_waits_for_us_is_not_the_paths_round_trip)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .wscale = SCALE(7), .ts = true);

	stream(t, 700 * USEC, 500 * USEC, 3000, 100 * MSEC);
	assert_in_range(t->tcp->rcv.rtt, 198 * USEC, 202 * USEC);
	rig_end(t);
}

TEST(on_the_shortest_path_the_buffer_is_for_a_tenth_of_a_millisecond)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .wscale = SCALE(7), .ts = true);

	stream(t, 20 * USEC, 0, 20, 50 * MSEC);
	stream(t, 20 * USEC, 0, 4000, 50 * MSEC); /* 1 GB/s: 100 kB, which fit twice */
	assert_int_equal(t->tcp->rcv.limit, TCP_RCVBUF_INITIAL);
	stream(t, 20 * USEC, 0, 16000, 50 * MSEC); /* 4 GB/s */
	assert_in_range(t->tcp->rcv.limit, 2 * 400000, 2 * 410000);
	rig_end(t);
}

TEST(a_buffer_set_by_the_program_does_not_grow)
{
	struct rig *t = rig_in_state(
		TCPS_ESTABLISHED, .wscale = SCALE(7), .option = {[TCP_OPT_RCVBUF] = 100000});

	for (int i = 0; i < 50; i++) {
		rx(t, .len = 20000, .gso_size = 1000);
		app_recv(t, 1 << 20);
		advance(t, 11 * MSEC);
	}
	assert_int_equal(t->tcp->rcv.limit, 100000);
	forget_tx(t);
	rig_end(t);
}

/* --- the sender --- */

TEST(no_more_is_sent_than_the_window_allows)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .window = WIN(2500));

	app_send(t, 10000);
	expect_tx(t, .seq = L(1), .len = 1000);
	expect_tx(t, .seq = L(1001), .len = 1000);
	expect_silence(t); /* 500 are left, less than a segment and than half of the window */
	rx(t, .ack = L(1001));
	expect_tx(t, .seq = L(2001), .len = 1000);
	rig_end(t);
}

TEST(a_window_of_half_the_largest_is_worth_a_segment)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .window = WIN(800));

	app_send(t, 2000);
	expect_tx(t, .seq = L(1), .len = 800);
	rx(t, .ack = L(801), .window = WIN(399));
	expect_silence(t);
	rx(t, .ack = L(801), .window = WIN(400));
	expect_tx(t, .seq = L(801), .len = 400);
	rig_end(t);
}

/* A window smaller than a segment for good: what fits goes after the persist time (RFC 9293 §3.8.6.2.1). */
TEST(a_window_that_stays_silly_is_used_after_a_while)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .window = WIN(800));

	app_send(t, 2000);
	expect_tx(t, .seq = L(1), .len = 800);
	rx(t, .ack = L(801), .window = WIN(100));
	expect_tx_after(t, t->tcp->rto, .seq = L(801), .len = 100);
	rx(t, .ack = L(901), .window = WIN(100));
	expect_tx_after(t, t->tcp->rto, .seq = L(901), .len = 100);
	rig_end(t);
}

TEST(a_window_that_shrinks_stops_new_data_only)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .window = WIN(3000), .no_sack = true);

	app_send(t, 9000);
	for (int i = 0; i < 3; i++)
		expect_tx(t, .len = 1000);
	rx(t, .ack = L(1), .window = WIN(500));
	expect_silence(t);
	expect_tx_after(t, t->tcp->rto, .seq = L(1), .len = 1000); /* what it had allowed once */
	rx(t, .ack = L(3001), .window = WIN(2000));
	expect_tx(t, .seq = L(3001), .len = 1000);
	expect_tx(t, .seq = L(4001), .len = 1000);
	rig_end(t);
}

/* Somebody else's unread data fills the memory. Who reads what comes needs none; who does not gets a page. */
TEST(whoever_keeps_up_has_a_window_when_memory_is_used_up)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .deliver = true);
	size_t others = t->s->config.tcp_mem_max;

	t->s->memory += others;
	for (int i = 0; i < 200; i++) {
		t->take = 1000;
		rx(t, .len = 1000);
	}
	forget_tx(t);
	uint32_t window = tcp_receive_window(t->tcp);
	assert_in_range(window, TCP_RCVBUF_SCARCE / 2, TCP_RCVBUF_SCARCE);
	for (int i = 0; i < 10; i++)
		rx(t, .seq = R(200001 + i * 1000), .len = 1000);
	forget_tx(t);
	assert_int_equal(tcp_recv_queued(t->tcp), 4000);
	assert_int_equal(tcp_receive_window(t->tcp), window - 4000);
	assert_in_range(stack_memory(t->s), others, others + TCP_RING_MIN + sizeof(struct ofo));
	t->s->memory -= others;
	assert_int_equal(app_recv(t, 10000), 4000);
	forget_tx(t);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_of_a_syn_is_never_scaled),
		cmocka_unit_test(the_window_of_a_syn_ack_is_never_scaled),
		cmocka_unit_test(both_windows_are_scaled_after_the_handshake),
		cmocka_unit_test(the_window_of_the_peers_syn_ack_in_syn_received_is_not_scaled),
		cmocka_unit_test(without_the_peers_consent_nothing_is_scaled),
		cmocka_unit_test(a_syn_ack_does_not_scale_when_the_syn_did_not),
		cmocka_unit_test(a_shift_above_14_is_taken_as_14),
		cmocka_unit_test(a_small_receive_buffer_needs_no_scale),
		cmocka_unit_test(the_window_closes_as_the_buffer_fills_and_its_edge_stays),
		cmocka_unit_test(the_edge_never_moves_left),
		cmocka_unit_test(bytes_beyond_the_window_are_cut_off),
		cmocka_unit_test(bytes_before_rcv_nxt_are_cut_off),
		cmocka_unit_test(a_closed_window_is_told_to_whoever_probes_it),
		cmocka_unit_test(a_closed_window_takes_a_fin_and_acks),
		cmocka_unit_test(the_window_opens_again_in_steps_worth_telling),
		cmocka_unit_test(an_ack_of_data_does_not_move_the_edge_by_less_than_a_segment),
		cmocka_unit_test(a_tiny_buffer_opens_by_half),
		cmocka_unit_test(a_reader_that_keeps_up_causes_no_window_updates),
		cmocka_unit_test(whoever_keeps_up_has_a_window_when_memory_is_used_up),
		cmocka_unit_test(the_buffer_grows_with_what_a_fast_reader_takes),
		cmocka_unit_test(the_buffer_grows_though_the_handshake_was_too_quick),
		cmocka_unit_test(a_receiver_measures_round_trips_exactly),
		cmocka_unit_test(what_waits_for_us_is_not_the_paths_round_trip),
		cmocka_unit_test(on_the_shortest_path_the_buffer_is_for_a_tenth_of_a_millisecond),
		cmocka_unit_test(a_buffer_of_1_GiB_is_a_window_of_nearly_that),
		cmocka_unit_test(a_buffer_set_by_the_program_does_not_grow),
		cmocka_unit_test(no_more_is_sent_than_the_window_allows),
		cmocka_unit_test(a_window_of_half_the_largest_is_worth_a_segment),
		cmocka_unit_test(a_window_that_stays_silly_is_used_after_a_while),
		cmocka_unit_test(a_window_that_shrinks_stops_new_data_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
