/*
 * teecee top: the sockets of all engines, live. Once a second (--interval) it asks what teecee ss
 * asks, and draws. Whatever ends it, a key or a signal, leaves the terminal as it was: signals only
 * set a flag, on which the loop ends.
 */
#include "core/cli/top.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/cli/cli.h"

struct asked {
	unsigned long long interval_s;
};

static size_t take_interval(void *ctx, const char *value)
{
	struct asked *a = ctx;

	return cli_number(value, 1, 3600, &a->interval_s);
}

static const struct cli_option own[] = {
	{"interval", 'd', "SECONDS", "between two looks (default 1)", .take = take_interval,
		.expected = "a number of seconds from 1 to 3600, as in --interval 2"},
};

static const struct cli_spec spec = {
	.name = "top",
	.usage = "[OPTIONS]",
	.about = "Shows the sockets of every engine in this network namespace that is ours, live: "
		 "throughput, round\ntrips, retransmissions.\n",
	.own = own,
	.nown = ARRAY_LEN(own),
	.end = "Keys: r t x p a sort by rate, round trip, retransmissions, process, address; i "
	       "inverts; space pauses;\narrows and pages move; q ends.\n",
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
	ended = signal;
}

static nsec clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (nsec)t.tv_sec * SEC + t.tv_nsec;
}

/* False: the last one. */
static bool take_key(int key, struct top_view *v)
{
	for (enum top_order o = 0; o < TOP_ORDERS; o++)
		if (key == top_order_key(o))
			v->order = o;
	if (key == 'i')
		v->invert = !v->invert;
	else if (key == ' ')
		v->paused = !v->paused;
	else if (key == KEY_UP && v->first)
		v->first--;
	else if (key == KEY_DOWN)
		v->first++;
	else if (key == KEY_PPAGE)
		v->first -= MIN(v->first, (unsigned)LINES);
	else if (key == KEY_NPAGE)
		v->first += (unsigned)LINES;
	else if (key == KEY_HOME)
		v->first = 0;
	return key != 'q' && key != 'Q';
}

static bool show(const struct asked *a, struct top_data *d, struct top_view *v)
{
	nsec next = clock_now();
	bool going = true;

	while (going && !ended) {
		nsec now = clock_now();
		if (now >= next && !v->paused && !top_sample(d, now))
			return false;
		if (now >= next)
			next = now + (nsec)a->interval_s * SEC;
		top_draw(d, v);
		timeout((int)((next - now) / MSEC) + 1);
		int key = getch();
		/* Without a terminal at its other end getch() fails at once, for ever. */
		if (key == ERR && !isatty(STDIN_FILENO))
			break;
		going = take_key(key, v);
	}
	return true;
}

int cli_top(int argc, char **argv)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct asked asked = {.interval_s = 1};
	struct top_data data = {0};
	struct top_view view = {0};
	struct cli_options o;

	if (!cli_options(&o, &spec, &asked, argc, argv))
		return o.status;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		log_line("top: this is no terminal (teecee ss -i prints the same once)");
		return EXIT_OURS;
	}
	setlocale(LC_ALL, "");
	view.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	SCREEN *screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		log_line("top: the terminal \"%s\" is not known",
			getenv("TERM") ? getenv("TERM") : "");
		return EXIT_OURS;
	}
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaction(signals[i], &(struct sigaction){.sa_handler = end}, NULL);
	cbreak();
	noecho();
	keypad(stdscr, true);
	curs_set(0);
	bool ok = show(&asked, &data, &view);
	endwin();
	delscreen(screen);
	top_free(&data);
	if (!ok)
		log_line("top: out of memory");
	return !ok ? EXIT_OURS : ended ? 128 + ended : 0;
}
