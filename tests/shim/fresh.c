/* Many sockets that are nothing yet, each with its own option; closed in every way, by threads and handlers too. */
#include "tests/shim/say.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>

enum { MANY = 800, THREADS = 4, ROUNDS = 60, FEW = 40 };

static atomic_int wrong;

static int mark_of(int fd)
{
	return int_option(fd, IPPROTO_TCP, TCP_KEEPCNT);
}

static int marked(int mark)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	wrong += mark_of(fd) != 9 || setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &mark, sizeof mark) < 0;
	return fd;
}

static int mark_for(int i)
{
	return 10 + i % 100;
}

/* A third goes by close, a third by other means, a third stays. */
static void at_once(void)
{
	static int fd[MANY];

	for (int i = 0; i < MANY; i++)
		fd[i] = marked(mark_for(i));
	for (int round = 1; round < 4; round++) {
		for (int i = 0; i < MANY; i++) {
			wrong += mark_of(fd[i]) != mark_for(i);
			if (i % 3 == 0)
				close(fd[i]);
			else if (i % 3 == 1)
				syscall(SYS_close_range, fd[i], fd[i], 0);
		}
		for (int i = 0; i < MANY; i++) {
			if (i % 3 != 2)
				fd[i] = marked(mark_for(i));
		}
	}
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	printf("at once: %d wrong\n", wrong);
}

static void *make_some(void *unused)
{
	int fd[FEW], copy[FEW];

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < FEW; i++)
			fd[i] = marked(mark_for(i));
		for (int i = 0; i < FEW; i++) {
			copy[i] = dup(fd[i]);
			close(fd[i]);
			wrong += mark_of(copy[i]) != mark_for(i);
		}
		for (int i = 0; i < FEW; i++)
			close(copy[i]);
	}
	return NULL;
}

static void on_alarm(int sig)
{
	int saved = errno, fd = marked(77);

	wrong += mark_of(fd) != 77;
	close(fd);
	errno = saved;
}

static void by_threads(void)
{
	struct sigaction a = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval t = {.it_value = {.tv_usec = 300}, .it_interval = {.tv_usec = 300}};
	pthread_t thread[THREADS];

	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, make_some, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	t = (struct itimerval){0};
	setitimer(ITIMER_REAL, &t, NULL);
	printf("threads and handlers: %d wrong\n", wrong);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = peer_address(argv);

	at_once();
	by_threads();
	int fd = marked(33);
	say("connect", connect_in(fd, &a));
	printf("keeps its mark: %d\n", mark_of(fd));
	return 0;
}
