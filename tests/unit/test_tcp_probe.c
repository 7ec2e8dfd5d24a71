/*
 * Talking to a silent peer: zero-window probes (RFC 9293 §3.8.6.1), keepalive (RFC 1122 §4.2.3.6) and the times
 * after which a connection is given up.
 */
#include "tests/unit/tcp_rig.h"

/* --- persist --- */

static struct rig *facing_a_closed_window(void)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .window = WIN(0));

	app_send(t, 5000);
	expect_silence(t);
	return t;
}

TEST(a_closed_window_is_probed_with_growing_pauses)
{
	struct rig *t = facing_a_closed_window();
	nsec rto = t->tcp->rto;

	expect_tx_after(t, rto, .seq = L(0), .ack = R(1)); /* empty, one before: provokes an ACK */
	for (int i = 1; i < 6; i++)
		expect_tx_after(t, (rto << i) - 5 * MSEC, .seq = L(0));
	assert_int_equal(counted(t, CNT_TcpExtZeroWindowProbes), 6);
	rig_end(t);
}

TEST(a_probe_that_is_answered_with_a_window_lets_data_go)
{
	struct rig *t = facing_a_closed_window();

	expect_tx_after(t, t->tcp->rto, .seq = L(0));
	rx(t, .window = WIN(2000));
	expect_tx(t, .seq = L(1), .len = 1000);
	expect_tx(t, .seq = L(1001), .len = 1000);
	rig_end(t);
}

/* The peer did open its window; its only word about it was lost. */
TEST(a_lost_window_update_is_found_out_by_the_next_probe)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .window = WIN(1000));

	app_send(t, 3000);
	expect_tx(t, .seq = L(1), .len = 1000);
	rx(t, .ack = L(1001), .window = WIN(0));
	expect_tx_after(t, t->tcp->rto, .seq = L(1000));
	rx(t, .ack = L(1001), .window = WIN(5000));
	expect_tx(t, .seq = L(1001), .len = 1000);
	expect_tx(t, .seq = L(2001), .len = 1000);
	rig_end(t);
}

TEST(probes_go_on_for_as_long_as_they_are_answered)
{
	struct rig *t = facing_a_closed_window();

	for (int i = 0; i < 60; i++) {
		advance(t, 121 * SEC);
		assert_true(t->ntx > t->seen);
		forget_tx(t);
		rx(t);
	}
	expect_state(t, TCPS_ESTABLISHED);
	rig_end(t);
}

TEST(unanswered_probes_end_in_a_timeout)
{
	struct rig *t = facing_a_closed_window();

	for (int i = 0; i < 100 && t->tcp->state != TCPS_CLOSED; i++) {
		advance(t, 60 * SEC);
		forget_tx(t);
	}
	expect_error(t, ETIMEDOUT);
	assert_int_equal(counted(t, CNT_TcpExtZeroWindowProbes), TCP_RETRIES);
	rig_end(t);
}

TEST(a_fin_may_follow_data_past_a_closed_window_later)
{
	struct rig *t = facing_a_closed_window();

	app_close(t);
	expect_silence(t);
	rx(t, .window = WIN(9000));
	for (uint32_t i = 0; i < 4; i++)
		expect_tx(t, .seq = L(1 + 1000 * i), .len = 1000);
	expect_tx(t, .flags = FIN | ACK, .seq = L(4001), .len = 1000);
	rig_end(t);
}

/* Bytes were sent before the window closed under them: the retransmissions are answered, so nobody is dead. */
TEST(a_peer_that_closed_its_window_on_data_in_flight_is_not_given_up)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	app_send(t, 1000);
	expect_tx(t, .seq = L(1), .len = 1000);
	rx(t, .ack = L(1), .window = WIN(0));
	for (int i = 0; i < 60; i++) {
		advance(t, 121 * SEC);
		forget_tx(t);
		rx(t, .ack = L(1), .window = WIN(0));
	}
	expect_state(t, TCPS_ESTABLISHED);
	rx(t, .ack = L(1), .window = WIN(1000));
	advance(t, 121 * SEC);
	expect_tx(t, .seq = L(1), .len = 1000);
	forget_tx(t);
	rig_end(t);
}

