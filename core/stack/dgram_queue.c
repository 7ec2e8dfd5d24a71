/*
 * What waits in a datagram socket. SO_RCVBUF bounds it the way Linux does: a datagram is taken while
 * what waits is not above the limit, so that one always fits, however large.
 *
 * ICMP errors come twice: as the pending error, which the next call reports and forgets, and with
 * IP_RECVERR as an entry of the error queue, with what is left of the datagram (ip(7)).
 */
#include <stdlib.h>
#include <string.h>

#include "core/stack/state.h"

/* A datagram that waits, or an error about one; the bytes behind it. */
struct waiting {
	struct list link;
	size_t size;
	union {
		struct dgram_in in;
		struct dgram_error error;
	};
	uint8_t data[];
};

static struct waiting *waiting_new(struct dgram *d, const uint8_t *data, size_t len)
{
	size_t size = sizeof(struct waiting) + len;

	if (d->stack->dgram.bytes + size > DGRAM_MEM_MAX)
		return NULL;
	struct waiting *w = malloc(size);
	if (!w)
		return NULL;
	list_init(&w->link);
	w->size = size;
	if (len > 0)
		memcpy(w->data, data, len);
	d->stack->dgram.bytes += size;
	d->stack->memory += size;
	return w;
}

static void waiting_free(struct dgram *d, struct waiting *w)
{
	list_remove(&w->link);
	d->stack->dgram.bytes -= w->size;
	d->stack->memory -= w->size;
	free(w);
}

static struct waiting *oldest(const struct list *queue)
{
	struct list *first = list_first(queue);

	return first ? LIST_ENTRY(first, struct waiting, link) : NULL;
}

static bool hand_over(struct dgram *d, const struct dgram_in *in)
{
	const struct stack *s = d->stack;

	return s->ops.deliver_dgram && list_empty(&d->queue) &&
	       s->ops.deliver_dgram(s->ctx, d, d->user, in);
}

void dgram_deliver(struct dgram *d, const struct dgram_in *in)
{
	struct waiting *w = NULL;

	if (hand_over(d, in)) {
		if (d->kind == DGRAM_UDP)
			COUNT(d->stack, UdpInDatagrams);
		return;
	}
	if (d->queued <= (size_t)d->option[DGRAM_OPT_RCVBUF])
		w = waiting_new(d, in->data, in->len);
	if (!w) {
		COUNT(d->stack, UdpRcvbufErrors);
		d->drops++;
		return;
	}
	w->in = *in;
	w->in.data = w->data;
	d->queued += w->size;
	list_append(&d->queue, &w->link);
	if (d->kind == DGRAM_UDP)
		COUNT(d->stack, UdpInDatagrams);
	dgram_event(d, DGRAM_EV_READ);
}

bool dgram_peek(const struct dgram *d, struct dgram_in *out)
{
	const struct waiting *w = oldest(&d->queue);

	if (w)
		*out = w->in;
	return w;
}

void dgram_pop(struct dgram *d)
{
	struct waiting *w = oldest(&d->queue);

	if (!w)
		return;
	d->queued -= w->size;
	waiting_free(d, w);
}

uint64_t dgram_drops(const struct dgram *d)
{
	return d->drops;
}

void dgram_report(struct dgram *d, const struct dgram_error *e)
{
	struct waiting *w = NULL;

	d->pending = e->error;
	if (d->option[DGRAM_OPT_RECVERR] && d->nerrors < DGRAM_ERRORS_MAX)
		w = waiting_new(d, e->data, e->len);
	if (w) {
		w->error = *e;
		w->error.data = w->data;
		list_append(&d->errors, &w->link);
		d->nerrors++;
	}
	dgram_event(d, DGRAM_EV_ERROR);
}

bool dgram_peek_error(const struct dgram *d, struct dgram_error *out)
{
	const struct waiting *w = oldest(&d->errors);

	if (w)
		*out = w->error;
	return w;
}

void dgram_pop_error(struct dgram *d)
{
	struct waiting *w = oldest(&d->errors);

	if (!w)
		return;
	d->nerrors--;
	waiting_free(d, w);
}

int dgram_take_error(struct dgram *d)
{
	int error = d->pending;

	d->pending = 0;
	return error;
}

void dgram_queue_flush(struct dgram *d)
{
	while (!list_empty(&d->queue))
		dgram_pop(d);
	while (!list_empty(&d->errors))
		dgram_pop_error(d);
}
