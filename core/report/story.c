#include "core/report/story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/report/words.h"

struct story *story_new(struct conn *k)
{
	struct story *s = calloc(1, sizeof *s);

	if (!s)
		return NULL;
	s->conn = k;
	for (unsigned i = 0; i < 2; i++)
		s->series[i][STORY_DATA].joins_only = true;
	return s;
}

/* --- marks --- */

/* What a chart must show of a segment, even in the smallest scale. */
static uint32_t kept_marks(void)
{
	uint32_t kept = 0;

	for (unsigned m = 0; m < MARKS; m++)
		kept |= mark_info[m].is_trouble ? 1u << m : 0;
	return kept;
}

static void put_mark(struct story *s, const struct story_mark *m)
{
	if (s->nmarks == s->marks_room && s->nmarks < STORY_MARKS_MAX) {
		size_t room = s->marks_room ? s->marks_room * 2 : 64;
		struct story_mark *more = realloc(s->mark, room * sizeof *more);
		if (more) {
			s->mark = more;
			s->marks_room = room;
		}
	}
	if (s->nmarks < s->marks_room)
		s->mark[s->nmarks++] = *m;
	else
		s->marks_missing++;
}

/* One mark for each run of lost segments; what the comment had no room for is the frame's. */
static void put_lost(struct story *s, const struct segment *g, struct story_mark m)
{
	const struct note *n = &g->note;
	uint32_t left = n->lost;

	m.marks = 1u << MARK_LOST;
	for (unsigned i = 0; i < n->nruns; i++) {
		m.seq = g->seq + (int64_t)n->run[i].first * n->step;
		m.end = MIN(g->end, g->seq + ((int64_t)n->run[i].last + 1) * n->step);
		m.count = n->run[i].last - n->run[i].first + 1u;
		m.count = MIN(m.count, left);
		left -= m.count;
		if (m.count)
			put_mark(s, &m);
	}
	m.seq = g->seq;
	m.end = g->end;
	m.count = left;
	if (left)
		put_mark(s, &m);
}

/* Many in a row say the same. */
static size_t put_text(struct story *s, const char *text)
{
	size_t len = strlen(text) + 1;

	if (!text[0])
		return 0;
	if (s->last_text && strcmp(s->text + s->last_text, text) == 0)
		return s->last_text;
	if (s->text_len + len + 1 > s->text_room) {
		size_t room = MAX(s->text_room * 2, s->text_len + len + 1024);
		char *more = realloc(s->text, room);
		if (!more)
			return 0;
		s->text = more;
		s->text_room = room;
		s->text_len = MAX(s->text_len, (size_t)1);
	}
	s->last_text = s->text_len;
	memcpy(s->text + s->text_len, text, len);
	s->text_len += len;
	return s->last_text;
}

static void add_marks(struct story *s, const struct segment *g)
{
	uint32_t marks = g->marks & kept_marks(), lost = 1u << MARK_LOST;
	struct story_mark m = {.at = g->at,
		.number = g->number,
		.seq = g->seq,
		.end = g->end,
		.count = 1,
		.from = (uint8_t)g->from};

	if (!marks)
		return;
	m.note = put_text(s, g->note.text);
	m.marks = marks & ~lost;
	if (m.marks)
		put_mark(s, &m);
	if (marks & lost)
		put_lost(s, g, m);
}

/* --- series --- */

static void add_value(struct series *s, nsec at, int64_t v, size_t points)
{
	series_add(s, &(struct point){.t0 = at, .t1 = at, .a = v, .b = v, .lo = v, .hi = v, .n = 1},
		points);
}

static void add_sent(struct story *s, const struct segment *g, size_t points)
{
	struct series *mine = s->series[g->from];
	struct point p = {.t0 = g->at, .t1 = g->at, .a = g->seq, .b = g->end, .n = 1};

	if (g->end > g->seq &&
		!(g->marks & (1u << MARK_AGAIN | 1u << MARK_PROBE | 1u << MARK_RESET)))
		series_add(&mine[STORY_DATA], &p, points);
	if (g->end > g->seq)
		add_value(&mine[STORY_FLIGHT], g->at, (int64_t)MIN(g->flight, (uint64_t)INT64_MAX),
			points);
	if (g->note.cwnd)
		add_value(&mine[STORY_CWND], g->at, g->note.cwnd, points);
	if (g->echo_rtt)
		add_value(&s->series[!g->from][STORY_RTT], g->at, g->echo_rtt, points);
}

