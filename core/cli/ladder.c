/*
 * teecee ladder: a capture as a sequence diagram.
 */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/cli/capture_file.h"
#include "core/cli/cli.h"
#include "core/report/ladder.h"

enum { COLUMNS_ELSEWHERE = 132 };

static int help(void)
{
	printf("usage: teecee ladder [OPTIONS] CAPTURE [FILTER]\n\n"
	       "Draws the TCP segments of a capture (pcap or pcapng; - is standard input) as a "
	       "sequence "
	       "diagram.\n"
	       "FILTER, in pcap syntax, chooses the packets that are drawn; all are analysed.\n\n"
	       "  -n, --connection N   only this one (they are counted from 1)\n"
	       "  -o, --output FILE    not to standard output\n"
	       "      --svg            a picture, of no more than 5000 segments\n"
	       "      --ascii          nothing but ASCII\n"
	       "      --packets N      read no more than so many (default %d)\n\n"
	       "For example: teecee ladder out.pcapng -n 1 'tcp[tcpflags] & "
	       "(tcp-syn|tcp-fin|tcp-rst) != 0'\n"
	       "teecee-ladder(1) says more. The exit status is 1 when not all of the file could be "
	       "read.\n",
		CAPTURE_PACKETS_MAX);
	return fflush(stdout) ? EXIT_OURS : 0;
}

/* The words behind the file, as tcpdump takes them. */
static bool join(char *out, size_t size, char **words)
{
	size_t at = 0;

	out[0] = '\0';
	for (; *words; words++) {
		int n = snprintf(out + at, size - at, "%s%s", at ? " " : "", *words);
		if (n < 0 || at + (size_t)n >= size)
			return false;
		at += (size_t)n;
	}
	return true;
}

/* As wide as the terminal, and as colourful; elsewhere a width that suits a page. */
static void look_at_terminal(struct ladder_config *c, FILE *out)
{
	struct winsize w = {0};
	bool terminal = isatty(fileno(out));

	setlocale(LC_CTYPE, "");
	c->ascii |= terminal && strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	c->colour = terminal && !getenv("NO_COLOR");
	c->columns = COLUMNS_ELSEWHERE;
	if (terminal && ioctl(fileno(out), TIOCGWINSZ, &w) == 0 && w.ws_col)
		c->columns = w.ws_col;
}

static int draw(const char *file, const char *output, struct ladder_config *c)
{
	char message[SOURCE_ERROR_LEN];
	struct capture_output o;

	FILE *in = capture_open("ladder", file);
	if (!in)
		return EXIT_OURS;
	if (!capture_output_open(&o, "ladder", output)) {
		fclose(in);
		return EXIT_OURS;
	}
	look_at_terminal(c, o.stream);
	int result = ladder_draw(in, o.stream, c, message);
	if (result)
		log_line("ladder: %s", message);
	if (!capture_output_close(&o, result >= 0))
		return EXIT_OURS;
	return result < 0 ? EXIT_OURS : result;
}

int cli_ladder(int argc, char **argv)
{
	static const struct option options[] = {{"connection", required_argument, NULL, 'n'},
		{"output", required_argument, NULL, 'o'}, {"ascii", no_argument, NULL, 'a'},
		{"svg", no_argument, NULL, 's'}, {"packets", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'}, {0}};
	struct ladder_config config = {.packets_max = CAPTURE_PACKETS_MAX};
	const char *output = NULL;
	char filter[4096];
	uint64_t number = 0;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":n:o:h", options, NULL)) >= 0) {
		bool good = c != '?' && c != ':';

		if (c == 'h')
			return help();
		if (c == 'n' && (good = capture_number(optarg, UINT32_MAX, &number)))
			config.connection = (unsigned)number;
		else if (c == 'p')
			good = capture_number(optarg, UINT64_MAX, &config.packets_max);
		else if (c == 'o')
			output = optarg;
		config.ascii |= c == 'a';
		config.svg |= c == 's';
		if (!good) {
			log_line("ladder: %s is not an option, or not with this value (teecee "
				 "ladder --help)",
				argv[optind - 1]);
			return EXIT_OURS;
		}
	}
	if (optind == argc) {
		log_line("ladder: which capture? (teecee ladder --help)");
		return EXIT_OURS;
	}
	if (!join(filter, sizeof filter, argv + optind + 1)) {
		log_line("ladder: the filter is longer than %zu characters", sizeof filter - 1);
		return EXIT_OURS;
	}
	config.name = capture_name(argv[optind]);
	config.filter = filter;
	return draw(argv[optind], output, &config);
}
