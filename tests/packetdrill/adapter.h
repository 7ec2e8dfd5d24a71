/*
 * build/packetdrill-teecee.so: the stack as a plugin of packetdrill (--so_filename), in virtual
 * time.
 *
 * TIME. A clock that only usleep and netdev_receive move; gettimeofday adds a microsecond per call,
 * because packetdrill spins on it. Timers run at exactly their deadlines, so a script's times hold
 * on a loaded machine.
 *
 * THREADS. packetdrill plays blocking calls on a second thread while the first goes on injecting
 * packets. All of it runs under one lock; a call that has to wait sleeps on a condition variable.
 * When the world changes, the thread that changed it waits until the sleeper has tried again, and,
 * if its call returned, until packetdrill has stamped the end of the call (its gettimeofday), so
 * that virtual time does not run away from it.
 *
 * DESCRIPTORS are eventfds: packetdrill closes what is left with libc's close and asks TCP_INFO
 * with libc's getsockopt. Started with LD_PRELOAD of the same file those come here too
 * (adapter_libc.c).
 */
#ifndef TEECEE_TESTS_PACKETDRILL_ADAPTER_H
#define TEECEE_TESTS_PACKETDRILL_ADAPTER_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "core/base/time.h"
#include "tests/packetdrill/psock.h"
#include "tests/packetdrill/world.h"

enum { ADAPTER_FDS = 1024, ADAPTER_WATCHES = 16 };

struct watch {
	struct psock *p; /* NULL: free */
	struct epoll_event want;
	unsigned seen; /* p->wakeups at the last report: edges */
	bool fresh;    /* registered or modified since the last report */
};

struct adapter_epoll {
	struct watch watch[ADAPTER_WATCHES];
};

struct adapter {
	bool running;
	pthread_mutex_t lock;
	pthread_t main_thread;
	struct world world;
	struct psock *sock[ADAPTER_FDS];
	struct adapter_epoll *epoll[ADAPTER_FDS];

	/* The one call that may be asleep. */
	pthread_cond_t wake, settled;
	pthread_t sleeper;
	bool sleeping;
	bool poked;    /* it shall try again */
	bool returned; /* it has, but packetdrill's thread may still be busy with the result */
	pid_t sleeper_tid;
	bool returning; /* it has succeeded and not looked at the clock yet */
	nsec give_up;   /* its deadline */
};

extern struct adapter adapter;

/* One attempt of a call: the result, or -EAGAIN. */
struct attempt {
	ssize_t (*once)(struct attempt *c);
	struct psock *p;
	struct adapter_epoll *ep;
	const struct iovec *iov;
	int n, flags;
	ssize_t done;
	bool fastopen, connecting; /* a send that has to connect first; it has begun to */
	const struct sockaddr *addr;
	socklen_t len;
	struct psock *accepted;
	struct pollfd *fds;
	struct epoll_event *events;
};

/* --- adapter_wait.c --- */
void adapter_lock(void);
void adapter_unlock(void);
nsec adapter_now(void); /* and a microsecond passes */
void adapter_advance(nsec until, bool until_sent);
void adapter_changed(struct world *w, void *ctx); /* world.changed */

/* Tries until there is a result, or `deadline` has passed: -EAGAIN; 0: once. */
ssize_t adapter_try(struct attempt *c, nsec deadline);

/* Without the lock: until packetdrill has taken note of a call's end. */
void adapter_await_idle(void);

/* libc's convention. */
ssize_t adapter_result(ssize_t r);

/* --- adapter_calls.c --- */
struct psock *adapter_sock(int fd);   /* NULL: not ours */
int adapter_install(struct psock *p); /* a new descriptor for it: its number or -errno */
ssize_t adapter_send(int fd, const struct iovec *iov, int n, int flags);
ssize_t adapter_sendto(int fd, const struct iovec *iov, int n, int flags,
	const struct sockaddr *addr, socklen_t len);
ssize_t adapter_recv(int fd, const struct iovec *iov, int n, int flags);
int adapter_close(int fd); /* -EBADF: not ours */
int adapter_getsockopt(int fd, int level, int name, void *value, socklen_t *len);

/* --- adapter_epoll.c --- */
int adapter_poll(void *data, struct pollfd *fds, nfds_t n, int timeout);
int adapter_epoll_create(void *data, int size);
int adapter_epoll_ctl(void *data, int epfd, int op, int fd, struct epoll_event *event);
int adapter_epoll_wait(void *data, int epfd, struct epoll_event *events, int max, int timeout);
void adapter_epoll_forget(struct psock *p);

/* --- adapter_msg.c --- */
ssize_t adapter_recvmsg(void *data, int fd, struct msghdr *msg, int flags);
ssize_t adapter_splice(
	void *data, int in, loff_t *off_in, int out, loff_t *off_out, size_t len, unsigned flags);

/* --- adapter_sysctl.c: what scripts set with sysctl goes to the socket's options --- */
void adapter_apply_sysctls(struct psock *p);

#endif
