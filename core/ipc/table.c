#include "core/ipc/table.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "core/ipc/dgram.h"
#include "core/ipc/proto.h"

enum {
	ALIGNMENT = 64 << 10, /* a page, on any machine */
	/*
	 * A writer holds a slot for well under a microsecond. A reader that sees it held longer gives
	 * the writer the processor: first by sched_yield, then, for the writer may wait for another
	 * processor behind somebody else, by sleeping. On a busy machine that has been 10 ms; after 2 s
	 * the writer is stopped or has died in the middle.
	 */
	SPINS = 50,
	YIELDS = 500,
	SLEEPS = 20000,
	SLEEP_NS = 100000,
};

size_t ipc_table_size(uint32_t nsets)
{
	return sizeof(struct ipc_table) + (size_t)nsets * IPC_TABLE_WAYS * sizeof(struct ipc_slot) +
	       IPC_TABLE_PORTS_LEN;
}

size_t ipc_corks_size(uint32_t nsets)
{
	return (size_t)nsets * IPC_TABLE_WAYS * sizeof(ipc_cork_word);
}

/* Where the words begin. */
static size_t corks_offset(uint32_t nsets)
{
	return (ipc_table_size(nsets) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void ipc_table_unmap(struct ipc_table *t, uint32_t nsets)
{
	munmap(t, corks_offset(nsets) + ipc_corks_size(nsets));
}

struct ipc_table *ipc_table_map(
	struct ipc_table *at, int table_fd, int corks_fd, uint32_t nsets, bool writer)
{
	size_t table_len = ipc_table_size(nsets), offset = corks_offset(nsets);
	size_t corks_len = ipc_corks_size(nsets);
	int prot = PROT_READ | (writer ? PROT_WRITE : 0);
	char *t = (char *)at;

	if (!t)
		t = mmap(NULL, offset + corks_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t == MAP_FAILED)
		return NULL;
	void *table = mmap(t, table_len, prot, MAP_SHARED | MAP_FIXED, table_fd, 0);
	void *corks = mmap(t + offset, corks_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		corks_fd, 0);
	if (table != MAP_FAILED && corks != MAP_FAILED)
		return (struct ipc_table *)t;
	int error = errno;
	if (!at)
		ipc_table_unmap((struct ipc_table *)t, nsets);
	errno = error;
	return NULL;
}

ipc_cork_word *ipc_table_cork(const struct ipc_table *t, const struct ipc_slot *slot)
{
	return (ipc_cork_word *)((char *)t + corks_offset(t->nsets)) + (slot - t->slot);
}

bool ipc_table_valid(const struct ipc_table *t, size_t size)
{
	if (size < sizeof *t || t->magic != IPC_MAGIC || t->version != IPC_VERSION)
		return false;
	if (t->slot_size != sizeof(struct ipc_slot) || t->nsets == 0 || (t->nsets & (t->nsets - 1)))
		return false;
	return size >= ipc_table_size(t->nsets);
}

static const uint8_t *port_byte(const struct ipc_table *t, uint16_t port)
{
	return (const uint8_t *)&t->slot[(size_t)t->nsets * IPC_TABLE_WAYS] + port / 8;
}

bool ipc_table_listens(const struct ipc_table *t, uint16_t port)
{
	return __atomic_load_n(port_byte(t, port), __ATOMIC_RELAXED) >> port % 8 & 1;
}

void ipc_table_set_listens(struct ipc_table *t, uint16_t port, bool on)
{
	uint8_t *byte = (uint8_t *)port_byte(t, port), bit = (uint8_t)(1 << port % 8);

	__atomic_store_n(byte, (uint8_t)(on ? *byte | bit : *byte & ~bit), __ATOMIC_RELAXED);
}

bool ipc_table_is_alive(const struct ipc_table *t)
{
	uint32_t word = atomic_load_explicit(&t->alive, memory_order_relaxed);

	return word && !(word & FUTEX_OWNER_DIED);
}

static size_t set_of(const struct ipc_table *t, uint64_t cookie)
{
	return (size_t)(cookie & (t->nsets - 1)) * IPC_TABLE_WAYS;
}

const struct ipc_slot *ipc_table_find(const struct ipc_table *t, uint64_t cookie)
{
	const struct ipc_slot *set = &t->slot[set_of(t, cookie)];

	for (int i = 0; i < IPC_TABLE_WAYS; i++) {
		const struct ipc_sock_info *info = &set[i].info;
		if (__atomic_load_n(&info->use, __ATOMIC_RELAXED) != IPC_SLOT_FREE &&
			__atomic_load_n(&info->cookie, __ATOMIC_RELAXED) == cookie)
			return &set[i];
	}
	return NULL;
}

/* One try of the seqlock's reader. */
static bool copy_slot(const struct ipc_slot *slot, struct ipc_sock_info *out)
{
	uint32_t before = atomic_load_explicit(&slot->gen, memory_order_acquire);

	if (before & 1)
		return false;
	memcpy(out, &slot->info, sizeof *out);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&slot->gen, memory_order_relaxed) == before;
}

static void be_patient(int tries)
{
	if (tries >= SPINS + YIELDS)
		nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL);
	else if (tries >= SPINS)
		sched_yield();
}

