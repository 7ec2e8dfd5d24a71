/*
 * Local ports: bind's rules as on Linux (socket(7), ip(7)), ephemeral ports (RFC 6056), and which listener gets a SYN.
 */
#include <time.h>

#include "tests/unit/tcp_rig.h"

enum { ANY = 0, REUSEADDR = 1, REUSEPORT = 2 };

static struct tcp *sock(struct rig *t, unsigned reuse)
{
	struct tcp *x = tcp_new(t->s, NULL);

	assert_non_null(x);
	tcp_set_option(x, TCP_OPT_REUSEADDR, !!(reuse & REUSEADDR), t->now);
	tcp_set_option(x, TCP_OPT_REUSEPORT, !!(reuse & REUSEPORT), t->now);
	return x;
}

static int bind_to(struct tcp *x, uint32_t addr, uint16_t port)
{
	struct endpoint local = {ipaddr_v4(addr), port};

	return tcp_bind(x, &local);
}

#define OURS 0x0a000002u

/* The second bind of port 7000, and whether a listener of both then works. */
static void try_two(unsigned a, uint32_t addr_a, unsigned b, uint32_t addr_b, int bind, int listen)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp *x = sock(t, a), *y = sock(t, b);

	assert_int_equal(bind_to(x, addr_a, 7000), 0);
	assert_int_equal(bind_to(y, addr_b, 7000), bind);
	if (bind == 0) {
		assert_int_equal(tcp_listen(x, 1, t->now), 0);
		assert_int_equal(tcp_listen(y, 1, t->now), listen);
	}
	tcp_close(x, t->now);
	tcp_close(y, t->now);
	rig_end(t);
}

TEST(a_port_is_bound_once)
{
	try_two(0, OURS, 0, OURS, -EADDRINUSE, 0);
	try_two(0, ANY, 0, OURS, -EADDRINUSE, 0);
	try_two(0, OURS, 0, ANY, -EADDRINUSE, 0);
	try_two(0, ANY, 0, ANY, -EADDRINUSE, 0);
}

TEST(reuseaddr_allows_two_binds_but_one_listener)
{
	try_two(REUSEADDR, ANY, REUSEADDR, ANY, 0, -EADDRINUSE);
	try_two(REUSEADDR, OURS, REUSEADDR, ANY, 0, -EADDRINUSE);
	try_two(REUSEADDR, ANY, 0, ANY, -EADDRINUSE, 0);
	try_two(0, ANY, REUSEADDR, ANY, -EADDRINUSE, 0);
}

TEST(reuseport_allows_two_listeners)
{
	try_two(REUSEPORT, ANY, REUSEPORT, ANY, 0, 0);
	try_two(REUSEPORT, ANY, 0, ANY, -EADDRINUSE, 0);
	try_two(0, ANY, REUSEPORT, ANY, -EADDRINUSE, 0);
	try_two(REUSEADDR, ANY, REUSEPORT, ANY, -EADDRINUSE, 0);
}

TEST(reuseaddr_does_not_bind_over_a_listener)
{
	struct rig *t = rig_in_state(TCPS_LISTEN, .option = {[TCP_OPT_REUSEADDR] = 1});
	struct tcp *x = sock(t, REUSEADDR);

	assert_int_equal(bind_to(x, OURS, OUR_PORT), -EADDRINUSE);
	tcp_close(x, t->now);
	rig_end(t);
}

TEST(reuseaddr_binds_over_time_wait_and_nothing_else_does)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT, .option = {[TCP_OPT_REUSEADDR] = 1});
	struct tcp *x = sock(t, 0), *y = sock(t, REUSEADDR);

	app_close(t);
	assert_int_equal(bind_to(x, OURS, OUR_PORT), -EADDRINUSE);
	assert_int_equal(bind_to(y, OURS, OUR_PORT), 0);
	assert_int_equal(tcp_listen(y, 1, t->now), 0);
	tcp_close(x, t->now);
	tcp_close(y, t->now);
	rig_end(t);
}

/* The restart of a server with connections of the last one still open. */
TEST(a_server_restarts_over_its_accepted_connections_with_reuseaddr)
{
	struct rig *t = rig_in_state(
		TCPS_ESTABLISHED, .passive = true, .option = {[TCP_OPT_REUSEADDR] = 1});
	struct tcp *x = sock(t, REUSEADDR);

	tcp_close(t->listener, t->now);
	t->listener = NULL;
	assert_int_equal(bind_to(x, ANY, OUR_PORT), 0);
	assert_int_equal(tcp_listen(x, 1, t->now), 0);
	tcp_close(x, t->now);
	rig_end(t);
}

