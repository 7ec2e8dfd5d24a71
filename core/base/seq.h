/*
 * TCP sequence numbers (RFC 9293 §3.4): 32 bits, compared modulo 2^32. A one-member struct, so that
 * `<` and `+` on them do not compile and every comparison names what it means.
 */
#ifndef TEECEE_BASE_SEQ_H
#define TEECEE_BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

struct seq32 {
	uint32_t v;
};

static inline struct seq32 seq(uint32_t v)
{
	return (struct seq32){v};
}

static inline struct seq32 seq_add(struct seq32 a, uint32_t n)
{
	return seq(a.v + n);
}

/* The signed distance from b to a: positive when a is after b. */
static inline int32_t seq_diff(struct seq32 a, struct seq32 b)
{
	return (int32_t)(a.v - b.v);
}

static inline bool seq_lt(struct seq32 a, struct seq32 b)
{
	return seq_diff(a, b) < 0;
}

static inline bool seq_le(struct seq32 a, struct seq32 b)
{
	return seq_diff(a, b) <= 0;
}

static inline bool seq_gt(struct seq32 a, struct seq32 b)
{
	return seq_diff(a, b) > 0;
}

static inline bool seq_ge(struct seq32 a, struct seq32 b)
{
	return seq_diff(a, b) >= 0;
}

static inline bool seq_eq(struct seq32 a, struct seq32 b)
{
	return a.v == b.v;
}

static inline struct seq32 seq_max(struct seq32 a, struct seq32 b)
{
	return seq_lt(a, b) ? b : a;
}

static inline struct seq32 seq_min(struct seq32 a, struct seq32 b)
{
	return seq_lt(a, b) ? a : b;
}

#endif
