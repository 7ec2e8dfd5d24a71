/* Threads that wait in accept, connect and read can be cancelled, and nothing is left locked. */
#include "tests/shim/say.h"

#include <pthread.h>

static struct sockaddr_in here;

static void *in_accept(void *arg)
{
	accept(*(int *)arg, NULL, NULL);
	return NULL;
}

static void *in_read(void *arg)
{
	char c;

	return read(*(int *)arg, &c, 1) < 0 ? arg : NULL;
}

static void cancel(const char *what, void *(*work)(void *), int fd)
{
	pthread_t t;
	void *end;

	pthread_create(&t, NULL, work, &fd);
	poll(NULL, 0, 50);
	pthread_cancel(t);
	pthread_join(t, &end);
	printf("%s cancelled %d\n", what, end == PTHREAD_CANCELED);
}

int main(int argc, char **argv)
{
	int fd[2], l = listen_here(&here, 4);

	make_pair(fd);
	cancel("accept", in_accept, l);
	cancel("read", in_read, fd[0]);
	int other = socket(AF_INET, SOCK_STREAM, 0);
	say("connect", connect_in(other, &here));
	say_ok("accept", accept(l, NULL, NULL));
	say("write", write(fd[1], "x", 1));
	cancel("read with data", in_read, fd[1]);
	return 0;
}
