/* Sixteen MiB through one connection in both directions by two threads each. */
#include "tests/shim/say.h"

#include <pthread.h>

enum { TOTAL = 16 << 20 };

static int fd[2];

static void *send_all(void *arg)
{
	int end = *(int *)arg;
	static char block[65536];

	for (long at = 0; at < TOTAL;) {
		long n = write(end, block, sizeof(block));
		if (n < 0)
			return arg;
		at += n;
	}
	shutdown(end, SHUT_WR);
	return NULL;
}

static void *read_all(void *arg)
{
	static __thread char block[65536];
	long *got = arg, n;
	int end = got == NULL ? -1 : (int)*got;

	*got = 0;
	while ((n = read(end, block, sizeof(block))) > 0)
		*got += n;
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t[4];
	long got[2];

	make_pair(fd);
	for (int i = 0; i < 2; i++) {
		got[i] = fd[i];
		pthread_create(&t[i], NULL, read_all, &got[i]);
		pthread_create(&t[2 + i], NULL, send_all, &fd[i]);
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("got %ld %ld\n", got[0], got[1]);
	return 0;
}
