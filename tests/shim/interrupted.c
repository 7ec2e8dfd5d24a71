/* Signals in blocking reads and writes: EINTR, SA_RESTART, and a partial result instead. */
#include "tests/shim/say.h"

#include <pthread.h>
#include <sys/time.h>

static void on_alarm(int sig)
{
}

static void alarm_with(int flags)
{
	struct sigaction a = {.sa_handler = on_alarm, .sa_flags = flags};
	struct itimerval t = {.it_value = {.tv_usec = 60000}};

	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

static void *write_later(void *arg)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	poll(NULL, 0, 150);
	say("write", write(*(int *)arg, "x", 1));
	return NULL;
}

int main(int argc, char **argv)
{
	static char block[8 << 20];
	char buf[8];
	pthread_t t;
	int fd[2];

	make_pair(fd);
	alarm_with(0);
	say("read", read(fd[0], buf, 1));
	say("two bytes", write(fd[1], "ab", 2));
	alarm_with(0);
	say("all", recv(fd[0], buf, 4, MSG_WAITALL));
	pthread_create(&t, NULL, write_later, &fd[1]);
	alarm_with(SA_RESTART);
	long n = read(fd[0], buf, 1);
	pthread_join(t, NULL);
	say("restarted", n);
	alarm_with(0);
	n = write(fd[0], block, sizeof(block));
	printf("a part was written: %d\n", n > 0 && n < (long)sizeof(block));
	close_pair(fd);
	return 0;
}
