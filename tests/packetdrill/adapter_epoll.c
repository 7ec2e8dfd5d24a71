#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "tests/packetdrill/adapter.h"

static nsec deadline_of(int timeout)
{
	if (timeout == 0)
		return 0;
	return timeout < 0 ? NSEC_NEVER : adapter.world.now + timeout * MSEC;
}

/* EAGAIN stands for "nothing yet"; when time is up that is 0 descriptors. */
static ssize_t ready_count(ssize_t r)
{
	return adapter_result(r == -EAGAIN ? 0 : r);
}

static ssize_t poll_once(struct attempt *c)
{
	int ready = 0;

	for (int i = 0; i < c->n; i++) {
		struct psock *p = adapter_sock(c->fds[i].fd);
		unsigned mask = (unsigned)c->fds[i].events | POLLERR | POLLHUP;
		c->fds[i].revents = p ? (short)(psock_poll(p) & mask) : POLLNVAL;
		ready += c->fds[i].revents != 0;
	}
	return ready ? ready : -EAGAIN;
}

int adapter_poll(void *data, struct pollfd *fds, nfds_t n, int timeout)
{
	struct attempt c = {.once = poll_once, .fds = fds, .n = (int)n};

	adapter_lock();
	ssize_t r = adapter_try(&c, deadline_of(timeout));
	adapter_unlock();
	return (int)ready_count(r);
}

int adapter_epoll_create(void *data, int size)
{
	int fd = size > 0 ? eventfd(0, EFD_CLOEXEC) : -1;

	if (size <= 0)
		return (int)adapter_result(-EINVAL);
	if (fd < 0 || fd >= ADAPTER_FDS)
		return (int)adapter_result(-EMFILE);
	adapter_lock();
	adapter.epoll[fd] = calloc(1, sizeof *adapter.epoll[fd]);
	adapter_unlock();
	return fd;
}

static struct watch *find_watch(struct adapter_epoll *ep, const struct psock *p)
{
	for (int i = 0; i < ADAPTER_WATCHES; i++) {
		if (ep->watch[i].p == p)
			return &ep->watch[i];
	}
	return NULL;
}

void adapter_epoll_forget(struct psock *p)
{
	for (int fd = 0; fd < ADAPTER_FDS; fd++) {
		struct watch *w = adapter.epoll[fd] ? find_watch(adapter.epoll[fd], p) : NULL;
		if (w)
			w->p = NULL;
	}
}

static int control(struct adapter_epoll *ep, int op, struct psock *p, struct epoll_event *event)
{
	struct watch *w = find_watch(ep, p);

	if (op == EPOLL_CTL_ADD && w)
		return -EEXIST;
	if (op != EPOLL_CTL_ADD && !w)
		return -ENOENT;
	if (op == EPOLL_CTL_DEL) {
		w->p = NULL;
		return 0;
	}
	if (!w)
		w = find_watch(ep, NULL);
	if (!w)
		return -ENOSPC;
	*w = (struct watch){.p = p, .want = *event, .fresh = true};
	return 0;
}

int adapter_epoll_ctl(void *data, int epfd, int op, int fd, struct epoll_event *event)
{
	struct psock *p = adapter_sock(fd);
	bool known = epfd >= 0 && epfd < ADAPTER_FDS && adapter.epoll[epfd] && p;

	return (int)adapter_result(known ? control(adapter.epoll[epfd], op, p, event) : -EBADF);
}

static bool reports(struct watch *w, struct epoll_event *out)
{
	unsigned now = psock_poll(w->p) & (w->want.events | EPOLLERR | EPOLLHUP);
	bool edge = w->fresh || w->seen != w->p->wakeups;

	if (!now || ((w->want.events & EPOLLET) && !edge))
		return false;
	w->seen = w->p->wakeups;
	w->fresh = false;
	if (w->want.events & EPOLLONESHOT)
		w->want.events &= EPOLLET | EPOLLONESHOT;
	*out = (struct epoll_event){.events = now, .data = w->want.data};
	return true;
}

static ssize_t epoll_once(struct attempt *c)
{
	int ready = 0;

	for (int i = 0; i < ADAPTER_WATCHES && ready < c->n; i++) {
		struct watch *w = &c->ep->watch[i];
		if (w->p && (w->want.events & ~(EPOLLET | EPOLLONESHOT)) &&
			reports(w, &c->events[ready]))
			ready++;
	}
	return ready ? ready : -EAGAIN;
}

int adapter_epoll_wait(void *data, int epfd, struct epoll_event *events, int max, int timeout)
{
	struct attempt c = {.once = epoll_once, .events = events, .n = max};

	if (epfd < 0 || epfd >= ADAPTER_FDS || !adapter.epoll[epfd])
		return (int)adapter_result(-EBADF);
	c.ep = adapter.epoll[epfd];
	adapter_lock();
	ssize_t r = adapter_try(&c, deadline_of(timeout));
	adapter_unlock();
	if (r == -EAGAIN && max > 0)
		events[0] = (struct epoll_event){0};
	return (int)ready_count(r);
}
