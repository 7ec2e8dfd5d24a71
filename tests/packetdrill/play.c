#include "tests/packetdrill/play.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 1000 };

/* Our side and the peer's of a conversation begin below 2^32, and cross it soon. */
static const uint32_t their_isn = 0xfffffc00;

void play_fail(struct play *p, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(p->why, sizeof p->why, format, ap);
	va_end(ap);
	longjmp(p->failed, 1);
}

/* One line of a handshake, as if it stood in the script. */
static void play_event(struct play *p, const char *at);

static void __attribute__((format(printf, 2, 3))) play_line(struct play *p, const char *format, ...)
{
	char line[PLAY_LINE_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof line, format, ap);
	va_end(ap);
	play_event(p, line);
}

struct handshake {
	char options[128];
	unsigned win;
	double rtt;
	bool ts, ecn;
};

static void parse_handshake(struct play *p, const char *at, struct handshake *h)
{
	*h = (struct handshake){.win = 65535, .rtt = 0.1};
	at = play_skip(at);
	if (sscanf(at, "<%127[^>]>", h->options) == 1) {
		at = strchr(at, '>') + 1;
		h->ts = strstr(h->options, "TS") != NULL;
	}
	for (at = play_skip(at); *at; at = play_skip(at)) {
		if (play_word(&at, "win"))
			h->win = (unsigned)play_number(p, &at);
		else if (play_word(&at, "rtt"))
			h->rtt = play_seconds(p, &at);
		else if (play_word(&at, "ecn"))
			h->ecn = true;
		else
			play_fail(p, "not understood: '%s'", at);
	}
}

static void play_passive(struct play *p, const char *at)
{
	struct handshake h;

	parse_handshake(p, at, &h);
	if (!p->listener)
		play_line(p, "listen(8) = 0");
	play_line(p, "< %s 0:0(0) win 65535 <%s>", h.ecn ? "SEW" : "S", h.options);
	play_line(p, "> %s 0:0(0) ack 1", h.ecn ? "SE." : "S.");
	play_line(p, "+%f < . 1:1(0) ack 1 win %u %s", h.rtt, h.win, h.ts ? "<TS 100>" : "<>");
	play_line(p, "accept() = 0");
}

static void play_active(struct play *p, const char *at)
{
	struct handshake h;

	parse_handshake(p, at, &h);
	play_line(p, "connect() = EINPROGRESS");
	play_line(p, "> %s 0:0(0)", h.ecn ? "SEW" : "S");
	play_line(p, "+%f < %s 0:0(0) ack 1 win %u <%s>", h.rtt, h.ecn ? "SE." : "S.",
		h.win > 65535 ? 65535 : h.win, h.options);
	play_line(p, "> . 1:1(0) ack 1");
}

static void play_peer(struct play *p, const char *at)
{
	int64_t n = play_number(p, &at);

	if (n < 0 || n >= PLAY_PEERS)
		play_fail(p, "no such peer");
	p->current = (unsigned)n;
}

static void play_mark(struct play *p, const char *at)
{
	p->peer[p->current].marked_ts = p->peer[p->current].last_ts;
}

static bool play_segment_event(struct play *p, const char *at)
{
	struct play_segment s;

	if (play_word(&at, "<")) {
		play_segment(p, at, &s);
		play_inject(p, &s);
		return true;
	}
	if (!play_word(&at, ">"))
		return false;
	play_segment(p, at, &s);
	play_expect(p, &s);
	return true;
}

static const struct {
	const char *word;
	void (*run)(struct play *p, const char *at);
} directives[] = {
	{"set", play_set},
	{"assert", play_assert},
	{"passive", play_passive},
	{"active", play_active},
	{"peer", play_peer},
	{"mark", play_mark},
};

static void play_time(struct play *p, const char **at)
{
	p->slack = 0;
	p->time = p->world.now;
	if (!play_word(at, "+"))
		return;
	double first = play_seconds(p, at);
	p->time += (nsec)(first * SEC);
	if (play_word(at, "~"))
		p->slack = (nsec)((play_seconds(p, at) - first) * SEC);
}

static void play_event(struct play *p, const char *at)
{
	play_time(p, &at);
	/* What is expected may be sent at any time up to its own; everything else happens then. */
	if (*play_skip(at) != '>')
		world_advance(&p->world, p->time, false);
	if (play_segment_event(p, at) || play_call(p, at))
		return;
	if (play_word(&at, "silence")) {
		play_silence(p);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
		if (play_word(&at, directives[i].word)) {
			directives[i].run(p, at);
			return;
		}
	}
	play_fail(p, "not understood: '%s'", at);
}

static void play_file(struct play *p, FILE *f)
{
	while (fgets(p->text, sizeof p->text, f)) {
		p->line++;
		p->text[strcspn(p->text, "#\r\n")] = 0;
		for (size_t n = strlen(p->text); n > 0 && p->text[n - 1] == ' '; n--)
			p->text[n - 1] = 0;
		if (*play_skip(p->text))
			play_event(p, p->text);
	}
	play_silence(p);
}

static void play_begin(struct play *p, const char *path)
{
	struct ipaddr ours = ipaddr_v4(0xc0a80001);

	*p = (struct play){.path = path};
	if (!world_init(&p->world, &ours))
		abort();
	for (unsigned i = 0; i < PLAY_PEERS; i++)
		p->peer[i].their_isn = seq(their_isn);
}

static void play_end(struct play *p)
{
	if (p->sock)
		psock_free(p->sock);
	if (p->listener)
		psock_free(p->listener);
	world_free(&p->world);
}

static bool play_script(const char *path)
{
	static struct play p;
	FILE *f = fopen(path, "r");

	if (!f) {
		printf("# %s cannot be read\n", path);
		return false;
	}
	play_begin(&p, path);
	bool ok = setjmp(p.failed) == 0;
	if (ok)
		play_file(&p, f);
	else
		printf("# %s:%u: %s\n# %s\n", p.path, p.line, p.text, p.why);
	play_end(&p);
	fclose(f);
	return ok;
}

/* --- which scripts --- */

static char *files[FILES_MAX];
static unsigned nfiles;

static int add_script(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	size_t n = strlen(path), suffix = strlen(".script");

	if (type == FTW_F && nfiles < FILES_MAX && n > suffix &&
		strcmp(path + n - suffix, ".script") == 0)
		files[nfiles++] = strdup(path);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
	unsigned bad = 0;

	for (int i = 1; i < argc; i++)
		nftw(argv[i], add_script, 16, 0);
	if (argc == 1)
		nftw("tests/packetdrill", add_script, 16, 0);
	qsort(files, nfiles, sizeof *files, by_name);
	printf("1..%u\n", nfiles);
	for (unsigned i = 0; i < nfiles; i++) {
		bool ok = play_script(files[i]);
		bad += !ok;
		printf("%s %u - %s\n", ok ? "ok" : "not ok", i + 1, files[i]);
		free(files[i]);
	}
	return bad > 0 || nfiles == 0;
}
