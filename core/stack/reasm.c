/*
 * Reassembly of IPv4 fragments (RFC 791 §3.2, RFC 815, RFC 1122 §3.3.2).
 *
 * Fragments of a datagram (same source, destination, protocol and identification) wait in a list
 * sorted by offset. It never holds two that overlap, so the datagram is complete when the end is
 * known and the lengths add up to it.
 *
 * Two fragments that overlap are either an attack or an identification that was used again too
 * early; putting them together in any way is wrong. The whole datagram is dropped, as RFC 5722 has
 * it for IPv6, and so is what else comes of it until its time is up: it stays in the table as
 * `dead`. One exception, RFC 8200 §4.5's: an exact copy of a fragment is a duplicate made by the
 * network and is ignored.
 *
 * Bounds: REASM_MEM_MAX bytes and REASM_DATAGRAMS_MAX datagrams, where the oldest leaves;
 * REASM_FRAGMENTS_MAX pieces per datagram. After REASM_TIMEOUT a datagram is given up, with ICMP
 * time exceeded if its first fragment is there.
 *
 * ECN (RFC 3168 §5.3): one fragment with CE makes the datagram CE; CE together with Not-ECT is
 * dropped.
 */
#include "core/stack/reasm.h"

#include <stdlib.h>
#include <string.h>

#include "core/stack/state.h"
#include "core/wire/icmp.h"

enum {
	PAYLOAD_MAX = 65535 - IPV4_HDR_LEN, /* of the datagram put together */
	FRAGMENT_UNIT = 8,
	QUOTE_MAX = 576, /* of what an ICMP error needs of the first fragment */
	ECN_MASK = 3,
	ECN_NOT_ECT = 0,
	ECN_CE = 3,
};

struct fragment {
	struct list link;
	uint16_t offset, len;
	uint8_t data[];
};

struct datagram {
	struct list link;
	struct stack *stack;
	struct timer timer;
	struct ipaddr src, dst;
	uint16_t id;
	uint8_t protocol;
	bool dead; /* no fragments, takes none */
	bool to_multicast, any_ce, any_not_ect;
	unsigned nfragments;
	size_t have; /* bytes in `fragments` */
	bool has_end;
	size_t total; /* bytes of the datagram; meaningful with has_end */
	struct list fragments;
	uint8_t first_hdr[IPV4_HDR_MAX]; /* of the fragment at offset 0 */
	struct ipv4_hdr first;           /* the same parsed; hdr_len 0: not here yet */
};

static void *charge(struct stack *s, size_t size)
{
	void *p = malloc(size);

	if (p) {
		s->reasm.bytes += size;
		s->memory += size;
	}
	return p;
}

static void discharge(struct stack *s, void *p, size_t size)
{
	s->reasm.bytes -= size;
	s->memory -= size;
	free(p);
}

static void drop_fragments(struct datagram *d)
{
	LIST_FOR_EACH (l, &d->fragments) {
		struct fragment *f = LIST_ENTRY(l, struct fragment, link);

		list_remove(l);
		discharge(d->stack, f, sizeof *f + f->len);
	}
	d->nfragments = 0;
	d->have = 0;
}

static void datagram_free(struct datagram *d)
{
	struct stack *s = d->stack;

	drop_fragments(d);
	timer_cancel(&s->timers, &d->timer);
	list_remove(&d->link);
	s->reasm.count--;
	discharge(s, d, sizeof *d);
}

/*
 * Nothing can come of it any more. The entry stays, so that its other fragments do not begin anew.
 */
static void kill_datagram(struct datagram *d)
{
	COUNT(d->stack, IpReasmFails);
	drop_fragments(d);
	d->dead = true;
}

