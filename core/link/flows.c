#include "core/link/flows.h"

#include <stdlib.h>
#include <string.h>

enum { KIND_SHIFT = 28 };

void flows_init(struct flows *t)
{
	for (unsigned i = 0; i < FLOWS_BUCKETS; i++)
		list_init(&t->bucket[i]);
	list_init(&t->by_age);
	t->n = 0;
	memset(t->count, 0, sizeof t->count);
}

static void drop(struct flows *t, struct flow *f)
{
	list_remove(&f->bucket);
	list_remove(&f->by_age);
	free(f);
	t->n--;
}

void flows_clear(struct flows *t)
{
	for (struct list *l; (l = list_first(&t->by_age));)
		drop(t, LIST_ENTRY(l, struct flow, by_age));
	memset(t->count, 0, sizeof t->count);
}

static struct flow *look_up(struct flows *t, const struct flow_key *key)
{
	LIST_FOR_EACH (l, &t->bucket[flow_hash(key) % FLOWS_BUCKETS]) {
		struct flow *f = LIST_ENTRY(l, struct flow, bucket);

		if (flow_equal(&f->key, key))
			return f;
	}
	return NULL;
}

void flows_renew(struct flows *t, struct flow *f, enum flow_kind kind, nsec now)
{
	struct list bucket = f->bucket, by_age = f->by_age;
	struct flow_key key = f->key;

	memset(f, 0, sizeof *f);
	f->bucket = bucket;
	f->by_age = by_age;
	f->key = key;
	f->ordinal = (uint32_t)kind << KIND_SHIFT | (t->count[kind]++ & ((1u << KIND_SHIFT) - 1));
	f->fresh = true;
	f->began = now;
	f->blackhole_from = f->window_from = NSEC_NEVER;
}

struct flow *flows_get(struct flows *t, const struct flow_key *key, enum flow_kind kind, nsec now)
{
	struct flow *f = look_up(t, key);

	if (f) {
		f->fresh = false;
		list_remove(&f->by_age);
		list_append(&t->by_age, &f->by_age);
		return f;
	}
	if (t->n == FLOWS_MAX)
		drop(t, LIST_ENTRY(list_first(&t->by_age), struct flow, by_age));
	f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->key = *key;
	flows_renew(t, f, kind, now);
	list_init(&f->bucket);
	list_init(&f->by_age);
	list_append(&t->bucket[flow_hash(key) % FLOWS_BUCKETS], &f->bucket);
	list_append(&t->by_age, &f->by_age);
	t->n++;
	return f;
}

struct flow *flows_find(struct flows *t, const struct flow_key *key, uint32_t ordinal)
{
	struct flow *f = look_up(t, key);

	return f && f->ordinal == ordinal ? f : NULL;
}
