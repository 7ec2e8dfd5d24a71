/* Edge-triggered and one-shot epoll: when there is a new edge and when not. */
#include "tests/shim/say.h"

#include <sys/epoll.h>

static void look(const char *what, int ep, int ms)
{
	struct epoll_event e = {0};
	int n = epoll_wait(ep, &e, 1, ms);

	printf("%s: %d%s%s%s\n", what, n, e.events & EPOLLIN ? " IN" : "", e.events & EPOLLOUT ? " OUT" : "",
		e.events & EPOLLRDHUP ? " RDHUP" : "");
}

int main(int argc, char **argv)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
	char buf[8];
	int fd[2], ep = epoll_create1(0);

	make_pair(fd);
	epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &e);
	look("nothing yet", ep, 0);
	say("write", write(fd[1], "abc", 3));
	look("edge", ep, WAIT_MS);
	look("no second one", ep, 0);
	say("read one byte", read(fd[0], buf, 1));
	look("reading makes none", ep, 0);
	say("write", write(fd[1], "def", 3));
	look("more data does", ep, WAIT_MS);
	e.events = EPOLLIN | EPOLLONESHOT;
	say("one shot", epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], &e));
	look("shot", ep, WAIT_MS);
	say("write", write(fd[1], "ghi", 3));
	look("disarmed", ep, 50);
	say("armed again", epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], &e));
	look("shot", ep, WAIT_MS);
	close(fd[1]);
	e.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
	epoll_ctl(ep, EPOLL_CTL_MOD, fd[0], &e);
	await(fd[0], POLLRDHUP);
	look("end", ep, WAIT_MS);
	close(fd[0]);
	look("a closed fd is out", ep, 0);
	return 0;
}
