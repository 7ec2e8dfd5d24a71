/*
 * Options set by whom nobody expects: children that share our memory or were made past all fork handlers, signal
 * handlers in the middle of another call, threads while others close every fd that they did not open.
 */
#include "tests/shim/say.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { FIRST_HIGH = 900, LAST_HIGH = 1100, FIRST_LIKELY = 1008, PLACES = 4, THREADS = 3, ROUNDS = 30 };

static char **args;
static int shared;
static atomic_int failed, done;

static int set(int fd, int name, int v)
{
	return setsockopt(fd, IPPROTO_TCP, name, &v, sizeof v);
}

/* Another process's options take their time. */
static void say_becomes(const char *what, int fd, int name, int v)
{
	for (int i = 0; i < 1000 && int_option(fd, IPPROTO_TCP, name) != v; i++)
		usleep(1000);
	printf("%s: %d\n", what, int_option(fd, IPPROTO_TCP, name));
}

static void say_child(const char *what, pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	printf("%s: status %d\n", what, status);
}

static pid_t bare_clone(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* Its option, and then ours: the channel still is this process's. */
static void by_children(int fd)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(set(fd, TCP_KEEPIDLE, 1234) ? 1 : 0);
	say_child("vfork", pid);
	say_becomes("its option", fd, TCP_KEEPIDLE, 1234);
	say("ours", set(fd, TCP_KEEPIDLE, 1235));
	pid = bare_clone();
	if (pid == 0)
		_exit(set(fd, TCP_KEEPINTVL, 56) ? 1 : 0);
	say_child("clone", pid);
	say_becomes("its option", fd, TCP_KEEPINTVL, 56);
	pid = bare_clone();
	if (pid == 0) {
		pid_t inner = vfork();
		if (inner == 0)
			_exit(set(fd, TCP_KEEPCNT, 7) ? 1 : 0);
		int status;
		_exit(waitpid(inner, &status, 0) == inner && status == 0 && set(fd, TCP_KEEPINTVL, 57) == 0 ? 0 : 1);
	}
	say_child("vfork in clone", pid);
	say_becomes("its option", fd, TCP_KEEPCNT, 7);
	say_becomes("its parent's", fd, TCP_KEEPINTVL, 57);
	say("ours", set(fd, TCP_KEEPINTVL, 58));
	say_becomes("and its value", fd, TCP_KEEPINTVL, 58);
}

static void on_alarm(int sig)
{
	int saved = errno, fd = socket(AF_INET, SOCK_STREAM, 0);

	failed += set(fd, TCP_NODELAY, 1) != 0;
	failed += int_option(fd, IPPROTO_TCP, TCP_NODELAY) != 1;
	failed += set(shared, TCP_KEEPIDLE, 77) != 0;
	failed += int_option(shared, IPPROTO_TCP, TCP_KEEPIDLE) != 77;
	close(fd);
	done++;
	errno = saved;
}

/* The handler's socket and options are its own: each value that the main flow reads is its own too. */
static void by_handlers(int fd)
{
	struct sigaction a = {.sa_handler = on_alarm};
	struct itimerval t = {.it_value = {.tv_usec = 500}, .it_interval = {.tv_usec = 500}};

	shared = fd;
	failed = done = 0;
	sigaction(SIGALRM, &a, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
	for (int i = 1; done < 200; i++) {
		int other = socket(AF_INET, SOCK_STREAM, 0);
		failed += set(fd, TCP_KEEPCNT, 1 + i % 100) != 0;
		failed += int_option(fd, IPPROTO_TCP, TCP_KEEPCNT) != 1 + i % 100;
		failed += set(other, TCP_KEEPCNT, 3) != 0;
		failed += int_option(other, IPPROTO_TCP, TCP_KEEPCNT) != 3;
		close(other);
	}
	t = (struct itimerval){0};
	setitimer(ITIMER_REAL, &t, NULL);
	printf("handlers: %d failed\n", failed);
}

static void *set_often(void *arg)
{
	atomic_int *count = arg;
	int fd = call_peer(args, PEER_ECHO);
	char buf[4] = "";

	while (!done) {
		failed += set(fd, TCP_KEEPCNT, 1 + (*count & 1)) != 0;
		(*count)++;
	}
	failed += write(fd, "abc", 3) != 3 || read_until(fd, buf, 3) != 3 || strcmp(buf, "abc") != 0;
	close(fd);
	return NULL;
}

/* Until each thread has finished two calls: one that began before, one after. */
static void await_calls(atomic_int count[THREADS])
{
	for (int i = 0; i < THREADS; i++) {
		int before = count[i];
		for (int ms = 0; ms < WAIT_MS && count[i] < before + 2; ms++)
			usleep(1000);
	}
}

/* What else opens there is a pipe's end, into which nobody may write. */
static void by_threads(void)
{
	pthread_t thread[THREADS];
	atomic_int count[THREADS] = {0};
	int pipe_fds[2], high[PLACES];

	failed = done = 0;
	if (pipe(pipe_fds) < 0)
		return;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, set_often, &count[i]);
	for (int round = 0; round < ROUNDS; round++) {
		await_calls(count);
		syscall(SYS_close_range, FIRST_HIGH, LAST_HIGH, 0);
		for (int i = 0; i < PLACES; i++)
			high[i] = fcntl(pipe_fds[1], F_DUPFD, FIRST_LIKELY + i);
		await_calls(count);
		for (int i = 0; i < PLACES; i++)
			close(high[i]);
	}
	done = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	set_nonblocking(pipe_fds[0], true);
	say("the pipe", read(pipe_fds[0], &(char){0}, 1));
	printf("threads: %d failed\n", failed);
}

int main(int argc, char **argv)
{
	args = argv;
	int fd = call_peer(argv, PEER_HOLD);

	by_children(fd);
	by_handlers(fd);
	by_threads();
	close(fd);
	return 0;
}
