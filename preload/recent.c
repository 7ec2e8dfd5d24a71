/*
 * Each option of a socket has one place in a table, which others may share. Nobody takes a lock or
 * waits: a place is two words, the second of which proves that the first belongs to a key. A
 * mixture of two notes, whoever wrote them in whatever order, proves nothing and is as if there
 * were none.
 */
#include "preload/recent.h"

#include <stdatomic.h>
#include <stddef.h>

/* The options of one socket, and those of dozens made after it, never meet in a place. */
enum { PLACES = 1024 };

static struct place {
	_Atomic uint64_t value;
	_Atomic uint64_t proof; /* key ^ scatter(value) */
} places[PLACES];

/* One to one; 0 stays 0 (the last step of splitmix64). */
static uint64_t scatter(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Never 0, which is what an empty place proves. */
static uint64_t key_of(uint64_t cookie, enum ipc_option o)
{
	return cookie * IPC_OPT_COUNT + o + 1;
}

/* The proof that was found, for recent_forget; 0: none. */
static uint64_t look(struct place *p, uint64_t key, int64_t *value)
{
	uint64_t v = atomic_load_explicit(&p->value, memory_order_relaxed);
	uint64_t proof = atomic_load_explicit(&p->proof, memory_order_relaxed);

	*value = (int64_t)v;
	return (proof ^ scatter(v)) == key ? proof : 0;
}

void recent_note(uint64_t cookie, enum ipc_option o, int64_t value)
{
	uint64_t key = key_of(cookie, o);
	struct place *p = &places[key % PLACES];

	atomic_store_explicit(&p->value, (uint64_t)value, memory_order_relaxed);
	atomic_store_explicit(&p->proof, key ^ scatter((uint64_t)value), memory_order_relaxed);
}

bool recent_find(uint64_t cookie, enum ipc_option o, int64_t *value)
{
	uint64_t key = key_of(cookie, o);
	int64_t v;

	if (!look(&places[key % PLACES], key, &v))
		return false;
	*value = v;
	return true;
}

/* What was noted since the look stays. */
void recent_forget(uint64_t cookie, enum ipc_option o)
{
	uint64_t key = key_of(cookie, o);
	struct place *p = &places[key % PLACES];
	int64_t v;
	uint64_t proof = look(p, key, &v);

	if (proof)
		atomic_compare_exchange_strong(&p->proof, &proof, 0);
}
