#include "preload/lock.h"

#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void (*child_hook)(void);
static sigset_t fork_saved; /* written only while the lock is held */

void lock_take(sigset_t *saved)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
	pthread_mutex_lock(&mutex);
}

void lock_give(const sigset_t *saved)
{
	sigset_t mask = *saved;

	pthread_mutex_unlock(&mutex);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static void before_fork(void)
{
	sigset_t saved;

	lock_take(&saved);
	fork_saved = saved;
}

static void in_parent(void)
{
	sigset_t saved = fork_saved; /* not after the unlock: the next fork writes it */

	lock_give(&saved);
}

static void in_child(void)
{
	child_hook();
	in_parent();
}

void lock_init(void (*hook)(void))
{
	child_hook = hook;
	pthread_atfork(before_fork, in_parent, in_child);
}
