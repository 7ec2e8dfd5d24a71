/*
 * An fd's registrations in the process's epoll instances, so that another socket can take over its
 * number. The kernel tells them in /proc/self/fdinfo; data is opaque and is kept bit by bit.
 */
#ifndef TEECEE_PRELOAD_EPOLL_H
#define TEECEE_PRELOAD_EPOLL_H

#include <sys/epoll.h>

enum { EPOLL_SAVED_MAX = 16 }; /* instances that one fd is in: one is usual, two are seen */

struct epoll_saved {
	int count;
	struct {
		int epfd;
		struct epoll_event event;
	} at[EPOLL_SAVED_MAX];
};

/* Takes `fd` out of every instance and notes how it was in there. */
void epoll_take_out(int fd, struct epoll_saved *out);

/* Registers what is now `fd` in the same way. */
void epoll_put_back(int fd, const struct epoll_saved *saved);

#endif