TEST(a_port_is_free_again_after_close)
{
	struct rig *t = rig_in_state(TCPS_LISTEN);
	struct tcp *x = sock(t, 0);

	tcp_close(t->listener, t->now);
	t->listener = NULL;
	rig_poll(t);
	assert_int_equal(bind_to(x, ANY, OUR_PORT), 0);
	tcp_close(x, t->now);
	rig_end(t);
}

TEST(bind_needs_an_address_of_ours_and_happens_once)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp *x = sock(t, 0);

	assert_int_equal(bind_to(x, 0x0a000009, 7000), -EADDRNOTAVAIL);
	assert_int_equal(bind_to(x, OURS, 7000), 0);
	assert_int_equal(bind_to(x, OURS, 7001), -EINVAL);
	assert_int_equal(tcp_local(x)->port, 7000);
	tcp_close(x, t->now);
	rig_end(t);
}

TEST(bind_to_zero_picks_an_ephemeral_port)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp *x[50];

	for (size_t i = 0; i < ARRAY_LEN(x); i++) {
		x[i] = sock(t, 0);
		assert_int_equal(bind_to(x[i], ANY, 0), 0);
		assert_in_range(
			tcp_local(x[i])->port, TCP_PORT_EPHEMERAL_MIN, TCP_PORT_EPHEMERAL_MAX);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(tcp_local(x[i])->port, tcp_local(x[k])->port);
	}
	for (size_t i = 0; i < ARRAY_LEN(x); i++)
		tcp_close(x[i], t->now);
	rig_end(t);
}

TEST(listen_without_bind_picks_a_port)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp *x = sock(t, 0);

	assert_int_equal(tcp_listen(x, 1, t->now), 0);
	assert_true(tcp_local(x)->port >= TCP_PORT_EPHEMERAL_MIN);
	tcp_close(x, t->now);
	rig_end(t);
}

/* --- connect --- */

static int connect_to(struct rig *t, struct tcp *x, uint8_t n, uint16_t port)
{
	struct endpoint remote = peer(n, port);

	return tcp_connect(x, &remote, t->now);
}

TEST(connections_to_one_peer_have_distinct_ports)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp *x[100];

	for (size_t i = 0; i < ARRAY_LEN(x); i++) {
		x[i] = sock(t, 0);
		assert_int_equal(connect_to(t, x[i], 9, 80), 0);
		assert_in_range(
			tcp_local(x[i])->port, TCP_PORT_EPHEMERAL_MIN, TCP_PORT_EPHEMERAL_MAX);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(tcp_local(x[i])->port, tcp_local(x[k])->port);
	}
	for (size_t i = 0; i < ARRAY_LEN(x); i++)
		tcp_close(x[i], t->now);
	rig_end(t);
}

TEST(ports_run_out_with_one_peer_and_are_there_for_another)
{
	enum { ALL = TCP_PORT_EPHEMERAL_MAX - TCP_PORT_EPHEMERAL_MIN + 1 };
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp **x = calloc(ALL, sizeof *x);

	for (int i = 0; i < ALL; i++) {
		x[i] = sock(t, 0);
		assert_int_equal(connect_to(t, x[i], 9, 80), 0);
	}
	struct tcp *more = sock(t, 0);
	assert_int_equal(connect_to(t, more, 9, 80), -EADDRNOTAVAIL);
	assert_int_equal(connect_to(t, more, 9, 81), 0); /* another peer: any port will do */
	tcp_close(more, t->now);
	for (int i = 0; i < ALL; i++)
		tcp_close(x[i], t->now);
	free(x);
	rig_end(t);
}

TEST(a_bound_port_connects_to_several_peers_but_once_to_each)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp *x = sock(t, REUSEADDR), *y = sock(t, REUSEADDR), *z = sock(t, REUSEADDR);

	assert_int_equal(bind_to(x, OURS, 7000), 0);
	assert_int_equal(bind_to(y, OURS, 7000), 0);
	assert_int_equal(bind_to(z, OURS, 7000), 0);
	assert_int_equal(connect_to(t, x, 9, 80), 0);
	assert_int_equal(connect_to(t, y, 9, 80), -EADDRNOTAVAIL);
	assert_int_equal(connect_to(t, y, 9, 81), 0);
	assert_int_equal(connect_to(t, z, 10, 80), 0);
	tcp_close(x, t->now);
	tcp_close(y, t->now);
	tcp_close(z, t->now);
	rig_end(t);
}

