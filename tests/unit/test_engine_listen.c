/*
 * Listeners, bad requests, and many connections.
 */
#include "tests/unit/engine_rig.h"

#include <sys/epoll.h>

#define TEST(name) static void name(void **state)

enum { PORT = 8080 };

/* A program's socket that listens on PORT. */
static int listening(struct engine_rig *r)
{
	int fd = program_socket(r);

	program_request(fd, IPC_LISTEN, 0);
	engine_turns(r, 0);
	assert_int_equal(program_reply(fd), 0);
	return fd;
}

static int bound_and_listening(struct engine_rig *r)
{
	int fd = program_socket(r);

	program_request(fd, IPC_BIND, PORT);
	engine_turns(r, 0);
	assert_int_equal(program_reply(fd), 0);
	assert_int_equal(program_table(r, fd).local.port, PORT);
	program_request(fd, IPC_LISTEN, 0);
	engine_turns(r, 0);
	assert_int_equal(program_reply(fd), 0);
	return fd;
}

static struct tcp *peer_connect(struct engine_rig *r, uint16_t port)
{
	struct tcp *t = tcp_new(r->peer, NULL);
	struct endpoint to = {ipaddr_v4(0x0a000002), port};

	assert_int_equal(tcp_connect(t, &to, r->e.now), 0);
	return t;
}

TEST(a_listener_polls_in_only_when_one_waits)
{
	struct engine_rig *r = engine_rig_new();
	int l = bound_and_listening(r), fd;
	struct ipc_accepted got;
	struct tcp *t;

	assert_int_equal(program_poll(l), 0);
	assert_int_equal(program_table(r, l).tcp_state, 10);
	t = peer_connect(r, PORT);
	engine_turns(r, 0);
	assert_int_equal(program_poll(l), POLLIN);
	fd = program_accept(l, &got);
	assert_true(fd >= 0);
	assert_int_equal(got.local.port, PORT);
	assert_int_equal(got.remote.port, tcp_local(t)->port);
	assert_int_equal(program_poll(l), 0);
	assert_int_equal(program_poll(fd), POLLOUT);
	close(fd);
	close(l);
	engine_turns(r, 0);
	assert_int_equal(r->e.nsocks, 0);
	engine_rig_free(r);
}

