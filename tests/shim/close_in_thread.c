/* close() of an fd that another thread reads: the read goes on with the data that comes. */
#include "tests/shim/say.h"

#include <pthread.h>

static int reading;
static long result;

static void *read_there(void *arg)
{
	char c;

	result = read(reading, &c, 1);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;
	int fd[2];

	make_pair(fd);
	reading = fd[0];
	pthread_create(&t, NULL, read_there, NULL);
	poll(NULL, 0, 50);
	say("close", close(fd[0]));
	say("the fd is free", fcntl(fd[0], F_GETFD));
	say("write", send(fd[1], "x", 1, MSG_NOSIGNAL));
	pthread_join(t, NULL);
	say("read", result);
	close(fd[1]);
	return 0;
}
