#include "core/stack/hash.h"

#include <sodium/crypto_shorthash.h>
#include <string.h>

#include "core/stack/state.h"

enum { HASH_INPUT_MAX = 64 };

_Static_assert(sizeof(((struct stack_config *)0)->secret) >= crypto_shorthash_KEYBYTES,
	"secret too short");

uint64_t stack_hash(const struct stack *s, enum hash_purpose purpose, const void *data, size_t len)
{
	uint8_t input[1 + HASH_INPUT_MAX];
	uint64_t out;

	len = MIN(len, HASH_INPUT_MAX); /* no caller has more; a shorter key beats a broken stack */
	input[0] = (uint8_t)purpose;
	memcpy(input + 1, data, len);
	crypto_shorthash((unsigned char *)&out, input, 1 + len, s->config.secret);
	return out;
}

void stack_siphash(
	uint8_t out[static 8], const uint8_t key[static 16], const void *data, size_t len)
{
	crypto_shorthash(out, data, len, key);
}

uint64_t stack_random(struct stack *s)
{
	s->random_counter++;
	return stack_hash(s, HASH_RANDOM, &s->random_counter, sizeof s->random_counter);
}
