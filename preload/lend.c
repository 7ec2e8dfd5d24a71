#include "preload/lend.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "preload/hint.h"
#include "preload/instance.h"
#include "preload/lock.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/request.h"
#include "preload/usermem.h"

enum {
	POOLS_MAX = 8,
	TOKENS_MAX = 8, /* of one write */
	FD_HIGH = 512,  /* where a duplicate is in nobody's way */
};

static struct pool {
	struct ipc_lend *shared; /* NULL: free */
	char id[IPC_INSTANCE_LEN];
	_Atomic unsigned users;
} pools[POOLS_MAX];

static struct pool *_Atomic current; /* NULL: nothing can be lent */

struct ipc_lend *lend_map(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= IPC_LEND_LEN ? ipc_lend_map(fd)
									    : NULL;
}

void lend_unmap(struct ipc_lend *pool)
{
	if (pool)
		munmap(pool, IPC_LEND_LEN);
}

/* A place for the next one. Who uses an old one yet keeps it; in a child of fork, perhaps for ever. */
static struct pool *free_place(void)
{
	for (struct pool *p = pools; p < pools + POOLS_MAX; p++) {
		if (p->shared && (p == atomic_load(&current) || atomic_load(&p->users) > 0))
			continue;
		lend_unmap(p->shared);
		p->shared = NULL;
		return p;
	}
	return NULL;
}

void lend_use(struct ipc_lend *pool, const char id[static IPC_INSTANCE_LEN])
{
	atomic_store(&current, NULL);
	struct pool *p = pool ? free_place() : NULL;
	if (!p) {
		lend_unmap(pool);
		return;
	}
	p->shared = pool;
	memcpy(p->id, id, sizeof p->id);
	atomic_store(&current, p);
}

/* The pool stays mapped until pool_release. */
static struct pool *pool_hold(void)
{
	struct pool *p = atomic_load(&current);

	if (!p)
		return NULL;
	atomic_fetch_add(&p->users, 1);
	if (p == atomic_load(&current))
		return p;
	atomic_fetch_sub(&p->users, 1);
	return NULL;
}

static void pool_release(struct pool *p)
{
	atomic_fetch_sub(&p->users, 1);
}

size_t lend_unsent(uint64_t cookie)
{
	struct pool *p = pool_hold();
	size_t n = 0;

	if (p) {
		n = ipc_lend_waiting(p->shared, cookie);
		pool_release(p);
	}
	return n;
}

/* A socket, and whom its chunks come from. */
struct lender {
	int fd, flags; /* of send(2) */
	uint64_t cookie;
	struct ipc_lend *pool;
	ipc_cork_word *word;
};

/*
 * A token in another socket would be garbage there, and bytes lost here. Where another thread may put
 * another socket under this number, it is sent by a number that nobody else knows; under the lock, so
 * that no fork copies it. Negative: there is none.
 */
static int own_number(const struct lender *l, sigset_t *saved)
{
	if (__libc_single_threaded)
		return l->fd;
	lock_take(saved);
	int fd = raw_fcntl(l->fd, F_DUPFD_CLOEXEC, FD_HIGH);
	if (fd < 0)
		lock_give(saved);
	return fd;
}

static void give_number(const struct lender *l, int fd, const sigset_t *saved)
{
	if (fd == l->fd)
		return;
	raw_close(fd);
	lock_give(saved);
}

/*
 * What a send came to. Just behind a reset, or restarted by the kernel after a signal, it sees the end before the
 * error, which the kernel's TCP would have told, and without SIGPIPE.
 */
static int with_error(int fd, int r)
{
	int error = 0;

	if (r == -EPIPE && raw_getsockopt(fd, SO_ERROR, &error, sizeof error) == 0 && error)
		return -ECONNRESET;
	return r;
}

/* 0, or -errno and nothing is sent. */
static int send_counted(
	const struct lender *l, int fd, const struct ipc_lend_token *token, unsigned n)
{
	const size_t len = n * sizeof(*token);

	if (raw_cookie(fd) != l->cookie || !ipc_cork_lend(l->word, l->cookie, n))
		return -EBADF;
	ssize_t r = raw_send(fd, token, len);
	if (r == (ssize_t)len)
		return 0;
	ipc_cork_unlend(l->word, l->cookie, n);
	return r < 0 ? with_error(fd, (int)r) : -EPROTO;
}

