#include "core/report/series.h"

#include <stdlib.h>

#include "core/base/bytes.h"

static bool can_merge(const struct series *s, const struct point *into, const struct point *p)
{
	if (!s->width || p->t1 - into->t0 >= s->width)
		return false;
	return !s->joins_only || into->b == p->a;
}

static void merge(struct point *into, const struct point *p)
{
	into->t1 = nsec_max(into->t1, p->t1);
	into->b = p->b;
	into->lo = MIN(into->lo, p->lo);
	into->hi = MAX(into->hi, p->hi);
	into->n = into->n > UINT32_MAX - p->n ? UINT32_MAX : into->n + p->n;
}

static void merge_all(struct series *s)
{
	size_t kept = 0;

	for (size_t i = 1; i < s->n; i++) {
		if (can_merge(s, &s->p[kept], &s->p[i]))
			merge(&s->p[kept], &s->p[i]);
		else
			s->p[++kept] = s->p[i];
	}
	s->n = s->n ? kept + 1 : 0;
}

void series_shrink(struct series *s, size_t max)
{
	if (s->n <= max)
		return;
	nsec span = s->p[s->n - 1].t1 - s->p[0].t0;

	/* From what would do if they were evenly spread to a single bucket. */
	s->width = nsec_max(s->width, span / (nsec)max + 1);
	for (merge_all(s); s->n > max && s->width <= span; merge_all(s))
		s->width *= 2;
}

static bool make_room(struct series *s)
{
	if (s->n < s->room)
		return true;
	size_t room = s->room ? s->room * 2 : 32;
	struct point *p = realloc(s->p, room * sizeof *p);
	if (!p)
		return false;
	s->p = p;
	s->room = room;
	return true;
}

void series_add(struct series *s, const struct point *p, size_t max)
{
	size_t limit = s->joins_only ? 2 * max : max;

	if (s->n && can_merge(s, &s->p[s->n - 1], p)) {
		merge(&s->p[s->n - 1], p);
		return;
	}
	if (s->n >= limit)
		series_shrink(s, limit / 2);
	if (s->n >= limit || !make_room(s)) {
		s->full = true;
		return;
	}
	s->p[s->n++] = *p;
}

void series_free(struct series *s)
{
	free(s->p);
	s->p = NULL;
	s->n = s->room = 0;
}
