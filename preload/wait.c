/*
 * LOOKING. The answer of a peer that is near comes sooner than a thread is asleep and awake again, and for the engine
 * to wake it means to wake an idle CPU, which is the dearest step of a connect. So connect() spends the first
 * microseconds looking, twice as many as the engine may (TEECEE_BUSY_POLL), which has a whole connect to do meanwhile,
 * and between two looks it offers the CPU to others. When that was in vain the next connect sleeps at once, the second
 * time the next two, then four, up to REST_MAX. (To accept() it brings nothing: a server waits for its clients.)
 */
#include "preload/wait.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "core/base/bytes.h"
#include "core/base/time.h"
#include "preload/config.h"
#include "preload/process.h"
#include "preload/real.h"

enum { REST_MAX = 64 };

/* Threads that get into each other's way look once more or less. */
static _Atomic unsigned rest;      /* connects that sleep at once */
static _Atomic unsigned next_rest; /* after the next one in vain; 0: one */

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

/* As poll: 0, nothing was seen, or not looked for. A sandbox may forbid sched_yield. */
static int look(struct pollfd *p)
{
	static const struct timespec none;
	unsigned resting = atomic_load_explicit(&rest, memory_order_relaxed);
	int r;

	if (process_is_confined())
		return 0;
	if (resting > 0) {
		atomic_store_explicit(&rest, resting - 1, memory_order_relaxed);
		return 0;
	}
	nsec stop = now() + 2 * config_get()->settings.busy_poll_us * USEC;
	/* Whoever got the CPU may have been the engine, and needed long: so the last is a look, too. */
	while ((r = ppoll(p, 1, &none, NULL)) == 0 && now() < stop)
		sched_yield();
	unsigned next = atomic_load_explicit(&next_rest, memory_order_relaxed);
	next = r == 0 ? MIN(MAX(next, 1u), (unsigned)REST_MAX) : 0;
	atomic_store_explicit(&rest, next, memory_order_relaxed);
	atomic_store_explicit(&next_rest, 2 * next, memory_order_relaxed);
	return r;
}

int wait_for(int fd, short events, int limit_option)
{
	nsec limit = limit_of(fd, limit_option);
	nsec end = limit < 0 ? NSEC_NEVER : now() + limit;
	struct pollfd p = {.fd = fd, .events = events};
	int r = events == POLLOUT ? look(&p) : 0;

	while (r <= 0) {
		if (r < 0 && errno != EINTR)
			return -errno;
		/* A wait with a time limit is never restarted (sock_intr_errno). */
		if (r < 0 && (limit >= 0 || !every_handler_restarts()))
			return -EINTR;
		nsec left = limit < 0 ? 0 : nsec_max(end - now(), 0);
		struct timespec t = {.tv_sec = left / SEC, .tv_nsec = left % SEC};
		r = ppoll(&p, 1, limit < 0 ? NULL : &t, NULL);
		if (r == 0)
			return 0;
	}
	return p.revents;
}