static void add_acked(struct story *s, const struct segment *g, size_t points)
{
	struct series *mine = s->series[g->from], *yours = s->series[!g->from];
	const struct side *o = &g->conn->side[!g->from];
	int64_t edge = g->ack + (int64_t)g->window, in_flight = o->next - g->ack;
	struct point p = {
		.t0 = g->at, .t1 = g->at, .a = g->ack, .b = g->ack, .lo = edge, .hi = edge, .n = 1};

	if (!(g->tcp.flags & TH_ACK) || (g->tcp.flags & TH_RST))
		return;
	series_add(&mine[STORY_ACK], &p, points);
	add_value(&yours[STORY_FLIGHT], g->at, MAX(in_flight, 0), points);
	if (g->rtt)
		add_value(&yours[STORY_RTT], g->at, g->rtt, points);
	for (unsigned i = 0; (g->tcp.opts & TO_SACK) && i < g->tcp.nsack; i++) {
		int64_t left = g->ack + seq_diff(g->tcp.sack[i].left, g->tcp.ack);
		int64_t right = g->ack + seq_diff(g->tcp.sack[i].right, g->tcp.ack);
		struct point block = {.t0 = g->at,
			.t1 = g->at,
			.a = left,
			.b = right,
			.lo = left,
			.hi = right,
			.n = 1};

		if (left < right)
			series_add(&mine[STORY_SACK], &block, points);
	}
}

/* --- rows --- */

static void fill_row(struct story_row *r, const struct segment *g)
{
	char flags[WORDS_FLAGS_LEN], numbers[WORDS_LEN], options[WORDS_LEN], remarks[WORDS_LEN],
		*text;

	words_flags(flags, g->tcp.flags);
	words_numbers(numbers, g);
	words_options(options, g);
	words_remarks(remarks, g);
	*r = (struct story_row){.number = g->number,
		.at = g->at,
		.from = (uint8_t)g->from,
		.marks = g->marks,
		.len = g->len};
	size_t flags_len = strlen(flags) + 1, numbers_len = strlen(numbers) + 1;
	size_t words_len = strlen(options) + strlen(remarks) + 5;
	if (!(text = malloc(flags_len + numbers_len + words_len)))
		return;
	r->flags = text;
	r->numbers = r->flags + flags_len;
	r->words = r->numbers + numbers_len;
	memcpy(r->flags, flags, flags_len);
	memcpy(r->numbers, numbers, numbers_len);
	snprintf(r->words, words_len, "%s%s%s%s", options,
		remarks[0] ? (options[0] ? "  [" : "[") : "", remarks, remarks[0] ? "]" : "");
}

static void free_row(struct story_row *r)
{
	free(r->flags);
	r->flags = NULL;
}

static bool is_worth_a_row(const struct segment *g)
{
	return (g->marks & kept_marks()) || (g->tcp.flags & (TH_SYN | TH_FIN | TH_RST));
}

static void add_row(struct story *s, const struct segment *g)
{
	bool first = s->nrows < STORY_ROWS_FIRST && s->segments == s->nrows;
	struct story_row *r;

	if (first || (is_worth_a_row(g) && s->nrows < STORY_ROWS_MAX - STORY_ROWS_LAST)) {
		r = &s->row[s->nrows++];
	} else {
		r = &s->last[s->nlast++ % STORY_ROWS_LAST];
		free_row(r);
	}
	fill_row(r, g);
	r->nth = s->segments;
}

static int by_nth(const void *a, const void *b)
{
	uint64_t x = ((const struct story_row *)a)->nth, y = ((const struct story_row *)b)->nth;

	return x < y ? -1 : x > y;
}

void story_end(struct story *s)
{
	unsigned n = MIN(s->nlast, (unsigned)STORY_ROWS_LAST);

	for (unsigned i = 0; i < n; i++)
		s->row[s->nrows++] = s->last[i];
	s->nlast = 0;
	qsort(s->row, s->nrows, sizeof s->row[0], by_nth);
}

void story_add(struct story *s, const struct segment *g, size_t points)
{
	add_sent(s, g, points);
	add_acked(s, g, points);
	add_marks(s, g);
	add_row(s, g);
	s->segments++;
}

void story_free(struct story *s)
{
	for (unsigned i = 0; i < s->nrows; i++)
		free_row(&s->row[i]);
	for (unsigned i = 0; i < MIN(s->nlast, (unsigned)STORY_ROWS_LAST); i++)
		free_row(&s->last[i]);
	for (unsigned i = 0; i < 2 * STORY_SERIES; i++)
		series_free(&s->series[i / STORY_SERIES][i % STORY_SERIES]);
	free(s->mark);
	free(s->text);
	free(s);
}
