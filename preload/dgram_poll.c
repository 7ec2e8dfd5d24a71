/*
 * POLLERR of datagram sockets, for poll(2) and ppoll(2): an error at the head of the queue makes
 * the real socket readable, and the program expects POLLERR and recvmsg(MSG_ERRQUEUE). epoll and
 * select are left alone: an edge of EPOLLIN comes too, and for select an error is "readable"
 * anyway.
 *
 * Everything here is memory loads until the table says that a socket of the set has an error.
 */
#include <errno.h>

#include "preload/dgram.h"
#include "preload/hint.h"
#include "preload/real.h"

static bool error_at_head(int fd)
{
	struct hint h = hint_get(fd);
	struct ipc_dgram head;
	const struct ipc_slot *slot = h.kind == HINT_DGRAM ? hint_slot(&h) : NULL;

	if (!slot || !__atomic_load_n(&slot->info.error, __ATOMIC_RELAXED) || !dgram_is(fd))
		return false;
	return dgram_peek_head(fd, &head) >= 0 && head.op == IPC_DGRAM_ERROR;
}

int dgram_poll_after(struct pollfd *fds, nfds_t n, int result)
{
	int saved_errno = errno;

	/* The kernel has just written there, so it can be read. */
	for (nfds_t i = 0; result > 0 && i < n; i++) {
		if ((fds[i].revents & POLLIN) && error_at_head(fds[i].fd))
			fds[i].revents = (short)((fds[i].revents & ~(POLLIN | POLLRDNORM)) |
						 POLLERR);
	}
	errno = saved_errno;
	return result;
}

int dgram_poll_before(struct pollfd *fds, nfds_t n)
{
	int saved_errno = errno, ready;

	if (!dgram_any_error())
		return 0;
	ready = real.poll(fds, n, 0);
	for (nfds_t i = 0; ready >= 0 && i < n; i++) {
		if (!dgram_has_error(fds[i].fd))
			continue;
		ready += fds[i].revents == 0;
		fds[i].revents |= POLLERR;
	}
	errno = saved_errno;
	return ready > 0 ? dgram_poll_after(fds, n, ready) : 0;
}
