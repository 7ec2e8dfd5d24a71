#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tests/packetdrill/adapter.h"

/* How long, in real time, the world waits for the sleeper: only a lost thread takes that long. */
enum { PATIENCE_MS = 300 };

struct adapter adapter = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER,
	.settled = PTHREAD_COND_INITIALIZER,
};

void adapter_lock(void)
{
	pthread_mutex_lock(&adapter.lock);
}

void adapter_unlock(void)
{
	pthread_mutex_unlock(&adapter.lock);
}

static bool is_sleeper(void)
{
	return pthread_equal(pthread_self(), adapter.sleeper);
}

nsec adapter_now(void)
{
	if (adapter.returning && is_sleeper()) {
		adapter.returning = false;
		adapter.returned = true;
		pthread_cond_signal(&adapter.settled);
	}
	adapter.world.now += 1 * USEC;
	return adapter.world.now;
}

static void poke_sleeper(void)
{
	struct timespec until;

	adapter.poked = true;
	pthread_cond_signal(&adapter.wake);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE_MS * MSEC;
	if (until.tv_nsec >= SEC) {
		until.tv_nsec -= SEC;
		until.tv_sec++;
	}
	while (adapter.poked || adapter.returning) {
		if (pthread_cond_timedwait(&adapter.settled, &adapter.lock, &until))
			adapter.poked = adapter.returning = false;
	}
}

static char state_of_thread(pid_t tid)
{
	char path[64], state = 'S';

	snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
	FILE *f = fopen(path, "r");
	if (!f)
		return state;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 'S';
	fclose(f);
	return state;
}

void adapter_await_idle(void)
{
	for (int i = 0;
		i < 10000 && adapter.returned && state_of_thread(adapter.sleeper_tid) != 'S'; i++)
		sched_yield();
	adapter.returned = false;
}

void adapter_changed(struct world *w, void *ctx)
{
	if (adapter.sleeping && !is_sleeper())
		poke_sleeper();
}

void adapter_advance(nsec until, bool until_sent)
{
	struct world *w = &adapter.world;

	for (;;) {
		nsec stop = nsec_min(until, adapter.sleeping ? adapter.give_up : NSEC_NEVER);
		world_advance(w, stop, until_sent);
		if (w->now < stop || stop == until)
			return;
		poke_sleeper();
	}
}

/* On packetdrill's own thread nobody else will move the clock. */
static ssize_t try_alone(struct attempt *c, nsec deadline)
{
	ssize_t r = -EAGAIN;

	while (r == -EAGAIN && adapter.world.now < deadline) {
		nsec next = nsec_min(stack_deadline(adapter.world.stack), deadline);
		adapter_advance(next, false);
		r = c->once(c);
		world_settle(&adapter.world);
	}
	return r;
}

ssize_t adapter_try(struct attempt *c, nsec deadline)
{
	ssize_t r = c->once(c);

	world_settle(&adapter.world);
	if (r != -EAGAIN || deadline <= adapter.world.now)
		return r;
	if (pthread_equal(pthread_self(), adapter.main_thread))
		return try_alone(c, nsec_min(deadline, adapter.world.now + 10 * SEC));
	adapter.sleeper = pthread_self();
	adapter.sleeper_tid = (pid_t)syscall(SYS_gettid);
	adapter.sleeping = true;
	adapter.give_up = deadline;
	while (r == -EAGAIN && adapter.world.now < deadline) {
		adapter.poked = false;
		pthread_cond_signal(&adapter.settled);
		while (!adapter.poked)
			pthread_cond_wait(&adapter.wake, &adapter.lock);
		r = c->once(c);
		world_settle(&adapter.world);
	}
	adapter.sleeping = false;
	adapter.returning = true;
	adapter.poked = false;
	return r;
}

ssize_t adapter_result(ssize_t r)
{
	if (r >= 0)
		return r;
	errno = (int)-r;
	return -1;
}
