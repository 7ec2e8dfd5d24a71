/* SHUT_RD: reads end at once; what is queued is still there; the peer may go on writing. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	char buf[16];
	int fd[2];

	make_pair(fd);
	say("write", write(fd[1], "queued", 6));
	await(fd[0], POLLIN);
	say("shutdown", shutdown(fd[0], SHUT_RD));
	say_bytes("queued data", buf, read(fd[0], buf, sizeof(buf)));
	say("then the end", read(fd[0], buf, sizeof(buf)));
	say_poll("after SHUT_RD", fd[0]);
	say("the peer writes", send(fd[1], "more", 4, MSG_NOSIGNAL));
	say("we write", write(fd[0], "back", 4));
	say_bytes("it arrives", buf, read_until(fd[1], buf, 4));
	close_pair(fd);
	return 0;
}
