/* Level-triggered epoll: the events of a connection from fresh to closed. */
#include "tests/shim/say.h"

#include <sys/epoll.h>

static void look(const char *what, int ep)
{
	struct epoll_event e = {0};
	int n = epoll_wait(ep, &e, 1, 0);

	printf("%s: %d%s%s%s%s%s\n", what, n, e.events & EPOLLIN ? " IN" : "", e.events & EPOLLOUT ? " OUT" : "",
		e.events & EPOLLRDHUP ? " RDHUP" : "", e.events & EPOLLHUP ? " HUP" : "",
		e.events & EPOLLERR ? " ERR" : "");
}

int main(int argc, char **argv)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP};
	char buf[8];
	int fd[2], ep = epoll_create1(0), fresh = socket(AF_INET, SOCK_STREAM, 0);

	say("add a fresh one", epoll_ctl(ep, EPOLL_CTL_ADD, fresh, &e));
	look("fresh", ep);
	close(fresh);
	make_pair(fd);
	say("add", epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &e));
	look("connected", ep);
	say("write", write(fd[1], "abc", 3));
	await(fd[0], POLLIN);
	look("readable", ep);
	look("still", ep);
	say("read", read(fd[0], buf, sizeof(buf)));
	look("read", ep);
	say("shutdown", shutdown(fd[1], SHUT_WR));
	await(fd[0], POLLIN);
	look("peer shut", ep);
	say("shutdown", shutdown(fd[0], SHUT_WR));
	await(fd[1], POLLIN);
	look("both shut", ep);
	close_pair(fd);
	return 0;
}
