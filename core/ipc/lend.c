#include "core/ipc/lend.h"

#include <assert.h>
#include <sys/mman.h>

enum { NUMBER = 255, TURN = 256 };

static_assert(sizeof(struct ipc_lend) <= IPC_LEND_HEAD_LEN, "the chunks are behind it");
static_assert(sizeof(struct ipc_lend_token) == 16, "the secret and the place");

struct ipc_lend *ipc_lend_map(int fd)
{
	void *p = mmap(NULL, IPC_LEND_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static unsigned use_of(uint32_t word)
{
	return word & ~(uint32_t)NUMBER;
}

uint8_t *ipc_lend_data(const struct ipc_lend *p, ipc_lend_place place)
{
	return (uint8_t *)p + IPC_LEND_HEAD_LEN + (size_t)(place & NUMBER) * IPC_LEND_CHUNK_LEN;
}

bool ipc_lend_take(struct ipc_lend *p, ipc_lend_place *out)
{
	for (unsigned i = 0; i < IPC_LEND_CHUNKS; i++) {
		_Atomic uint32_t *state = &p->chunk[i].state;
		uint32_t was = atomic_load_explicit(state, memory_order_relaxed);
		uint32_t use = use_of(was) + TURN;

		if ((was & NUMBER) != IPC_LEND_FREE ||
			!atomic_compare_exchange_strong(state, &was, use | IPC_LEND_FILLING))
			continue;
		*out = use | i;
		return true;
	}
	return false;
}

bool ipc_lend_ready(struct ipc_lend *p, ipc_lend_place place, uint64_t owner, size_t len,
	struct ipc_lend_token *out)
{
	struct ipc_lend_chunk *c = &p->chunk[place & NUMBER];

	atomic_store_explicit(&c->len, (uint32_t)len, memory_order_relaxed);
	atomic_store_explicit(&c->owner, owner, memory_order_relaxed);
	atomic_store(&c->state, use_of(place) | IPC_LEND_READY);
	*out = (struct ipc_lend_token){p->secret, p->id, place};
	if (!atomic_load(&p->closed))
		return true;
	ipc_lend_give_back(p, place);
	return false;
}

static bool change(
	struct ipc_lend_chunk *c, uint32_t use, enum ipc_lend_state from, enum ipc_lend_state to)
{
	uint32_t was = use | from;

	return atomic_compare_exchange_strong(&c->state, &was, use | to);
}

bool ipc_lend_give_back(struct ipc_lend *p, ipc_lend_place place)
{
	struct ipc_lend_chunk *c = &p->chunk[place & NUMBER];

	return change(c, use_of(place), IPC_LEND_FILLING, IPC_LEND_FREE) ||
	       change(c, use_of(place), IPC_LEND_READY, IPC_LEND_FREE);
}

static bool is_of(const struct ipc_lend_chunk *c, uint64_t owner)
{
	return atomic_load_explicit(&c->owner, memory_order_relaxed) == owner;
}

size_t ipc_lend_accept(struct ipc_lend *p, ipc_lend_place place, uint64_t owner)
{
	if (ipc_lend_number(place) >= IPC_LEND_CHUNKS)
		return 0;
	struct ipc_lend_chunk *c = &p->chunk[place & NUMBER];
	size_t len = atomic_load_explicit(&c->len, memory_order_relaxed);
	if (!is_of(c, owner) || len < IPC_LEND_MIN || len > IPC_LEND_CHUNK_LEN)
		return 0;
	return change(c, use_of(place), IPC_LEND_READY, IPC_LEND_SENT) ? len : 0;
}

void ipc_lend_put_off(struct ipc_lend *p, ipc_lend_place place)
{
	change(&p->chunk[place & NUMBER], use_of(place), IPC_LEND_SENT, IPC_LEND_READY);
}

unsigned ipc_lend_number(ipc_lend_place place)
{
	return place & NUMBER;
}

unsigned ipc_lend_chunk_of(const struct ipc_lend *p, const uint8_t *data)
{
	return (unsigned)((size_t)(data - (const uint8_t *)p - IPC_LEND_HEAD_LEN) /
			  IPC_LEND_CHUNK_LEN);
}

void ipc_lend_done(struct ipc_lend *p, unsigned chunk)
{
	_Atomic uint32_t *state = &p->chunk[chunk].state;

	atomic_store(state, use_of(atomic_load(state)) | IPC_LEND_FREE);
}

/* Whether it waits for the engine, on behalf of `owner`; its state. */
static bool waits(const struct ipc_lend_chunk *c, uint64_t owner, uint32_t *state)
{
	*state = atomic_load(&c->state);
	return (*state & NUMBER) == IPC_LEND_READY && is_of(c, owner);
}

unsigned ipc_lend_forget(struct ipc_lend *p, uint64_t owner)
{
	unsigned n = 0;
	uint32_t state;

	for (unsigned i = 0; i < IPC_LEND_CHUNKS; i++)
		if (waits(&p->chunk[i], owner, &state))
			n += change(&p->chunk[i], use_of(state), IPC_LEND_READY, IPC_LEND_FREE);
	return n;
}

size_t ipc_lend_waiting(const struct ipc_lend *p, uint64_t owner)
{
	size_t bytes = 0;
	uint32_t state;

	for (unsigned i = 0; i < IPC_LEND_CHUNKS; i++)
		if (waits(&p->chunk[i], owner, &state))
			bytes += atomic_load_explicit(&p->chunk[i].len, memory_order_relaxed);
	return bytes;
}

void ipc_lend_close(struct ipc_lend *p)
{
	atomic_store(&p->closed, 1);
}

uint64_t ipc_lend_owner(const struct ipc_lend *p, unsigned chunk)
{
	const struct ipc_lend_chunk *c = &p->chunk[chunk];

	if ((atomic_load(&c->state) & NUMBER) != IPC_LEND_READY)
		return 0;
	return atomic_load_explicit(&c->owner, memory_order_relaxed);
}
