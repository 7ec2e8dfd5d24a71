/*
 * What the engine's edge-triggered epoll may rely on: which acts of the program make a new edge,
 * and how not to be woken by those that need nothing done.
 */
#include "tests/shim/facts/facts.h"

#include <sys/epoll.h>

static int watch(int fd, uint32_t events)
{
	struct epoll_event e = {.events = events | EPOLLET};
	int ep = epoll_create1(EPOLL_CLOEXEC);

	assert_true(ep >= 0);
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), 0);
	return ep;
}

/* The events of the next edge, 0 when there is none. */
static uint32_t edge(int ep)
{
	struct epoll_event e = {0};

	return epoll_wait(ep, &e, 1, 0) == 1 ? e.events : 0;
}

static void every_write_is_an_edge_although_a_byte_is_left(void **state)
{
	struct pair p = seeded_pair();
	int ep = watch(p.engine, EPOLLIN | EPOLLRDHUP);

	assert_int_equal(edge(ep), EPOLLIN);
	assert_int_equal(edge(ep), 0);
	assert_int_equal(write(p.program, "x", 1), 1);
	assert_int_equal(edge(ep), EPOLLIN);
	assert_int_equal(edge(ep), 0);
	close(ep);
	pair_close(&p);
}

static void shut_wr_and_close_are_edges(void **state)
{
	struct pair p = seeded_pair();
	int ep = watch(p.engine, EPOLLIN | EPOLLRDHUP);

	assert_int_equal(edge(ep), EPOLLIN);
	assert_int_equal(shutdown(p.program, SHUT_WR), 0);
	assert_int_equal(edge(ep), EPOLLIN | EPOLLRDHUP);
	/* The close that UNIX_DIAG has to be asked about still wakes. */
	assert_int_equal(shutdown(p.engine, SHUT_WR), 0);
	while (edge(ep))
		;
	close(p.program);
	p.program = -1;
	assert_int_equal(edge(ep), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
	close(ep);
	pair_close(&p);
}

static void reading_by_the_program_wakes_only_who_asked_for_out(void **state)
{
	struct pair p = seeded_pair();
	int ep = watch(p.engine, EPOLLIN | EPOLLRDHUP);
	struct epoll_event with_out = {.events = EPOLLIN | EPOLLRDHUP | EPOLLOUT | EPOLLET};
	char got[8];

	assert_int_equal(edge(ep), EPOLLIN);
	assert_int_equal(write(p.engine, "abc", 3), 3);
	assert_int_equal(read(p.program, got, sizeof(got)), 3);
	assert_int_equal(edge(ep), 0);
	/*
	 * Asking when it is writable already reports at once: no edge can be lost between EAGAIN
	 * and MOD.
	 */
	assert_int_equal(epoll_ctl(ep, EPOLL_CTL_MOD, p.engine, &with_out), 0);
	assert_true(edge(ep) & EPOLLOUT);
	close(ep);
	pair_close(&p);
}

static void a_full_socket_becomes_writable_when_a_quarter_is_left(void **state)
{
	static char data[65536];
	struct pair p = seeded_pair();
	int ep = watch(p.engine, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
	size_t sent = 0, got = 0;
	ssize_t n;

	edge(ep);
	while ((n = send(p.engine, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
		sent += (size_t)n;
	assert_int_equal(errno, EAGAIN);
	while (!(edge(ep) & EPOLLOUT)) {
		n = read(p.program, data, 4096);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_true(got > sent / 2);
	close(ep);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_write_is_an_edge_although_a_byte_is_left),
		cmocka_unit_test(shut_wr_and_close_are_edges),
		cmocka_unit_test(reading_by_the_program_wakes_only_who_asked_for_out),
		cmocka_unit_test(a_full_socket_becomes_writable_when_a_quarter_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
