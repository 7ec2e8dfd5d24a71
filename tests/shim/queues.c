/* FIONREAD and SIOCOUTQ: what waits here, and that what is sent is acknowledged in the end. */
#include "tests/shim/say.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

static int ask(int fd, unsigned long what)
{
	int n = -1;

	return ioctl(fd, what, &n) < 0 ? -errno : n;
}

/* The peer reads nothing for 200 ms; what is queued counts, and goes down to nothing. */
static void drained(char **argv)
{
	static char block[65536];
	long sent = 0, r;
	int fd = call_peer(argv, PEER_SLOW);

	set_nonblocking(fd, true);
	while ((r = write(fd, block, sizeof(block))) > 0 || errno != EAGAIN)
		sent += r > 0 ? r : 0;
	poll(NULL, 0, 50); /* what moves from one queue to the other may count twice */
	int queued = ask(fd, SIOCOUTQ);
	printf("counted %d, not more than was written %d\n", queued >= 0, queued <= sent);
	for (int i = 0; i < 500 && ask(fd, SIOCOUTQ) > 0; i++)
		poll(NULL, 0, 10);
	printf("in the end %d\n", ask(fd, SIOCOUTQ));
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;
	char buf[8];
	int fd[2], l = listen_here(&a, 1);

	make_pair(fd);
	printf("empty %d %d\n", ask(fd[0], FIONREAD), ask(fd[0], SIOCOUTQ));
	say("write", write(fd[1], "abcde", 5));
	await(fd[0], POLLIN);
	printf("five %d\n", ask(fd[0], FIONREAD));
	say("read", read(fd[0], buf, 2));
	printf("three %d\n", ask(fd[0], FIONREAD));
	printf("listener %s\n", strerrorname_np(-ask(l, FIONREAD)));
	drained(argv);
	return 0;
}
