/*
 * Two programs that talk, for what iperf3 and wrk do not measure: round trips of any size,
 * connections one after another, and small writes. Blocking calls and TCP_NODELAY, one connection
 * at a time.
 *
 *	talk serve ADDRESS PORT                the three servers, on PORT, PORT + 1, PORT + 2
 *	talk rr ADDRESS PORT BYTES SECONDS     BYTES there and BYTES back, over one connection
 *	talk conn ADDRESS PORT SECONDS         connect, one byte there, one back, the server closes, we do
 *	talk write ADDRESS PORT BYTES SECONDS  writes of BYTES, until the server has read and closed
 *
 * A client prints what it counted, in how many seconds, and for rr and conn the middle one and the
 * 99th of a hundred in microseconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BYTES_MAX = 1 << 20, TIMES_MAX = 1 << 20 };

static uint8_t buffer[BYTES_MAX];
static uint32_t times[TIMES_MAX]; /* nanoseconds */

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "talk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void no_delay(int fd)
{
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0)
		die("TCP_NODELAY");
}

static int dial(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof *to) < 0)
		die("connect");
	no_delay(fd);
	return fd;
}

static void write_all(int fd, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, buffer, len - done);
		if (n <= 0)
			die("write");
		done += (size_t)n;
	}
}

/* False: the other end has closed. */
static int read_all(int fd, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, buffer, len - done);
		if (n < 0)
			die("read");
		if (n == 0)
			return 0;
		done += (size_t)n;
	}
	return 1;
}

/* How long a message is comes first, as four bytes. */
static void serve_rr(int fd)
{
	uint32_t len;

	if (!read_all(fd, sizeof len))
		return;
	memcpy(&len, buffer, sizeof len);
	while (len <= BYTES_MAX && read_all(fd, len))
		write_all(fd, len);
}

static void serve_conn(int fd)
{
	if (read_all(fd, 1))
		write_all(fd, 1);
}

static void serve_write(int fd)
{
	while (read(fd, buffer, sizeof buffer) > 0)
		;
}

static void serve_port(struct sockaddr_in at, uint16_t port, void (*serve)(int fd))
{
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_port = htons(port);
	if (listener < 0 ||
		setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
		bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 128) < 0)
		die("listen");
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			die("accept");
		no_delay(fd);
		serve(fd);
		close(fd);
	}
}

static void serve_all(const struct sockaddr_in *at)
{
	void (*const serve[])(int) = {serve_rr, serve_conn, serve_write};

	for (uint16_t i = 0; i < 3; i++) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve_port(*at, (uint16_t)(ntohs(at->sin_port) + i), serve[i]);
		}
	}
	wait(NULL); /* none ends but by failing */
	exit(1);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_times(size_t n, uint64_t took)
{
	size_t kept = n < TIMES_MAX ? n : TIMES_MAX;

	qsort(times, kept, sizeof times[0], by_value);
	printf("%zu %.6f %.2f %.2f\n", n, (double)took / 1e9, times[kept / 2] / 1e3,
		times[kept * 99 / 100] / 1e3);
}

/* Does it again until the time is over; a turn says how it went in the table. */
static void repeat(void (*turn)(const void *ctx), const void *ctx, double seconds)
{
	uint64_t began = now_ns(), last = began, end = began + (uint64_t)(seconds * 1e9);
	size_t n = 0;

	while (last < end) {
		turn(ctx);
		uint64_t t = now_ns();
		times[n++ % TIMES_MAX] = (uint32_t)(t - last);
		last = t;
	}
	print_times(n, last - began);
}

struct rr {
	int fd;
	size_t len;
};

static void rr_turn(const void *ctx)
{
	const struct rr *r = ctx;

	write_all(r->fd, r->len);
	if (!read_all(r->fd, r->len)) {
		errno = ECONNRESET;
		die("read");
	}
}

static void client_rr(const struct sockaddr_in *to, uint32_t len, double seconds)
{
	struct rr r = {.fd = dial(to), .len = len};

	memcpy(buffer, &len, sizeof len);
	write_all(r.fd, sizeof len);
	rr_turn(&r);
	repeat(rr_turn, &r, seconds);
	close(r.fd);
}

static void conn_turn(const void *ctx)
{
	int fd = dial(ctx);

	write_all(fd, 1);
	if (!read_all(fd, 1) || read_all(fd, 1)) {
		errno = EPROTO;
		die("read");
	}
	close(fd);
}

static void client_write(const struct sockaddr_in *to, size_t len, double seconds)
{
	int fd = dial(to);
	uint64_t began = now_ns(), end = began + (uint64_t)(seconds * 1e9);
	size_t bytes = 0;

	for (; now_ns() < end; bytes += len)
		write_all(fd, len);
	if (shutdown(fd, SHUT_WR) < 0 || read_all(fd, 1))
		die("shutdown");
	printf("%zu %.6f\n", bytes, (double)(now_ns() - began) / 1e9);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	if (argc < 4 || inet_pton(AF_INET, argv[2], &a.sin_addr) != 1) {
		fprintf(stderr, "usage: talk serve|rr|conn|write ADDRESS PORT [BYTES] [SECONDS]\n");
		return 2;
	}
	int port = atoi(argv[3]);
	a.sin_port = htons((uint16_t)port);
	if (strcmp(argv[1], "serve") == 0 && argc == 4)
		serve_all(&a);
	else if (strcmp(argv[1], "rr") == 0 && argc == 6)
		client_rr(&a, (uint32_t)atoi(argv[4]), atof(argv[5]));
	else if (strcmp(argv[1], "conn") == 0 && argc == 5) {
		a.sin_port = htons((uint16_t)(port + 1));
		repeat(conn_turn, &a, atof(argv[4]));
	} else if (strcmp(argv[1], "write") == 0 && argc == 6) {
		a.sin_port = htons((uint16_t)(port + 2));
		client_write(&a, (size_t)atoi(argv[4]), atof(argv[5]));
	} else
		return 2;
	return 0;
}
