/* One direction ends, the other goes on; reads and writes behind the end. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	char buf[16];
	int fd[2];

	signal(SIGPIPE, SIG_IGN);
	make_pair(fd);
	say("write", write(fd[0], "last words", 10));
	say("shutdown", shutdown(fd[0], SHUT_WR));
	say("again", shutdown(fd[0], SHUT_WR));
	say("write behind it", write(fd[0], "x", 1));
	say_bytes("read", buf, read_until(fd[1], buf, 10));
	say("end", read(fd[1], buf, 1));
	say("end again", read(fd[1], buf, 1));
	say("answer", write(fd[1], "still here", 10));
	say_bytes("read", buf, read_until(fd[0], buf, 10));
	say("shutdown both", shutdown(fd[1], SHUT_RDWR));
	say("end", read(fd[0], buf, 1));
	say("write", write(fd[1], "x", 1));
	close_pair(fd);
	return 0;
}
