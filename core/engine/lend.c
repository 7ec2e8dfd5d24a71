#include "core/engine/lend.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TOKEN = sizeof(struct ipc_lend_token), SECRET = sizeof(uint64_t) };

struct lend_pool {
	struct list link;
	struct engine *engine;
	struct ipc_lend *shared; /* where clients write what they like */
	uint32_t id;
	bool sent[IPC_LEND_CHUNKS]; /* the stack has them */
	unsigned nsent;
	bool orphan; /* its client is gone */
};

/* In a memfd whose size is fixed; -1: no. */
static int new_file(void)
{
	int fd = memfd_create("teecee-pool", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && ftruncate(fd, IPC_LEND_LEN) == 0 &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

struct lend_pool *lend_open(struct engine *e, int *fd)
{
	struct lend_pool *p = malloc(sizeof(*p));

	*fd = p ? new_file() : -1;
	struct ipc_lend *shared = *fd >= 0 ? ipc_lend_map(*fd) : NULL;
	if (!shared) {
		if (*fd >= 0)
			close(*fd);
		free(p);
		return NULL;
	}
	*p = (struct lend_pool){.engine = e, .shared = shared, .id = ++e->lend_ids};
	shared->secret = e->lend_secret;
	shared->id = p->id;
	list_append(&e->pools, &p->link);
	return p;
}

/* Nothing of it is with the stack, and there can be no token of it in any queue. */
static bool is_over(const struct engine *e, const struct lend_pool *p)
{
	if (!p->orphan || p->nsent > 0)
		return false;
	for (unsigned i = 0; i < IPC_LEND_CHUNKS; i++) {
		uint64_t owner = ipc_lend_owner(p->shared, i);
		if (owner && table_sock(e, owner))
			return false;
	}
	return true;
}

void lend_bury(struct engine *e)
{
	LIST_FOR_EACH (link, &e->pools) {
		struct lend_pool *p = LIST_ENTRY(link, struct lend_pool, link);

		if (!is_over(e, p))
			continue;
		list_remove(&p->link);
		munmap(p->shared, IPC_LEND_LEN);
		free(p);
		e->norphans--;
	}
}

void lend_close(struct lend_pool *p)
{
	ipc_lend_close(p->shared);
	p->orphan = true;
	p->engine->norphans++;
}

/* The one that is used comes to the front, for it will be again. */
static struct lend_pool *find(struct engine *e, uint32_t id)
{
	LIST_FOR_EACH (link, &e->pools) {
		struct lend_pool *p = LIST_ENTRY(link, struct lend_pool, link);

		if (p->id != id)
			continue;
		list_remove(&p->link);
		list_prepend(&e->pools, &p->link);
		return p;
	}
	return NULL;
}

ipc_cork_word *lend_word(const struct engine *e, const struct sock *s)
{
	return s->slot ? ipc_table_cork(e->table, s->slot) : NULL;
}

bool lend_pending(const struct engine *e, const struct sock *s)
{
	const ipc_cork_word *word = lend_word(e, s);

	return word && ipc_cork_lent(word) > 0;
}

size_t lend_find(const struct engine *e, const uint8_t *bytes, size_t len)
{
	const uint8_t *at = memmem(bytes, len, &e->lend_secret, SECRET);

	if (at)
		return (size_t)(at - bytes);
	for (size_t some = MIN(len, (size_t)SECRET - 1); some > 0; some--)
		if (memcmp(bytes + len - some, &e->lend_secret, some) == 0)
			return len - some;
	return len;
}

static void paid(void *ctx, const uint8_t *data)
{
	struct lend_pool *p = ctx;

	unsigned chunk = ipc_lend_chunk_of(p->shared, data);

	ipc_lend_done(p->shared, chunk);
	p->sent[chunk] = false;
	p->nsent--;
}

enum lend_outcome lend_take(struct engine *e, struct sock *s, const uint8_t token[static TOKEN])
{
	struct ipc_lend_token t;

	memcpy(&t, token, sizeof(t));
	struct lend_pool *p = find(e, t.pool);
	unsigned chunk = ipc_lend_number(t.place);
	if (!p || chunk >= IPC_LEND_CHUNKS || p->sent[chunk])
		return LEND_WRONG;
	size_t len = ipc_lend_accept(p->shared, t.place, s->cookie);
	if (len == 0)
		return LEND_WRONG;
	struct loan loan = {ipc_lend_data(p->shared, t.place), (uint32_t)len, paid, p};
	if (!tcp_send_lend(s->tcp, &loan)) {
		ipc_lend_put_off(p->shared, t.place);
		return LEND_LATER;
	}
	p->sent[chunk] = true;
	p->nsent++;
	ipc_cork_unlend(lend_word(e, s), s->cookie, 1);
	return LEND_TAKEN;
}

void lend_forget(struct engine *e, ipc_cork_word *word, uint64_t cookie)
{
	unsigned n = 0;

	if (ipc_cork_lent(word) == 0)
		return;
	LIST_FOR_EACH (link, &e->pools) {
		struct lend_pool *p = LIST_ENTRY(link, struct lend_pool, link);

		n += ipc_lend_forget(p->shared, cookie);
	}
	ipc_cork_unlend(word, cookie, n);
}

void lend_recount(struct engine *e, struct sock *s)
{
	unsigned n = ipc_cork_lent(lend_word(e, s));

	LIST_FOR_EACH (link, &e->pools) {
		const struct lend_pool *p = LIST_ENTRY(link, struct lend_pool, link);

		if (ipc_lend_waiting(p->shared, s->cookie) > 0)
			return;
	}
	ipc_cork_unlend(lend_word(e, s), s->cookie, n);
}
