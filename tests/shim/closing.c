/* close() on exec, in a loop, by close_range and closefrom; fds are reused from the lowest. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	struct sockaddr_in a;
	int fd[2], l = listen_here(&a, 4), lowest = socket(AF_INET, SOCK_STREAM, 0), high;

	printf("cloexec %d\n", fcntl(lowest, F_GETFD));
	close(lowest);
	printf("cloexec %d\n", fcntl(high = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), F_GETFD));
	printf("the lowest again %d\n", high == lowest);
	say("connect", connect_in(high, &a));
	int next = socket(AF_INET, SOCK_STREAM, 0);
	printf("no fd was taken meanwhile %d\n", next == high + 1);
	make_pair(fd);
	say("close_range", close_range((unsigned)fd[0], (unsigned)fd[0], 0));
	say("its peer sees the end", read(fd[1], &a, 1));
	closefrom(3);
	say("all closed", fcntl(l, F_GETFD));
	l = listen_here(&a, 4);
	printf("from the lowest %d\n", l);
	int again = socket(AF_INET, SOCK_STREAM, 0);
	say("works again", connect_in(again, &a));
	say_ok("accept", accept(l, NULL, NULL));
	return 0;
}
