/*
 * A listening fd and the descriptors passed through it; and what tells that an fd is ours.
 */
#include "tests/shim/facts/facts.h"

#include <sys/stat.h>

static void send_fd(int to, const char *text, size_t len, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec io = {(char *)text, len};
	struct msghdr m = {.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	assert_int_equal(sendmsg(to, &m, MSG_NOSIGNAL), (ssize_t)len);
}

/* Bytes received; the descriptor in *fd, or -1. */
static ssize_t recv_fd(int from, char *text, size_t len, int *fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec io = {text, len};
	struct msghdr m = {.msg_iov = &io,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(from, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;

	*fd = -1;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return n;
}

static void fill(int program)
{
	int one = 1;

	assert_int_equal(write(program, "r", 1), 1);
	assert_int_equal(setsockopt(program, SOL_SOCKET, SO_SNDBUF, &one, sizeof(one)), 0);
	while (send(program, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	assert_int_equal(errno, EAGAIN);
}

static void a_listener_is_readable_when_one_waits_and_never_writable(void **state)
{
	struct pair p = unix_pair();
	int fd, passed = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char got[8];

	fill(p.program);
	assert_int_equal(poll_now(p.program), 0);
	send_fd(p.engine, "one", 3, passed);
	assert_int_equal(poll_now(p.program), POLLIN);
	assert_int_equal(recv_fd(p.program, got, sizeof(got), &fd), 3);
	assert_true(fd >= 0);
	assert_int_equal(poll_now(p.program), 0);
	close(fd);
	close(passed);
	pair_close(&p);
}

/* The real thing, for comparison. */
static void a_tcp_listener_polls_the_same(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(l, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&at, &len), 0);
	assert_int_equal(poll_now(l), 0);
	assert_int_equal(connect(c, (struct sockaddr *)&at, len), 0);
	assert_int_equal(poll_until(l, POLLIN), POLLIN);
	close(c);
	close(l);
}

static void a_dead_engine_shows_on_the_listener(void **state)
{
	struct pair p = unix_pair();

	fill(p.program);
	close(p.engine);
	p.engine = -1;
	assert_int_equal(poll_now(p.program), POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLERR);
	pair_close(&p);
}

static void messages_with_descriptors_are_not_merged(void **state)
{
	struct pair p = unix_pair();
	int fd, a = open("/dev/null", O_RDONLY), b = open("/dev/zero", O_RDONLY);
	char got[16];

	send_fd(p.engine, "first", 5, a);
	send_fd(p.engine, "second", 6, b);
	assert_int_equal(recv_fd(p.program, got, sizeof(got), &fd), 5);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(recv_fd(p.program, got, sizeof(got), &fd), 6);
	assert_true(fd >= 0);
	close(fd);
	close(a);
	close(b);
	pair_close(&p);
}

/* What the engine does to have at most so many un-taken: SO_SNDBUF of its end. */
static void a_small_send_buffer_bounds_the_untaken(void **state)
{
	struct pair p = unix_pair();
	int size = 64 * 768 / 2, sent = 0;
	char message[88] = {0};

	assert_int_equal(setsockopt(p.engine, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	while (send(p.engine, message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		sent++;
	assert_int_equal(errno, EAGAIN);
	assert_in_range(sent, 32, 128);
	pair_close(&p);
}

static void a_descriptor_that_is_never_taken_is_closed(void **state)
{
	struct pair p = unix_pair(), inner = seeded_pair();
	char byte;

	send_fd(p.engine, "x", 1, inner.program);
	close(inner.program);
	inner.program = -1;
	assert_int_equal(poll_now(inner.engine), POLLIN | POLLOUT);
	close(p.program);
	p.program = -1;
	assert_true(poll_now(inner.engine) & POLLHUP);
	assert_int_equal(read(inner.engine, &byte, 1), 1);
	pair_close(&p);
	pair_close(&inner);
}

static void the_peers_name_stays_after_its_death(void **state)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0teecee-fact"}, got = {0};
	socklen_t want = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 12),
		  len = sizeof(got);
	int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0), e;

	snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "teecee-f%03x",
		(unsigned)getpid() & 0xfff);
	assert_int_equal(bind(l, (struct sockaddr *)&name, want), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(connect(c, (struct sockaddr *)&name, want), 0);
	e = accept(l, NULL, NULL);
	close(e);
	close(l);
	assert_int_equal(getpeername(c, (struct sockaddr *)&got, &len), 0);
	assert_int_equal(len, want);
	assert_memory_equal(&got, &name, want);
	close(c);
}

static void the_cookie_is_the_sockets_not_the_fds(void **state)
{
	struct pair p = unix_pair(), other = unix_pair();
	uint64_t cookie = cookie_of(other.program);
	int copy = dup(other.program), fd;
	char byte;

	assert_true(cookie != 0);
	assert_true(cookie != cookie_of(p.program));
	assert_true(cookie != cookie_of(other.engine));
	assert_int_equal(cookie_of(copy), cookie);
	send_fd(p.engine, "x", 1, other.program);
	assert_int_equal(recv_fd(p.program, &byte, 1, &fd), 1);
	assert_int_equal(cookie_of(fd), cookie);
	close(fd);
	close(copy);
	pair_close(&p);
	pair_close(&other);
}

/*
 * How the engine knows its own connections on its own listener: the peer's pid, and first come
 * first served.
 */
static void a_connection_to_oneself_shows_ones_own_pid(void **state)
{
	struct pair p = unix_pair();
	struct ucred cred;
	socklen_t len = sizeof(cred);

	assert_int_equal(getsockopt(p.engine, SOL_SOCKET, SO_PEERCRED, &cred, &len), 0);
	assert_int_equal(cred.pid, getpid());
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_is_readable_when_one_waits_and_never_writable),
		cmocka_unit_test(a_tcp_listener_polls_the_same),
		cmocka_unit_test(a_dead_engine_shows_on_the_listener),
		cmocka_unit_test(messages_with_descriptors_are_not_merged),
		cmocka_unit_test(a_small_send_buffer_bounds_the_untaken),
		cmocka_unit_test(a_descriptor_that_is_never_taken_is_closed),
		cmocka_unit_test(the_peers_name_stays_after_its_death),
		cmocka_unit_test(the_cookie_is_the_sockets_not_the_fds),
		cmocka_unit_test(a_connection_to_oneself_shows_ones_own_pid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
