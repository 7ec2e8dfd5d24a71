#include "core/ipc/cork.h"

#include "core/base/bytes.h"

enum {
	CORKED = IPC_CORK_ON | IPC_CORK_MORE,
	UNSENT = IPC_CORK_WRITTEN | IPC_CORK_READING,
	BITS = 8,     /* below the number of loans, */
	LENT_LEN = 8, /* of this size; */
	TAG = 32,     /* the flushes are between it and the tag */
	LENT_MAX = 128,
	PATIENCE = 8,         /* a client that keeps changing its word is not waited for */
	LONG_PATIENCE = 1000, /* but a loan too many counted is a detour for all that follows */
};

#define LOAN (UINT64_C(1) << BITS)
#define FLUSH (UINT64_C(1) << (BITS + LENT_LEN))
#define FLUSHES ((UINT64_C(1) << TAG) - FLUSH)

static bool is_of(uint64_t word, uint64_t cookie)
{
	return word >> TAG == (cookie & UINT32_MAX) && cookie;
}

/* The 16 bits go round without touching the tag. */
static uint64_t flushed(uint64_t word)
{
	return (word & ~FLUSHES) | ((word + FLUSH) & FLUSHES);
}

/* Whether somebody has to tell the engine of the change. */
static bool is_news(uint64_t was, uint64_t is)
{
	bool uncorked = (was & CORKED) && !(is & CORKED);
	bool undelayed = !(was & IPC_CORK_NODELAY) && (is & IPC_CORK_NODELAY);

	return (uncorked && (was & IPC_CORK_HELD)) ||
	       (undelayed && (was & (UNSENT | IPC_CORK_USED)));
}

enum ipc_cork_put ipc_cork_put(ipc_cork_word *w, uint64_t cookie, enum ipc_cork which, bool on)
{
	uint64_t was = atomic_load(w), is;

	do {
		if (!is_of(was, cookie))
			return IPC_CORK_STALE;
		is = on ? was | which : was & ~(uint64_t)which;
		if (is & CORKED)
			is |= IPC_CORK_USED;
		if (!(was & CORKED) && (is & CORKED) && (was & UNSENT))
			is = flushed(is & ~(uint64_t)IPC_CORK_WRITTEN);
		if ((was & CORKED) && !(is & CORKED))
			is = flushed(is);
	} while (!atomic_compare_exchange_weak(w, &was, is));
	return is_news(was, is) ? IPC_CORK_FLUSH : IPC_CORK_PUT;
}

static unsigned bits_of(uint64_t word)
{
	return (unsigned)(word & (LOAN - 1));
}

unsigned ipc_cork_get(const ipc_cork_word *w, uint64_t cookie)
{
	uint64_t word = atomic_load_explicit(w, memory_order_relaxed);

	return is_of(word, cookie) ? bits_of(word) : 0;
}

void ipc_cork_wrote(ipc_cork_word *w, uint64_t cookie)
{
	uint64_t was = atomic_load_explicit(w, memory_order_relaxed);

	while (is_of(was, cookie) && !(was & (CORKED | IPC_CORK_WRITTEN)))
		if (atomic_compare_exchange_weak(w, &was, was | IPC_CORK_WRITTEN))
			return;
}

void ipc_cork_claim(ipc_cork_word *w, uint64_t cookie, unsigned bits)
{
	atomic_store(w, cookie << TAG | bits | (bits & CORKED ? IPC_CORK_USED : 0));
}

static uint32_t flushes_of(uint64_t word)
{
	return (uint32_t)((word & FLUSHES) >> (BITS + LENT_LEN));
}

unsigned ipc_cork_reading(ipc_cork_word *w, uint32_t *flushes)
{
	const uint64_t both = IPC_CORK_USED | IPC_CORK_WRITTEN;
	uint64_t word = atomic_load(w);
	int tries = 0;

	while ((word & both) == both && tries++ < PATIENCE)
		if (atomic_compare_exchange_weak(
			    w, &word, (word & ~(uint64_t)IPC_CORK_WRITTEN) | IPC_CORK_READING))
			break;
	*flushes = flushes_of(word);
	return bits_of(word);
}

/* What the word is when the engine has looked. */
static uint64_t seen(uint64_t word)
{
	word &= ~(uint64_t)(IPC_CORK_READING | IPC_CORK_HELD);
	return word & CORKED ? word | IPC_CORK_HELD : word;
}

unsigned ipc_cork_look(ipc_cork_word *w, uint32_t *flushes)
{
	uint64_t word = atomic_load(w);
	int tries = 0;

	while (word != seen(word) && !atomic_compare_exchange_weak(w, &word, seen(word)) &&
		tries < PATIENCE)
		tries++;
	*flushes = flushes_of(word);
	return tries < PATIENCE ? bits_of(word) : bits_of(word) & ~(unsigned)CORKED;
}

static unsigned lent_of(uint64_t word)
{
	return (unsigned)(word >> BITS & ((1u << LENT_LEN) - 1));
}

unsigned ipc_cork_lent(const ipc_cork_word *w)
{
	return lent_of(atomic_load(w));
}

bool ipc_cork_lend(ipc_cork_word *w, uint64_t cookie, unsigned n)
{
	uint64_t was = atomic_load_explicit(w, memory_order_relaxed);

	do {
		if (!is_of(was, cookie) || lent_of(was) + n > LENT_MAX)
			return false;
	} while (!atomic_compare_exchange_weak(w, &was, was + n * LOAN));
	return true;
}

void ipc_cork_unlend(ipc_cork_word *w, uint64_t cookie, unsigned n)
{
	uint64_t was = atomic_load_explicit(w, memory_order_relaxed);

	for (int tries = 0; tries < LONG_PATIENCE && is_of(was, cookie); tries++)
		if (atomic_compare_exchange_strong(w, &was, was - MIN(n, lent_of(was)) * LOAN))
			return;
}
