/* MSG_MORE and TCP_CORK hold bytes back, at most 200 ms, and the next send lets them go. */
#include "tests/shim/say.h"

static int readable_within(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms);
}

int main(int argc, char **argv)
{
	char buf[16];
	int on = 1, off = 0, fd[2];

	make_pair(fd);
	say("more", send(fd[0], "ab", 2, MSG_MORE));
	printf("there at once: %d\n", readable_within(fd[1], 60));
	say("the rest", send(fd[0], "cd", 2, 0));
	printf("then: %d\n", readable_within(fd[1], 100));
	say_bytes("whole", buf, read(fd[1], buf, sizeof(buf)));
	say("more", send(fd[0], "ef", 2, MSG_MORE));
	printf("after 200 ms: %d\n", readable_within(fd[1], 1000));
	say_bytes("alone", buf, read(fd[1], buf, sizeof(buf)));
	say("write", write(fd[0], "gh", 2));
	printf("a write goes: %d\n", readable_within(fd[1], 100));
	say_bytes("alone", buf, read(fd[1], buf, sizeof(buf)));
	printf("cork was never on: %d\n", int_option(fd[0], IPPROTO_TCP, TCP_CORK));
	say("cork", setsockopt(fd[0], IPPROTO_TCP, TCP_CORK, &on, sizeof(on)));
	say("write", write(fd[0], "ij", 2));
	printf("there at once: %d\n", readable_within(fd[1], 60));
	say("off", setsockopt(fd[0], IPPROTO_TCP, TCP_CORK, &off, sizeof(off)));
	printf("then: %d\n", readable_within(fd[1], 100));
	say_bytes("alone", buf, read(fd[1], buf, sizeof(buf)));
	setsockopt(fd[0], IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	say("write", write(fd[0], "kl", 2));
	setsockopt(fd[0], IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	setsockopt(fd[0], IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	printf("off and on again: %d\n", readable_within(fd[1], 100));
	close_pair(fd);
	return 0;
}
