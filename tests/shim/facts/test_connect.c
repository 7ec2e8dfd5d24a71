/*
 * A connect that is pending, refused or done, told by nothing but the state of an AF_UNIX socket.
 */
#include "tests/shim/facts/facts.h"

/*
 * The shim's part of a connect: the request and the residual byte, each in one send, then no room
 * for more.
 */
static struct pair pending_pair(void)
{
	static char request[REQUEST_LEN];
	struct pair p = unix_pair();
	int one = 1;

	assert_int_equal(send(p.program, request, sizeof(request), MSG_NOSIGNAL), REQUEST_LEN);
	assert_int_equal(send(p.program, "r", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(setsockopt(p.program, SOL_SOCKET, SO_SNDBUF, &one, sizeof(one)), 0);
	return p;
}

static void a_new_socket_polls_as_a_new_tcp_socket(void **state)
{
	int u = socket(AF_UNIX, SOCK_STREAM, 0), t = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(poll_now(t), POLLOUT | POLLHUP);
	assert_int_equal(poll_now(u), POLLOUT | POLLHUP);
	close(u);
	close(t);
}

static void a_pending_connect_polls_nothing(void **state)
{
	struct pair p = pending_pair();
	static char got[REQUEST_LEN + 1];

	assert_int_equal(poll_now(p.program), 0);
	assert_int_equal(send(p.program, "x", 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	/* The engine may look at the request; that changes nothing. */
	assert_int_equal(recv(p.engine, got, sizeof(got), MSG_PEEK), REQUEST_LEN + 1);
	assert_int_equal(poll_now(p.program), 0);
	pair_close(&p);
}

static void reading_all_but_one_byte_makes_it_writable(void **state)
{
	struct pair p = pending_pair();
	static char got[REQUEST_LEN];

	assert_int_equal(recv(p.engine, got, sizeof(got), 0), REQUEST_LEN);
	assert_int_equal(queued(p.engine), 1);
	assert_int_equal(poll_now(p.program), POLLOUT);
	pair_close(&p);
}

static void a_waiter_is_woken_by_the_reading(void **state)
{
	struct pair p = pending_pair();
	static char got[REQUEST_LEN];
	struct pollfd wait = {.fd = p.program, .events = POLLOUT};
	pid_t child = fork();

	if (child == 0) {
		poll(&(struct pollfd){.fd = -1}, 1, 20);
		_exit(recv(p.engine, got, sizeof(got), 0) != REQUEST_LEN);
	}
	assert_int_equal(poll(&wait, 1, FACT_WAIT_MS), 1);
	assert_int_equal(wait.revents, POLLOUT);
	pair_close(&p);
}

static void writes_succeed_while_the_send_buffer_is_still_lowered(void **state)
{
	struct pair p = pending_pair();
	static char got[REQUEST_LEN];

	assert_int_equal(recv(p.engine, got, sizeof(got), 0), REQUEST_LEN);
	assert_true(send(p.program, "hello", 5, MSG_DONTWAIT) > 0);
	pair_close(&p);
}

static void the_raised_send_buffer_takes_a_lot_again(void **state)
{
	struct pair p = pending_pair();
	static char got[REQUEST_LEN], data[65536];
	int size = 212992 / 2;

	assert_int_equal(recv(p.engine, got, sizeof(got), 0), REQUEST_LEN);
	assert_int_equal(setsockopt(p.program, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	assert_int_equal(send(p.program, data, sizeof(data), MSG_DONTWAIT), sizeof(data));
	pair_close(&p);
}

/* A refused TCP connect: RST to the SYN, here from a port nobody listens on. */
static int refused_tcp(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int closed = socket(AF_INET, SOCK_STREAM, 0),
	    t = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(closed, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(closed, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(connect(t, (struct sockaddr *)&at, len), -1);
	close(closed);
	return t;
}

static void a_refused_connect_polls_as_tcp(void **state)
{
	struct pair p = pending_pair();
	int t = refused_tcp(), flags = POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLERR;

	close(p.engine);
	p.engine = -1;
	assert_int_equal(poll_until(t, flags), flags);
	assert_int_equal(poll_now(p.program), flags);
	assert_int_equal(socket_error(t), ECONNREFUSED);
	assert_int_equal(socket_error(p.program), ECONNRESET); /* what the shim translates */
	close(t);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_socket_polls_as_a_new_tcp_socket),
		cmocka_unit_test(a_pending_connect_polls_nothing),
		cmocka_unit_test(reading_all_but_one_byte_makes_it_writable),
		cmocka_unit_test(a_waiter_is_woken_by_the_reading),
		cmocka_unit_test(writes_succeed_while_the_send_buffer_is_still_lowered),
		cmocka_unit_test(the_raised_send_buffer_takes_a_lot_again),
		cmocka_unit_test(a_refused_connect_polls_as_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
