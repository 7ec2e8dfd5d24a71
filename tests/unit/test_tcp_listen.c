/*
 * Listeners: backlog, children, and what becomes of them when the listener goes.
 */
#include "tests/unit/tcp_rig.h"

/* Peer `port` opens a connection; its ISN is R(0), ours becomes L(0). */
static void syn_from(struct rig *t, uint16_t port)
{
	rx(t, .flags = SYN, .seq = R(0), .port = port);
	const struct sent *x = expect_tx(t, .flags = SYN | ACK, .ack = R(1), .port = port);
	t->iss = x->h.seq;
}

static void open_from(struct rig *t, uint16_t port)
{
	syn_from(t, port);
	rx(t, .seq = R(1), .ack = L(1), .port = port);
}

TEST(connections_are_accepted_in_the_order_they_were_completed)
{
	struct rig *t = rig_in_state(TCPS_LISTEN);

	for (uint16_t port = 1000; port < 1004; port++)
		open_from(t, port);
	for (uint16_t port = 1000; port < 1004; port++) {
		struct tcp *c = tcp_accept(t->listener);
		assert_int_equal(tcp_remote(c)->port, port);
		tcp_abort(c, t->now);
		expect_tx(t, .flags = RST | ACK, .port = port);
	}
	assert_null(tcp_accept(t->listener));
	rig_end(t);
}

/* Linux: one more than the program asked for. */
TEST(a_full_backlog_drops_syns)
{
	struct rig *t = rig_in_state(TCPS_LISTEN, .backlog = 2);

	for (uint16_t port = 1000; port < 1003; port++)
		open_from(t, port);
	rx(t, .flags = SYN, .port = 1003);
	expect_silence(t);
	assert_int_equal(counted(t, CNT_TcpExtListenDrops), 1);
	tcp_abort(tcp_accept(t->listener), t->now);
	expect_tx(t, .flags = RST | ACK, .port = 1000);
	syn_from(t, 1003);
	tcp_abort(t->listener, t->now);
	t->listener = NULL;
	forget_tx(t);
	rig_end(t);
}

TEST(a_full_backlog_lets_a_half_open_child_wait)
{
	struct rig *t = rig_in_state(TCPS_LISTEN, .backlog = 1);

	syn_from(t, 1002);
	struct seq32 iss = t->iss;
	open_from(t, 1000);
	open_from(t, 1001);
	t->iss = iss;
	rx(t, .seq = R(1), .ack = L(1), .port = 1002); /* ignored: no place */
	expect_silence(t);
	assert_int_equal(t->listener->naccept, 2);
	advance(t, 1100 * MSEC);
	expect_tx(t, .flags = SYN | ACK, .seq = L(0), .port = 1002); /* asks again */
	tcp_abort(tcp_accept(t->listener), t->now);
	forget_tx(t);
	rx(t, .seq = R(1), .ack = L(1), .port = 1002);
	assert_int_equal(t->listener->naccept, 2);
	tcp_abort(t->listener, t->now);
	t->listener = NULL;
	forget_tx(t);
	rig_end(t);
}

TEST(listen_again_changes_the_backlog)
{
	struct rig *t = rig_in_state(TCPS_LISTEN, .backlog = 1);

	open_from(t, 1000);
	open_from(t, 1001);
	rx(t, .flags = SYN, .port = 1002);
	expect_silence(t);
	assert_int_equal(tcp_listen(t->listener, 10, t->now), 0);
	syn_from(t, 1002);
	tcp_abort(t->listener, t->now);
	t->listener = NULL;
	forget_tx(t);
	rig_end(t);
}

TEST(closing_the_listener_resets_its_children)
{
	struct rig *t = rig_in_state(TCPS_LISTEN);

	syn_from(t, 1000);
	open_from(t, 1001);
	tcp_close(t->listener, t->now);
	t->listener = NULL;
	rig_poll(t);
	expect_tx(t, .flags = RST | ACK, .port = 1000);
	expect_tx(t, .flags = RST | ACK, .port = 1001);
	assert_int_equal(stack_socket_count(t->s), 0);
	rx(t, .flags = SYN, .port = 1002);
	expect_tx(t, .flags = RST | ACK, .port = 1002);
	rig_end(t);
}

TEST(an_accepted_connection_outlives_its_listener)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .passive = true);

	tcp_close(t->listener, t->now);
	t->listener = NULL;
	app_send(t, 10);
	expect_tx(t, .seq = L(1), .len = 10);
	rig_end(t);
}

TEST(data_of_a_child_waits_until_it_is_accepted)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);

	rx(t, .ack = L(1));
	rx(t, .len = 2000);
	expect_tx(t, .ack = R(2001));
	rx(t, .flags = FIN | ACK);
	expect_tx(t, .ack = R(2002));
	app_accept(t);
	expect_event(t, TCP_EV_READ | TCP_EV_EOF);
	assert_int_equal(app_recv(t, 5000), 2000);
	assert_true(tcp_recv_eof(t->tcp));
	rig_end(t);
}

TEST(deliver_is_not_called_for_a_child_without_an_owner)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED, .deliver = true);

	t->take = 100000;
	rx(t, .ack = L(1), .len = 500);
	expect_tx(t, .ack = R(501));
	assert_int_equal(t->read, 0);
	app_accept(t);
	assert_int_equal(app_recv(t, 5000), 500);
	rig_end(t);
}

