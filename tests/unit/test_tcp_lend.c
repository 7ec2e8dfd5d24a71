/*
 * Memory that is lent to a connection instead of copied into its ring: what is sent of it, again if need be, and
 * when it is given back.
 */
#include "tests/unit/tcp_rig.h"

enum { LOAN = LOAN_MIN, PIECES_MAX = SENDQ_LOANS + 10 };

/* What this test's program has lent, in order. */
static struct piece {
	uint8_t *bytes;
	uint32_t len;
} piece[PIECES_MAX];

static unsigned nlent, ndone;

static int begin(void **state)
{
	nlent = ndone = 0;
	return 0;
}

static int all_came_back(void **state)
{
	return ndone == nlent ? 0 : -1;
}

/* What is read of it from now on is wrong. */
static void done(void *ctx, const uint8_t *data)
{
	struct piece *p = ctx;

	assert_ptr_equal(p, &piece[ndone]); /* in order, and so once only */
	assert_true(data >= p->bytes && data < p->bytes + p->len);
	ndone++;
	memset(p->bytes, 0xee, p->len);
	free(p->bytes);
}

/* The stack is not polled yet. */
static bool lend(struct rig *t, uint32_t n)
{
	struct piece *p = &piece[nlent];

	assert_true(nlent < PIECES_MAX);
	*p = (struct piece){malloc(n), n};
	for (uint32_t i = 0; i < n; i++)
		p->bytes[i] = rig_pattern('L', t->written + i);
	if (!tcp_send_lend(t->tcp, &(struct loan){p->bytes, n, done, p})) {
		free(p->bytes);
		return false;
	}
	nlent++;
	t->written += n;
	return true;
}

static void app_lend(struct rig *t, uint32_t n)
{
	assert_true(lend(t, n));
	rig_poll(t);
}

/* All that was sent from byte `at` on; where it ends, and the longest segment. */
static uint32_t expect_all(struct rig *t, uint32_t at, uint32_t *longest)
{
	while (t->seen < t->ntx) {
		uint32_t len = t->tx[t->seen].len;
		expect_tx(t, .seq = L(at), .len = len);
		at += len;
		*longest = MAX(*longest, len);
	}
	return at;
}

/* Every flight is acknowledged; the longest segment. */
static uint32_t finish(struct rig *t)
{
	uint32_t at = 1, longest = 0;

	while (at < t->written + 1) {
		uint32_t next = expect_all(t, at, &longest);
		assert_int_not_equal(next, at);
		at = next;
		advance(t, RIG_RTT);
		rx(t, .ack = L(at));
	}
	assert_int_equal(tcp_send_queued(t->tcp), 0);
	return longest;
}

/* --- sending --- */

TEST(a_loan_is_cut_into_segments)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);
	size_t before = stack_memory(t->s);

	assert_true(lend(t, LOAN));
	assert_int_equal(stack_memory(t->s), before);
	assert_int_equal(tcp_send_queued(t->tcp), LOAN);
	expect_silence(t); /* the next poll sends it */
	rig_poll(t);
	for (uint32_t i = 0; i < 10; i++)
		expect_tx(t, .seq = L(1 + 1000 * i), .len = 1000);
	expect_silence(t);
	rx(t, .ack = L(10001));
	for (uint32_t i = 10; i < 16; i++)
		expect_tx(t, .seq = L(1 + 1000 * i), .len = 1000);
	expect_tx(t, .seq = L(16001), .len = LOAN - 16000, .psh = true);
	rx(t, .ack = L(LOAN + 1));
	rig_end(t);
}

TEST(own_bytes_and_loans_leave_in_the_order_in_which_they_came)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_CORK] = 1});

	app_send(t, 300);
	expect_silence(t);
	app_lend(t, LOAN);
	expect_tx(t, .seq = L(1), .len = 1000); /* 300 and 700 */
	app_send(t, 700);
	app_lend(t, LOAN + 1);
	app_lend(t, LOAN + 2);
	app_send(t, 1);
	app_option(t, TCP_OPT_CORK, 0);
	t->seen--;
	assert_int_equal(finish(t), 1000);
	assert_int_equal(ndone, 3);
	rig_end(t);
}

TEST(a_super_segment_can_have_several_loans)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .gso_max = 65536, .mss = 1460,
		.wscale = SCALE(7), .window = WIN(1 << 20), .option = {[TCP_OPT_SNDBUF] = 1 << 20});

	for (int i = 0; i < 20; i++) {
		app_send(t, 1 + i % 3);
		app_lend(t, LOAN + i % 2);
	}
	assert_true(finish(t) > 3 * LOAN);
	assert_int_equal(ndone, 20);
	rig_end(t);
}

