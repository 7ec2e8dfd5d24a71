/*
 * The kernel behaviour this project stands on, as tests. Each test is one fact about AF_UNIX
 * sockets that the shim or the engine relies on; where it imitates TCP, a real TCP connection over
 * loopback is put through the same steps and must answer the same. A kernel that behaves otherwise
 * fails the test.
 *
 * Words: `program` is the end an intercepted program would hold, `engine` the other one.
 */
#ifndef TEECEE_TESTS_SHIM_FACTS_H
#define TEECEE_TESTS_SHIM_FACTS_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	FACT_POLL = POLLIN | POLLOUT | POLLPRI | POLLRDHUP,
	FACT_WAIT_MS = 2000,
	REQUEST_LEN = 8191, /* IPC_REQUEST_LEN of core/ipc/proto.h */
};

struct pair {
	int program, engine;
};

/*
 * Two connected stream sockets, as the shim and the engine make them: by an abstract name, not
 * socketpair.
 */
static inline struct pair unix_pair(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX}, got = {0};
	socklen_t len = sizeof(got);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pair p;

	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&got, &len), 0);
	p.program = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(p.program, (struct sockaddr *)&got, len), 0);
	p.engine = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(p.engine >= 0);
	close(listener);
	return p;
}

/* The same with a residual byte: seeded by the program, left unread by the engine. */
static inline struct pair seeded_pair(void)
{
	struct pair p = unix_pair();

	assert_int_equal(write(p.program, "r", 1), 1);
	return p;
}

/* A real TCP connection over loopback; `program` is the connecting end. */
static inline struct pair tcp_pair(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pair p;

	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	p.program = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(p.program, (struct sockaddr *)&at, len), 0);
	p.engine = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(p.engine >= 0);
	close(listener);
	return p;
}

static inline void pair_close(struct pair *p)
{
	if (p->program >= 0)
		close(p->program);
	if (p->engine >= 0)
		close(p->engine);
	p->program = p->engine = -1;
}

static inline int poll_now(int fd)
{
	struct pollfd p = {.fd = fd, .events = FACT_POLL};

	assert_true(poll(&p, 1, 0) >= 0);
	return p.revents;
}

/* Waits until poll says `flags` in all; what it said last is returned for the comparison. */
static inline int poll_until(int fd, int flags)
{
	int said = poll_now(fd);

	for (int turn = 0; turn < FACT_WAIT_MS && said != flags; turn++) {
		poll(NULL, 0, 1);
		said = poll_now(fd);
	}
	return said;
}

static inline int socket_error(int fd)
{
	int error = -1;
	socklen_t len = sizeof(error);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	return error;
}

static inline int queued(int fd)
{
	int n = -1;

	assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

static inline uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	return cookie;
}

#endif
