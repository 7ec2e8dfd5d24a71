/* SO_RCVTIMEO and SO_SNDTIMEO: reads, writes, what is kept when they pass. */
#include "tests/shim/say.h"

#include <sys/time.h>

static void set(int fd, int name, int ms)
{
	struct timeval t = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	say("set", setsockopt(fd, SOL_SOCKET, name, &t, sizeof(t)));
}

int main(int argc, char **argv)
{
	static char block[1 << 20];
	struct timeval t = {.tv_usec = 2000000};
	char buf[8];
	int fd[2];

	make_pair(fd);
	set(fd[0], SO_RCVTIMEO, 60);
	say("read", read(fd[0], buf, 1));
	say("recv all", recv(fd[0], buf, 4, MSG_WAITALL));
	say("write", write(fd[1], "ab", 2));
	say_bytes("part of all", buf, recv(fd[0], buf, 4, MSG_WAITALL));
	set(fd[0], SO_SNDTIMEO, 60);
	long n = 0, r;
	while ((r = write(fd[0], block, sizeof(block))) > 0)
		n += r;
	say("in the end", r);
	printf("something was written %d\n", n > 0);
	say("bad microseconds", setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	say("short", setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &t, 4));
	close_pair(fd);
	return 0;
}
