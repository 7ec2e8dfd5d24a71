#include "preload/hint.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

#include "preload/config.h"
#include "preload/fresh.h"
#include "preload/instance.h"
#include "preload/real.h"

enum { CHUNK = 1024, CHUNKS = 1024 }; /* the kernel's default fs.nr_open is 2^20 */

/*
 * Two words. While the cookie changes `word` says that there is no hint, and a reader that sees
 * `word` change looks again: the hints of two sockets are never mixed.
 */
struct entry {
	_Atomic uint64_t cookie;
	/* kind | lowered << 8 | lingers << 9 | v6 << 10 | told << 11 | table << 16 */
	_Atomic uint32_t word;
};

static struct entry *_Atomic chunks[CHUNKS];

static struct entry *entry_of(int fd)
{
	if (fd < 0 || fd >= CHUNK * CHUNKS)
		return NULL;
	struct entry *chunk = atomic_load_explicit(&chunks[fd / CHUNK], memory_order_acquire);
	return chunk ? &chunk[fd % CHUNK] : NULL;
}

/* No memory: no hints. */
static void make_chunk(int fd)
{
	struct entry *none = NULL, *chunk;

	if (fd < 0 || fd >= CHUNK * CHUNKS || entry_of(fd))
		return;
	chunk = mmap(NULL, CHUNK * sizeof *chunk, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk == MAP_FAILED)
		return;
	if (!atomic_compare_exchange_strong(&chunks[fd / CHUNK], &none, chunk))
		munmap(chunk, CHUNK * sizeof *chunk);
}

struct hint hint_get(int fd)
{
	struct entry *e = entry_of(fd);
	uint32_t word, again = e ? atomic_load_explicit(&e->word, memory_order_acquire) : HINT_NONE;
	uint64_t cookie;

	do {
		word = again;
		if ((word & 0xff) == HINT_NONE)
			return (struct hint){.kind = HINT_NONE};
		cookie = atomic_load_explicit(&e->cookie, memory_order_acquire);
		again = atomic_load_explicit(&e->word, memory_order_acquire);
	} while (again != word);
	return (struct hint){
		.kind = (enum hint_kind)(word & 0xff),
		.lowered = word >> 8 & 1,
		.lingers = word >> 9 & 1,
		.v6 = word >> 10 & 1,
		.told = word >> 11 & 1,
		.table = (uint8_t)(word >> 16),
		.cookie = cookie,
	};
}

void hint_set(int fd, struct hint h)
{
	if (h.kind != HINT_NONE)
		make_chunk(fd);
	struct entry *e = entry_of(fd);
	if (!e)
		return;
	if (atomic_load_explicit(&e->cookie, memory_order_relaxed) != h.cookie) {
		atomic_store_explicit(&e->word, HINT_NONE, memory_order_relaxed);
		atomic_store_explicit(&e->cookie, h.cookie, memory_order_release);
	}
	atomic_store_explicit(&e->word,
		(uint32_t)h.kind | (uint32_t)h.lowered << 8 | (uint32_t)h.lingers << 9 |
			(uint32_t)h.v6 << 10 | (uint32_t)h.told << 11 | (uint32_t)h.table << 16,
		memory_order_release);
}

void hint_clear(int fd)
{
	hint_set(fd, (struct hint){.kind = HINT_NONE});
}

bool hint_holds(int fd, const struct hint *h)
{
	if (h->kind != HINT_NONE && h->cookie == raw_cookie(fd))
		return true;
	hint_clear(fd);
	return false;
}

int hint_duplicated(int fd, int to)
{
	struct hint h = hint_get(fd);
	int saved_errno = errno;

	if (to >= 0 && fd != to && (h.kind != HINT_NONE || hint_get(to).kind != HINT_NONE)) {
		hint_set(to, h);
		if (h.kind == HINT_FRESH)
			fresh_set_duplicated(h.cookie);
	}
	errno = saved_errno;
	return to;
}

void hint_closed_fresh(int fd, const struct hint *h)
{
	int saved_errno = errno;

	/* A child of vfork closes its copy only, in our memory. */
	if (config_is_this_process() && hint_holds(fd, h)) {
		fresh_closed(h->cookie);
		hint_clear(fd);
	}
	errno = saved_errno;
}

const struct ipc_slot *hint_slot(const struct hint *h)
{
	const struct ipc_table *t = instance_table(h->table);

	return t && h->kind >= HINT_BOUND ? ipc_table_find(t, h->cookie) : NULL;
}
