#include "core/stack/ring.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/stack/state.h"

static size_t capacity_for(size_t need, size_t least)
{
	size_t cap = MAX(least, (size_t)TCP_RING_MIN);

	while (cap < need)
		cap *= 2;
	return cap;
}

static bool has_memory(const struct stack *s, const struct ring *r, size_t cap)
{
	/* The first page is everybody's, whoever holds the rest: nobody is stopped for good. */
	bool first_page = r->cap == 0 && cap == TCP_RING_MIN;

	return first_page || s->memory + cap - r->cap <= s->config.tcp_mem_max;
}

bool ring_grow(struct stack *s, struct ring *r, size_t need)
{
	if (need > UINT32_MAX / 2)
		return false;
	if (need <= r->cap) {
		r->peak = MAX(r->peak, (uint32_t)need);
		return true;
	}
	size_t cap = capacity_for(need, MAX(r->cap, r->hint));
	if (!has_memory(s, r, cap))
		cap = capacity_for(need, r->cap);
	if (!has_memory(s, r, cap))
		return false;
	uint8_t *data = malloc(cap);
	if (!data)
		return false;
	/* What lies beyond len may be out-of-order data: all of the old capacity moves. */
	struct iovec old[2];
	size_t at = 0;
	for (int i = 0, n = ring_pieces(r, 0, r->cap, old); i < n; at += old[i++].iov_len)
		memcpy(data + at, old[i].iov_base, old[i].iov_len);
	free(r->data);
	s->memory += cap - r->cap;
	r->data = data;
	r->cap = (uint32_t)cap;
	r->head = 0;
	r->peak = (uint32_t)need;
	return true;
}

void ring_release(struct stack *s, struct ring *r)
{
	uint32_t hint = r->cap ? (uint32_t)capacity_for(r->peak, TCP_RING_MIN) : r->hint;

	free(r->data);
	s->memory -= r->cap;
	*r = (struct ring){.hint = hint};
}

int ring_pieces(const struct ring *r, uint32_t offset, uint32_t n, struct iovec iov[static 2])
{
	if (n == 0)
		return 0;
	uint32_t at = (r->head + offset) & (r->cap - 1);
	uint32_t first = MIN(n, r->cap - at);
	iov[0] = (struct iovec){r->data + at, first};
	if (first == n)
		return 1;
	iov[1] = (struct iovec){r->data, n - first};
	return 2;
}

void ring_write(struct ring *r, uint32_t offset, const void *data, uint32_t n)
{
	const uint8_t *from = data;
	struct iovec iov[2];
	int pieces = ring_pieces(r, offset, n, iov);

	for (int i = 0; i < pieces; from += iov[i++].iov_len)
		memcpy(iov[i].iov_base, from, iov[i].iov_len);
}

void ring_consume(struct ring *r, uint32_t n)
{
	r->len -= n;
	r->head = (r->head + n) & (r->cap - 1);
}