static void send_time_exceeded(struct datagram *d, nsec now)
{
	uint8_t quote[IPV4_HDR_MAX + QUOTE_MAX];
	size_t hdr_len = d->first.hdr_len;
	struct fragment *f = LIST_ENTRY(list_first(&d->fragments), struct fragment, link);
	size_t n = MIN(f->len, QUOTE_MAX);

	memcpy(quote, d->first_hdr, hdr_len);
	memcpy(quote + hdr_len, f->data, n);
	icmp_send_error(
		d->stack, ICMP_TYPE_TIME_EXCEEDED, ICMP_CODE_REASSEMBLY, quote, hdr_len + n, now);
}

static void fire(struct timer *t, nsec now)
{
	struct datagram *d = CONTAINER_OF(t, struct datagram, timer);

	if (!d->dead) {
		COUNT(d->stack, IpReasmFails);
		if (d->first.hdr_len > 0 && !d->to_multicast)
			send_time_exceeded(d, now);
	}
	datagram_free(d);
}

static void drop_oldest(struct stack *s)
{
	struct datagram *d = LIST_ENTRY(list_first(&s->reasm.datagrams), struct datagram, link);

	if (!d->dead)
		COUNT(s, IpReasmFails);
	datagram_free(d);
}

static void make_room(struct stack *s, size_t size)
{
	while (!list_empty(&s->reasm.datagrams) && s->reasm.bytes + size > REASM_MEM_MAX)
		drop_oldest(s);
}

/*
 * A walk over at most REASM_DATAGRAMS_MAX entries; newest first, because fragments come in bursts.
 */
static struct datagram *find(struct stack *s, const struct ipv4_hdr *h)
{
	for (struct list *l = s->reasm.datagrams.prev; l != &s->reasm.datagrams; l = l->prev) {
		struct datagram *d = LIST_ENTRY(l, struct datagram, link);

		if (d->id == h->id && d->protocol == h->protocol &&
			ipaddr_equal(&d->src, &h->src) && ipaddr_equal(&d->dst, &h->dst))
			return d;
	}
	return NULL;
}

static struct datagram *datagram_new(struct stack *s, const struct ipv4_hdr *h, nsec now)
{
	if (s->reasm.count == REASM_DATAGRAMS_MAX)
		drop_oldest(s);
	struct datagram *d = charge(s, sizeof *d);
	if (!d)
		return NULL;
	*d = (struct datagram){
		.stack = s, .src = h->src, .dst = h->dst, .id = h->id, .protocol = h->protocol};
	list_init(&d->fragments);
	timer_init(&d->timer, fire);
	timer_arm(&s->timers, &d->timer, now + REASM_TIMEOUT);
	list_append(&s->reasm.datagrams, &d->link);
	s->reasm.count++;
	return d;
}

/* RFC 791: all but the last come in units of 8 bytes, none is empty, and all end before the end. */
static bool lengths_possible(const struct datagram *d, const struct ipv4_hdr *h, size_t len)
{
	size_t end = h->frag_offset + len;
	size_t last_end = 0;

	if (len == 0 || end > PAYLOAD_MAX || (h->mf && len % FRAGMENT_UNIT != 0))
		return false;
	if (d->has_end)
		return h->mf ? end < d->total : end == d->total;
	if (!list_empty(&d->fragments)) {
		const struct fragment *last = LIST_ENTRY(d->fragments.prev, struct fragment, link);
		last_end = (size_t)last->offset + last->len;
	}
	return h->mf || end >= last_end;
}

enum place { PLACE_FREE, PLACE_DUPLICATE, PLACE_OVERLAP };

/* Where a fragment belongs: *before is the list element it comes after. */
static enum place find_place(
	struct datagram *d, size_t offset, const uint8_t *data, size_t len, struct list **before)
{
	struct list *l = d->fragments.prev, *head = &d->fragments;

	while (l != head && LIST_ENTRY(l, struct fragment, link)->offset > offset)
		l = l->prev;
	*before = l;
	if (l != head) {
		const struct fragment *f = LIST_ENTRY(l, struct fragment, link);
		if (f->offset == offset && f->len == len && memcmp(f->data, data, len) == 0)
			return PLACE_DUPLICATE;
		if ((size_t)f->offset + f->len > offset)
			return PLACE_OVERLAP;
	}
	if (l->next != head && offset + len > LIST_ENTRY(l->next, struct fragment, link)->offset)
		return PLACE_OVERLAP;
	return PLACE_FREE;
}