bool ipc_table_get(const struct ipc_table *t, uint64_t cookie, struct ipc_sock_info *out)
{
	int saved = errno;

	for (int i = 0; i < SPINS + YIELDS + SLEEPS; i++) {
		const struct ipc_slot *slot = ipc_table_find(t, cookie);
		if (!slot)
			return false;
		if (copy_slot(slot, out))
			return out->cookie == cookie && out->use != IPC_SLOT_FREE;
		if (i >= SPINS + YIELDS && !ipc_table_is_alive(t))
			return false;
		be_patient(i);
		errno = saved;
	}
	return false;
}

/* The better place for a new cookie: free before dead, of the dead the oldest. */
static bool is_better(const struct ipc_slot *a, const struct ipc_slot *b)
{
	if (!b || a->info.use == IPC_SLOT_FREE)
		return !b || b->info.use != IPC_SLOT_FREE;
	return b->info.use == IPC_SLOT_DEAD && a->info.cookie < b->info.cookie;
}

struct ipc_sock_info ipc_sock_initial(uint16_t family, uint32_t kind)
{
	enum { CLOSE = 7 };
	struct ipc_sock_info info = {
		.family = family,
		.kind = kind,
		.tcp_state = kind == IPC_KIND_TCP ? IPC_TCP_PENDING : CLOSE,
	};

	for (int o = 0; kind == IPC_KIND_TCP && o < IPC_OPT_COUNT; o++)
		info.option[o] = ipc_option_info[o].initial;
	for (int o = 0; kind != IPC_KIND_TCP && o < IPC_DGRAM_OPT_COUNT; o++)
		info.option[o] = ipc_dgram_option_info[o].initial;
	return info;
}

struct ipc_slot *ipc_table_claim(
	struct ipc_table *t, uint64_t cookie, const struct ipc_sock_info *first)
{
	struct ipc_slot *set = &t->slot[set_of(t, cookie)];
	struct ipc_slot *best = NULL;

	for (int i = 0; i < IPC_TABLE_WAYS; i++) {
		if (set[i].info.use != IPC_SLOT_LIVE && is_better(&set[i], best))
			best = &set[i];
	}
	if (!best)
		return NULL;
	struct ipc_sock_info *info = ipc_slot_begin(best);
	*info = *first;
	info->cookie = cookie;
	info->use = IPC_SLOT_LIVE;
	ipc_slot_end(best);
	return best;
}

struct ipc_sock_info *ipc_slot_begin(struct ipc_slot *slot)
{
	uint32_t gen = atomic_load_explicit(&slot->gen, memory_order_relaxed);

	atomic_store_explicit(&slot->gen, gen + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return &slot->info;
}

void ipc_slot_end(struct ipc_slot *slot)
{
	uint32_t gen = atomic_load_explicit(&slot->gen, memory_order_relaxed);

	atomic_store_explicit(&slot->gen, gen + 1, memory_order_release);
}
