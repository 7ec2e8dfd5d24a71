/*
 * Options: MSS (RFC 9293 §3.7.1, RFC 6691), timestamps and PAWS (RFC 7323), and lists that make no sense.
 */
#include "tests/unit/tcp_rig.h"

/* --- MSS --- */

TEST(the_peers_mss_bounds_our_segments)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mss = 700);

	app_send(t, 1400);
	expect_tx(t, .len = 700);
	expect_tx(t, .len = 700);
	rig_end(t);
}

TEST(without_an_mss_option_segments_have_536_bytes)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx(t, .flags = SYN | ACK, .ack = L(1), .bare = true);
	expect_tx(t, .ack = R(1));
	app_send(t, 1072);
	expect_tx(t, .len = 536);
	expect_tx(t, .len = 536);
	rig_end(t);
}

TEST(our_own_mtu_bounds_our_segments)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mss = 9000);

	app_send(t, 2920);
	expect_tx(t, .len = 1460);
	expect_tx(t, .len = 1460);
	rig_end(t);
}

/* RFC 6691: the MSS does not know of options, the sender takes them off. */
TEST(timestamps_take_twelve_bytes_from_every_segment)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	app_send(t, 1976);
	expect_tx(t, .len = 988, .ts = true);
	expect_tx(t, .len = 988, .ts = true);
	rig_end(t);
}

TEST(an_absurd_mss_is_raised_to_the_least)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mss = 1);

	app_send(t, TCP_MSS_MIN);
	expect_tx(t, .len = TCP_MSS_MIN);
	rig_end(t);
}

TEST(maxseg_bounds_what_we_offer_and_what_we_send)
{
	struct rig *t = rig_in_state(TCPS_LISTEN, .option = {[TCP_OPT_MAXSEG] = 500});

	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK, .mss = 500);
	rx(t, .ack = L(1));
	app_accept(t);
	app_send(t, 1000);
	expect_tx(t, .len = 500);
	expect_tx(t, .len = 500);
	rig_end(t);
}

TEST(maxseg_below_88_is_refused)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);

	assert_int_equal(tcp_set_option(t->tcp, TCP_OPT_MAXSEG, 87, t->now), -EINVAL);
	assert_int_equal(tcp_set_option(t->tcp, TCP_OPT_MAXSEG, 88, t->now), 0);
	assert_int_equal(tcp_set_option(t->tcp, TCP_OPT_MAXSEG, 0, t->now), 0);
	rig_end(t);
}

TEST(an_mss_option_outside_of_a_syn_means_nothing)
{
	static const uint8_t mss[] = {2, 4, 0, 100};
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .options = mss, .options_len = sizeof mss);
	assert_int_equal(t->tcp->snd.mss, RIG_MSS);
	rig_end(t);
}

TEST(options_out_of_range_are_refused)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);

	assert_int_equal(tcp_set_option(t->tcp, TCP_OPT_TTL, 0, t->now), -EINVAL);
	assert_int_equal(tcp_set_option(t->tcp, TCP_OPT_TTL, 256, t->now), -EINVAL);
	assert_int_equal(tcp_set_option(t->tcp, TCP_OPT_KEEPCNT, 0, t->now), -EINVAL);
	assert_int_equal(tcp_set_option(t->tcp, TCP_OPT_COUNT, 0, t->now), -EINVAL);
	rig_end(t);
}

TEST(ttl_and_tos_are_on_every_segment)
{
	struct rig *t = rig_in_state(
		TCPS_ESTABLISHED, .option = {[TCP_OPT_TTL] = 17, [TCP_OPT_TOS] = 0x10});

	app_send(t, 10);
	const struct sent *x = expect_tx(t, .len = 10);
	assert_int_equal(x->ttl, 17);
	assert_int_equal(x->tos, 0x10);
	rig_end(t);
}

/* --- timestamps --- */

