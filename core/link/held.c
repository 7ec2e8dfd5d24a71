#include "core/link/held.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

struct held *held_new(size_t len)
{
	struct held *h = malloc(sizeof *h + len);

	if (!h)
		return NULL;
	memset(h, 0, sizeof *h);
	h->rule = HELD_NO_RULE;
	h->len = len;
	return h;
}

static bool is_before(const struct held *a, const struct held *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void swap(struct held **a, struct held **b)
{
	struct held *t = *a;

	*a = *b;
	*b = t;
}

bool held_put_back(struct held_queue *q, struct held *h)
{
	if (q->n == q->room) {
		size_t room = q->room ? 2 * q->room : 64;
		struct held **heap = realloc(q->heap, room * sizeof *heap);
		if (!heap) {
			free(h);
			return false;
		}
		q->heap = heap;
		q->room = room;
	}
	size_t i = q->n++;
	q->heap[i] = h;
	for (; i > 0 && is_before(q->heap[i], q->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&q->heap[i], &q->heap[(i - 1) / 2]);
	return true;
}

bool held_put(struct held_queue *q, struct held *h, nsec at)
{
	h->at = at;
	h->order = q->order++;
	return held_put_back(q, h);
}

struct held *held_take(struct held_queue *q, nsec now)
{
	if (q->n == 0 || q->heap[0]->at > now)
		return NULL;
	struct held *h = q->heap[0];
	q->heap[0] = q->heap[--q->n];
	for (size_t i = 0, least;; i = least) {
		size_t left = 2 * i + 1, right = left + 1;
		least = i;
		if (left < q->n && is_before(q->heap[left], q->heap[least]))
			least = left;
		if (right < q->n && is_before(q->heap[right], q->heap[least]))
			least = right;
		if (least == i)
			return h;
		swap(&q->heap[i], &q->heap[least]);
	}
}

nsec held_next(const struct held_queue *q)
{
	return q->n ? q->heap[0]->at : NSEC_NEVER;
}

void held_clear(struct held_queue *q)
{
	while (q->n > 0)
		free(q->heap[--q->n]);
	free(q->heap);
	q->heap = NULL;
	q->room = 0;
}

void held_as_tx(const struct held *h, struct tx_frame *f)
{
	tx_frame_init(f);
	size_t head = h->head_len ? h->head_len : MIN(h->len, (size_t)TX_HEAD_ROOM);
	memcpy(tx_frame_push(f, head), h->data, head);
	f->l4_from_end = h->l4_from_end;
	f->csum_offset = h->csum_offset;
	f->gso_size = h->gso_size;
	f->csum = h->csum;
	if (h->len > head) {
		f->payload[0] = (struct iovec){(void *)(h->data + head), h->len - head};
		f->npayload = 1;
	}
}

struct held *held_from_tx(const struct tx_frame *f)
{
	size_t head = tx_frame_head_len(f);
	struct held *h = held_new(head + tx_frame_payload_len(f));

	if (!h)
		return NULL;
	h->head_len = (uint16_t)head;
	h->l4_from_end = f->l4_from_end;
	h->csum_offset = f->csum_offset;
	h->gso_size = f->gso_size;
	h->csum = f->csum;
	memcpy(h->data, f->head + f->head_at, head);
	for (unsigned i = 0; i < f->npayload; i++) {
		memcpy(h->data + head, f->payload[i].iov_base, f->payload[i].iov_len);
		head += f->payload[i].iov_len;
	}
	return h;
}

struct held *held_from_bytes(const uint8_t *data, size_t len, uint8_t csum, uint16_t gso_size)
{
	struct held *h = held_new(len);

	if (!h)
		return NULL;
	h->csum = csum;
	h->gso_size = gso_size;
	memcpy(h->data, data, len);
	return h;
}

struct held *held_copy(const struct held *h)
{
	struct held *copy = held_new(h->len);

	if (copy)
		memcpy(copy, h, sizeof *h + h->len);
	return copy;
}
