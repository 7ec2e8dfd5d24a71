/* MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT and MSG_TRUNC, alone and together. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	char buf[16];
	int fd[2];

	make_pair(fd);
	say("nothing", recv(fd[0], buf, 4, MSG_DONTWAIT));
	say("nothing to peek", recv(fd[0], buf, 4, MSG_PEEK | MSG_DONTWAIT));
	say("write", write(fd[1], "abcdef", 6));
	await(fd[0], POLLIN);
	say_bytes("peek", buf, recv(fd[0], buf, 3, MSG_PEEK));
	say_bytes("peek again", buf, recv(fd[0], buf, sizeof(buf), MSG_PEEK));
	say_bytes("read", buf, recv(fd[0], buf, 2, 0));
	say("trunc", recv(fd[0], NULL, 2, MSG_TRUNC));
	say_bytes("what is left", buf, recv(fd[0], buf, sizeof(buf), 0));
	say("all, not waiting", recv(fd[0], buf, 4, MSG_WAITALL | MSG_DONTWAIT));
	say("zero bytes", recv(fd[0], buf, 0, MSG_DONTWAIT));
	say("write", write(fd[1], "xy", 2));
	close(fd[1]);
	say_bytes("all, cut by the end", buf, recv(fd[0], buf, 4, MSG_WAITALL));
	say("peek the end", recv(fd[0], buf, 4, MSG_PEEK));
	say("zero bytes at the end", recv(fd[0], buf, 0, 0));
	close(fd[0]);
	return 0;
}