TEST(connect_stays_away_from_ports_that_somebody_bound)
{
	enum { ALL = TCP_PORT_EPHEMERAL_MAX - TCP_PORT_EPHEMERAL_MIN + 1 };
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp *l = sock(t, 0), **x = calloc(ALL, sizeof *x);

	assert_int_equal(bind_to(l, ANY, 40000), 0);
	for (int i = 0; i < ALL; i++) {
		x[i] = sock(t, 0);
		int err = connect_to(t, x[i], 9, 80);
		assert_int_equal(err, i < ALL - 1 ? 0 : -EADDRNOTAVAIL);
		if (err == 0)
			assert_int_not_equal(tcp_local(x[i])->port, 40000);
	}
	for (int i = 0; i < ALL; i++)
		tcp_close(x[i], t->now);
	tcp_close(l, t->now);
	free(x);
	rig_end(t);
}

/* --- listeners side by side --- */

TEST(a_listener_on_the_address_is_nearer_than_one_on_any)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp *any = sock(t, REUSEPORT), *own = sock(t, REUSEPORT);
	struct endpoint local = us(7000), remote = peer(9, 80);

	assert_int_equal(bind_to(any, ANY, 7000), 0);
	assert_int_equal(bind_to(own, OURS, 7000), 0);
	assert_int_equal(tcp_listen(any, 1, t->now), 0);
	assert_int_equal(tcp_listen(own, 1, t->now), 0);
	assert_ptr_equal(tcp_port_listener(t->s, &local, &remote), own);
	tcp_close(own, t->now);
	rig_poll(t);
	assert_ptr_equal(tcp_port_listener(t->s, &local, &remote), any);
	tcp_close(any, t->now);
	rig_end(t);
}

TEST(reuseport_listeners_share_the_peers)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct tcp *x = sock(t, REUSEPORT), *y = sock(t, REUSEPORT);
	struct endpoint local = us(7000);
	unsigned to_x = 0;

	bind_to(x, ANY, 7000);
	bind_to(y, ANY, 7000);
	tcp_listen(x, 1, t->now);
	tcp_listen(y, 1, t->now);
	for (uint16_t port = 1; port <= 1000; port++) {
		struct endpoint remote = peer(9, port);
		struct tcp *l = tcp_port_listener(t->s, &local, &remote);
		assert_ptr_equal(l, tcp_port_listener(t->s, &local, &remote));
		to_x += l == x;
	}
	assert_in_range(to_x, 400, 600);
	tcp_close(x, t->now);
	tcp_close(y, t->now);
	rig_end(t);
}

static nsec time_lookups(struct rig *t, const struct tcp *l)
{
	struct endpoint local = *tcp_local(l), remote = peer(9, 80);
	clock_t began = clock();

	for (int i = 0; i < 10000; i++)
		assert_ptr_equal(tcp_port_listener(t->s, &local, &remote), l);
	return (clock() - began) * (SEC / CLOCKS_PER_SEC);
}

/* A scan over them would take a thousand times as long. */
TEST(a_listener_is_found_as_fast_behind_20000_connections_of_its_port)
{
	enum { CONNECTIONS = 20000 };
	struct rig *t = rig_in_state(TCPS_LISTEN);
	struct tcp **x = calloc(CONNECTIONS, sizeof *x);
	nsec alone = time_lookups(t, t->listener);

	for (int i = 0; i < CONNECTIONS; i++) {
		x[i] = sock(t, 0);
		assert_int_equal(tcp_port_inherit(x[i], t->listener), 0);
	}
	assert_in_range(time_lookups(t, t->listener), 0, 20 * alone + 5 * MSEC);
	for (int i = 0; i < CONNECTIONS; i++)
		tcp_close(x[i], t->now);
	free(x);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_bound_once),
		cmocka_unit_test(reuseaddr_allows_two_binds_but_one_listener),
		cmocka_unit_test(reuseport_allows_two_listeners),
		cmocka_unit_test(reuseaddr_does_not_bind_over_a_listener),
		cmocka_unit_test(reuseaddr_binds_over_time_wait_and_nothing_else_does),
		cmocka_unit_test(a_server_restarts_over_its_accepted_connections_with_reuseaddr),
		cmocka_unit_test(a_port_is_free_again_after_close),
		cmocka_unit_test(bind_needs_an_address_of_ours_and_happens_once),
		cmocka_unit_test(bind_to_zero_picks_an_ephemeral_port),
		cmocka_unit_test(listen_without_bind_picks_a_port),
		cmocka_unit_test(connections_to_one_peer_have_distinct_ports),
		cmocka_unit_test(ports_run_out_with_one_peer_and_are_there_for_another),
		cmocka_unit_test(a_bound_port_connects_to_several_peers_but_once_to_each),
		cmocka_unit_test(connect_stays_away_from_ports_that_somebody_bound),
		cmocka_unit_test(a_listener_on_the_address_is_nearer_than_one_on_any),
		cmocka_unit_test(reuseport_listeners_share_the_peers),
		cmocka_unit_test(a_listener_is_found_as_fast_behind_20000_connections_of_its_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
