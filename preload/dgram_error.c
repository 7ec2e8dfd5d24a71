/*
 * The error queue of ip(7), IP_RECVERR. Errors come in the socket's own queue, among the datagrams.
 * One at its head is what a read, a write or SO_ERROR reports; if the program asked for IP_RECVERR
 * it is then kept here, by the socket's cookie, until recvmsg(MSG_ERRQUEUE) takes it. What that
 * call finds at the head itself it takes from there. An error behind datagrams that nobody has read
 * yet waits for them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "preload/address.h"
#include "preload/dgram.h"
#include "preload/dgram_msg.h"
#include "preload/hint.h"
#include "preload/lock.h"
#include "preload/real.h"
#include "preload/usermem.h"

enum { KEPT = 32, QUOTE_MAX = 576 };

struct kept {
	uint64_t cookie; /* 0: empty */
	struct ipc_dgram h;
	size_t len;
	uint8_t data[QUOTE_MAX];
};

static struct kept ring[KEPT]; /* the oldest is overwritten */
static unsigned next;
static _Atomic unsigned count;

static void keep(const struct kept *k)
{
	sigset_t saved;

	lock_take(&saved);
	if (!ring[next].cookie)
		atomic_fetch_add(&count, 1);
	ring[next] = *k;
	next = (next + 1) % KEPT;
	lock_give(&saved);
}

bool dgram_any_error(void)
{
	return atomic_load_explicit(&count, memory_order_relaxed) > 0;
}

/* The oldest of that socket; `out` NULL: only whether there is one. */
static bool find_kept(uint64_t cookie, struct kept *out)
{
	bool found = false;
	sigset_t saved;

	if (!dgram_any_error())
		return false;
	lock_take(&saved);
	for (unsigned i = 0; i < KEPT && !found; i++) {
		struct kept *k = &ring[(next + i) % KEPT];
		found = k->cookie == cookie;
		if (!found || !out)
			continue;
		*out = *k;
		k->cookie = 0;
		atomic_fetch_sub(&count, 1);
	}
	lock_give(&saved);
	return found;
}

bool dgram_has_error(int fd)
{
	struct hint h = hint_get(fd);

	return h.kind == HINT_DGRAM && find_kept(h.cookie, NULL);
}

/* The message at the head, if it is an error. */
static bool take_head(int fd, struct kept *k)
{
	struct iovec iov[2] = {{&k->h, sizeof k->h}, {k->data, sizeof k->data}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};

	if (dgram_peek_head(fd, &k->h) < 0 || k->h.op != IPC_DGRAM_ERROR)
		return false;
	int n = raw_result(syscall(SYS_recvmsg, fd, &m, MSG_DONTWAIT));
	if (n < (int)sizeof k->h || k->h.op != IPC_DGRAM_ERROR)
		return false;
	k->len = (size_t)n - sizeof k->h;
	return true;
}

int dgram_take_error(int fd, uint64_t cookie)
{
	struct kept k = {.cookie = cookie};

	while (take_head(fd, &k)) {
		if (k.h.flags & IPC_DGRAM_QUEUED)
			keep(&k);
		if (k.h.flags & IPC_DGRAM_PENDING)
			return k.h.error;
	}
	return 0;
}

void dgram_keep_error(
	uint64_t cookie, const struct ipc_dgram *h, const struct iovec *iov, int n, size_t len)
{
	struct kept k = {.cookie = cookie, .h = *h};

	if (!(h->flags & IPC_DGRAM_QUEUED))
		return;
	for (int i = 0; i < n && k.len < len && k.len < sizeof k.data; i++) {
		size_t part = MIN(iov[i].iov_len, MIN(len, sizeof k.data) - k.len);
		if (user_read(k.data + k.len, iov[i].iov_base, part) < 0)
			break;
		k.len += part;
	}
	keep(&k);
}

struct extended {
	struct sock_extended_err ee;
	struct sockaddr_in offender;
};

static void put_extended(struct cmsg_room *room, const struct kept *k, bool v6)
{
	bool local = k->h.flags & IPC_DGRAM_LOCAL;
	struct extended e = {
		.ee = {.ee_errno = (uint32_t)k->h.error,
			.ee_origin = local ? SO_EE_ORIGIN_LOCAL : SO_EE_ORIGIN_ICMP,
			.ee_type = k->h.type,
			.ee_code = k->h.code,
			.ee_info = k->h.info},
	};

	if (!local) {
		e.offender.sin_family = AF_INET;
		e.offender.sin_addr.s_addr = htonl(ipaddr_to_v4(&k->h.offender));
	}
	cmsg_put(room, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &e,
		sizeof e);
}

static size_t copy_out(const struct msghdr *m, const uint8_t *data, size_t len)
{
	size_t done = 0;

	for (size_t i = 0; i < m->msg_iovlen && done < len; i++) {
		struct iovec v;
		if (user_read(&v, &m->msg_iov[i], sizeof v) < 0)
			break;
		size_t part = MIN(v.iov_len, len - done);
		if (user_write(v.iov_base, data + done, part) < 0)
			break;
		done += part;
	}
	return done;
}

ssize_t dgram_recv_error(int fd, struct msghdr *user)
{
	struct kept k = {0};
	struct shim_sock s;
	struct msghdr m;
	uint8_t bytes[CMSG_ROOM];
	struct cmsg_room room = {.bytes = bytes};

	if (!shim_identify(fd, &s))
		return -EBADF;
	int r = user_read(&m, user, sizeof m);
	if (r < 0)
		return r;
	bool found = find_kept(s.cookie, &k);
	while (!found && take_head(fd, &k))
		found = k.h.flags & IPC_DGRAM_QUEUED;
	if (!found)
		return -EAGAIN;
	size_t n = copy_out(&m, k.data, k.len);
	cmsg_timestamp(&room, &s, k.h.value);
	put_extended(&room, &k, s.family == AF_INET6);
	m.msg_flags = MSG_ERRQUEUE | (n < k.len ? MSG_TRUNC : 0);
	if (m.msg_name)
		r = address_give(s.family, &k.h.remote, m.msg_name, &m.msg_namelen);
	if (r == 0)
		r = cmsg_give(&room, &m);
	if (r == 0)
		r = user_write(user, &m, sizeof m);
	return r < 0 ? r : (ssize_t)n;
}
