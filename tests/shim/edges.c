/* An edge-triggered server that sends a file with sendfile: every edge comes, however the pages are pinned. */
#include "tests/shim/say.h"

#include <sys/epoll.h>
#include <sys/sendfile.h>

enum { TOTAL = 4 << 20 };

static FILE *big_file(void)
{
	FILE *file = tmpfile();

	for (int i = 0; i < TOTAL / 16; i++)
		fprintf(file, "%015d\n", i);
	fflush(file);
	return file;
}

static int accept_call(char **argv, int *order)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	char text[8];
	int l = socket(AF_INET, SOCK_STREAM, 0);

	say("listen", listen(l, 1));
	getsockname(l, (struct sockaddr *)&a, &len);
	snprintf(text, sizeof(text), PEER_TAKE "%05d", ntohs(a.sin_port));
	*order = call_peer(argv, text);
	int fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
	close(l);
	return fd;
}

/* Sends until EAGAIN, and sleeps until the next edge; nothing comes the other way that would wake it. */
static void send_all(int fd, int in)
{
	struct epoll_event e = {.events = EPOLLOUT | EPOLLET};
	int ep = epoll_create1(0);
	off_t at = 0;

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	while (at < TOTAL && epoll_wait(ep, &e, 1, WAIT_MS) == 1) {
		while (at < TOTAL && sendfile(fd, in, &at, (size_t)(TOTAL - at)) > 0)
			;
	}
	printf("sent %ld\n", (long)at);
	close(ep);
}

int main(int argc, char **argv)
{
	char buf[32];
	int order, fd = accept_call(argv, &order);
	FILE *file = big_file();

	send_all(fd, fileno(file));
	say("shutdown", shutdown(fd, SHUT_WR));
	set_nonblocking(fd, false);
	say_bytes("hello and the number", buf, read_until(fd, buf, sizeof(buf)));
	close(fd);
	close(order);
	return 0;
}
