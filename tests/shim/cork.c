/* TCP_CORK among other calls and other processes: in order, and seen by everybody who has the socket. */
#include <sched.h>
#include <sys/wait.h>

#include "tests/shim/say.h"

enum { ROUNDS = 200 };

static bool readable_within(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static int set_cork(int fd, int on)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* Whether `n` bytes are there long before the cork's 200 ms. */
static bool take(int fd, int n)
{
	char buf[64];

	for (int got = 0; got < n; got += (int)read(fd, buf, sizeof(buf)))
		if (!readable_within(fd, 150))
			return false;
	return true;
}

/* Bytes before a cork are not held by it, however fast it follows. */
static void cork_behind_a_write(const int fd[2])
{
	int late = 0;

	for (int i = 0; i < ROUNDS; i++) {
		late += write(fd[0], "ab", 2) != 2 || set_cork(fd[0], 1) != 0;
		late += !take(fd[1], 2);
		late += set_cork(fd[0], 0) != 0;
	}
	printf("behind a write: %d late\n", late);
}

/* As a web server has it: head and body of each answer under a cork, and corked again at once. */
static void cork_for_each_answer(const int fd[2])
{
	int late = 0;

	set_cork(fd[0], 1);
	for (int i = 0; i < ROUNDS; i++) {
		late += write(fd[0], "head", 4) != 4 || write(fd[0], "body", 4) != 4;
		late += set_cork(fd[0], 0) != 0 || (i % 2 && set_cork(fd[0], 1) != 0);
		late += !take(fd[1], 8);
		late += set_cork(fd[0], 1) != 0;
	}
	set_cork(fd[0], 0);
	printf("for each answer: %d late\n", late);
}

/* The same by MSG_MORE. */
static void more_for_each_answer(const int fd[2])
{
	int late = 0;

	for (int i = 0; i < ROUNDS; i++) {
		late += send(fd[0], "head", 4, MSG_MORE) != 4 || send(fd[0], "body", 4, 0) != 4;
		late += !take(fd[1], 8);
		late += write(fd[0], "alone", 5) != 5;
		late += i % 2 && !take(fd[1], 5);
		late += send(fd[0], "head", 4, MSG_MORE) != 4 || send(fd[0], "body", 4, 0) != 4;
		late += !take(fd[1], i % 2 ? 8 : 13);
	}
	printf("more: %d late\n", late);
}

/* A child takes off what its parent put on, and the parent sees it. */
static void by_a_child(const int fd[2])
{
	int status = -1;

	set_cork(fd[0], 1);
	printf("written: %zd\n", write(fd[0], "held", 4));
	printf("there at once: %d\n", readable_within(fd[1], 60));
	pid_t pid = fork();
	if (pid == 0)
		_exit(int_option(fd[0], IPPROTO_TCP, TCP_CORK) == 1 && set_cork(fd[0], 0) == 0 ? 0 : 1);
	waitpid(pid, &status, 0);
	printf("child: %d\n", status);
	printf("then: %d\n", take(fd[1], 4));
	printf("cork: %d\n", int_option(fd[0], IPPROTO_TCP, TCP_CORK));
}

/* In a program that was handed the socket, and on one CPU: the engine reads late. */
static void after_exec(char **argv, const int fd[2])
{
	char a[16], b[16];
	cpu_set_t one;

	snprintf(a, sizeof(a), "%d", fd[0]);
	snprintf(b, sizeof(b), "%d", fd[1]);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		CPU_ZERO(&one);
		CPU_SET(sched_getcpu(), &one);
		sched_setaffinity(0, sizeof(one), &one);
		execl("/proc/self/exe", argv[0], argv[1], argv[2], a, b, NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
}

static void one_way_or_the_other(void)
{
	struct sockaddr_in a;
	int l = listen_here(&a, 1), fd[2];

	say("a listener's", set_cork(l, 1));
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	say("before connect", set_cork(fd[0], 1));
	say("connect", connect_in(fd[0], &a));
	fd[1] = accept(l, NULL, NULL);
	printf("cork: %d, inherited: %d\n", int_option(fd[0], IPPROTO_TCP, TCP_CORK),
		int_option(fd[1], IPPROTO_TCP, TCP_CORK));
	printf("written: %zd %zd\n", write(fd[0], "ab", 2), write(fd[1], "cd", 2));
	printf("at once: %d %d\n", readable_within(fd[0], 60), readable_within(fd[1], 20));
	set_cork(fd[0], 0);
	set_cork(fd[1], 0);
	printf("then: %d %d\n", take(fd[0], 2), take(fd[1], 2));
	set_cork(l, 0);
	close_pair(fd);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	say("connect", connect_in(fd[0], &a));
	fd[1] = accept(l, NULL, NULL);
	printf("not any more: %d\n", int_option(fd[1], IPPROTO_TCP, TCP_CORK));
	close_pair(fd);
	close(l);
}

int main(int argc, char **argv)
{
	int fd[2], on = 1;

	if (argc > 4) {
		fd[0] = atoi(argv[3]);
		fd[1] = atoi(argv[4]);
		cork_behind_a_write(fd);
		return 0;
	}
	make_pair(fd);
	setsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* Nagle's rule is another one's test */
	cork_behind_a_write(fd);
	cork_for_each_answer(fd);
	more_for_each_answer(fd);
	by_a_child(fd);
	after_exec(argv, fd);
	close_pair(fd);
	one_way_or_the_other();
	return 0;
}
