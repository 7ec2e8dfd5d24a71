/*
 * A reset when both directions are full and the program waits to write: it is told, and what came
 * before can be read.
 */
#include "tests/shim/say.h"

static char data[64 << 10];

static void fill(int a, int b)
{
	size_t moved;

	do {
		moved = 0;
		for (int i = 0; i < 2; i++) {
			int fd = i ? a : b;
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			if (poll(&p, 1, 300) == 1 && send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
				moved++;
		}
	} while (moved > 0);
}

/* The close travels: writes until one fails. */
static long write_until_told(int fd)
{
	long n = 0;

	for (int i = 0; i < 50; i++) {
		await(fd, POLLOUT);
		n = send(fd, data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			break;
	}
	return n;
}

int main(int argc, char **argv)
{
	ssize_t n, total = 0;
	int fd[2];

	make_pair(fd);
	fill(fd[0], fd[1]);
	close(fd[1]);
	say("write", write_until_told(fd[0]));
	say("write again", send(fd[0], data, sizeof(data), MSG_NOSIGNAL));
	while ((n = recv(fd[0], data, sizeof(data), 0)) > 0)
		total += n;
	say("something came before", total > 0);
	close(fd[0]);
	return 0;
}
