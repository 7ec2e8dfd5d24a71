#include "core/report/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/report/capture.h"
#include "core/report/pack.h"
#include "core/report/page_parts.h"
#include "core/report/story.h"

enum {
	STORIES_MAX = 1000, /* connections whose charts are kept while reading: the first ones */
	CHARTS_MAX = 64,    /* and that the page has: the largest */
	ROWS_MAX = 5000,    /* of the table */
	POINTS_ALL = 8 << 20,
	POINTS_PAGE = 400000, /* a page of a few megabytes */
	POINTS_MAX =
		20000, /* of a series: more than a screen has columns, so that zooming in shows more */
	POINTS_MIN = 300,
};

struct report {
	FILE *out;
	struct story **story; /* by number of the connection - 1 */
	unsigned nstories;
	size_t points; /* of each series now */
};

static size_t points_for(size_t all, unsigned stories)
{
	size_t each = all / (2 * STORY_SERIES) / MAX(stories, 1u);

	return MIN(MAX(each, (size_t)POINTS_MIN), (size_t)POINTS_MAX);
}

static bool take(void *ctx, const struct segment *g)
{
	struct report *r = ctx;
	unsigned i = g->conn->number - 1;

	if (i >= STORIES_MAX)
		return true;
	if (!r->story[i]) {
		if (!(r->story[i] = story_new(g->conn)))
			return true;
		r->nstories++;
		r->points = points_for(POINTS_ALL, r->nstories);
	}
	story_add(r->story[i], g, r->points);
	return true;
}

/* --- JSON --- */

/* Anybody's bytes, in a script of a page: only harmless ASCII stands for itself. */
static void put_text(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' ||
			c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void put_side(FILE *out, const struct side *s)
{
	char end[ENDPOINT_STRLEN];

	fprintf(out,
		"{\"end\":\"%s\",\"packets\":%" PRIu64 ",\"payload\":%" PRIu64
		",\"fresh\":%" PRIu64,
		endpoint_format(&s->end, end), s->packets, s->payload, s->fresh);
	fprintf(out, ",\"lost\":%" PRIu64 ",\"flight\":%" PRIu64 ",\"cwnd\":%u", s->lost,
		s->flight_max, s->cwnd_max);
	fprintf(out, ",\"mss\":%u,\"wscale\":%d,\"syn\":%d,\"fin\":%d", s->mss,
		s->scales ? s->wscale : -1, s->syn, s->fin);
	fprintf(out, ",\"sack\":%d,\"ts\":%d", (s->opts & TO_SACK_OK) != 0,
		(s->opts & TO_TIMESTAMP) != 0);
	if (s->rtt.n)
		fprintf(out, ",\"rtt\":[%" PRIu64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]", s->rtt.n,
			s->rtt.min, s->rtt.sum / (nsec)MIN(s->rtt.n, (uint64_t)INT64_MAX),
			s->rtt.max);
	fprintf(out, ",\"count\":[");
	for (int m = 0; m < MARKS; m++)
		fprintf(out, "%s%" PRIu64, m ? "," : "", s->count[m]);
	fprintf(out, "]}");
}

static void put_conn(FILE *out, const struct conn *k)
{
	fprintf(out, "{\"n\":%u,\"process\":", k->number);
	put_text(out, k->process);
	fprintf(out, ",\"first\":%" PRId64 ",\"last\":%" PRId64 ",\"handshake\":%" PRId64, k->first,
		k->last, k->handshake);
	fprintf(out, ",\"established\":%d,\"reset\":%d,\"side\":[", k->established, k->reset);
	put_side(out, &k->side[0]);
	putc(',', out);
	put_side(out, &k->side[1]);
	fprintf(out, "]}");
}

static void put_series(FILE *out, const struct series *s)
{
	struct point before = {0};
	struct pack p;

	pack_begin(&p, out);
	pack_unsigned(&p, s->n);
	for (size_t i = 0; i < s->n; i++) {
		const struct point *q = &s->p[i];

		pack_difference(&p, q->t0, before.t0);
		pack_difference(&p, q->t1, q->t0);
		pack_difference(&p, q->a, before.b);
		pack_difference(&p, q->b, q->a);
		pack_difference(&p, q->lo, before.lo);
		pack_difference(&p, q->hi, q->lo);
		pack_unsigned(&p, q->n);
		before = *q;
	}
	pack_end(&p);
}

