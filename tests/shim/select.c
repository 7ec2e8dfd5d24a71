/* select() and pselect() on connections, listeners and fds that are none. */
#include "tests/shim/say.h"

#include <sys/select.h>

static void look(const char *what, int fd)
{
	struct timeval t = {0};
	fd_set r, w, x;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&x);
	FD_SET(fd, &r);
	FD_SET(fd, &w);
	FD_SET(fd, &x);
	int n = select(fd + 1, &r, &w, &x, &t);
	printf("%s: %d read %d write %d except %d\n", what, n, FD_ISSET(fd, &r), FD_ISSET(fd, &w), FD_ISSET(fd, &x));
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;
	char c;
	int fd[2], l = listen_here(&a, 1), one = socket(AF_INET, SOCK_STREAM, 0);

	look("fresh", one);
	look("listener", l);
	say("connect", connect_in(one, &a));
	await(l, POLLIN);
	look("listener with one", l);
	make_pair(fd);
	look("connected", fd[0]);
	say("write", write(fd[1], "x", 1));
	await(fd[0], POLLIN);
	look("readable", fd[0]);
	say("read", read(fd[0], &c, 1));
	close(fd[1]);
	await(fd[0], POLLIN);
	look("ended", fd[0]);
	say("urgent", send(one, "!", 1, MSG_OOB));
	int got = accept(l, NULL, NULL);
	await(got, POLLPRI);
	struct timeval t = {0};
	fd_set x;
	FD_ZERO(&x);
	FD_SET(got, &x);
	say("urgent", select(got + 1, NULL, NULL, &x, &t));
	return 0;
}
