/*
 * Resets and forged segments: RFC 9293 §3.10.7.4 steps 1, 2 and 4 in every state, RFC 5961.
 */
#include "tests/unit/tcp_rig.h"

static const enum tcp_state synchronized[] = {TCPS_ESTABLISHED, TCPS_FIN_WAIT_1, TCPS_FIN_WAIT_2,
	TCPS_CLOSE_WAIT, TCPS_CLOSING, TCPS_LAST_ACK};

#define FOR_EACH_SYNCHRONIZED(st)                                                                  \
	for (const enum tcp_state *st = synchronized; st < synchronized + ARRAY_LEN(synchronized); \
		st++)

/* What the peer would send next: one more after its FIN. */
static uint32_t next(enum tcp_state st)
{
	return st == TCPS_CLOSE_WAIT || st == TCPS_CLOSING || st == TCPS_LAST_ACK ? 2 : 1;
}

TEST(a_rst_at_rcv_nxt_ends_the_connection_in_every_state)
{
	FOR_EACH_SYNCHRONIZED(st)
	{
		struct rig *t = rig_in_state(*st);
		rx(t, .flags = RST, .seq = R(next(*st)));
		expect_silence(t);
		expect_error(t, *st == TCPS_CLOSE_WAIT ? EPIPE : ECONNRESET);
		expect_event(t, TCP_EV_CLOSED);
		rig_end(t);
	}
}

TEST(a_rst_elsewhere_in_the_window_is_challenged_in_every_state)
{
	FOR_EACH_SYNCHRONIZED(st)
	{
		struct rig *t = rig_in_state(*st);
		rx(t, .flags = RST, .seq = R(next(*st) + 1));
		expect_tx(t, .ack = R(next(*st)));
		expect_state(t, *st);
		assert_int_equal(counted(t, CNT_TcpExtChallengeAcks), 1);
		rig_end(t);
	}
}

TEST(a_rst_outside_of_the_window_is_ignored_in_every_state)
{
	FOR_EACH_SYNCHRONIZED(st)
	{
		struct rig *t = rig_in_state(*st);
		rx(t, .flags = RST, .seq = R(0));
		rx(t, .flags = RST, .seq = R(100000));
		expect_silence(t);
		expect_state(t, *st);
		rig_end(t);
	}
}

TEST(a_rst_at_the_last_number_of_the_window_is_challenged)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = RST, .seq = R(1 + 65535 - 1));
	expect_tx(t, .ack = R(1));
	rig_end(t);
}

TEST(a_rst_at_rcv_nxt_is_taken_with_a_closed_window)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_RCVBUF] = 2000});

	rx(t, .len = 1000);
	rx(t, .len = 1000);
	forget_tx(t);
	rx(t, .flags = RST, .seq = R(2001));
	expect_error(t, ECONNRESET);
	assert_int_equal(app_recv(t, 5000), 2000); /* what was acknowledged is still delivered */
	rig_end(t);
}

TEST(a_syn_in_the_window_is_challenged_in_every_state)
{
	FOR_EACH_SYNCHRONIZED(st)
	{
		struct rig *t = rig_in_state(*st);
		rx(t, .flags = SYN, .seq = R(50));
		expect_tx(t, .ack = R(next(*st)));
		expect_state(t, *st);
		assert_int_equal(counted(t, CNT_TcpExtChallengeAcks), 1);
		rig_end(t);
	}
}

/* RFC 9293 §3.5.1 figure 9, RFC 5961 §4: the peer crashed and comes back with another ISN. */
TEST(a_syn_from_a_reborn_peer_makes_it_reset_us)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = SYN, .seq = R(0x40000000));
	expect_tx(t, .seq = L(1), .ack = R(1));
	rx(t, .flags = RST, .seq = R(1));
	expect_error(t, ECONNRESET);
	rig_end(t);
}

TEST(a_flood_of_syns_is_not_answered_by_a_flood_of_acks)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	for (uint32_t i = 0; i < 100; i++)
		rx(t, .flags = SYN, .seq = R(i % 2 ? 1000 + i : 0x40000000 + i));
	expect_tx(t, .ack = R(1));
	expect_silence(t);
	advance(t, 501 * MSEC);
	rx(t, .flags = SYN, .seq = R(77));
	expect_tx(t, .ack = R(1));
	rig_end(t);
}

