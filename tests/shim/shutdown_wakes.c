/* shutdown() by another thread wakes who waits in read and accept; close() does not hurt them. */
#include "tests/shim/say.h"

#include <pthread.h>

struct waiter {
	int fd;
	bool accepts;
	long result;
	int error;
};

static void *wait_there(void *arg)
{
	struct waiter *w = arg;
	char c;

	w->result = w->accepts ? accept(w->fd, NULL, NULL) : read(w->fd, &c, 1);
	w->error = errno;
	return NULL;
}

/* Until the thread sleeps in the kernel. */
static void let_it_sleep(void)
{
	poll(NULL, 0, 50);
}

static void woken(const char *what, int fd, bool accepts, int how)
{
	struct waiter w = {.fd = fd, .accepts = accepts};
	pthread_t t;

	pthread_create(&t, NULL, wait_there, &w);
	let_it_sleep();
	say("shutdown", shutdown(fd, how));
	pthread_join(t, NULL);
	errno = w.error;
	say(what, w.result);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;
	int fd[2], l = listen_here(&a, 1), other;

	make_pair(fd);
	woken("read, SHUT_RD", fd[0], false, SHUT_RD);
	close_pair(fd);
	make_pair(fd);
	woken("read, SHUT_RDWR", fd[0], false, SHUT_RDWR);
	close_pair(fd);
	say("SHUT_WR of a listener", shutdown(l, SHUT_WR));
	woken("accept, SHUT_RD", l, true, SHUT_RD);
	say("accept later", accept(l, NULL, NULL));
	other = socket(AF_INET, SOCK_STREAM, 0);
	say("nobody listens any more", connect_in(other, &a));
	close(other);
	close(l);
	l = listen_here(&a, 1);
	woken("accept, SHUT_RDWR", l, true, SHUT_RDWR);
	close(l);
	return 0;
}
