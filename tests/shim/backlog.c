/* listen() twice changes the backlog; odd values; how many connections complete before anybody accepts. */
#include "tests/shim/say.h"

/* Of `n` callers, how many are connected before the first accept. */
static int callers(const struct sockaddr_in *a, int fd[], int n)
{
	int done = 0;

	for (int i = 0; i < n; i++) {
		struct pollfd p = {.events = POLLOUT};
		fd[i] = p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect_in(fd[i], a);
		done += poll(&p, 1, 100) == 1 && !(p.revents & POLLERR);
	}
	return done;
}

static void with_backlog(int first, int second)
{
	struct sockaddr_in a;
	int fd[5], l = listen_here(&a, first);

	say("listen again", listen(l, second));
	printf("backlog %d then %d: %d of 5\n", first, second, callers(&a, fd, 5));
	for (int i = 0; i < 5; i++)
		close(fd[i]);
	close(l);
}

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("negative", listen(fd, -1));
	say("huge", listen(fd, 1 << 30));
	say("zero", listen(fd, 0));
	close(fd);
	with_backlog(1, 1);
	with_backlog(0, 2);
	with_backlog(3, 0);
	with_backlog(100, 100);
	return 0;
}
