/*
 * Large writes met a full connection (lend_ahead.c): what must be as it was afterwards, for whoever goes on with the
 * socket, and however the waiting ended.
 */
#include "tests/shim/say.h"

#include <setjmp.h>
#include <sys/time.h>
#include <sys/wait.h>

enum { QUIET_MS = 200, LARGE = 1 << 20 };

static char data[LARGE];
static int fd[2]; /* fd[0] writes, fd[1] is read */

static bool is_ready_within(int f, short events, int ms)
{
	struct pollfd p = {.fd = f, .events = events};

	return poll(&p, 1, ms) > 0;
}

static void begin(void)
{
	make_pair(fd);
	set_nonblocking(fd[0], true);
	set_nonblocking(fd[1], true);
}

/* Until nothing goes any more, and that for a while. */
static void fill_it(void)
{
	do
		while (write(fd[0], data, 65536) > 0)
			;
	while (is_ready_within(fd[0], POLLOUT, QUIET_MS));
}

static void read_it_all(void)
{
	static char block[LARGE];

	do
		while (read(fd[1], block, sizeof(block)) > 0)
			;
	while (is_ready_within(fd[1], POLLIN, QUIET_MS));
}

static void reset(void)
{
	struct linger l = {1, 0};

	setsockopt(fd[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd[1]);
	await(fd[0], POLLIN);
}

static void a_reset_is_one(void)
{
	char c;

	begin();
	fill_it();
	read_it_all();
	await(fd[0], POLLOUT);
	reset();
	say("read after the reset", read(fd[0], &c, 1));
	close(fd[0]);
}

/* The parent knows nothing of what its child met. */
static void a_child_has_filled_it(void)
{
	char c;

	begin();
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		fill_it();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	read_it_all();
	say("a small one", write(fd[0], data, 5000));
	read_it_all();
	say("there is room", is_ready_within(fd[0], POLLOUT, WAIT_MS));
	reset();
	say("read after the reset", read(fd[0], &c, 1));
	close(fd[0]);
}

static sigjmp_buf out;

static void jump(int sig)
{
	siglongjmp(out, 1);
}

static void by_a_jump_out_of_the_handler(void)
{
	struct itimerval t = {{0, 0}, {0, 100000}};

	begin();
	set_nonblocking(fd[0], false);
	signal(SIGALRM, jump);
	for (volatile int i = 0; i < 5; i++) {
		if (sigsetjmp(out, 1))
			continue;
		setitimer(ITIMER_REAL, &t, NULL);
		while (write(fd[0], data, LARGE) > 0)
			;
	}
	signal(SIGALRM, SIG_DFL);
	read_it_all();
	say("a small one", write(fd[0], data, 5000));
	read_it_all();
	say("a large one", write(fd[0], data, 65536));
	close_pair(fd);
}

static volatile sig_atomic_t signals;

static void on_sigio(int sig)
{
	signals = 1;
}

static void sigio_says_that_there_is_room(void)
{
	begin();
	signal(SIGIO, on_sigio);
	fcntl(fd[0], F_SETOWN, getpid());
	fcntl(fd[0], F_SETFL, fcntl(fd[0], F_GETFL) | O_ASYNC);
	fill_it();
	signals = 0;
	read_it_all();
	for (int i = 0; i < WAIT_MS / 100 && !signals; i++)
		poll(NULL, 0, 100);
	say("SIGIO", signals);
	close_pair(fd);
}

/* Large ones and small ones in turn: the last before it is full may be either. */
static void whatever_came_last(void)
{
	begin();
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		set_nonblocking(fd[1], false);
		close(fd[0]);
		while (read(fd[1], data, sizeof(data)) > 0)
			;
		_exit(0);
	}
	close(fd[1]);
	for (int i = 0; i < 4000; i++)
		while (write(fd[0], data, i & 1 ? 5000 : 65536) < 0)
			if (!is_ready_within(fd[0], POLLOUT, WAIT_MS)) {
				puts("waited in vain");
				exit(1);
			}
	close(fd[0]);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	a_reset_is_one();
	a_child_has_filled_it();
	by_a_jump_out_of_the_handler();
	sigio_says_that_there_is_room();
	whatever_came_last();
	return 0;
}