TEST(timestamps_are_used_only_if_both_syns_had_them)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 10);
	expect_tx(t, .len = 10, .no_ts = true);
	rig_end(t);
	t = rig_in_state(TCPS_LISTEN);
	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK, .no_ts = true);
	rig_end(t);
	t = rig_in_state(TCPS_LISTEN, .ts = true);
	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK, .ts = true, .tsecr = t->peer_tsval);
	rig_end(t);
}

TEST(the_echo_is_that_of_the_last_segment_in_order)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	rx(t, .len = 10, .ts = true, .tsval = t->peer_tsval + 5, .tsecr = t->last_tsval);
	expect_tx(t, .ack = R(11), .tsecr = t->peer_tsval + 5);
	/* RFC 7323 §4.3 (2): a segment beyond a hole does not move it. */
	rx(t, .seq = R(101), .len = 10, .ts = true, .tsval = t->peer_tsval + 9,
		.tsecr = t->last_tsval);
	expect_tx(t, .ack = R(11), .tsecr = t->peer_tsval + 5);
	rx(t, .seq = R(11), .len = 90, .ts = true, .tsval = t->peer_tsval + 7,
		.tsecr = t->last_tsval);
	expect_tx(t, .ack = R(111), .tsecr = t->peer_tsval + 7);
	rig_end(t);
}

/* RFC 7323 §4.3: with a delayed ACK the first of the segments counts: the time includes the delay. */
TEST(the_echo_of_a_delayed_ack_is_that_of_the_earliest_segment)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	app_option(t, TCP_OPT_QUICKACK, 0);
	rx(t, .len = 10, .ts = true, .tsval = t->peer_tsval + 5, .tsecr = t->last_tsval);
	rx(t, .len = 10, .ts = true, .tsval = t->peer_tsval + 6, .tsecr = t->last_tsval);
	advance(t, TCP_DELACK_MAX);
	expect_tx(t, .ack = R(21), .tsecr = t->peer_tsval + 5);
	rig_end(t);
}

TEST(the_timestamp_clock_runs_in_milliseconds)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	app_send(t, 10);
	uint32_t first = expect_tx(t, .len = 10)->h.tsval;
	rx(t, .ack = L(11));
	advance(t, 250 * MSEC);
	app_send(t, 10);
	assert_int_equal(expect_tx(t, .len = 10)->h.tsval - first, 250);
	rig_end(t);
}

TEST(paws_drops_and_acknowledges_an_old_duplicate)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	rx(t, .len = 10, .ts = true, .tsval = t->peer_tsval - 1, .tsecr = t->last_tsval);
	expect_tx(t, .ack = R(1));
	assert_int_equal(tcp_recv_queued(t->tcp), 0);
	assert_int_equal(counted(t, CNT_TcpExtPawsDrops), 1);
	rig_end(t);
}

TEST(paws_does_not_protect_against_a_reset)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	rx(t, .flags = RST, .ts = true, .tsval = t->peer_tsval - 1);
	expect_error(t, ECONNRESET);
	rig_end(t);
}

TEST(paws_timestamps_wrap_too)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	t->peer_tsval += 0x100; /* it began at 0xfffffff0 */
	rx(t, .len = 10);
	expect_tx(t, .ack = R(11), .tsecr = t->peer_tsval);
	rx(t, .len = 10, .ts = true, .tsval = 0xffffffff, .tsecr = t->last_tsval);
	forget_tx(t);
	assert_int_equal(counted(t, CNT_TcpExtPawsDrops), 1);
	rig_end(t);
}

/* RFC 7323 §5.5: the peer's clock may have wrapped while nothing was said. */
TEST(paws_does_not_believe_a_timestamp_of_24_days_ago)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	advance(t, TCP_PAWS_IDLE + 1 * SEC);
	rx(t, .len = 10, .ts = true, .tsval = t->peer_tsval - 1, .tsecr = t->last_tsval);
	expect_tx(t, .ack = R(11), .tsecr = t->peer_tsval - 1);
	rig_end(t);
}