TEST(a_loan_is_sent_again)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .no_sack = true);

	app_lend(t, LOAN);
	for (uint32_t i = 0; i < 10; i++)
		expect_tx(t, .seq = L(1 + 1000 * i), .len = 1000);
	rx(t, .ack = L(2501));
	forget_tx(t);
	advance(t, t->tcp->rto + 1 * MSEC);
	expect_tx(t, .seq = L(2501), .len = 500);
	forget_tx(t);
	assert_int_equal(ndone, 0);
	rig_end(t);
}

TEST(a_segment_across_a_border_is_sent_again)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_CORK] = 1});

	app_lend(t, LOAN);
	for (uint32_t i = 0; i < 10; i++)
		expect_tx(t, .seq = L(1 + 1000 * i), .len = 1000);
	app_send(t, 200);
	app_lend(t, LOAN);
	rx(t, .ack = L(10001));
	for (uint32_t i = 10; i < 20; i++) /* L(16385) to L(16585) are in the ring */
		expect_tx(t, .seq = L(1 + 1000 * i), .len = 1000);
	forget_tx(t);
	rx(t, .ack = L(16001), .sack = {L(17001), L(20001)});
	forget_tx(t);
	advance(t, RIG_RTT);
	t->seen = t->ntx - 1;
	while (t->seen > 0 && !seq_eq(t->tx[t->seen].h.seq, rig_seq(t, L(16001))))
		t->seen--;
	expect_tx(t, .seq = L(16001), .len = 1000);
	assert_int_equal(counted(t, CNT_TcpRetransSegs), 1);
	forget_tx(t);
	assert_int_equal(ndone, 0);
	rx(t, .ack = L(20001));
	assert_int_equal(ndone, 1);
	forget_tx(t);
	rig_end(t);
}

/* --- the end of a loan --- */

TEST(a_loan_ends_when_its_last_byte_is_acknowledged)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_lend(t, LOAN);
	app_lend(t, LOAN);
	for (uint32_t at = 10001; at < LOAN; at += 5000)
		rx(t, .ack = L(at));
	rx(t, .ack = L(LOAN));
	assert_int_equal(ndone, 0);
	rx(t, .ack = L(LOAN + 1));
	assert_int_equal(ndone, 1);
	rx(t, .ack = L(20001));
	rx(t, .ack = L(30001));
	assert_int_equal(ndone, 1);
	t->events = 0;
	rx(t, .ack = L(2 * LOAN + 1));
	assert_int_equal(ndone, 2);
	expect_event(t, TCP_EV_ACKED);
	forget_tx(t);
	rig_end(t);
}

TEST(a_loan_outlives_the_handle)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_lend(t, LOAN);
	app_close(t);
	rx(t, .ack = L(10001));
	t->seen = t->ntx - 1;
	expect_tx(t, .flags = FIN | ACK, .seq = L(16001), .len = LOAN - 16000);
	assert_int_equal(ndone, 0);
	rx(t, .ack = L(LOAN + 2));
	assert_int_equal(ndone, 1);
	expect_state(t, TCPS_FIN_WAIT_2);
	rig_end(t);
}

TEST(loans_end_with_the_peers_reset)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_lend(t, LOAN);
	app_lend(t, LOAN);
	forget_tx(t);
	rx(t, .flags = RST, .seq = R(1));
	expect_error(t, ECONNRESET);
	assert_int_equal(ndone, 2);
	rig_end(t);
}

TEST(loans_end_with_our_reset)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_lend(t, LOAN);
	forget_tx(t);
	tcp_reset(t->tcp, t->now);
	assert_int_equal(ndone, 1);
	rig_poll(t);
	expect_tx(t, .flags = RST | ACK, .seq = L(10001));
	expect_error(t, ECONNRESET);
	expect_event(t, TCP_EV_CLOSED);
	tcp_reset(t->tcp, t->now); /* once is enough */
	rig_end(t);
}

TEST(loans_end_with_an_abort)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_lend(t, LOAN);
	assert_true(lend(t, LOAN)); /* none of it was looked at */
	forget_tx(t);
	app_abort(t);
	expect_tx(t, .flags = RST | ACK, .seq = L(10001));
	assert_int_equal(ndone, 2);
	rig_end(t);
}

TEST(loans_end_with_a_close_that_resets)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_lend(t, LOAN);
	rx(t, .len = 10); /* which nobody reads */
	forget_tx(t);
	app_close(t);
	expect_tx(t, .flags = RST | ACK, .seq = L(10001));
	assert_int_equal(ndone, 1);
	rig_end(t);
}

