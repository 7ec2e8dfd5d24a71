/*
 * The height of a picture stands at its beginning, so the rows are gathered first. A row is a group
 * with a class for its colour; the arrow's head, a cross for what was lost, is drawn with it, which
 * every viewer can do, markers not.
 */
#include "core/report/ladder_svg.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/report/words.h"

enum {
	WIDTH = 1240,
	ROW = 20,
	TOP = 44,      /* of the first row */
	NUMBER_X = 16, /* of the connection */
	TIME_X = 130,  /* the right end of the time */
	LEFT_X = 150,  /* the client's line */
	RIGHT_X = 530, /* the server's */
	TEXT_X = 550,
	REMARK_X = 890,
	HEAD = 7,       /* size of an arrow's head */
	CHAR = 7,       /* width of a letter of a label, roughly */
	TITLE_MAX = 46, /* letters of two ends beside each other */
};

struct svg_ladder {
	char *text;
	size_t len;
	FILE *body;
	uint64_t rows;  /* segments, also those without a row */
	unsigned lines; /* rows and titles */
	unsigned titled;
};

/* A row's class and its colour, in words that older viewers know, too. */
#define INK(class, colour)                                                                         \
	"." class " line, ." class " path { stroke: " colour "; }\n"                               \
				   "." class " .label, ." class " .remark, ." class " .head { "    \
										    "fill:"        \
										    " " colour     \
										    "; }\n"

static const char style[] =
	"<style>\n"
	"svg { background: #fff; font: 12px system-ui, \"Noto Sans\", sans-serif; }\n"
	"text { fill: #1c2128; }\n"
	".mono { font-family: ui-monospace, \"DejaVu Sans Mono\", monospace; font-size: 11px; "
	"white-space: pre; }\n"
	".muted { fill: #626c78; }\n"
	".name { font-weight: 600; }\n"
	".long { font-size: 9px; }\n"
	".life { stroke: #b6bec8; stroke-width: 1.5; }\n"
	"g line, g path { fill: none; stroke-width: 1.4; }\n"
	".again line { stroke-dasharray: 5 3; }\n" INK("c", "#0b5fcc") INK("s", "#1a7f37") INK(
		"again", "#d1242f") INK("lost",
		"#bf1f8a") "@media (prefers-color-scheme: dark) {\n"
			   "svg { background: #0f1318; } text { fill: #e4e9ef; } .muted { fill: "
			   "#929dab; } .life { stroke: #46505c; }\n" INK("c", "#5aa2ff")
				   INK("s", "#4cc26b") INK("again", "#ff6b6b")
					   INK("lost", "#ff6ad5") "}\n"
								  "</style>\n";

static void put_text(FILE *out, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		default:
			/* Control characters are not allowed in XML at all. */
			putc((unsigned char)*text < ' ' ? '?' : *text, out);
		}
}

struct svg_ladder *svg_ladder_begin(void)
{
	struct svg_ladder *s = calloc(1, sizeof *s);

	if (s)
		s->body = open_memstream(&s->text, &s->len);
	if (s && s->body)
		return s;
	free(s);
	return NULL;
}

/* The middle of the line in hand. */
static unsigned middle(const struct svg_ladder *s)
{
	return TOP + s->lines * ROW + ROW / 2;
}

/* The ends of a connection stand between the lines, in front of its first row. */
static void title(struct svg_ladder *s, const struct conn *k)
{
	char client[ENDPOINT_STRLEN], server[ENDPOINT_STRLEN];
	unsigned y = middle(s) + 4;

	if (k->number <= s->titled)
		return;
	endpoint_format(&k->side[0].end, client);
	endpoint_format(&k->side[1].end, server);
	const char *class = strlen(client) + strlen(server) > TITLE_MAX ? "name long" : "name";
	s->titled = k->number;
	fprintf(s->body, "<text class=\"name\" x=\"%d\" y=\"%u\">#%u</text>\n", NUMBER_X, y,
		k->number);
	fprintf(s->body, "<text class=\"%s\" x=\"%d\" y=\"%u\">%s</text>\n", class, LEFT_X + 6, y,
		client);
	fprintf(s->body, "<text class=\"%s\" x=\"%d\" y=\"%u\" text-anchor=\"end\">%s</text>\n",
		class, RIGHT_X - 6, y, server);
	fprintf(s->body, "<text class=\"muted\" x=\"%d\" y=\"%u\">", TEXT_X, y);
	put_text(s->body, k->process);
	fprintf(s->body, "</text>\n");
	s->lines++;
}

