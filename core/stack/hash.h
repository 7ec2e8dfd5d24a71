/*
 * Keyed hashes over the stack's secret (libsodium's SipHash-2-4): ISNs (RFC 6528), ports (RFC
 * 6056), the connection table, IP identifications. And a small deterministic generator for what
 * needs no more than being unguessable in advance: equal secrets make equal runs.
 */
#ifndef TEECEE_STACK_HASH_H
#define TEECEE_STACK_HASH_H

#include <stddef.h>
#include <stdint.h>

struct stack;

/* What the hash is for: equal inputs for different purposes give unrelated values. */
enum hash_purpose { HASH_CONN, HASH_ISN, HASH_PORT, HASH_IP_ID, HASH_RANDOM, HASH_COOKIE, HASH_TS };

/* `len` at most 64 bytes. */
uint64_t stack_hash(const struct stack *s, enum hash_purpose purpose, const void *data, size_t len);

/* Plain SipHash-2-4 under a key of 16 bytes, as other implementations of a protocol compute it. */
void stack_siphash(
	uint8_t out[static 8], const uint8_t key[static 16], const void *data, size_t len);

/* The next 64 bits of the stack's own random sequence. */
uint64_t stack_random(struct stack *s);

#endif