/* RFC 7323 §3.2 would drop it; Linux takes it, and so do we. */
TEST(a_segment_that_lacks_its_timestamp_is_taken)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .ts = true);

	rx(t, .len = 10, .no_ts = true);
	expect_tx(t, .ack = R(11));
	rig_end(t);
}

/* --- lists that make no sense --- */

static void open_with(const uint8_t *options, size_t len, uint32_t mss, bool sack, bool ts)
{
	struct rig *t = rig_in_state(TCPS_LISTEN);

	rx(t, .flags = SYN, .options = options, .options_len = len);
	expect_tx(t, .flags = SYN | ACK, .ack = R(1));
	assert_int_equal(rig_conn(t)->snd.peer_mss, mss);
	assert_int_equal(rig_conn(t)->use_sack, sack);
	assert_int_equal(rig_conn(t)->use_ts, ts);
	rig_end(t);
}

#define OPEN_WITH(mss, sack, ts, ...)                                                              \
	open_with((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), mss,     \
		sack, ts)

TEST(a_malformed_option_ends_the_list_and_not_the_connection)
{
	OPEN_WITH(1000, false, false, 2, 4, 3, 0xe8, 2, 0);        /* length 0 */
	OPEN_WITH(1000, false, false, 2, 4, 3, 0xe8, 8, 1);        /* length 1 */
	OPEN_WITH(1000, false, false, 2, 4, 3, 0xe8, 8, 10, 0, 0); /* runs out of the header */
	OPEN_WITH(536, false, false, 2, 3, 1, 4, 2);               /* an MSS of the wrong length */
	OPEN_WITH(
		1000, true, false, 4, 2, 2, 4, 3, 0xe8, 0, 8, 10, 0); /* behind the end: nothing */
}

TEST(unknown_options_and_padding_are_skipped)
{
	OPEN_WITH(1000, true, true, 254, 4, 1, 2, 1, 1, 1, 4, 2, 30, 3, 9, 2, 4, 3, 0xe8, 8, 10, 0,
		0, 0, 9, 0, 0, 0, 0);
}

TEST(forty_bytes_of_options_hide_no_data)
{
	static const uint8_t nops[40] = {1, 1, 1};
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .options = nops, .options_len = sizeof nops, .len = 5);
	expect_tx(t, .ack = R(6));
	assert_int_equal(app_recv(t, 10), 5);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_peers_mss_bounds_our_segments),
		cmocka_unit_test(without_an_mss_option_segments_have_536_bytes),
		cmocka_unit_test(our_own_mtu_bounds_our_segments),
		cmocka_unit_test(timestamps_take_twelve_bytes_from_every_segment),
		cmocka_unit_test(an_absurd_mss_is_raised_to_the_least),
		cmocka_unit_test(maxseg_bounds_what_we_offer_and_what_we_send),
		cmocka_unit_test(maxseg_below_88_is_refused),
		cmocka_unit_test(an_mss_option_outside_of_a_syn_means_nothing),
		cmocka_unit_test(options_out_of_range_are_refused),
		cmocka_unit_test(ttl_and_tos_are_on_every_segment),
		cmocka_unit_test(timestamps_are_used_only_if_both_syns_had_them),
		cmocka_unit_test(the_echo_is_that_of_the_last_segment_in_order),
		cmocka_unit_test(the_echo_of_a_delayed_ack_is_that_of_the_earliest_segment),
		cmocka_unit_test(the_timestamp_clock_runs_in_milliseconds),
		cmocka_unit_test(paws_drops_and_acknowledges_an_old_duplicate),
		cmocka_unit_test(paws_does_not_protect_against_a_reset),
		cmocka_unit_test(paws_timestamps_wrap_too),
		cmocka_unit_test(paws_does_not_believe_a_timestamp_of_24_days_ago),
		cmocka_unit_test(a_segment_that_lacks_its_timestamp_is_taken),
		cmocka_unit_test(a_malformed_option_ends_the_list_and_not_the_connection),
		cmocka_unit_test(unknown_options_and_padding_are_skipped),
		cmocka_unit_test(forty_bytes_of_options_hide_no_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
