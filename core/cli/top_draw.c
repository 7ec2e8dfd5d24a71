/*
 * The screen of teecee top: the totals, a line per socket, the keys. What does not fit is left out,
 * first the state, then the sparklines; a line is never wrapped.
 */
#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/cli/top.h"

enum {
	HEAD_LINES = 4,
	FOOT_LINES = 1,
	WIDE = 100, /* from here on the state is shown */
	W_PROCESS = 16,
	W_PEER = 21,
	W_STATE = 10,
	W_RATE = 7,
	W_RTT = 7,
	W_AGAIN = 5,
	SPARK_MAX = 30,
	TEXT_LEN = 16,
	LEVELS = 8,
};

static int compare_float(float a, float b)
{
	return (a > b) - (a < b);
}

static float total_rate(const struct top_row *r)
{
	float in = top_last(&r->rate[0]), out = top_last(&r->rate[1]);

	return MAX(in, 0) + MAX(out, 0);
}

static int by_rate(const struct top_row *a, const struct top_row *b)
{
	return compare_float(total_rate(b), total_rate(a));
}

static int by_rtt(const struct top_row *a, const struct top_row *b)
{
	return compare_float(top_last(&b->rtt), top_last(&a->rtt));
}

static int by_again(const struct top_row *a, const struct top_row *b)
{
	return (a->again < b->again) - (a->again > b->again);
}

static int by_process(const struct top_row *a, const struct top_row *b)
{
	int c = strcmp(a->process, b->process);

	return c ? c : (a->pid > b->pid) - (a->pid < b->pid);
}

static int by_peer(const struct top_row *a, const struct top_row *b)
{
	int c = memcmp(a->remote.addr.b, b->remote.addr.b, sizeof a->remote.addr.b);

	return c ? c : (a->remote.port > b->remote.port) - (a->remote.port < b->remote.port);
}

static const struct order {
	char key;
	const char *word;
	int (*compare)(const struct top_row *a, const struct top_row *b);
} orders[TOP_ORDERS] = {
	[BY_RATE] = {'r', "rate", by_rate},
	[BY_RTT] = {'t', "round trip", by_rtt},
	[BY_AGAIN] = {'x', "retransmitted", by_again},
	[BY_PROCESS] = {'p', "process", by_process},
	[BY_PEER] = {'a', "address", by_peer},
};

char top_order_key(enum top_order o)
{
	return orders[o].key;
}

static int compare_rows(const void *a, const void *b, void *ctx)
{
	const struct top_view *v = ctx;
	const struct top_row *x = a, *y = b;
	int c = orders[v->order].compare(x, y);

	if (c == 0) /* so that rows keep their places */
		c = (x->cookie > y->cookie) - (x->cookie < y->cookie);
	return v->invert ? -c : c;
}

/* 1.23M, 45.6k, 789; "-" when it is not known. */
static void short_number(float v, char out[static TEXT_LEN])
{
	static const char unit[] = " kMGT";
	size_t i = 0;

	if (v < 0) {
		snprintf(out, TEXT_LEN, "-");
		return;
	}
	for (; v >= 999.5f && i < sizeof unit - 2; i++)
		v /= 1000;
	if (i == 0)
		snprintf(out, TEXT_LEN, "%.0f", (double)v);
	else
		snprintf(out, TEXT_LEN, "%.*f%c",
			v < 9.995f   ? 2
			: v < 99.95f ? 1
				     : 0,
			(double)v, unit[i]);
}

static void short_time(float us, char out[static TEXT_LEN])
{
	if (us < 0)
		snprintf(out, TEXT_LEN, "-");
	else if (us < 999.5f)
		snprintf(out, TEXT_LEN, "%.0fus", (double)us);
	else if (us < 999500)
		snprintf(out, TEXT_LEN, "%.*fms", us < 99950 ? 1 : 0, (double)us / 1000);
	else
		snprintf(out, TEXT_LEN, "%.1fs", (double)us / 1e6);
}