TEST(an_accepted_connection_is_like_any_other)
{
	struct engine_rig *r = engine_rig_new();
	int l = bound_and_listening(r), fd;
	struct sockaddr_un name = {0}, want;
	socklen_t len = sizeof(name),
		  want_len = ipc_name(&want, &r->e.settings, r->e.uid, r->e.instance);
	struct ipc_accepted got;
	struct tcp *t = peer_connect(r, PORT);
	char in[8];

	engine_turns(r, 0);
	peer_write(r, t, "early", 5);
	engine_turns(r, 0);
	fd = program_accept(l, &got);
	/*
	 * It names the engine's data name as its peer, and blocks as the program expects of a new
	 * fd.
	 */
	assert_int_equal(getpeername(fd, (struct sockaddr *)&name, &len), 0);
	assert_int_equal(len, want_len);
	assert_memory_equal(&name, &want, len);
	assert_int_equal(recv(fd, in, sizeof(in), 0), 5);
	assert_int_equal(write(fd, "late", 4), 4);
	engine_turns(r, 0);
	assert_int_equal(peer_read(r, t, in, sizeof(in)), 4);
	tcp_abort(t, r->e.now);
	engine_turns(r, 0);
	assert_int_equal(recv(fd, in, sizeof(in), 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	close(l);
	engine_rig_free(r);
}

TEST(options_are_inherited_from_the_listener)
{
	struct engine_rig *r = engine_rig_new();
	struct ipc_accepted got;
	int l, fd;

	program_option(-1, IPC_OPT_KEEPIDLE, 77);
	program_option(-1, IPC_OPT_NODELAY, 1);
	l = bound_and_listening(r);
	peer_connect(r, PORT);
	engine_turns(r, 0);
	fd = program_accept(l, &got);
	assert_int_equal(program_table(r, fd).option[IPC_OPT_KEEPIDLE], 77);
	assert_int_equal(program_table(r, fd).option[IPC_OPT_NODELAY], 1);
	close(fd);
	close(l);
	engine_rig_free(r);
}

TEST(a_listener_without_bind_gets_a_port)
{
	struct engine_rig *r = engine_rig_new();
	int l = listening(r);

	assert_true(program_table(r, l).local.port >= 1024);
	close(l);
	engine_rig_free(r);
}

TEST(a_second_listen_changes_the_backlog_only)
{
	struct engine_rig *r = engine_rig_new();
	int l = bound_and_listening(r);
	struct ipc_accepted got;

	for (int i = 0; i < 3; i++) {
		program_request(l, IPC_LISTEN, 0);
		engine_turns(r, 0);
		assert_int_equal(program_reply(l), 0);
		assert_int_equal(program_poll(l), 0);
	}
	peer_connect(r, PORT);
	engine_turns(r, 0);
	int fd = program_accept(l, &got);
	assert_true(fd >= 0);
	close(fd);
	close(l);
	engine_rig_free(r);
}

TEST(a_taken_port_is_eaddrinuse_and_the_socket_may_try_another)
{
	struct engine_rig *r = engine_rig_new();
	int l = bound_and_listening(r), fd = program_socket(r);

	program_request(fd, IPC_BIND, PORT);
	engine_turns(r, 0);
	assert_int_equal(program_reply(fd), EADDRINUSE);
	program_request(fd, IPC_BIND, PORT + 1);
	engine_turns(r, 0);
	assert_int_equal(program_reply(fd), 0);
	peer_listen(r, 80);
	program_request(fd, IPC_CONNECT, 80);
	engine_turns(r, 0);
	assert_int_equal(program_poll(fd), POLLOUT);
	assert_int_equal(program_table(r, fd).local.port, PORT + 1);
	close(fd);
	close(l);
	engine_rig_free(r);
}

TEST(about_sixty_four_wait_untaken_and_none_is_lost)
{
	enum { N = 300 };
	struct engine_rig *r = engine_rig_new();
	struct tcp *t[N];
	struct ipc_accepted got;
	int l, n = 0, fds[N];

	program_option(-1, IPC_OPT_REUSEADDR, 1);
	l = bound_and_listening(r);
	for (int i = 0; i < N; i++) {
		t[i] = peer_connect(r, PORT);
		engine_turns(r, 0);
	}
	assert_in_range(r->e.nsocks, 1 + 32, 1 + 130);
	/*
	 * Taken one by one, the others follow; the wire's retransmissions bring in those beyond the
	 * backlog.
	 */
	for (int i = 0; i < 2000 && n < N; i++) {
		int fd = program_accept(l, &got);

		if (fd >= 0)
			fds[n++] = fd;
		engine_turns(r, fd >= 0 ? 0 : SEC);
	}
	assert_int_equal(n, N);
	for (int i = 0; i < N; i++) {
		assert_int_equal(tcp_state(t[i]), TCPS_ESTABLISHED);
		close(fds[i]);
	}
	close(l);
	engine_turns(r, 0);
	assert_int_equal(r->e.nsocks, 0);
	engine_rig_free(r);
}

TEST(the_untaken_end_with_their_listener)
{
	struct engine_rig *r = engine_rig_new();
	int l = bound_and_listening(r);
	struct tcp *t[200];

	for (int i = 0; i < 200; i++)
		t[i] = peer_connect(r, PORT);
	engine_turns(r, 0);
	close(l);
	engine_turns(r, 0);
	assert_int_equal(r->e.nsocks, 0);
	for (int i = 0; i < 200; i++)
		assert_true(tcp_state(t[i]) != TCPS_ESTABLISHED || tcp_recv_eof(t[i]));
	assert_true(list_empty(&r->e.selfs));
	engine_rig_free(r);
}

TEST(accepting_waits_when_descriptors_run_out_and_goes_on_when_one_is_free)
{
	struct engine_rig *r = engine_rig_new();
	int l = bound_and_listening(r), fd;
	struct ipc_accepted got;

	r->e.fd_limit = r->e.nsocks + ENGINE_FD_LAST; /* none left */
	peer_connect(r, PORT);
	engine_turns(r, 0);
	engine_turns(r, SEC);
	assert_int_equal(program_accept(l, &got), -1);
	assert_true(r->e.counters.accept_failures > 0);
	r->e.fd_limit = 4096;
	engine_turns(r, SEC); /* the retry */
	engine_turns(r, 0);   /* and what it found */
	fd = program_accept(l, &got);
	assert_true(fd >= 0);
	close(fd);
	close(l);
	engine_rig_free(r);
}

TEST(beyond_the_limit_a_connect_is_enfile)
{
	struct engine_rig *r = engine_rig_new();
	int fd = program_socket(r);

	r->e.fd_limit = ENGINE_FD_RESERVE;
	program_request(fd, IPC_CONNECT, 80);
	engine_turns(r, 0);
	assert_int_equal(program_table(r, fd).error, ENFILE);
	assert_true(program_poll(fd) & POLLERR);
	close(fd);
	engine_rig_free(r);
}

TEST(a_malformed_request_ends_its_own_socket_only)
{
	struct engine_rig *r = engine_rig_new();
	static char garbage[IPC_REQUEST_LEN + 1];
	struct tcp *t;
	int good = program_connected(r, &t), bad = program_socket(r), silent = program_socket(r),
	    some = program_socket(r);
	struct ipc_request q = {.h = ipc_header(IPC_CONNECT, sizeof(q)), .family = AF_NETLINK};

	assert_int_equal(write(bad, garbage, sizeof(garbage)), sizeof(garbage));
	assert_int_equal(write(some, "GET", 3), 3);
	engine_turns(r, 0);
	assert_true(program_poll(bad) & POLLERR);
	assert_int_equal(r->e.counters.bad_requests, 1);
	close(bad);
	bad = program_socket(r);
	memcpy(garbage, &q, sizeof(q));
	assert_int_equal(write(bad, garbage, sizeof(garbage)), sizeof(garbage));
	engine_turns(r, 0);
	assert_int_equal(r->e.counters.bad_requests, 2);
	assert_int_equal(write(good, "fine", 4), 4);
	engine_turns(r, 0);
	assert_int_equal(tcp_recv_queued(t), 4);
	close(bad);
	close(silent);
	close(some);
	close(good);
	engine_turns(r, 0);
	assert_int_equal(r->e.nsocks, 0);
	engine_rig_free(r);
}

TEST(a_cookie_that_is_taken_is_refused)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int good = program_connected(r, &t), thief = program_socket(r);
	uint8_t padded[IPC_REQUEST_LEN + 1] = {0};
	struct ipc_request q = {.h = ipc_header(IPC_CONNECT, sizeof(q)), .family = AF_INET};

	q.cookie = program_table(r, good).cookie;
	memcpy(padded, &q, sizeof(q));
	assert_int_equal(write(thief, padded, sizeof(padded)), sizeof(padded));
	engine_turns(r, 0);
	assert_true(program_poll(thief) & POLLERR);
	assert_int_equal(program_table(r, good).tcp_state, 1);
	assert_int_equal(program_table(r, good).error, 0);
	close(good);
	close(thief);
	engine_rig_free(r);
}

TEST(another_users_request_needs_the_token)
{
	struct engine_rig *r = engine_rig_new();
	int fd = program_socket(r);

	r->e.uid++; /* the program is somebody else now */
	engine_turns(r, 0);
	program_request(fd, IPC_CONNECT, 80);
	memset(r->e.token, 7, sizeof(r->e.token));
	engine_turns(r, 0);
	assert_int_equal(r->e.counters.bad_requests, 1);
	assert_true(program_poll(fd) & POLLERR);
	close(fd);
	r->e.uid--;
	engine_rig_free(r);
}

TEST(two_thousand_connections_come_and_go)
{
	enum { N = 2000, AT_ONCE = 200 };
	struct engine_rig *r = engine_rig_new();
	int l = bound_and_listening(r), fds[AT_ONCE];
	struct tcp *t[AT_ONCE];
	struct ipc_accepted got;
	char byte;

	for (int round = 0; round < N / AT_ONCE; round++) {
		for (int i = 0; i < AT_ONCE; i++) {
			t[i] = peer_connect(r, PORT);
			engine_turns(r, 0);
			fds[i] = program_accept(l, &got);
			assert_true(fds[i] >= 0);
			assert_int_equal(write(fds[i], "x", 1), 1);
		}
		engine_turns(r, 0);
		for (int i = 0; i < AT_ONCE; i++) {
			assert_int_equal(peer_read(r, t[i], &byte, 1), 1);
			close(fds[i]);
		}
		engine_turns(r, 0);
		for (int i = 0; i < AT_ONCE; i++) {
			assert_true(tcp_recv_eof(t[i]));
			tcp_close(t[i], r->e.now);
		}
		engine_turns(r, 0);
		assert_int_equal(r->e.nsocks, 1);
	}
	close(l);
	engine_turns(r, 0);
	/* TIME-WAIT is the only thing left. */
	engine_turns(r, 70 * SEC);
	assert_int_equal(stack_socket_count(r->e.stack), 0);
	assert_int_equal(stack_memory(r->e.stack), 0);
	engine_rig_free(r);
}

/* Nothing lies between the two for the engine: it accepts the new socket before it looks at the old one's end. */
TEST(a_port_is_free_as_soon_as_its_listener_is_closed)
{
	struct engine_rig *r = engine_rig_new();
	int first = bound_and_listening(r), second = program_socket(r), third = program_socket(r);

	close(first);
	program_request(second, IPC_BIND, PORT);
	engine_turns(r, 0);
	assert_int_equal(program_reply(second), 0);
	program_request(third, IPC_BIND, PORT);
	engine_turns(r, 0);
	assert_int_equal(program_reply(third), EADDRINUSE);
	close(second);
	close(third);
	engine_rig_free(r);
}

TEST(an_idle_engine_leaves)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	engine_turns(r, 100 * SEC);
	assert_false(r->e.stopping);
	close(fd);
	tcp_close(t, r->e.now);
	engine_turns(r, 10 * SEC);
	assert_false(r->e.stopping);
	engine_turns(r, 20 * SEC);
	assert_true(r->e.stopping);
	engine_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_polls_in_only_when_one_waits),
		cmocka_unit_test(an_accepted_connection_is_like_any_other),
		cmocka_unit_test(options_are_inherited_from_the_listener),
		cmocka_unit_test(a_listener_without_bind_gets_a_port),
		cmocka_unit_test(a_second_listen_changes_the_backlog_only),
		cmocka_unit_test(a_taken_port_is_eaddrinuse_and_the_socket_may_try_another),
		cmocka_unit_test(about_sixty_four_wait_untaken_and_none_is_lost),
		cmocka_unit_test(the_untaken_end_with_their_listener),
		cmocka_unit_test(
			accepting_waits_when_descriptors_run_out_and_goes_on_when_one_is_free),
		cmocka_unit_test(beyond_the_limit_a_connect_is_enfile),
		cmocka_unit_test(a_malformed_request_ends_its_own_socket_only),
		cmocka_unit_test(a_cookie_that_is_taken_is_refused),
		cmocka_unit_test(another_users_request_needs_the_token),
		cmocka_unit_test(two_thousand_connections_come_and_go),
		cmocka_unit_test(a_port_is_free_as_soon_as_its_listener_is_closed),
		cmocka_unit_test(an_idle_engine_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