/* --- keepalive --- */

#define KEEPALIVE                                                                                  \
	.option = {[TCP_OPT_KEEPALIVE] = 1,                                                        \
		[TCP_OPT_KEEPIDLE] = 60 * SEC,                                                     \
		[TCP_OPT_KEEPINTVL] = 10 * SEC,                                                    \
		[TCP_OPT_KEEPCNT] = 3}

TEST(keepalive_is_off_unless_asked_for)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	advance(t, 10000 * SEC);
	expect_silence(t);
	rig_end(t);
}

TEST(keepalive_probes_after_the_idle_time_and_gives_up_after_the_count)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, KEEPALIVE);

	expect_tx_after(t, 60 * SEC, .seq = L(0), .ack = R(1));
	expect_tx_after(t, 10 * SEC - 5 * MSEC, .seq = L(0));
	expect_tx_after(t, 10 * SEC - 5 * MSEC, .seq = L(0));
	expect_state(t, TCPS_ESTABLISHED);
	expect_tx_after(t, 10 * SEC - 5 * MSEC, .flags = RST | ACK, .seq = L(1));
	expect_error(t, ETIMEDOUT);
	rig_end(t);
}

TEST(keepalive_an_answer_starts_the_idle_time_again)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, KEEPALIVE);

	expect_tx_after(t, 60 * SEC, .seq = L(0));
	expect_tx_after(t, 10 * SEC - 5 * MSEC, .seq = L(0));
	rx(t);
	expect_tx_after(t, 60 * SEC, .seq = L(0));
	expect_state(t, TCPS_ESTABLISHED);
	rig_end(t);
}

TEST(keepalive_traffic_keeps_it_quiet)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, KEEPALIVE);

	for (uint32_t i = 0; i < 10; i++) {
		advance(t, 50 * SEC);
		rx(t, .len = 1);
		expect_tx(t, .ack = R(2 + i));
	}
	rig_end(t);
}

TEST(keepalive_switched_on_later_counts_from_then)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_KEEPIDLE] = 60 * SEC});

	advance(t, 1000 * SEC);
	app_option(t, TCP_OPT_KEEPALIVE, 1);
	expect_tx_after(t, 60 * SEC, .seq = L(0));
	app_option(t, TCP_OPT_KEEPALIVE, 0);
	advance(t, 10000 * SEC);
	expect_silence(t);
	rig_end(t);
}

TEST(keepalive_a_rst_in_answer_ends_the_connection)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, KEEPALIVE);

	expect_tx_after(t, 60 * SEC, .seq = L(0));
	rx(t, .flags = RST);
	expect_error(t, ECONNRESET);
	rig_end(t);
}

/* tcp(7): with TCP_USER_TIMEOUT the time since the peer was last heard decides, not the count. */
TEST(keepalive_user_timeout_counts_from_the_last_word)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_KEEPALIVE] = 1,
							       [TCP_OPT_KEEPIDLE] = 60 * SEC,
							       [TCP_OPT_KEEPINTVL] = 10 * SEC,
							       [TCP_OPT_KEEPCNT] = 100,
							       [TCP_OPT_USER_TIMEOUT] = 75 * SEC});

	expect_tx_after(t, 60 * SEC, .seq = L(0));
	expect_tx_after(t, 10 * SEC - 5 * MSEC, .seq = L(0));
	expect_tx_after(t, 10 * SEC - 5 * MSEC, .flags = RST | ACK);
	expect_error(t, ETIMEDOUT);
	rig_end(t);
}

/* A probe of the peer's: it asks whether we live. */
TEST(a_keepalive_probe_is_answered)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .seq = R(0));
	expect_tx(t, .seq = L(1), .ack = R(1));
	rx(t, .seq = R(0), .len = 1); /* RFC 1122: some send a byte of garbage */
	expect_tx(t, .seq = L(1), .ack = R(1));
	assert_int_equal(tcp_recv_queued(t->tcp), 0);
	rig_end(t);
}