TEST(loans_end_when_the_peer_is_silent_for_too_long)
{
	struct rig *t =
		rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_USER_TIMEOUT] = 2 * SEC});

	app_lend(t, LOAN);
	advance(t, 1 * SEC);
	assert_int_equal(ndone, 0);
	advance(t, 10 * SEC);
	expect_error(t, ETIMEDOUT);
	assert_int_equal(ndone, 1);
	forget_tx(t);
	rig_end(t);
}

/* --- what is refused --- */

TEST(at_the_send_limit_nothing_is_lent_until_the_next_ack)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_SNDBUF] = LOAN + 2000});

	app_lend(t, LOAN);
	app_lend(t, LOAN); /* a loan may go beyond it */
	assert_false(lend(t, LOAN));
	assert_int_equal(app_send(t, 1), 0);
	assert_int_equal(tcp_send_queued(t->tcp), 2 * LOAN);
	assert_int_equal(ndone, 0);
	t->events = 0;
	rx(t, .ack = L(1001));
	expect_event(t, TCP_EV_WRITE);
	assert_false(lend(t, LOAN)); /* still too much */
	rx(t, .ack = L(10001));
	expect_event(t, TCP_EV_WRITE);
	assert_false(lend(t, LOAN));
	rx(t, .ack = L(LOAN));
	expect_event(t, TCP_EV_WRITE);
	app_lend(t, LOAN);
	rx(t, .ack = L(LOAN + 1001));
	expect_no_event(t, TCP_EV_WRITE); /* nobody waits */
	assert_int_equal(ndone, 1);
	forget_tx(t);
	rig_end(t);
}

TEST(when_there_are_too_many_the_next_one_waits)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .option = {[TCP_OPT_SNDBUF] = 8 << 20});

	for (int i = 0; i < SENDQ_LOANS; i++)
		app_lend(t, LOAN);
	assert_false(lend(t, LOAN));
	app_send(t, 10); /* own bytes have room */
	t->events = 0;
	rx(t, .ack = L(10001));
	expect_event(t, TCP_EV_WRITE);
	assert_false(lend(t, LOAN));
	rx(t, .ack = L(LOAN + 1));
	expect_event(t, TCP_EV_WRITE);
	app_lend(t, LOAN);
	forget_tx(t);
	rig_end(t);
}

TEST(nothing_is_lent_to_a_connection_that_cannot_send)
{
	static const enum tcp_state states[] = {TCPS_CLOSED, TCPS_SYN_SENT, TCPS_FIN_WAIT_1,
		TCPS_FIN_WAIT_2, TCPS_CLOSING, TCPS_LAST_ACK, TCPS_TIME_WAIT};

	for (unsigned i = 0; i < ARRAY_LEN(states); i++) {
		struct rig *t = rig_in_state(states[i]);
		assert_false(lend(t, LOAN));
		assert_int_equal(tcp_send_queued(t->tcp), 0);
		rig_poll(t);
		rig_end(t);
	}
}

TEST(nothing_is_lent_to_a_connection_that_was_reset)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	rx(t, .flags = RST, .seq = R(1));
	assert_false(lend(t, LOAN));
	rig_end(t);
}

TEST(the_peers_end_does_not_stop_lending)
{
	struct rig *t = rig_in_state(TCPS_CLOSE_WAIT);

	app_lend(t, LOAN);
	finish(t);
	rig_end(t);
}

TEST(what_was_refused_before_the_connection_can_be_lent_after_it)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	app_send(t, 500);
	assert_false(lend(t, LOAN));
	rx(t, .flags = SYN | ACK, .ack = L(1));
	expect_event(t, TCP_EV_WRITE);
	expect_tx(t, .seq = L(1), .len = 500);
	app_lend(t, LOAN);
	t->seen--;
	finish(t);
	rig_end(t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, all_came_back)
	const struct CMUnitTest tests[] = {
		T(a_loan_is_cut_into_segments),
		T(own_bytes_and_loans_leave_in_the_order_in_which_they_came),
		T(a_super_segment_can_have_several_loans),
		T(a_loan_is_sent_again),
		T(a_segment_across_a_border_is_sent_again),
		T(a_loan_ends_when_its_last_byte_is_acknowledged),
		T(a_loan_outlives_the_handle),
		T(loans_end_with_the_peers_reset),
		T(loans_end_with_our_reset),
		T(loans_end_with_an_abort),
		T(loans_end_with_a_close_that_resets),
		T(loans_end_when_the_peer_is_silent_for_too_long),
		T(at_the_send_limit_nothing_is_lent_until_the_next_ack),
		T(when_there_are_too_many_the_next_one_waits),
		T(nothing_is_lent_to_a_connection_that_cannot_send),
		T(nothing_is_lent_to_a_connection_that_was_reset),
		T(the_peers_end_does_not_stop_lending),
		T(what_was_refused_before_the_connection_can_be_lent_after_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
