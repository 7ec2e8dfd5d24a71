/* The other side of the programs here: `peer ADDRESS PORT` serves until it is ended. See say.h for what it does. */
#include "tests/shim/say.h"

#include <sys/ioctl.h>
#include <sys/select.h>

static void echo(int fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0, w; at < n; at += w) {
			w = write(fd, buf + at, (size_t)(n - at));
			if (w < 0)
				return;
		}
	}
}

static void drain(int fd, unsigned long *count)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		*count += (unsigned long)n;
}

static void reset(int fd)
{
	struct linger l = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

/* `echoes`: else it reads until FIN and tells how much it was. */
static void call_back(int fd, bool echoes)
{
	unsigned long count = 0;
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	char port[6] = "";
	int back = socket(AF_INET, SOCK_STREAM, 0);

	if (read_until(fd, port, 5) != 5 || getpeername(fd, (struct sockaddr *)&a, &len) < 0)
		return;
	a.sin_port = htons((uint16_t)atoi(port));
	if (connect_in(back, &a) == 0 && write(back, "hello", 5) == 5) {
		if (echoes)
			echo(back);
		else
			drain(back, &count);
	}
	if (!echoes)
		dprintf(back, "%lu", count);
	close(back);
}

/* Urgent bytes one way. */
static void send_urgent(int fd)
{
	char byte;

	if (write(fd, "abcd", 4) == 4 && send(fd, "X", 1, MSG_OOB) == 1 && write(fd, "efgh", 4) == 4 &&
		read(fd, &byte, 1) == 1 && write(fd, "ij", 2) == 2)
		send(fd, "Y", 1, MSG_OOB);
}

/* And the other. */
static void tell_mark(int fd)
{
	char before[64], urgent = '-', after[64];
	struct pollfd p = {.fd = fd, .events = POLLPRI};
	long n = 0, m = 0, r;
	int mark = 0;

	poll(&p, 1, WAIT_MS);
	while (!mark && (r = read(fd, before + n, sizeof(before) - (size_t)n)) > 0) {
		n += r;
		ioctl(fd, SIOCATMARK, &mark);
	}
	if (recv(fd, &urgent, 1, MSG_OOB) != 1)
		urgent = '?';
	m = read_until(fd, after, sizeof(after));
	dprintf(fd, "%.*s|%c|%.*s", (int)n, before, urgent, (int)m, after);
}

/* What is sent meanwhile stays unacknowledged only as far as the window is closed. */
static void be_slow(int fd, int ms)
{
	struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	unsigned long count = 0;

	select(0, NULL, NULL, NULL, &t);
	drain(fd, &count);
}

static void serve(int fd)
{
	unsigned long count = 0;
	char what = 0;

	if (read(fd, &what, 1) != 1)
		return;
	switch (what) {
	case 'e':
		echo(fd);
		break;
	case 'b':
		if (write(fd, "bye", 3) == 3 && shutdown(fd, SHUT_WR) == 0)
			drain(fd, &count);
		break;
	case 'r':
		reset(fd);
		break;
	case 'n':
		drain(fd, &count);
		dprintf(fd, "%lu", count);
		break;
	case 'u':
		send_urgent(fd);
		break;
	case 'm':
		tell_mark(fd);
		break;
	case 's':
		be_slow(fd, 200);
		break;
	case 'z':
		be_slow(fd, 3000);
		break;
	case 'c':
	case 't':
		call_back(fd, what == 'c');
		break;
	default:
		drain(fd, &count);
		break;
	}
}

/* Sends datagrams back: "o…" from another port, "q…" not at all. */
static void serve_datagrams(const struct sockaddr_in *a)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in from;
	char buf[65536];

	if (bind(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		_exit(1);
	for (;;) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

		if (n < 0 || (n > 0 && buf[0] == 'q'))
			continue;
		sendto(n > 0 && buf[0] == 'o' ? other : fd, buf, (size_t)n, 0,
			(struct sockaddr *)&from, len);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = peer_address(argv);
	int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), fd;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 128) < 0) {
		perror("peer");
		return 1;
	}
	if (fork() == 0)
		serve_datagrams(&a);
	puts("ready");
	fflush(stdout);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (fork() == 0) {
			close(listener);
			serve(fd);
			_exit(0);
		}
		close(fd);
	}
	return 1;
}
