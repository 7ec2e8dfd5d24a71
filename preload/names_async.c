/*
 * getaddrinfo_a: each request in a thread of its own, which glibc does not do (it keeps a pool of
 * 20); the waiting is the engine's. A request's state is its __return, where glibc's own gai_error
 * looks.
 */
#include "preload/names.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The requests of one call, and who is told when the last is done. */
struct batch {
	unsigned left;
	bool waited_for; /* GAI_WAIT: the caller frees it */
	struct sigevent event;
	pid_t caller;
};

struct job {
	struct gaicb *request;
	struct batch *batch;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void notify(const struct batch *b)
{
	pthread_attr_t *attr = b->event.sigev_notify_attributes;
	pthread_t thread;
	siginfo_t info = {.si_signo = b->event.sigev_signo, .si_code = SI_ASYNCNL};

	if (b->event.sigev_notify == SIGEV_SIGNAL) {
		info.si_pid = b->caller;
		info.si_uid = getuid();
		info.si_value = b->event.sigev_value;
		sigqueue(b->caller, info.si_signo, info.si_value);
	} else if (b->event.sigev_notify == SIGEV_THREAD) {
		void (*f)(union sigval) = b->event.sigev_notify_function;
		if (pthread_create(&thread, attr, (void *(*)(void *))(void *)f,
			    b->event.sigev_value.sival_ptr) == 0)
			pthread_detach(thread);
	}
}

/* With the lock held. */
static void done(struct job *j, int result)
{
	struct batch *b = j->batch;

	j->request->__return = result;
	pthread_cond_broadcast(&changed);
	if (--b->left > 0 || b->waited_for)
		return;
	notify(b);
	free(b);
}

static void *work(void *arg)
{
	struct job *j = arg;
	struct addrinfo *found = NULL;
	int r = names_getaddrinfo(
		j->request->ar_name, j->request->ar_service, j->request->ar_request, &found);

	pthread_mutex_lock(&lock);
	j->request->ar_result = found;
	done(j, r);
	pthread_mutex_unlock(&lock);
	free(j);
	return NULL;
}

static int start(struct gaicb *request, struct batch *b)
{
	struct job *j = malloc(sizeof *j);
	pthread_t thread;
	sigset_t all, saved;

	if (!j)
		return ENOMEM;
	*j = (struct job){request, b};
	/* The program's signals are for its own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	int r = pthread_create(&thread, NULL, work, j);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (r)
		free(j);
	else
		pthread_detach(thread);
	return r;
}

/* With the lock held; false: a request had no thread. */
static bool start_all(struct gaicb *list[], int n, struct batch *b)
{
	bool good = true;

	for (int i = 0; i < n; i++) {
		if (!list[i])
			continue;
		list[i]->__return = EAI_INPROGRESS;
		list[i]->ar_result = NULL;
		b->left++;
		if (start(list[i], b) == 0)
			continue;
		list[i]->__return = EAI_SYSTEM;
		b->left--;
		good = false;
	}
	return good;
}

int names_getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event)
{
	if (mode != GAI_WAIT && mode != GAI_NOWAIT) {
		errno = EINVAL;
		return EAI_SYSTEM;
	}
	struct batch *b = calloc(1, sizeof *b);
	if (!b)
		return EAI_MEMORY;
	b->waited_for = mode == GAI_WAIT;
	b->caller = getpid();
	b->event.sigev_notify = SIGEV_NONE;
	if (event)
		b->event = *event;
	pthread_mutex_lock(&lock);
	bool good = start_all(list, n, b);
	while (b->waited_for && b->left > 0)
		pthread_cond_wait(&changed, &lock);
	if (b->left == 0) { /* nobody else frees it */
		if (!b->waited_for)
			notify(b);
		free(b);
	}
	pthread_mutex_unlock(&lock);
	return good ? 0 : EAI_AGAIN;
}

static int count_busy(const struct gaicb *const list[], int n)
{
	int busy = 0;

	for (int i = 0; i < n; i++)
		busy += list[i] && list[i]->__return == EAI_INPROGRESS;
	return busy;
}

static struct timespec in(const struct timespec *timeout)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += timeout->tv_sec;
	t.tv_nsec += timeout->tv_nsec;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

int names_gai_suspend(const struct gaicb *const list[], int n, const struct timespec *timeout)
{
	struct timespec end = {0};
	int waited = 0;

	if (timeout)
		end = in(timeout);
	pthread_mutex_lock(&lock);
	int before = count_busy(list, n), busy = before;
	while (busy > 0 && busy == before && waited == 0) {
		waited = timeout ? pthread_cond_timedwait(&changed, &lock, &end)
				 : pthread_cond_wait(&changed, &lock);
		busy = count_busy(list, n);
	}
	pthread_mutex_unlock(&lock);
	if (before == 0)
		return EAI_ALLDONE;
	return busy < before ? 0 : EAI_AGAIN;
}

/* A thread that asks cannot be called back. */
int names_gai_cancel(struct gaicb *request)
{
	pthread_mutex_lock(&lock);
	bool busy = request && request->__return == EAI_INPROGRESS;
	pthread_mutex_unlock(&lock);
	return busy ? EAI_NOTCANCELED : EAI_ALLDONE;
}