static int send_tokens(const struct lender *l, const struct ipc_lend_token *token, unsigned n)
{
	sigset_t saved;
	int fd = own_number(l, &saved);

	if (fd < 0)
		return fd;
	int r = send_counted(l, fd, token, n);
	give_number(l, fd, &saved);
	return r;
}

/* As much as one message's chunks take, added to *done: 0, or -errno; -ENOBUFS: there are no chunks. */
static int lend_some(const struct lender *l, const char *data, size_t n, size_t *done)
{
	struct ipc_lend_token token[TOKENS_MAX];
	unsigned ntokens = 0;
	size_t taken = 0;
	int r = -ENOBUFS;

	while (ntokens < TOKENS_MAX && n - taken >= IPC_LEND_MIN) {
		size_t left = n - taken;
		size_t chunks = (left + IPC_LEND_CHUNK_LEN - 1) / IPC_LEND_CHUNK_LEN;
		size_t len = (left + chunks - 1) / chunks; /* so that the last is not a small one */
		ipc_lend_place place;

		if (!ipc_lend_take(l->pool, &place))
			break;
		r = user_read(ipc_lend_data(l->pool, place), data + taken, len);
		if (r < 0) {
			ipc_lend_give_back(l->pool, place);
			break;
		}
		if (!ipc_lend_ready(l->pool, place, l->cookie, len, &token[ntokens])) {
			r = -ENOBUFS;
			break;
		}
		ntokens++;
		taken += len;
	}
	if (ntokens > 0)
		r = send_tokens(l, token, ntokens);
	for (unsigned i = 0; r < 0 && i < ntokens; i++)
		ipc_lend_give_back(l->pool, token[i].place);
	*done += r == 0 ? taken : 0;
	return r;
}

static void make_room(const struct lender *l, int fd)
{
	request_raise(fd);
	ipc_cork_put(l->word, l->cookie, IPC_CORK_LOW, false);
}

void lend_raise(int fd, const struct hint *h, ipc_cork_word *word)
{
	struct lender l = {.fd = fd, .cookie = h->cookie, .word = word};
	int saved_errno = errno;
	sigset_t saved;

	if (process_is_confined())
		return;
	int number = own_number(&l, &saved);
	if (number >= 0) {
		if (raw_cookie(number) == l.cookie)
			make_room(&l, number);
		give_number(&l, number, &saved);
	}
	errno = saved_errno;
}

/*
 * Makes the real socket full with what it has: whether it is. The engine sees LOW before it has taken
 * the last token, and who finds the socket full is woken up by what is taken from then on.
 */
static bool fill_up(const struct lender *l)
{
	sigset_t saved;
	int queued = 0, fd = own_number(l, &saved);
	bool full = false;

	if (fd < 0)
		return false;
	if (raw_cookie(fd) == l->cookie &&
		raw_result(syscall(SYS_ioctl, fd, SIOCOUTQ, &queued)) == 0) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		request_fill(fd, queued);
		ipc_cork_put(l->word, l->cookie, IPC_CORK_LOW, true);
		full = raw_poll(&p, 0) == 0 && ipc_cork_lent(l->word) > 0;
		if (!full)
			make_room(l, fd);
	}
	give_number(l, fd, &saved);
	return full;
}

/*
 * Enough of the socket's is on the way: 0, and there is room for more, or there was for the first byte,
 * which the program's own call would have waited with; -EAGAIN, -EINTR or -ECONNRESET, which the program is to
 * be told; others: it goes another way. (For SIGIO the kernel has to have said EAGAIN itself.)
 */