TEST(a_flood_of_rsts_is_not_answered_by_a_flood_of_acks)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	for (uint32_t i = 0; i < 100; i++)
		rx(t, .flags = RST, .seq = R(100 + i));
	expect_tx(t, .ack = R(1));
	assert_int_equal(counted(t, CNT_TcpExtChallengeLimited), 99);
	rig_end(t);
}

static void connect_another(struct rig *t, struct tcp **other)
{
	struct endpoint remote = peer(10, PEER_PORT), local = us(OUR_PORT + 1);

	*other = tcp_new(t->s, NULL);
	assert_int_equal(tcp_bind(*other, &local), 0);
	assert_int_equal(tcp_connect(*other, &remote, t->now), 0);
	rig_poll(t);
}

/*
 * CVE-2016-5696: a limit that connections share tells a blind attacker what others are doing. Whatever
 * happens on one connection, another one's challenge ACK leaves.
 */
TEST(the_challenge_limit_of_one_connection_is_not_felt_by_another)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);
	struct tcp *other;

	for (uint32_t i = 0; i < 5000; i++)
		rx(t, .flags = RST, .seq = R(100 + i));
	forget_tx(t);
	connect_another(t, &other);
	const struct sent *syn =
		expect_tx(t, .flags = SYN, .host = 10, .port = PEER_PORT, .seq = {0});
	t->iss = syn->h.seq;
	rx(t, .flags = SYN | ACK, .ack = L(1), .host = 10, .toward = OUR_PORT + 1);
	expect_tx(t, .ack = R(1), .host = 10);
	rx(t, .flags = RST, .seq = R(100), .host = 10, .toward = OUR_PORT + 1);
	expect_tx(t, .ack = R(1), .host = 10);
	tcp_abort(other, t->now);
	rig_poll(t);
	forget_tx(t);
	rig_end(t);
}

/* --- step 1 --- */

TEST(a_segment_before_the_window_is_acknowledged_in_every_state)
{
	FOR_EACH_SYNCHRONIZED(st)
	{
		struct rig *t = rig_in_state(*st);
		rx(t, .seq = R(next(*st) - 100), .len = 50);
		expect_tx(t, .ack = R(next(*st)));
		expect_state(t, *st);
		rig_end(t);
	}
}

TEST(a_segment_beyond_the_window_is_acknowledged_in_every_state)
{
	FOR_EACH_SYNCHRONIZED(st)
	{
		struct rig *t = rig_in_state(*st);
		rx(t, .seq = R(70000), .len = 50);
		expect_tx(t, .ack = R(next(*st)));
		expect_state(t, *st);
		rig_end(t);
	}
}

TEST(the_first_byte_beyond_the_window_is_not_acceptable_and_the_last_within_is)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_1);

	rx(t, .seq = R(1 + 65535), .ack = L(2), .len = 1);
	expect_tx(t, .ack = R(1));
	expect_state(t, TCPS_FIN_WAIT_1);
	rx(t, .seq = R(65535), .ack = L(2), .len = 1);
	expect_tx(t, .ack = R(1), .sack = {R(65535), R(65536)});
	expect_state(t, TCPS_FIN_WAIT_2);
	rig_end(t);
}

TEST(empty_unacceptable_segments_are_answered_now_and_then)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	for (int i = 0; i < 10; i++)
		rx(t, .seq = R(0));
	expect_tx(t, .ack = R(1));
	expect_silence(t);
	advance(t, 501 * MSEC);
	rx(t, .seq = R(0));
	expect_tx(t, .ack = R(1));
	rig_end(t);
}

TEST(an_unacceptable_segment_acknowledges_nothing)
{
	struct rig *t = rig_in_state(TCPS_FIN_WAIT_1);

	rx(t, .seq = R(70000), .ack = L(2), .len = 1);
	expect_tx(t, .ack = R(1));
	expect_state(t, TCPS_FIN_WAIT_1);
	rig_end(t);
}

TEST(a_segment_without_ack_is_dropped_in_every_state)
{
	FOR_EACH_SYNCHRONIZED(st)
	{
		struct rig *t = rig_in_state(*st);
		rx(t, .flags = PSH, .seq = R(next(*st)), .len = 10);
		expect_silence(t);
		expect_state(t, *st);
		assert_int_equal(tcp_recv_queued(t->tcp), 0);
		rig_end(t);
	}
}

/* --- step 5 --- */

TEST(an_ack_of_what_was_never_sent_is_challenged_in_every_state)
{
	FOR_EACH_SYNCHRONIZED(st)
	{
		struct rig *t = rig_in_state(*st);
		rx(t, .ack = L(3));
		expect_tx(t, .ack = R(next(*st)));
		expect_state(t, *st);
		rig_end(t);
	}
}

