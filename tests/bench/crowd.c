/*
 * Very many connections: opened, kept, used in turn, left unread, closed.
 *
 *	crowd serve ADDRESS PORT COUNT     listens on COUNT ports from PORT on
 *	crowd ADDRESS PORT COUNT           does what its standard input says, a line each, answers a line each:
 *
 *	open N        N more connections, to the ports in turn, 32 at a time
 *	churn N       N times: the server closes the oldest, a new one is opened; 8 at a time, as many must be open
 *	give N BYTES  N times: the next connection in turn asks for BYTES and reads them; 8 at a time
 *	stall         every connection asks for more than anybody reads, and does not read
 *	close         the server closes every connection, then we do
 *
 * An answer has the connections that are open and the seconds it took. Whatever fails ends the
 * program.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FDS_MAX = 65536, BATCH = 32, SMALL_BATCH = 8, CHUNK = 64 << 10, WAIT_MS = 20000 };

/* What a connection asks of the server: so many bytes, or with 0 its end. */
struct order {
	uint64_t bytes;
};

static struct sockaddr_in base;
static unsigned ports, next_port;
static uint8_t chunk[CHUNK];

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- the server --- */

static uint64_t owed[FDS_MAX];
static bool is_listener[FDS_MAX];

static void watch(int epoll, int fd, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll, op, fd, &e) < 0)
		die("epoll_ctl");
}

static void listen_at(int epoll, struct sockaddr_in at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
		bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0)
		die("listen");
	is_listener[fd] = true;
	watch(epoll, fd, EPOLL_CTL_ADD, EPOLLIN);
}

static void accept_all(int epoll, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (fd >= FDS_MAX)
			die("too many");
		owed[fd] = 0;
		watch(epoll, fd, EPOLL_CTL_ADD, EPOLLIN);
	}
	if (errno != EAGAIN)
		die("accept");
}

static void pay(int epoll, int fd)
{
	while (owed[fd] > 0) {
		ssize_t n = write(fd, chunk, owed[fd] < CHUNK ? owed[fd] : CHUNK);
		if (n < 0)
			break;
		owed[fd] -= (uint64_t)n;
	}
	watch(epoll, fd, EPOLL_CTL_MOD, owed[fd] > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void serve_order(int epoll, int fd)
{
	struct order o;
	ssize_t n = read(fd, &o, sizeof o);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n != sizeof o || o.bytes == 0) {
		close(fd);
		return;
	}
	owed[fd] += o.bytes;
	pay(epoll, fd);
}

static _Noreturn void serve(void)
{
	int epoll = epoll_create1(0);
	struct epoll_event e[256];

	for (unsigned i = 0; i < ports; i++) {
		struct sockaddr_in at = base;
		at.sin_port = htons((uint16_t)(ntohs(base.sin_port) + i));
		listen_at(epoll, at);
	}
	for (;;) {
		int n = epoll_wait(epoll, e, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = e[i].data.fd;
			if (is_listener[fd])
				accept_all(epoll, fd);
			else if (e[i].events & EPOLLOUT)
				pay(epoll, fd);
			else
				serve_order(epoll, fd);
		}
	}
}

/* --- the crowd --- */

static int member[FDS_MAX]; /* a ring of descriptors, the oldest first */
static unsigned oldest, members, turn;

static int *member_at(unsigned i)
{
	return &member[(oldest + i) % FDS_MAX];
}

static int begin(void)
{
	struct sockaddr_in to = base;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	to.sin_port = htons((uint16_t)(ntohs(base.sin_port) + next_port++ % ports));
	if (fd < 0)
		die("socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
		die("connect");
	return fd;
}

static void finish(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int err;
	socklen_t len = sizeof err;

	if (poll(&p, 1, WAIT_MS) != 1)
		die("waiting for a connection");
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		die("SO_ERROR");
	if ((errno = err))
		die("connecting");
	fcntl(fd, F_SETFL, 0);
}

static void open_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		*member_at(members + i) = begin();
	for (unsigned i = 0; i < n; i++)
		finish(*member_at(members + i));
	members += n;
}

static void order(int fd, uint64_t bytes)
{
	struct order o = {bytes};

	if (write(fd, &o, sizeof o) != sizeof o)
		die("write");
}

static void read_exactly(int fd, uint64_t len)
{
	while (len > 0) {
		ssize_t n = read(fd, chunk, len < CHUNK ? len : CHUNK);
		if (n <= 0)
			die("read");
		len -= (uint64_t)n;
	}
}

/* The server closes first: what is kept of the connection afterwards is kept there. */
static void close_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		order(*member_at(i), 0);
	for (unsigned i = 0; i < n; i++) {
		if (read(*member_at(i), chunk, 1) != 0)
			die("no end");
		close(*member_at(i));
	}
	oldest = (oldest + n) % FDS_MAX;
	members -= n;
}

static void churn_some(unsigned n)
{
	close_some(n);
	open_some(n);
}

static uint64_t piece;

static void give_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		order(*member_at((turn + i) % members), piece);
	for (unsigned i = 0; i < n; i++)
		read_exactly(*member_at((turn + i) % members), piece);
	turn = (turn + n) % members;
}

static void stall_some(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		order(*member_at((turn + i) % members), UINT64_C(1) << 40);
	turn = (turn + n) % members;
}

static const struct verb {
	const char *name;
	void (*some)(unsigned n);
	unsigned batch;
} verbs[] = {
	{"open", open_some, BATCH},
	{"churn", churn_some, SMALL_BATCH},
	{"give", give_some, SMALL_BATCH},
	{"stall", stall_some, BATCH},
	{"close", close_some, BATCH},
};

static bool obey(const char *line)
{
	unsigned n = members;
	char name[16] = "";

	sscanf(line, "%15s %u %lu", name, &n, &piece);
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(name, verbs[i].name) != 0)
			continue;
		for (; n > 0; n -= n < verbs[i].batch ? n : verbs[i].batch)
			verbs[i].some(n < verbs[i].batch ? n : verbs[i].batch);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	bool is_server = argc == 5 && strcmp(argv[1], "serve") == 0;
	char line[128];
	struct rlimit r;

	argv += is_server;
	base.sin_family = AF_INET;
	if ((!is_server && argc != 4) || inet_pton(AF_INET, argv[1], &base.sin_addr) != 1) {
		fprintf(stderr, "usage: crowd [serve] ADDRESS PORT COUNT\n");
		return 2;
	}
	base.sin_port = htons((uint16_t)atoi(argv[2]));
	ports = (unsigned)atoi(argv[3]);
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	if (is_server)
		serve();
	while (fgets(line, sizeof line, stdin)) {
		double began = now_s();
		if (!obey(line)) {
			fprintf(stderr, "crowd: %s", line);
			return 2;
		}
		printf("%u %.6f\n", members, now_s() - began);
		fflush(stdout);
	}
	return 0;
}
