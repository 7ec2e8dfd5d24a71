/*
 * A byte ring that grows by doubling and gives its memory back when it is empty. Bytes are
 * addressed by their offset from the front, so a receive ring can take a piece beyond the end (out
 * of order) and a send ring can show any piece again (retransmission), both without moving
 * anything.
 */
#ifndef TEECEE_STACK_RING_H
#define TEECEE_STACK_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct stack;

struct ring {
	uint8_t *data;
	uint32_t cap;  /* a power of two, or 0 */
	uint32_t head; /* index of offset 0 */
	uint32_t len;  /* bytes in order; offsets beyond may hold out-of-order bytes */
	uint32_t peak; /* the most that was needed since the last release */
	uint32_t hint; /* and before that: what to begin with the next time */
};

/* Makes offsets [0, need) usable. False: no memory, or the stack's total is used up;
 * the first TCP_RING_MIN bytes are outside of that total's limit. */
bool ring_grow(struct stack *s, struct ring *r, size_t need);

/*
 * Frees the memory; the content is gone. How large it was is remembered, so that a ring that fills
 * and empties all the time does not grow through every power of two again, copying.
 */
void ring_release(struct stack *s, struct ring *r);

/* The pieces of [offset, offset + n), all within the capacity: how many of the two are filled. */
int ring_pieces(const struct ring *r, uint32_t offset, uint32_t n, struct iovec iov[static 2]);

void ring_write(struct ring *r, uint32_t offset, const void *data, uint32_t n);

/* Drops n <= len bytes from the front. */
void ring_consume(struct ring *r, uint32_t n);

#endif