/* The last `width` values, the newest at the right, in eighths of the largest of them. */
static void spark(const struct top_series *a, const struct top_series *b, int width, bool utf8)
{
	static const char *const block[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	static const char ascii[LEVELS + 1] = "_.-:=+*#";
	float value[SPARK_MAX], max = 0;

	for (int i = 0; i < width; i++) {
		unsigned back = (unsigned)(width - 1 - i), at = (a->n - back) % TOP_HISTORY;
		value[i] = back < a->n && back < TOP_HISTORY ? a->v[at] : -1;
		if (b && value[i] >= 0)
			value[i] += MAX(b->v[(b->n - back) % TOP_HISTORY], 0);
		max = MAX(max, value[i]);
	}
	for (int i = 0; i < width; i++) {
		int level = max > 0 ? (int)(value[i] / max * (LEVELS - 1) + 0.5f) : 0;
		if (value[i] < 0)
			addch(' ');
		else if (utf8)
			addstr(block[level]);
		else
			addch((chtype)ascii[level]);
	}
}

static int spark_width(int cols)
{
	int used = W_PROCESS + W_PEER + 2 * W_RATE + W_RTT + W_AGAIN + 7 +
		   (cols >= WIDE ? W_STATE + 1 : 0);
	int width = (cols - used - 1) / 2;

	return width < 3 ? 0 : MIN(width, SPARK_MAX);
}

static void draw_totals(const struct top_data *d, const struct top_view *v)
{
	char in[TEXT_LEN], out[TEXT_LEN], rtt[TEXT_LEN];

	short_number(top_last(&d->rate[0]), in);
	short_number(top_last(&d->rate[1]), out);
	short_time(top_last(&d->rtt), rtt);
	mvprintw(0, 0, "teecee top: engines %u, sockets %u%s", d->engines, d->sockets,
		v->paused ? "   PAUSED" : "");
	mvprintw(1, 0, "received %7sbit/s ", in);
	spark(&d->rate[0], NULL, SPARK_MAX / 2, v->utf8);
	printw("   sent %7sbit/s ", out);
	spark(&d->rate[1], NULL, SPARK_MAX / 2, v->utf8);
	mvprintw(2, 0, "mean round trip %8s ", rtt);
	spark(&d->rtt, NULL, SPARK_MAX / 2, v->utf8);
}

static void draw_head(int width, int cols)
{
	attron(A_REVERSE);
	mvhline(HEAD_LINES - 1, 0, ' ', cols);
	mvprintw(HEAD_LINES - 1, 0, "%-*s %-*s ", W_PROCESS, "PROCESS", W_PEER, "PEER");
	if (cols >= WIDE)
		printw("%-*s ", W_STATE, "STATE");
	printw("%*s %*s %-*s %*s %-*s %*s", W_RATE, "RECV/s", W_RATE, "SENT/s", width, "", W_RTT,
		"RTT", width, "", W_AGAIN, "RETR");
	attroff(A_REVERSE);
}

static void draw_row(const struct top_row *r, int line, int width, int cols, bool utf8)
{
	char process[COMM_LEN + 16], peer[END_LEN], in[TEXT_LEN], out[TEXT_LEN], rtt[TEXT_LEN];
	bool listens = r->is_tcp && strcmp(r->state, "LISTEN") == 0;

	if (r->pid)
		snprintf(process, sizeof process, "%.*s[%d]", W_PROCESS - 8, r->process,
			(int)r->pid);
	else
		snprintf(process, sizeof process, "-");
	sock_end(listens ? &r->local : &r->remote, peer);
	short_number(top_last(&r->rate[0]), in);
	short_number(top_last(&r->rate[1]), out);
	short_time(top_last(&r->rtt), rtt);
	mvprintw(line, 0, "%-*.*s %-*.*s ", W_PROCESS, W_PROCESS, process, W_PEER, W_PEER, peer);
	if (cols >= WIDE)
		printw("%-*s ", W_STATE, r->is_tcp ? r->state : "udp");
	printw("%*s %*s ", W_RATE, in, W_RATE, out);
	spark(&r->rate[0], &r->rate[1], width, utf8);
	printw(" %*s ", W_RTT, rtt);
	spark(&r->rtt, NULL, width, utf8);
	printw(" %*u", W_AGAIN, (unsigned)r->again);
}

static void draw_keys(const struct top_view *v, int line, int cols)
{
	move(line, 0);
	for (enum top_order o = 0; o < TOP_ORDERS; o++) {
		if (getcurx(stdscr) + (int)strlen(orders[o].word) + 4 > cols)
			break;
		if (o == v->order)
			attron(A_REVERSE);
		printw("%c %s%s", orders[o].key, orders[o].word,
			o == v->order && v->invert ? "^" : "");
		if (o == v->order)
			attroff(A_REVERSE);
		addstr("  ");
	}
	static const char more[] = "i invert  space pause  q quit";
	if (getcurx(stdscr) + (int)sizeof more <= cols)
		addstr(more);
	else if (getcurx(stdscr) + 7 <= cols)
		addstr("q quit");
}

void top_draw(struct top_data *d, struct top_view *v)
{
	int lines, cols;

	getmaxyx(stdscr, lines, cols);
	unsigned room =
		lines > HEAD_LINES + FOOT_LINES ? (unsigned)(lines - HEAD_LINES - FOOT_LINES) : 0;
	int width = spark_width(cols);

	if (d->n)
		qsort_r(d->row, d->n, sizeof *d->row, compare_rows, v);
	v->first = MIN(v->first, d->n > room ? d->n - room : 0);
	erase();
	draw_totals(d, v);
	draw_head(width, cols);
	for (unsigned i = 0; i < room && v->first + i < d->n; i++)
		draw_row(&d->row[v->first + i], HEAD_LINES + (int)i, width, cols, v->utf8);
	if (d->engines == 0)
		mvprintw(HEAD_LINES, 0, "no engine runs here");
	draw_keys(v, lines - 1, cols);
	refresh();
}