static void note_header(
	struct datagram *d, const struct ipv4_hdr *h, const uint8_t *packet, bool to_multicast)
{
	d->to_multicast |= to_multicast;
	d->any_ce |= (h->tos & ECN_MASK) == ECN_CE;
	d->any_not_ect |= (h->tos & ECN_MASK) == ECN_NOT_ECT;
	if (!h->mf) {
		d->has_end = true;
		d->total = (size_t)h->frag_offset + h->total_len - h->hdr_len;
	}
	if (h->frag_offset == 0) {
		memcpy(d->first_hdr, packet, h->hdr_len);
		d->first = *h;
	}
}

/* False when the fragment did not become part of the datagram. */
static bool add_fragment(struct datagram *d, const struct ipv4_hdr *h, const uint8_t *packet)
{
	struct stack *s = d->stack;
	const uint8_t *data = packet + h->hdr_len;
	size_t len = h->total_len - h->hdr_len;
	struct list *before;

	if (!lengths_possible(d, h, len) || d->nfragments == REASM_FRAGMENTS_MAX) {
		kill_datagram(d);
		return false;
	}
	enum place place = find_place(d, h->frag_offset, data, len, &before);
	if (place == PLACE_OVERLAP) {
		COUNT(s, IpReasmOverlaps);
		kill_datagram(d);
	}
	if (place != PLACE_FREE)
		return false;
	struct fragment *f = charge(s, sizeof *f + len);
	if (!f)
		return false;
	f->offset = h->frag_offset;
	f->len = (uint16_t)len;
	memcpy(f->data, data, len);
	list_init(&f->link);
	list_prepend(before, &f->link);
	d->nfragments++;
	d->have += len;
	return true;
}

static bool put_together(struct datagram *d, struct reasm_packet *out)
{
	struct stack *s = d->stack;

	if (d->any_ce && d->any_not_ect) {
		kill_datagram(d);
		return false;
	}
	out->hdr = d->first;
	out->hdr.hdr_len = IPV4_HDR_LEN;
	out->hdr.total_len = (uint16_t)(IPV4_HDR_LEN + d->total);
	out->hdr.mf = false;
	if (d->any_ce)
		out->hdr.tos |= ECN_CE;
	out->to_multicast = d->to_multicast;
	out->packet = charge(s, out->hdr.total_len);
	if (out->packet) {
		ipv4_emit(out->packet, &out->hdr);
		LIST_FOR_EACH (l, &d->fragments) {
			const struct fragment *f = LIST_ENTRY(l, struct fragment, link);

			memcpy(out->packet + IPV4_HDR_LEN + f->offset, f->data, f->len);
		}
		COUNT(s, IpReasmOKs);
	}
	datagram_free(d);
	return out->packet != NULL;
}

void reasm_init(struct stack *s)
{
	list_init(&s->reasm.datagrams);
	s->reasm.count = 0;
	s->reasm.bytes = 0;
}

void reasm_flush(struct stack *s)
{
	while (!list_empty(&s->reasm.datagrams))
		drop_oldest(s);
}

bool reasm_input(struct stack *s, const struct ipv4_hdr *h, const uint8_t *packet,
	bool to_multicast, struct reasm_packet *out, nsec now)
{
	COUNT(s, IpReasmReqds);
	make_room(s, sizeof(struct datagram) + sizeof(struct fragment) + h->total_len);
	struct datagram *d = find(s, h);
	if (!d)
		d = datagram_new(s, h, now);
	if (!d || d->dead || !add_fragment(d, h, packet))
		return false;
	note_header(d, h, packet, to_multicast);
	return d->has_end && d->have == d->total && put_together(d, out);
}

void reasm_release(struct stack *s, struct reasm_packet *p)
{
	discharge(s, p->packet, p->hdr.total_len);
	p->packet = NULL;
}
