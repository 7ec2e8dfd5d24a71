/*
 * THE UNSEEN CHILD. The program must not notice that it has become somebody's grandfather:
 *
 *	no SIGCHLD, nothing for wait(-1)   the child is cloned with exit signal 0 and waited for by
 *	                                   __WALL, here
 *	no child at all afterwards         it starts a grandchild and ends; that one belongs to init
 *	no inherited fd                    `x=$(wget …)` ends when the last writer of the pipe does
 *	no controlling terminal, cwd /     setsid; nothing keeps a mount busy, Ctrl-C does not reach
 *	                                   it
 *	no copy of the page tables         CLONE_VM | CLONE_VFORK: a program of 10 GiB forks in
 *	                                   milliseconds else,
 *	                                   and pthread_atfork handlers, which fork would run, belong
 *	                                   to the program
 *
 * Sharing memory with a suspended parent asks for care: signals are blocked from before the clone
 * until the child has put every handler to default, the children use a stack of their own and only
 * system calls.
 *
 * The engine's word comes through a pipe (its fd 3): "ok\n", or "<errno> <text>\n", or the end
 * without a word.
 */
#include "preload/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/real.h"

enum {
	STACK_LEN = 32 << 10, /* for each of the two */
	FD_WORD = 3,          /* the engine's end of the pipe */
	FD_ABOVE = 16,        /* while fds are put in order, ours are kept from here on */
	WORD_TIMEOUT_MS = 10000,
	KERNEL_SIGSET_LEN = 8,
};

struct job {
	const char *path;
	char *const *env;
	int word; /* the pipe's writing end */
	char *stack;
	int error; /* written by the children: memory is shared */
};

/* The kernel's own struct, whose size rt_sigaction wants; all zero is SIG_DFL. */
struct kernel_sigaction {
	unsigned long words[4 + KERNEL_SIGSET_LEN / sizeof(unsigned long)];
};

static void signals_to_default(void)
{
	static const struct kernel_sigaction initial;
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		syscall(SYS_rt_sigaction, s, &initial, NULL, KERNEL_SIGSET_LEN);
	sigemptyset(&none);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, NULL, KERNEL_SIGSET_LEN);
}

static void close_from(int first)
{
	struct rlimit limit;

	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
	/* Before Linux 5.9. */
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 65536)
		limit.rlim_cur = 65536;
	for (int fd = first; fd < (int)limit.rlim_cur; fd++)
		raw_close(fd);
}

/* 0, 1, 2 on /dev/null, 3 the pipe, nothing else. */
static int arrange_fds(int word)
{
	int null = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
	int null_high = raw_fcntl(null, F_DUPFD, FD_ABOVE),
	    word_high = raw_fcntl(word, F_DUPFD, FD_ABOVE);

	if (word_high < 0)
		return word_high;
	for (int fd = 0; fd < FD_WORD && null_high >= 0; fd++)
		syscall(SYS_dup3, null_high, fd, 0);
	if (syscall(SYS_dup3, word_high, FD_WORD, 0) < 0)
		return -errno;
	close_from(FD_WORD + 1);
	return 0;
}

static int grandchild(void *arg)
{
	struct job *job = arg;
	char *argv[] = {"teecee-engine", NULL};

	syscall(SYS_setsid);
	int r = arrange_fds(job->word);
	if (r < 0 || syscall(SYS_chdir, "/") < 0) {
		job->error = r < 0 ? -r : errno;
		return 1;
	}
	signals_to_default();
	syscall(SYS_execve, job->path, argv, job->env);
	job->error = errno;
	return 1;
}

static int child(void *arg)
{
	struct job *job = arg;

	if (clone(grandchild, job->stack + STACK_LEN, CLONE_VM | CLONE_VFORK, job) < 0)
		job->error = errno;
	return 0;
}

/* Back when the engine runs (it has exec'd) or cannot. */
static int run(struct job *job)
{
	sigset_t all, saved;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	pid_t pid = clone(child, job->stack + 2 * STACK_LEN, CLONE_VM | CLONE_VFORK, job);
	int error = pid < 0 ? errno : 0;
	if (pid > 0)
		syscall(SYS_wait4, pid, NULL, __WALL, NULL);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return error ? error : job->error;
}

/* Until the newline, the end, or the time limit; the result is a string. */
static void read_word(int fd, char *line, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t at = 0;

	while (at < size - 1) {
		int r = raw_poll(&p, WORD_TIMEOUT_MS);
		if (r == -EINTR)
			continue;
		long n = r > 0 ? syscall(SYS_read, fd, line + at, size - 1 - at) : 0;
		if (n <= 0)
			break;
		at += (size_t)n;
		if (line[at - 1] == '\n')
			break;
	}
	line[at] = '\0';
}

static int understand(char *line, const char *path, char text[static IPC_TEXT_LEN])
{
	char *end;

	line[strcspn(line, "\n")] = '\0';
	if (strncmp(line, "ok", 2) == 0 && (line[2] == ' ' || line[2] == '\0')) {
		snprintf(text, IPC_TEXT_LEN, "%s", line[2] ? line + 3 : "");
		return 0;
	}
	long error = strtol(line, &end, 10);
	if (error > 0 && error < 4096 && *end == ' ') {
		snprintf(text, IPC_TEXT_LEN, "%s", end + 1);
		return (int)error;
	}
	snprintf(text, IPC_TEXT_LEN, "%.200s ended without a word", path);
	return ENETDOWN;
}

int spawn_engine(const char *path, char *const env[], char text[static IPC_TEXT_LEN])
{
	char line[IPC_TEXT_LEN];
	int word[2];

	if (syscall(SYS_pipe2, word, O_CLOEXEC) < 0) {
		snprintf(text, IPC_TEXT_LEN, "cannot start the engine: pipe: %s",
			strerrordesc_np(errno));
		return ENETDOWN;
	}
	char *stack = mmap(NULL, 2 * STACK_LEN, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	struct job job = {.path = path, .env = env, .word = word[1], .stack = stack};
	int error = stack == MAP_FAILED ? ENOMEM : run(&job);
	if (stack != MAP_FAILED)
		munmap(stack, 2 * STACK_LEN);
	raw_close(word[1]);
	if (error) {
		snprintf(text, IPC_TEXT_LEN, "cannot start %.150s: %s", path,
			strerrordesc_np(error));
		error = ENETDOWN;
	} else {
		read_word(word[0], line, sizeof line);
		error = understand(line, path, text);
	}
	raw_close(word[0]);
	return error;
}