/* Notes are numbered from 1 in the order of the text; marks refer to them in ascending order. */
static void put_marks(FILE *out, const struct story *s)
{
	struct story_mark before = {0};
	uint64_t texts = 0;
	size_t reached = 0;
	struct pack p;

	pack_begin(&p, out);
	pack_unsigned(&p, s->nmarks);
	for (size_t i = 0; i < s->nmarks; i++) {
		const struct story_mark *m = &s->mark[i];

		for (; reached < m->note; texts++)
			reached = reached ? reached + strlen(s->text + reached) + 1 : 1;
		pack_difference(&p, m->at, before.at);
		pack_difference(&p, (int64_t)m->number, (int64_t)before.number);
		pack_difference(&p, m->seq, before.seq);
		pack_difference(&p, m->end, m->seq);
		pack_unsigned(&p, m->marks);
		pack_unsigned(&p, m->count);
		pack_unsigned(&p, m->from);
		pack_unsigned(&p, m->note ? texts : 0);
		before = *m;
	}
	pack_end(&p);
	fprintf(out, ",\"notes\":[\"\"");
	for (size_t at = 1; at < s->text_len; at += strlen(s->text + at) + 1) {
		putc(',', out);
		put_text(out, s->text + at);
	}
	fprintf(out, "]");
}

static void put_rows(FILE *out, const struct story *s)
{
	const char *comma = "";

	for (unsigned i = 0; i < s->nrows; i++) {
		const struct story_row *r = &s->row[i];

		if (!r->flags)
			continue;
		fprintf(out, "%s[%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%u,%u,%u,\"%s\",", comma,
			r->number, r->nth, r->at, r->from, r->marks, r->len, r->flags);
		put_text(out, r->numbers);
		putc(',', out);
		put_text(out, r->words);
		putc(']', out);
		comma = ",\n";
	}
}

static void put_story(FILE *out, struct story *s, size_t points)
{
	static const char *const names[STORY_SERIES] = {
		"data", "ack", "sack", "rtt", "flight", "cwnd"};
	uint64_t missing = s->marks_missing;

	fprintf(out, "{\"n\":%u,\"side\":[", s->conn->number);
	for (unsigned from = 0; from < 2; from++) {
		fprintf(out, "%s{", from ? "," : "");
		for (unsigned k = 0; k < STORY_SERIES; k++) {
			struct series *series = &s->series[from][k];

			series_shrink(series, series->joins_only ? 2 * points : points);
			missing += series->full;
			fprintf(out, "%s\"%s\":", k ? ",\n" : "", names[k]);
			put_series(out, series);
		}
		putc('}', out);
	}
	fprintf(out, "],\n\"missing\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"marks\":", missing,
		s->segments);
	put_marks(out, s);
	fprintf(out, ",\n\"rows\":[");
	put_rows(out, s);
	fprintf(out, "]}");
}

/* --- what is chosen --- */

static uint64_t size_of(const struct conn *k)
{
	return k->side[0].packets + k->side[1].packets;
}

static int larger_conn(const void *a, const void *b)
{
	const struct conn *x = *(struct conn *const *)a, *y = *(struct conn *const *)b;
	uint64_t m = size_of(x), n = size_of(y);

	return m != n ? (m > n ? -1 : 1) : (x->number > y->number) - (x->number < y->number);
}

/* All of them, the largest first; NULL: no memory. */
static struct conn **sort(const struct conns *conns)
{
	unsigned n = conns_count(conns);
	struct conn **all = calloc(n + 1, sizeof(struct conn *));

	for (unsigned i = 0; all && i < n; i++)
		all[i] = conns_get(conns, i + 1);
	if (all)
		qsort(all, n, sizeof(struct conn *), larger_conn);
	return all;
}

