/*
 * Frames that are held back until their time: a heap by time, then by the order in which they came.
 */
#ifndef TEECEE_LINK_HELD_H
#define TEECEE_LINK_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/time.h"
#include "core/link/flow.h"
#include "core/wire/frame.h"

enum { HELD_NO_RULE = 255 };

struct held {
	nsec at;
	uint64_t order;
	uint8_t rule; /* whose limit it counts for, HELD_NO_RULE: nobody's */
	bool is_timer; /* no frame: the conversation `key` is due for something */
	struct flow_key key;
	uint32_t ordinal;

	/* How it is sent or handed on: see struct tx_frame and struct rx_frame. */
	uint16_t head_len, l4_from_end, csum_offset, gso_size;
	uint8_t csum;
	char note[64];
	size_t len;
	uint8_t data[];
};

struct held_queue {
	struct held **heap;
	size_t n, room;
	uint64_t order;
};

/* An empty one for `len` bytes, not in a queue; NULL: no memory. */
struct held *held_new(size_t len);

/* Takes h, also when there is no memory for it: false. */
bool held_put(struct held_queue *q, struct held *h, nsec at);

/* Back to its old place, after held_take. */
bool held_put_back(struct held_queue *q, struct held *h);

/* The next one that is due, for the caller to free; NULL: none. */
struct held *held_take(struct held_queue *q, nsec now);

nsec held_next(const struct held_queue *q);
void held_clear(struct held_queue *q);

/* h as a frame to send; its payload stays h's. */
void held_as_tx(const struct held *h, struct tx_frame *f);

/* A copy of a frame to send, whole; NULL: no memory. */
struct held *held_from_tx(const struct tx_frame *f);

/* Bytes as they are, and a copy of such; NULL: no memory. */
struct held *held_from_bytes(const uint8_t *data, size_t len, uint8_t csum, uint16_t gso_size);
struct held *held_copy(const struct held *h);

#endif
