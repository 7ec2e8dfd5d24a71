/* O_ASYNC with F_SETOWN and F_SETSIG: a signal when data comes. */
#include "tests/shim/say.h"

#include <sys/ioctl.h>

static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	signals++;
}

int main(int argc, char **argv)
{
	struct f_owner_ex owner = {.type = F_OWNER_PID, .pid = getpid()}, got = {0};
	int fd[2];

	signal(SIGIO, on_signal);
	make_pair(fd);
	say("F_SETOWN_EX", fcntl(fd[0], F_SETOWN_EX, &owner));
	say("F_GETOWN_EX", fcntl(fd[0], F_GETOWN_EX, &got));
	printf("type %d us %d\n", got.type, got.pid == getpid());
	say("O_ASYNC", fcntl(fd[0], F_SETFL, fcntl(fd[0], F_GETFL) | O_ASYNC));
	say("write", write(fd[1], "x", 1));
	await(fd[0], POLLIN);
	/* Whoever polls is woken a moment before the signal is sent. */
	for (int ms = 0; ms < WAIT_MS && !signals; ms++)
		usleep(1000);
	printf("SIGIO came %d\n", signals > 0);
	say("FIOASYNC off", ioctl(fd[0], FIOASYNC, &(int){0}));
	printf("async %d\n", !!(fcntl(fd[0], F_GETFL) & O_ASYNC));
	close_pair(fd);
	return 0;
}