static void arrow(struct svg_ladder *s, const struct segment *g)
{
	bool lost = g->marks & 1u << MARK_LOST && g->note.lost >= MAX(g->note.segments, 1u);
	int from = g->from == 0 ? LEFT_X : RIGHT_X, to = g->from == 0 ? RIGHT_X : LEFT_X;
	int way = g->from == 0 ? 1 : -1, y = (int)middle(s);
	char label[WORDS_FLAGS_LEN + 16];

	words_flags(label, g->tcp.flags);
	size_t n = strlen(label);
	if (g->len)
		snprintf(label + n, sizeof label - n, " %" PRIu32, g->len);
	fprintf(s->body, "<text class=\"label\" x=\"%d\" y=\"%d\" text-anchor=\"%s\">%s</text>\n",
		from + way * 6, y + 4, way > 0 ? "start" : "end", label);
	fprintf(s->body, "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\"/>\n",
		from + way * (12 + CHAR * (int)strlen(label)), y, to - way * (lost ? 14 : HEAD), y);
	if (lost)
		fprintf(s->body, "<path d=\"M%d %dl8 8m0 -8l-8 8\"/>\n", to - way * 10 - 4, y - 4);
	else
		fprintf(s->body, "<path class=\"head\" d=\"M%d %dl%d -3.5v7z\"/>\n", to - way, y,
			-way * HEAD);
}

static const char *class_of(const struct segment *g)
{
	if (g->marks & (1u << MARK_LOST | 1u << MARK_DROPPED | 1u << MARK_RESET))
		return "lost";
	if (g->marks & (1u << MARK_AGAIN | 1u << MARK_OUT_OF_ORDER | 1u << MARK_HOLE))
		return "again";
	return g->from == 0 ? "c" : "s";
}

void svg_ladder_add(struct svg_ladder *s, const struct segment *g)
{
	char numbers[WORDS_LEN], options[WORDS_LEN], remarks[WORDS_LEN];
	unsigned y;

	if (s->rows++ >= SVG_LADDER_ROWS)
		return;
	title(s, g->conn);
	y = middle(s) + 4;
	fprintf(s->body, "<g class=\"%s\">\n<text class=\"muted\" x=\"%d\" y=\"%u\">%u</text>\n",
		class_of(g), NUMBER_X, y, g->conn->number);
	fprintf(s->body, "<text class=\"mono\" x=\"%d\" y=\"%u\" text-anchor=\"end\">%.6f</text>\n",
		TIME_X, y, (double)g->at / SEC);
	arrow(s, g);
	words_numbers(numbers, g);
	words_options(options, g);
	words_remarks(remarks, g);
	fprintf(s->body, "<text class=\"mono\" x=\"%d\" y=\"%u\">%s</text>\n", TEXT_X, y, numbers);
	if (options[0] || remarks[0]) {
		fprintf(s->body, "<text class=\"%s\" x=\"%d\" y=\"%u\">",
			remarks[0] ? "remark" : "muted", REMARK_X, y);
		put_text(s->body, options);
		fputs(options[0] && remarks[0] ? "; " : "", s->body);
		put_text(s->body, remarks);
		fprintf(s->body, "</text>\n");
	}
	fprintf(s->body, "</g>\n");
	s->lines++;
}

bool svg_ladder_end(struct svg_ladder *s, FILE *out, const char *name, const char *partial)
{
	bool whole = fflush(s->body) == 0 && !ferror(s->body);
	unsigned bottom = TOP + s->lines * ROW + 8;

	if (!whole)
		return false;
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" viewBox=\"0 "
		"0 %d %u\">\n",
		WIDTH, bottom + 30, WIDTH, bottom + 30);
	fprintf(out, "<title>");
	put_text(out, name);
	fprintf(out, "</title>\n%s<text class=\"name\" x=\"%d\" y=\"24\">", style, NUMBER_X);
	put_text(out, name);
	fprintf(out, "</text>\n<line class=\"life\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%u\"/>\n",
		LEFT_X, TOP, LEFT_X, bottom);
	fprintf(out, "<line class=\"life\" x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%u\"/>\n", RIGHT_X,
		TOP, RIGHT_X, bottom);
	fwrite(s->text, 1, s->len, out);
	fprintf(out, "<text class=\"muted\" x=\"%d\" y=\"%u\">", NUMBER_X, bottom + 18);
	if (s->rows > SVG_LADDER_ROWS)
		fprintf(out, "The first %d of %" PRIu64 " segments. ", SVG_LADDER_ROWS, s->rows);
	if (partial[0]) {
		fprintf(out, "Not all of the capture: ");
		put_text(out, partial);
	}
	fprintf(out, "</text>\n</svg>\n");
	return true;
}

void svg_ladder_free(struct svg_ladder *s)
{
	fclose(s->body);
	free(s->text);
	free(s);
}
