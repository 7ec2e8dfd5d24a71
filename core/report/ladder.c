#include "core/report/ladder.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/report/capture.h"
#include "core/report/ladder_svg.h"
#include "core/report/words.h"

enum { ARROW_MIN = 24, ARROW_MAX = 48, REST_COLUMNS = 92 };

/* What lines are made of, in the terminal's alphabet. */
static const struct alphabet {
	const char *bar, *line, *again, *left, *right, *lost;
} alphabets[] = {
	{"│", "─", "╌", "◀", "▶", "✕"},
	{"|", "-", "~", "<", ">", "X"},
};

struct ladder {
	const struct ladder_config *config;
	const struct alphabet *a;
	FILE *out;
	unsigned arrow;  /* columns between the bars */
	unsigned titled; /* connections whose ends were told: up to this number */
	uint64_t drawn;
	struct svg_ladder *svg; /* NULL: it is text */
};

static const char *colour_of(const struct ladder *l, const struct segment *g)
{
	if (!l->config->colour)
		return "";
	if (g->marks & (1u << MARK_LOST | 1u << MARK_DROPPED | 1u << MARK_RESET))
		return "\033[31m";
	if (g->marks & (1u << MARK_AGAIN | 1u << MARK_OUT_OF_ORDER | 1u << MARK_HOLE))
		return "\033[33m";
	return g->from == 0 ? "\033[36m" : "\033[32m";
}

/* The ends of a connection, when it appears. */
static void title(struct ladder *l, const struct conn *k)
{
	char client[ENDPOINT_STRLEN], server[ENDPOINT_STRLEN];

	if (k->number <= l->titled)
		return;
	l->titled = k->number;
	fprintf(l->out, "%s#%u %s %s %s%s%s%s\n", l->config->colour ? "\033[1m" : "", k->number,
		endpoint_format(&k->side[0].end, client), l->config->ascii ? "->" : "→",
		endpoint_format(&k->side[1].end, server), k->process[0] ? "  " : "", k->process,
		l->config->colour ? "\033[0m" : "");
}

static void repeat(FILE *out, const char *what, unsigned n)
{
	while (n--)
		fputs(what, out);
}

/* "│ SYN ───▶│" or "│◀─── SYN ACK │"; with the length of the payload behind the flags. */
static void arrow(const struct ladder *l, const struct segment *g)
{
	bool lost = g->marks & 1u << MARK_LOST && g->note.lost >= MAX(g->note.segments, 1u);
	const char *line = g->marks & 1u << MARK_AGAIN ? l->a->again : l->a->line;
	char label[WORDS_FLAGS_LEN + 16];

	words_flags(label, g->tcp.flags);
	size_t n = strlen(label);
	if (g->len)
		snprintf(label + n, sizeof label - n, " %" PRIu32, g->len);
	n = strlen(label) + 3;
	unsigned dashes = n + 2 < l->arrow ? l->arrow - (unsigned)n : 2;
	fputs(l->a->bar, l->out);
	if (g->from == 0)
		fprintf(l->out, " %s ", label);
	else
		fputs(lost ? l->a->lost : l->a->left, l->out);
	repeat(l->out, line, dashes);
	if (g->from == 0)
		fputs(lost ? l->a->lost : l->a->right, l->out);
	else
		fprintf(l->out, " %s ", label);
	fputs(l->a->bar, l->out);
}

static void line(struct ladder *l, const struct segment *g)
{
	char numbers[WORDS_LEN], options[WORDS_LEN], remarks[WORDS_LEN];

	title(l, g->conn);
	fprintf(l->out, "%s%-3u %11.6f ", colour_of(l, g), g->conn->number, (double)g->at / SEC);
	arrow(l, g);
	words_numbers(numbers, g);
	words_options(options, g);
	words_remarks(remarks, g);
	fprintf(l->out, " %s%s%s%s%s%s%s\n", numbers, options[0] ? " " : "", options,
		remarks[0] ? "  [" : "", remarks, remarks[0] ? "]" : "",
		l->config->colour ? "\033[0m" : "");
}

static bool take(void *ctx, const struct segment *g)
{
	struct ladder *l = ctx;

	if (l->config->connection && g->conn->number != l->config->connection)
		return true;
	l->drawn++;
	if (l->svg)
		svg_ladder_add(l->svg, g);
	else
		line(l, g);
	return !ferror(l->out);
}

/* One line about what is not in the ladder. */
static void end(const struct ladder *l, const struct conns *conns, const struct capture_totals *t)
{
	fprintf(l->out,
		"%" PRIu64 " segments drawn; the capture has %" PRIu64 " packets: %" PRIu64
		" of TCP in %u connection%s",
		l->drawn, t->packets, t->tcp, conns_count(conns),
		conns_count(conns) == 1 ? "" : "s");
	if (t->other)
		fprintf(l->out, ", %" PRIu64 " of other protocols", t->other);
	if (t->broken)
		fprintf(l->out, ", %" PRIu64 " unreadable", t->broken);
	fprintf(l->out, "\n");
}

/* What stands behind the last segment, or, of a picture, all of it. False: no memory. */
static bool finish(
	const struct ladder *l, const struct conns *conns, const struct capture_totals *t)
{
	if (l->svg)
		return svg_ladder_end(l->svg, l->out, l->config->name, t->partial);
	end(l, conns, t);
	return true;
}

int ladder_draw(FILE *in, FILE *out, const struct ladder_config *config,
	char message[static SOURCE_ERROR_LEN])
{
	struct ladder l = {.config = config, .a = &alphabets[config->ascii], .out = out};
	struct capture_reading how = {.filter = config->filter,
		.packets_max = config->packets_max,
		.segment = take,
		.ctx = &l};
	unsigned room = config->columns > REST_COLUMNS ? config->columns - REST_COLUMNS : 0;
	struct capture_totals totals;
	struct conns *conns = NULL;
	int err;

	message[0] = '\0';
	l.arrow = MIN(MAX(room, (unsigned)ARROW_MIN), (unsigned)ARROW_MAX);
	if (config->svg && !(l.svg = svg_ladder_begin())) {
		fclose(in);
		snprintf(message, SOURCE_ERROR_LEN, "out of memory");
		return -ENOMEM;
	}
	err = capture_read(in, config->name, &how, &conns, &totals, message);
	if (err == 0 && config->connection > conns_count(conns)) {
		snprintf(message, SOURCE_ERROR_LEN, "%.120s has %u connection%s, and no number %u",
			config->name, conns_count(conns), conns_count(conns) == 1 ? "" : "s",
			config->connection);
		err = -EINVAL;
	}
	if (err == 0 && !finish(&l, conns, &totals)) {
		snprintf(message, SOURCE_ERROR_LEN, "out of memory");
		err = -ENOMEM;
	} else if (err == 0 && totals.partial[0]) {
		memcpy(message, totals.partial, sizeof totals.partial);
		err = 1;
	}
	if (l.svg)
		svg_ladder_free(l.svg);
	if (conns)
		conns_free(conns);
	return err;
}