static int wait_for_room(const struct lender *l, const char *data, size_t *done)
{
	int how = raw_fcntl(l->fd, F_GETFL, 0);
	bool waits = !(l->flags & MSG_DONTWAIT) && !(how & O_NONBLOCK);

	if ((waits && !__libc_single_threaded) || (how & O_ASYNC))
		return -ENOBUFS;
	if (!waits && *done > 0)
		return -EAGAIN;
	if (!fill_up(l))
		return 0;
	if (!waits)
		return -EAGAIN;
	int r = raw_result(syscall(SYS_sendto, l->fd, data, 1, l->flags | MSG_NOSIGNAL, NULL, 0));
	if (r == 1)
		++*done;
	if (raw_cookie(l->fd) != l->cookie) /* a signal's handler may have closed it */
		return r < 0 ? r : 0;
	make_room(l, l->fd);
	r = with_error(l->fd, r);
	return r < 0 ? r : 0;
}

/* As much of it as can be lent, added to *done: 0, or as wait_for_room. */
static int lend(const struct lender *l, const char *data, size_t n, size_t *done)
{
	bool again = false; /* there should be room, but for chunks that others have */
	int r = 0;

	while (r == 0 && n - *done >= IPC_LEND_MIN) {
		size_t before = *done;
		unsigned ahead = ipc_cork_lent(l->word);

		r = ahead < IPC_LEND_AHEAD ? lend_some(l, data + *done, n - *done, done) : -ENOBUFS;
		if (r == -EAGAIN) /* full of bytes: the kernel says what that means */
			return -ENOBUFS;
		if (r == -ENOBUFS && ahead > 0 && !again)
			r = wait_for_room(l, data + *done, done);
		again = *done == before;
	}
	return r;
}

/* It wants to know how much is on its way. */
static bool has_set_sndbuf(const struct ipc_slot *slot)
{
	const int64_t *size = &slot->info.option[IPC_OPT_SNDBUF];

	return __atomic_load_n(size, __ATOMIC_RELAXED) != ipc_option_info[IPC_OPT_SNDBUF].initial;
}

static bool is_lender(struct lender *l, int fd, int flags, const struct pool *p)
{
	struct hint h = hint_get(fd);
	char id[IPC_INSTANCE_LEN];

	if (h.kind != HINT_OPEN || !instance_id(h.table, id) || memcmp(id, p->id, sizeof id) != 0)
		return false;
	const struct ipc_table *t = instance_table(h.table);
	const struct ipc_slot *slot = t ? ipc_table_find(t, h.cookie) : NULL;
	if (!slot || has_set_sndbuf(slot) || !hint_holds(fd, &h))
		return false;
	*l = (struct lender){fd, flags, h.cookie, p->shared, ipc_table_cork(t, slot)};
	return true;
}

static int lend_from_pool(int fd, const void *data, size_t n, int flags, size_t *done)
{
	struct pool *p = pool_hold();
	struct lender l;

	if (!p)
		return -ENOBUFS;
	int r = is_lender(&l, fd, flags, p) ? lend(&l, data, n, done) : -ENOBUFS;
	pool_release(p);
	return r;
}

static bool is_answer(int r)
{
	return r == -EAGAIN || r == -EINTR || r == -ECONNRESET;
}

/*
 * What is lent does not wait, or as the program's own call would; the rest is one call like it: a
 * signal that comes while it waits ends it, and one that came before has come before the program's call.
 * When a part is written, what else happens is for the next call to tell; not so a reset, which the kernel
 * tells but once.
 */
bool lend_send(int fd, const void *data, size_t n, int flags, ssize_t *result)
{
	int saved_errno = errno;
	size_t done = 0;

	if (n < IPC_LEND_MIN || n > INT_MAX || (flags & MSG_OOB) || process_is_confined() ||
		!atomic_load(&current))
		return false;
	pthread_testcancel();
	int r = lend_from_pool(fd, data, n, flags, &done);
	if (done > 0 && done < n && !is_answer(r)) {
		ssize_t rest =
			real.send(fd, (const char *)data + done, n - done, flags | MSG_NOSIGNAL);
		if (rest < 0 && errno == ECONNRESET)
			r = -ECONNRESET;
		done += (size_t)MAX(rest, 0);
	}
	if (r == -ECONNRESET || (is_answer(r) && done == 0)) {
		*result = -1;
		errno = -r;
		return true;
	}
	*result = (ssize_t)done;
	errno = saved_errno;
	return done > 0;
}
