#include "preload/lend.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/single_threaded.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/base/bytes.h"
#include "preload/hint.h"
#include "preload/instance.h"
#include "preload/lock.h"
#include "preload/real.h"
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
static atomic_bool sandboxed;

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

void lend_no_more(void)
{
	atomic_store(&sandboxed, true);
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
	int fd;
	uint64_t cookie;
	struct ipc_lend *pool;
	ipc_cork_word *word;
};

/* At once or not at all. */
static bool send_counted(
	const struct lender *l, int fd, const struct ipc_lend_token *token, unsigned n)
{
	const size_t len = n * sizeof(*token);

	if (raw_cookie(fd) != l->cookie || !ipc_cork_lend(l->word, l->cookie, n))
		return false;
	if (raw_send(fd, token, len) == (ssize_t)len)
		return true;
	ipc_cork_unlend(l->word, l->cookie, n);
	return false;
}

/*
 * A token in another socket would be garbage there, and bytes lost here. Where another thread may put
 * another socket under this number, it is sent by a number that nobody else knows; under the lock, so
 * that no fork copies it.
 */
static bool send_tokens(const struct lender *l, const struct ipc_lend_token *token, unsigned n)
{
	sigset_t saved;
	bool sent = false;

	if (__libc_single_threaded)
		return send_counted(l, l->fd, token, n);
	lock_take(&saved);
	int fd = raw_fcntl(l->fd, F_DUPFD_CLOEXEC, FD_HIGH);
	if (fd >= 0) {
		sent = send_counted(l, fd, token, n);
		raw_close(fd);
	}
	lock_give(&saved);
	return sent;
}

/* As much of it as there are chunks for: so many bytes. */
static size_t lend(const struct lender *l, const char *data, size_t n)
{
	struct ipc_lend_token token[TOKENS_MAX];
	unsigned ntokens = 0;
	size_t done = 0;

	while (ntokens < TOKENS_MAX && n - done >= IPC_LEND_MIN) {
		size_t left = n - done;
		size_t chunks = (left + IPC_LEND_CHUNK_LEN - 1) / IPC_LEND_CHUNK_LEN;
		size_t len = (left + chunks - 1) / chunks; /* so that the last is not a small one */
		ipc_lend_place place;

		if (!ipc_lend_take(l->pool, &place))
			break;
		if (user_read(ipc_lend_data(l->pool, place), data + done, len) < 0) {
			ipc_lend_give_back(l->pool, place);
			break;
		}
		if (!ipc_lend_ready(l->pool, place, l->cookie, len, &token[ntokens]))
			break;
		ntokens++;
		done += len;
	}
	if (ntokens > 0 && send_tokens(l, token, ntokens))
		return done;
	for (unsigned i = 0; i < ntokens; i++)
		ipc_lend_give_back(l->pool, token[i].place);
	return 0;
}

/* It wants to know how much is on its way. */
static bool has_set_sndbuf(const struct ipc_slot *slot)
{
	const int64_t *size = &slot->info.option[IPC_OPT_SNDBUF];

	return __atomic_load_n(size, __ATOMIC_RELAXED) != ipc_option_info[IPC_OPT_SNDBUF].initial;
}

static bool is_lender(struct lender *l, int fd, const struct pool *p)
{
	struct hint h = hint_get(fd);
	char id[IPC_INSTANCE_LEN];

	if (h.kind != HINT_OPEN || !instance_id(h.table, id) || memcmp(id, p->id, sizeof id) != 0)
		return false;
	const struct ipc_table *t = instance_table(h.table);
	const struct ipc_slot *slot = t ? ipc_table_find(t, h.cookie) : NULL;
	if (!slot || has_set_sndbuf(slot) || !hint_holds(fd, &h))
		return false;
	*l = (struct lender){fd, h.cookie, p->shared, ipc_table_cork(t, slot)};
	return true;
}

static size_t lend_from_pool(int fd, const void *data, size_t n)
{
	struct pool *p = pool_hold();
	struct lender l;
	size_t done = 0;

	if (!p)
		return 0;
	if (is_lender(&l, fd, p))
		done = lend(&l, data, n);
	pool_release(p);
	return done;
}

/*
 * Lending does not wait, so the rest is one call like the program's own: a signal that comes while it
 * waits ends it, and one that came before has come before the program's call.
 */
bool lend_send(int fd, const void *data, size_t n, int flags, ssize_t *result)
{
	int saved_errno = errno;

	if (n < IPC_LEND_MIN || n > INT_MAX || (flags & MSG_OOB) || atomic_load(&sandboxed) ||
		!atomic_load(&current))
		return false;
	pthread_testcancel();
	size_t done = lend_from_pool(fd, data, n);
	*result = (ssize_t)done;
	if (done > 0 && done < n) {
		/* A part is written: what happens now is told by the next call. */
		ssize_t rest =
			real.send(fd, (const char *)data + done, n - done, flags | MSG_NOSIGNAL);
		*result += MAX(rest, 0);
	}
	errno = saved_errno;
	return done > 0;
}