static void put_charts(const struct report *r, struct conn *const *all, unsigned n)
{
	unsigned charts = MIN(r->nstories, (unsigned)CHARTS_MAX), done = 0;
	size_t points = points_for(POINTS_PAGE, charts);

	fprintf(r->out, "\"charts\":[");
	for (unsigned i = 0; i < n && done < charts; i++) {
		struct story *s =
			all[i]->number <= STORIES_MAX ? r->story[all[i]->number - 1] : NULL;

		if (!s)
			continue;
		fprintf(r->out, done++ ? ",\n" : "\n");
		story_end(s);
		put_story(r->out, s, points);
	}
	fprintf(r->out, "]");
}

/* Of all connections, also those that the table has no row for. */
static void put_sums(FILE *out, struct conn *const *all, unsigned n)
{
	uint64_t fresh = 0, again = 0, lost = 0;

	for (unsigned i = 0; i < 2 * n; i++) {
		const struct side *s = &all[i / 2]->side[i % 2];

		fresh += s->fresh;
		again += s->count[MARK_AGAIN];
		lost += s->lost;
	}
	fprintf(out, ",\"fresh\":%" PRIu64 ",\"again\":%" PRIu64 ",\"lost\":%" PRIu64, fresh, again,
		lost);
}

static void put_data(const struct report *r, const char *name, const struct conns *conns,
	struct conn *const *all, const struct capture_totals *t)
{
	unsigned n = conns_count(conns);
	FILE *out = r->out;

	fprintf(out, "{\"file\":");
	put_text(out, name);
	fprintf(out, ",\"partial\":");
	put_text(out, t->partial);
	fprintf(out,
		",\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"tcp\":%" PRIu64
		",\"other\":%" PRIu64 ",\"broken\":%" PRIu64 ",\"began\":%" PRId64
		",\"ended\":%" PRId64 ",\n\"marks\":[",
		t->packets, t->bytes, t->tcp, t->other, t->broken, t->began, t->ended);
	for (int m = 0; m < MARKS; m++)
		fprintf(out, "%s[\"%s\",\"%s\",\"%s\",%d]", m ? "," : "", mark_info[m].key,
			mark_info[m].remark, mark_info[m].plural, mark_info[m].is_trouble);
	fprintf(out, "],\n\"count\":%u", n);
	put_sums(out, all, n);
	fprintf(out, ",\"conns\":[\n");
	for (unsigned i = 0; i < MIN(n, (unsigned)ROWS_MAX); i++) {
		fprintf(out, i ? ",\n" : "");
		put_conn(out, all[i]);
	}
	fprintf(out, "],\n");
	put_charts(r, all, n);
	fprintf(out, "}");
}

static void put_page(const struct report *r, const char *name, const struct conns *conns,
	struct conn *const *all, const struct capture_totals *t)
{
	FILE *out = r->out;

	fprintf(out,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<title>TCP report</title>\n<style>\n%s</style>\n</head>\n%s",
		page_style, page_body);
	fprintf(out, "<script type=\"application/json\" id=\"data\">\n");
	put_data(r, name, conns, all, t);
	fprintf(out, "\n</script>\n<script>\n'use strict';\n%s%s%s%s</script>\n</body>\n</html>\n",
		page_data, page_chart, page_view, page_zoom);
}

int report_write(FILE *in, FILE *out, const struct report_config *config,
	char message[static SOURCE_ERROR_LEN])
{
	struct report r = {.out = out,
		.points = POINTS_MAX,
		.story = calloc(STORIES_MAX, sizeof(struct story *))};
	struct capture_reading how = {
		.filter = "", .packets_max = config->packets_max, .segment = take, .ctx = &r};
	struct capture_totals totals;
	struct conn **all = NULL;
	struct conns *conns = NULL;
	int err = -ENOMEM;

	snprintf(message, SOURCE_ERROR_LEN, "out of memory");
	if (!r.story)
		fclose(in);
	else
		err = capture_read(in, config->name, &how, &conns, &totals, message);
	if (err == 0 && !(all = sort(conns)))
		err = -ENOMEM;
	if (err == 0) {
		put_page(&r, config->name, conns, all, &totals);
		memcpy(message, totals.partial, sizeof totals.partial);
		err = totals.partial[0] ? 1 : 0;
	}
	for (unsigned i = 0; r.story && i < STORIES_MAX; i++)
		if (r.story[i])
			story_free(r.story[i]);
	free(r.story);
	free(all);
	if (conns)
		conns_free(conns);
	return err;
}