/* --- giving up --- */

TEST(data_is_given_up_after_fifteen_retransmissions)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	app_send(t, 100);
	expect_tx(t, .seq = L(1), .len = 100);
	for (int i = 0; i < 15; i++) {
		advance(t, MIN((t->tcp->rto << i), TCP_RTO_MAX) + 1 * MSEC);
		expect_tx(t, .seq = L(1), .len = 100);
		expect_silence(t);
	}
	expect_state(t, TCPS_ESTABLISHED);
	advance(t, TCP_RTO_MAX + 1 * MSEC);
	expect_tx(t, .flags = RST | ACK);
	expect_error(t, ETIMEDOUT);
	expect_event(t, TCP_EV_CLOSED);
	rig_end(t);
}

TEST(user_timeout_gives_up_when_it_has_passed)
{
	struct rig *t = rig_in_state(
		TCPS_ESTABLISHED, .no_sack = true, .option = {[TCP_OPT_USER_TIMEOUT] = 5 * SEC});

	app_send(t, 100);
	advance(t, 4900 * MSEC);
	forget_tx(t);
	expect_state(t, TCPS_ESTABLISHED);
	advance(t, 200 * MSEC);
	expect_tx(t, .flags = RST | ACK);
	expect_error(t, ETIMEDOUT);
	rig_end(t);
}

TEST(user_timeout_also_allows_more_than_fifteen)
{
	struct rig *t = rig_in_state(
		TCPS_ESTABLISHED, .no_sack = true, .option = {[TCP_OPT_USER_TIMEOUT] = 7200 * SEC});

	app_send(t, 100);
	advance(t, 7000 * SEC);
	forget_tx(t);
	expect_state(t, TCPS_ESTABLISHED);
	advance(t, 201 * SEC);
	forget_tx(t);
	expect_error(t, ETIMEDOUT);
	rig_end(t);
}

TEST(progress_starts_the_count_again)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	app_send(t, 200);
	forget_tx(t);
	advance(t, 100 * SEC);
	assert_true(t->tcp->retries > 5);
	rx(t, .ack = L(101));
	assert_int_equal(t->tcp->retries, 0);
	assert_int_equal(t->tcp->backoff, 0);
	forget_tx(t);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_closed_window_is_probed_with_growing_pauses),
		cmocka_unit_test(a_probe_that_is_answered_with_a_window_lets_data_go),
		cmocka_unit_test(a_lost_window_update_is_found_out_by_the_next_probe),
		cmocka_unit_test(probes_go_on_for_as_long_as_they_are_answered),
		cmocka_unit_test(unanswered_probes_end_in_a_timeout),
		cmocka_unit_test(a_fin_may_follow_data_past_a_closed_window_later),
		cmocka_unit_test(a_peer_that_closed_its_window_on_data_in_flight_is_not_given_up),
		cmocka_unit_test(keepalive_is_off_unless_asked_for),
		cmocka_unit_test(keepalive_probes_after_the_idle_time_and_gives_up_after_the_count),
		cmocka_unit_test(keepalive_an_answer_starts_the_idle_time_again),
		cmocka_unit_test(keepalive_traffic_keeps_it_quiet),
		cmocka_unit_test(keepalive_switched_on_later_counts_from_then),
		cmocka_unit_test(keepalive_a_rst_in_answer_ends_the_connection),
		cmocka_unit_test(keepalive_user_timeout_counts_from_the_last_word),
		cmocka_unit_test(a_keepalive_probe_is_answered),
		cmocka_unit_test(data_is_given_up_after_fifteen_retransmissions),
		cmocka_unit_test(user_timeout_gives_up_when_it_has_passed),
		cmocka_unit_test(user_timeout_also_allows_more_than_fifteen),
		cmocka_unit_test(progress_starts_the_count_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
