#include "preload/wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "core/base/time.h"
#include "preload/real.h"

/* The socket's own time limit, -1: none. */
static nsec limit_of(int fd, int option)
{
	struct timeval t;

	if (raw_getsockopt(fd, option, &t, sizeof t) < 0 || (t.tv_sec == 0 && t.tv_usec == 0))
		return -1;
	return t.tv_sec * SEC + t.tv_usec * USEC;
}

static nsec now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

/*
 * poll never restarts after a handler, connect and accept do when it was installed with SA_RESTART.
 * Which handler ran is not told; so: restart if every handler that the program has would. Those for
 * its own faults do not interrupt a wait.
 */
static bool is_of_the_program_itself(int s)
{
	return s == SIGSEGV || s == SIGBUS || s == SIGILL || s == SIGFPE || s == SIGTRAP ||
	       s == SIGSYS;
}

static bool every_handler_restarts(void)
{
	struct sigaction a;

	for (int s = 1; s < NSIG; s++) {
		if (is_of_the_program_itself(s) || sigaction(s, NULL, &a) < 0 ||
			(a.sa_flags & SA_RESTART))
			continue;
		if (a.sa_handler != SIG_DFL && a.sa_handler != SIG_IGN)
			return false;
	}
	return true;
}

int wait_for(int fd, short events, int limit_option)
{
	nsec limit = limit_of(fd, limit_option);
	nsec end = limit < 0 ? NSEC_NEVER : now() + limit;
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		nsec left = limit < 0 ? 0 : nsec_max(end - now(), 0);
		struct timespec t = {.tv_sec = left / SEC, .tv_nsec = left % SEC};
		int r = ppoll(&p, 1, limit < 0 ? NULL : &t, NULL);
		if (r > 0)
			return p.revents;
		if (r == 0)
			return 0;
		if (errno != EINTR)
			return -errno;
		/* A wait with a time limit is never restarted (sock_intr_errno). */
		if (limit >= 0 || !every_handler_restarts())
			return -EINTR;
	}
}