/* RFC 5961 §5.2: as old as the largest window at most. */
TEST(an_ack_older_than_the_window_is_challenged_and_its_data_dropped)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .ack = L(-65600), .len = 10);
	expect_tx(t, .ack = R(1));
	assert_int_equal(tcp_recv_queued(t->tcp), 0);
	rx(t, .seq = R(1), .ack = L(-60000), .len = 10);
	expect_tx(t, .ack = R(11));
	assert_int_equal(tcp_recv_queued(t->tcp), 10);
	rig_end(t);
}

/* --- the program's side --- */

TEST(data_read_after_a_reset_is_what_was_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 700);
	expect_tx(t, .ack = R(701));
	rx(t, .flags = RST);
	expect_error(t, ECONNRESET);
	assert_int_equal(app_recv(t, 1000), 700);
	expect_silence(t);
	rig_end(t);
}

TEST(a_reset_frees_what_was_queued_to_send)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .window = WIN(0));

	assert_int_equal(app_send(t, 50000), 50000);
	assert_true(stack_memory(t->s) > 0);
	rx(t, .flags = RST);
	assert_int_equal(stack_memory(t->s), 0);
	assert_int_equal(app_send(t, 10), 0);
	rig_end(t);
}

TEST(a_bad_checksum_is_dropped_and_counted)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = RST, .bad_csum = true);
	expect_silence(t);
	expect_state(t, TCPS_ESTABLISHED);
	assert_int_equal(counted(t, CNT_TcpInCsumErrors), 1);
	rig_end(t);
}

TEST(a_partial_checksum_is_dropped_where_nobody_said_it_may_be)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .len = 10, .partial_csum = true);
	expect_silence(t);
	assert_int_equal(counted(t, CNT_TcpInCsumErrors), 1);
	rig_end(t);
}

TEST(abort_all_resets_every_peer)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);
	struct tcp *other;

	connect_another(t, &other);
	expect_tx(t, .flags = SYN, .host = 10);
	stack_abort_all(t->s, t->now);
	expect_tx(t, .flags = RST | ACK, .seq = L(1), .ack = R(1), .host = 9);
	expect_error(t, ECONNRESET);
	tcp_abort(other, t->now);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rst_at_rcv_nxt_ends_the_connection_in_every_state),
		cmocka_unit_test(a_rst_elsewhere_in_the_window_is_challenged_in_every_state),
		cmocka_unit_test(a_rst_outside_of_the_window_is_ignored_in_every_state),
		cmocka_unit_test(a_rst_at_the_last_number_of_the_window_is_challenged),
		cmocka_unit_test(a_rst_at_rcv_nxt_is_taken_with_a_closed_window),
		cmocka_unit_test(a_syn_in_the_window_is_challenged_in_every_state),
		cmocka_unit_test(a_syn_from_a_reborn_peer_makes_it_reset_us),
		cmocka_unit_test(a_flood_of_syns_is_not_answered_by_a_flood_of_acks),
		cmocka_unit_test(a_flood_of_rsts_is_not_answered_by_a_flood_of_acks),
		cmocka_unit_test(the_challenge_limit_of_one_connection_is_not_felt_by_another),
		cmocka_unit_test(a_segment_before_the_window_is_acknowledged_in_every_state),
		cmocka_unit_test(a_segment_beyond_the_window_is_acknowledged_in_every_state),
		cmocka_unit_test(
			the_first_byte_beyond_the_window_is_not_acceptable_and_the_last_within_is),
		cmocka_unit_test(empty_unacceptable_segments_are_answered_now_and_then),
		cmocka_unit_test(an_unacceptable_segment_acknowledges_nothing),
		cmocka_unit_test(a_segment_without_ack_is_dropped_in_every_state),
		cmocka_unit_test(an_ack_of_what_was_never_sent_is_challenged_in_every_state),
		cmocka_unit_test(an_ack_older_than_the_window_is_challenged_and_its_data_dropped),
		cmocka_unit_test(data_read_after_a_reset_is_what_was_acknowledged),
		cmocka_unit_test(a_reset_frees_what_was_queued_to_send),
		cmocka_unit_test(a_bad_checksum_is_dropped_and_counted),
		cmocka_unit_test(a_partial_checksum_is_dropped_where_nobody_said_it_may_be),
		cmocka_unit_test(abort_all_resets_every_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
