/*
 * The programs of this directory print what they observe, and are run twice: over the kernel's stack and under the
 * shim. Both must print the same. This is what they share: arguments, and words for results.
 *
 * Every program is called `program ADDRESS PORT`: there peer.c serves, and nobody at PORT + 1.
 */
#ifndef TEECEE_TESTS_SHIM_SAY_H
#define TEECEE_TESTS_SHIM_SAY_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAIT_MS = 5000 };

/* What the peer is asked to do, by the first byte it gets. */
#define PEER_ECHO "e"  /* send everything back; FIN after the FIN */
#define PEER_BYE "b"   /* send "bye", FIN, wait for the FIN */
#define PEER_RESET "r" /* RST at once */
#define PEER_COUNT "n" /* read until FIN, send the number of bytes, FIN */
#define PEER_CALL "c"  /* and a port in five digits: call back there, say "hello", echo until FIN */
#define PEER_TAKE "t"  /* and a port: the same, but read until FIN and send the number of bytes */
#define PEER_HOLD "h"  /* nothing */
#define PEER_URGENT "u" /* send "abcd", "X" as urgent byte, "efgh"; on the next byte "ij" and urgent "Y"; FIN */
#define PEER_MARK "m"  /* read until FIN, send back "before|urgent|after", FIN */
#define PEER_SLOW "s"  /* read nothing until 200 ms have passed, then to the end */
#define PEER_REFUSE "z" /* read nothing for three seconds */

static inline const char *result_name(long r)
{
	static char text[32];

	if (r < 0)
		return strerrorname_np(errno);
	snprintf(text, sizeof(text), "%ld", r);
	return text;
}

/* "what: 0" or "what: ECONNREFUSED"; returns r. */
static inline long say(const char *what, long r)
{
	printf("%s: %s\n", what, result_name(r));
	return r;
}

/* Only whether it worked: for numbers that differ from run to run. */
static inline long say_ok(const char *what, long r)
{
	printf("%s: %s\n", what, r < 0 ? strerrorname_np(errno) : "ok");
	return r;
}

static inline void say_bytes(const char *what, const char *data, long n)
{
	if (n < 0)
		say(what, n);
	else
		printf("%s: \"%.*s\"\n", what, (int)n, data);
}

static inline void say_poll(const char *what, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

	poll(&p, 1, 0);
	printf("%s:%s%s%s%s%s\n", what, p.revents & POLLIN ? " IN" : "",
		p.revents & POLLOUT ? " OUT" : "", p.revents & POLLHUP ? " HUP" : "",
		p.revents & POLLERR ? " ERR" : "", p.revents & POLLRDHUP ? " RDHUP" : "");
}

/* Waits for one of the events; a program that waits in vain says so and goes on. */
static inline void await(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	if (poll(&p, 1, WAIT_MS) == 0)
		puts("waited in vain");
}

static inline struct sockaddr_in address(const char *text, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
		exit(2);
	return a;
}

static inline struct sockaddr_in peer_address(char **argv)
{
	return address(argv[1], atoi(argv[2]));
}

static inline struct sockaddr_in closed_address(char **argv)
{
	return address(argv[1], atoi(argv[2]) + 1);
}

static inline int connect_in(int fd, const struct sockaddr_in *a)
{
	return connect(fd, (const struct sockaddr *)a, sizeof(*a));
}

/* A connection to the peer, which has been told what to do. */
static inline int call_peer(char **argv, const char *what)
{
	struct sockaddr_in a = peer_address(argv);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect_in(fd, &a) < 0 || write(fd, what, strlen(what)) < 0) {
		say("call", -1);
		exit(3);
	}
	return fd;
}

static inline int int_option(int fd, int level, int name)
{
	int v = -99;
	socklen_t len = sizeof(v);

	return getsockopt(fd, level, name, &v, &len) < 0 ? -errno : v;
}

/* SO_ERROR by name. */
static inline void say_error(const char *what, int fd)
{
	int e = int_option(fd, SOL_SOCKET, SO_ERROR);

	printf("%s: SO_ERROR %s\n", what, e ? strerrorname_np(abs(e)) : "0");
}

static inline long read_until(int fd, char *buf, long n)
{
	long at = 0, r;

	while (at < n && (r = read(fd, buf + at, (size_t)(n - at))) > 0)
		at += r;
	return at;
}

/* A listener on a loopback address; its address in *a. */
static inline int listen_here(struct sockaddr_in *a, int backlog)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*a = address("127.0.0.1", 0);
	if (bind(fd, (struct sockaddr *)a, sizeof(*a)) < 0 || listen(fd, backlog) < 0)
		say("listen here", -1);
	getsockname(fd, (struct sockaddr *)a, &len);
	return fd;
}

/* Both ends of a connection over loopback in this process: [0] connected, [1] was accepted. */
static inline void make_pair(int fd[2])
{
	struct sockaddr_in a;
	int l = listen_here(&a, 1);

	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (connect_in(fd[0], &a) < 0)
		say("connect here", -1);
	fd[1] = accept(l, NULL, NULL);
	close(l);
}

static inline void close_pair(const int fd[2])
{
	close(fd[0]);
	close(fd[1]);
}

static inline void set_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

#endif
