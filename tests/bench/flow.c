/*
 * Timed bulk flows, for goodput: how much a receiving program got within a time.
 *
 *	flow serve ADDRESS PORT			any number of flows, until it is killed
 *	flow up ADDRESS PORT SECONDS		this end sends
 *	flow down ADDRESS PORT SECONDS		this end receives
 *
 * The stopwatch is the receiver's and starts when it has the connection: what waits in buffers when the time is
 * over does not count. The receiver prints one line, the sender's address and Mbit/s, and cuts the flow off.
 * `serve` prints that of every `up`.
 *
 * Both stacks are asked for CUBIC: a network namespace cannot have another default than its host's unless it is
 * one of net.ipv4.tcp_allowed_congestion_control.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 128 << 10, STATUS_USAGE = 2 };

/* What a client says first on every flow. */
struct request {
	char what; /* 'u': it sends; 'd': it receives */
	uint8_t seconds;
};

static char buffer[CHUNK];

static void die(const char *what)
{
	fprintf(stderr, "flow: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int cubic_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", strlen("cubic")))
		die("cubic");
	return fd;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void cut_off(int fd)
{
	struct linger cut = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &cut, sizeof cut);
	close(fd);
}

/* Bytes that came until `end`; then the flow is cut off, with a RST: what is under way is nobody's. */
static uint64_t receive_until(int fd, double end)
{
	uint64_t bytes = 0;

	for (double left; (left = end - now()) > 0;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		if (poll(&p, 1, (int)(left * 1000) + 1) < 0)
			die("poll");
		if (!p.revents)
			continue;
		ssize_t n = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		bytes += n > 0 ? (uint64_t)n : 0;
	}
	cut_off(fd);
	return bytes;
}

static volatile sig_atomic_t over;

static void time_is_over(int signo)
{
	(void)signo;
	over = 1;
}

/* As fast as it goes, until the receiver has had enough; its RST may be lost, and then nobody answers any more. */
static void send_all(int fd, unsigned seconds)
{
	enum { PATIENCE = 3 };
	struct sigaction a = {.sa_handler = time_is_over};

	sigaction(SIGALRM, &a, NULL);
	alarm(seconds + PATIENCE);
	while (!over && send(fd, buffer, sizeof buffer, MSG_NOSIGNAL) > 0)
		;
	cut_off(fd);
}

static void receive_and_tell(int fd, const char *sender, unsigned seconds)
{
	uint64_t bytes = receive_until(fd, now() + seconds);

	printf("%s %.3f\n", sender, (double)bytes * 8 / seconds / 1e6);
	fflush(stdout);
}

static void serve_one(int fd, struct in_addr client)
{
	struct request r;

	if (recv(fd, &r, sizeof r, MSG_WAITALL) != sizeof r)
		return;
	if (r.what == 'd')
		send_all(fd, r.seconds);
	else
		receive_and_tell(fd, inet_ntoa(client), r.seconds);
}

static void serve(const struct sockaddr_in *at)
{
	int fd = cubic_socket(), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (const struct sockaddr *)at, sizeof *at) || listen(fd, 64))
		die("listen");
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof from;
		int flow = accept(fd, (struct sockaddr *)&from, &len);
		if (flow < 0)
			die("accept");
		if (fork() == 0) {
			close(fd);
			serve_one(flow, from.sin_addr);
			_exit(EXIT_SUCCESS);
		}
		close(flow);
	}
}

static void run(const struct sockaddr_in *to, struct request r)
{
	int fd = cubic_socket();

	if (connect(fd, (const struct sockaddr *)to, sizeof *to) || send(fd, &r, sizeof r, 0) != sizeof r)
		die("connect");
	if (r.what == 'u')
		send_all(fd, r.seconds);
	else
		receive_and_tell(fd, inet_ntoa(to->sin_addr), r.seconds);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};

	if (argc < 4 || inet_pton(AF_INET, argv[2], &a.sin_addr) != 1)
		goto usage;
	a.sin_port = htons((uint16_t)atoi(argv[3]));
	if (!strcmp(argv[1], "serve") && argc == 4)
		serve(&a);
	if ((strcmp(argv[1], "up") && strcmp(argv[1], "down")) || argc != 5 || atoi(argv[4]) < 1 || atoi(argv[4]) > 250)
		goto usage;
	run(&a, (struct request){argv[1][0], (uint8_t)atoi(argv[4])});
	return EXIT_SUCCESS;
usage:
	fprintf(stderr, "usage: flow serve ADDRESS PORT | flow up|down ADDRESS PORT SECONDS\n");
	return STATUS_USAGE;
}
