#include "core/report/sent.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

/* The first piece that ends behind `at`. */
static size_t find(const struct sent *s, int64_t at)
{
	size_t low = s->from, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (s->piece[mid].end <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* One more place at the end: without memory, or with too many, the older half is forgotten. */
static bool make_room(struct sent *s)
{
	if (s->n < s->room)
		return true;
	if (s->from > s->room / 2) {
		memmove(s->piece, s->piece + s->from, (s->n - s->from) * sizeof *s->piece);
		s->n -= s->from;
		s->from = 0;
		return true;
	}
	size_t room = s->room ? s->room * 2 : 16;
	void *p = room <= SENT_PIECES_MAX ? realloc(s->piece, room * sizeof *s->piece) : NULL;
	if (p) {
		s->piece = p;
		s->room = room;
		return true;
	}
	if (s->n - s->from < 2)
		return false;
	s->from += (s->n - s->from) / 2;
	s->floor = MAX(s->floor, s->piece[s->from - 1].end);
	memmove(s->piece, s->piece + s->from, (s->n - s->from) * sizeof *s->piece);
	s->n -= s->from;
	s->from = 0;
	return true;
}

static void insert(struct sent *s, const struct sent_piece *p)
{
	if (p->end <= s->floor || !make_room(s))
		return;
	size_t i = find(s, p->seq);
	memmove(s->piece + i + 1, s->piece + i, (s->n - i) * sizeof *s->piece);
	s->piece[i] = *p;
	s->n++;
}

struct sent_verdict sent_add(struct sent *s, int64_t seq, int64_t end, nsec at, uint32_t tsval)
{
	struct sent_verdict v = {.last = NSEC_NEVER};
	int64_t start = MAX(seq, s->floor);

	/* Over the pieces that touch [start, end); what lies between them is fresh. */
	while (start < end) {
		size_t i = find(s, start);
		struct sent_piece *p = i < s->n ? &s->piece[i] : NULL;

		if (p && p->seq <= start) {
			v.last = p->last;
			p->last = at;
			p->again = true;
			start = p->end;
			continue;
		}
		struct sent_piece fresh = {.seq = start,
			.end = p ? MIN(end, p->seq) : end,
			.first = at,
			.last = at,
			.tsval = tsval};
		if (p && !v.before_others) {
			v.before_others = true;
			v.next = *p;
		}
		v.fresh += (uint64_t)(fresh.end - fresh.seq);
		start = fresh.end;
		insert(s, &fresh);
	}
	return v;
}

nsec sent_ack(struct sent *s, int64_t ack, nsec now)
{
	const struct sent_piece *last = NULL;
	bool doubtful = false;

	while (s->from < s->n && s->piece[s->from].seq < ack) {
		struct sent_piece *p = &s->piece[s->from];

		doubtful |= p->again;
		last = p;
		if (p->end > ack) {
			p->seq = ack;
			break;
		}
		s->from++;
	}
	s->floor = MAX(s->floor, ack);
	nsec rtt = last && !doubtful && !last->sacked ? now - last->first : 0;
	if (s->from == s->n)
		s->from = s->n = 0;
	return nsec_max(rtt, 0);
}

/* Where the news in a block begins; the block is remembered. */
static int64_t news_of(struct sent *s, int64_t left, int64_t right)
{
	for (unsigned i = 0; i < SENT_BLOCKS; i++) {
		int64_t known = s->block[i].right;

		if (s->block[i].left != left || known > right)
			continue;
		s->block[i].right = right;
		return known;
	}
	unsigned i = s->next_block++ % SENT_BLOCKS;
	s->block[i].left = left;
	s->block[i].right = right;
	return left;
}

nsec sent_sack(struct sent *s, int64_t left, int64_t right, nsec now)
{
	int64_t news = news_of(s, left, right);
	nsec rtt = 0;

	for (size_t i = find(s, news); i < s->n && s->piece[i].end <= right; i++) {
		struct sent_piece *p = &s->piece[i];

		if (p->seq < left || p->sacked)
			continue;
		p->sacked = true;
		if (!p->again)
			rtt = nsec_max(now - p->first, 0);
	}
	return rtt;
}

void sent_free(struct sent *s)
{
	free(s->piece);
	s->piece = NULL;
}