/* As on Linux: what it received before can still be read, then comes the error. */
TEST(a_child_that_was_reset_is_accepted_with_its_error)
{
	struct rig *t = rig_in_state(TCPS_SYN_RECEIVED);
	struct tcp *child;

	rx(t, .ack = L(1), .len = 10);
	forget_tx(t);
	rx(t, .seq = R(11), .flags = RST);
	child = tcp_accept(t->listener);
	assert_non_null(child);
	assert_int_equal(t->listener->naccept, 0);
	assert_int_equal(tcp_recv_queued(child), 10);
	assert_int_equal(tcp_error(child), ECONNRESET);
	tcp_close(child, t->now);
	rig_end(t);
}

TEST(a_child_inherits_the_listeners_options)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .passive = true,
		.option = {[TCP_OPT_NODELAY] = 1,
			[TCP_OPT_KEEPIDLE] = 33 * SEC,
			[TCP_OPT_RCVBUF] = 7777});

	assert_int_equal(tcp_get_option(t->tcp, TCP_OPT_NODELAY), 1);
	assert_int_equal(tcp_get_option(t->tcp, TCP_OPT_KEEPIDLE), 33 * SEC);
	assert_int_equal(t->tcp->rcv.limit, 7777);
	rig_end(t);
}

TEST(half_open_children_do_not_fill_the_accept_queue)
{
	struct rig *t = rig_in_state(TCPS_LISTEN, .backlog = 1);

	for (uint16_t port = 1000; port < 1050; port++)
		syn_from(t, port);
	assert_int_equal(t->listener->nchildren, 50);
	open_from(t, 2000);
	assert_int_equal(t->listener->naccept, 1);
	advance(t, 70 * SEC); /* SYN-ACKs are given up */
	assert_int_equal(t->listener->nchildren, 0);
	forget_tx(t);
	tcp_abort(t->listener, t->now);
	t->listener = NULL;
	forget_tx(t);
	rig_end(t);
}

/* Nothing remembered: the SYN-ACK's number is the memory. */
TEST(past_the_half_open_limit_a_cookie_opens_the_connection)
{
	struct rig *t = rig_in_state(TCPS_LISTEN, .backlog = 1);

	for (uint16_t port = 1000; t->listener->nchildren <= 128; port++)
		syn_from(t, port);
	uint64_t before = stack_socket_count(t->s);
	open_from(t, 5000);
	assert_int_equal(stack_socket_count(t->s), before + 1);
	assert_int_equal(counted(t, CNT_TcpExtSyncookiesRecv), 1);
	struct tcp *c = tcp_accept(t->listener);
	assert_int_equal(tcp_remote(c)->port, 5000);
	assert_int_equal(tcp_state(c), TCPS_ESTABLISHED);
	tcp_abort(c, t->now);
	tcp_abort(t->listener, t->now);
	t->listener = NULL;
	rig_poll(t);
	forget_tx(t);
	rig_end(t);
}

/* TCP_DEFER_ACCEPT (tcp(7)): the program wakes up when there is something to read. */
TEST(defer_accept_waits_for_data)
{
	struct rig *t =
		rig_in_state(TCPS_SYN_RECEIVED, .option = {[TCP_OPT_DEFER_ACCEPT] = 10 * SEC});

	rx(t, .ack = L(1));
	expect_silence(t);
	assert_null(tcp_accept(t->listener));
	rx(t, .len = 100);
	expect_tx(t, .ack = R(101));
	app_accept(t);
	assert_int_equal(app_recv(t, 500), 100);
	rig_end(t);
}

TEST(defer_accept_waits_no_longer_than_it_was_told)
{
	struct rig *t =
		rig_in_state(TCPS_SYN_RECEIVED, .option = {[TCP_OPT_DEFER_ACCEPT] = 2 * SEC});

	rx(t, .ack = L(1));
	advance(t, 2500 * MSEC);
	forget_tx(t); /* our SYN-ACK again, which asks for another ACK */
	assert_null(tcp_accept(t->listener));
	rx(t, .ack = L(1));
	app_accept(t);
	rig_end(t);
}

TEST(max_socks_bounds_sockets)
{
	struct rig *t = rig_in_state(TCPS_CLOSED, .max_socks = 2);
	struct tcp *x = tcp_new(t->s, NULL);

	assert_non_null(x);
	assert_null(tcp_new(t->s, NULL));
	tcp_close(x, t->now);
	rig_poll(t);
	x = tcp_new(t->s, NULL);
	assert_non_null(x);
	tcp_close(x, t->now);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_accepted_in_the_order_they_were_completed),
		cmocka_unit_test(a_full_backlog_drops_syns),
		cmocka_unit_test(a_full_backlog_lets_a_half_open_child_wait),
		cmocka_unit_test(listen_again_changes_the_backlog),
		cmocka_unit_test(closing_the_listener_resets_its_children),
		cmocka_unit_test(an_accepted_connection_outlives_its_listener),
		cmocka_unit_test(data_of_a_child_waits_until_it_is_accepted),
		cmocka_unit_test(deliver_is_not_called_for_a_child_without_an_owner),
		cmocka_unit_test(a_child_that_was_reset_is_accepted_with_its_error),
		cmocka_unit_test(a_child_inherits_the_listeners_options),
		cmocka_unit_test(half_open_children_do_not_fill_the_accept_queue),
		cmocka_unit_test(past_the_half_open_limit_a_cookie_opens_the_connection),
		cmocka_unit_test(defer_accept_waits_for_data),
		cmocka_unit_test(defer_accept_waits_no_longer_than_it_was_told),
		cmocka_unit_test(max_socks_bounds_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
