/*
 * Records that are read while others write them: copied word by word, so that no word is torn. That
 * the words belong together the caller has to prove, by a generation or a key.
 */
#ifndef TEECEE_PRELOAD_WORDS_H
#define TEECEE_PRELOAD_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* `n` words each; the one with atomic access is the shared one. */
static inline void words_store(uint64_t *shared, const uint64_t *own, size_t n)
{
	for (size_t i = 0; i < n; i++)
		__atomic_store_n(&shared[i], own[i], __ATOMIC_RELAXED);
}

static inline void words_load(uint64_t *own, const uint64_t *shared, size_t n)
{
	for (size_t i = 0; i < n; i++)
		own[i] = __atomic_load_n(&shared[i], __ATOMIC_RELAXED);
}

#endif
