/*
 * teecee report: a capture as one page of HTML.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/cli/capture_file.h"
#include "core/cli/cli.h"
#include "core/report/report.h"

static int help(void)
{
	printf("usage: teecee report [--packets N] CAPTURE -o FILE.html\n\n"
	       "Makes one page of HTML of a capture (pcap or pcapng; - is standard input): "
	       "connections, charts of "
	       "sequence\n"
	       "numbers, round trips, bytes in flight and throughput, what was lost and sent "
	       "again, and ladders. "
	       "The page\n"
	       "needs no network and no other file.\n\n"
	       "  -o, --output FILE    write there; - is standard output\n"
	       "      --packets N      read no more than so many (default %d)\n\n"
	       "For example: teecee run -p out.pcapng -- wget http://…; teecee report out.pcapng "
	       "-o report.html\n"
	       "teecee-report(1) says more. The exit status is 1 when not all of the file could be "
	       "read.\n",
		CAPTURE_PACKETS_MAX);
	return fflush(stdout) ? EXIT_OURS : 0;
}

static int make(const char *file, const char *output, const struct report_config *c)
{
	char message[SOURCE_ERROR_LEN];
	struct capture_output o;

	FILE *in = capture_open("report", file);
	if (!in)
		return EXIT_OURS;
	if (!capture_output_open(&o, "report", output)) {
		fclose(in);
		return EXIT_OURS;
	}
	int result = report_write(in, o.stream, c, message);
	if (result)
		log_line("report: %s", message);
	if (!capture_output_close(&o, result >= 0))
		return EXIT_OURS;
	return result < 0 ? EXIT_OURS : result;
}

int cli_report(int argc, char **argv)
{
	static const struct option options[] = {{"output", required_argument, NULL, 'o'},
		{"packets", required_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'}, {0}};
	struct report_config config = {.packets_max = CAPTURE_PACKETS_MAX};
	const char *output = NULL;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:h", options, NULL)) >= 0) {
		if (c == 'h')
			return help();
		if (c == 'o')
			output = optarg;
		else if (c != 'p' || !capture_number(optarg, UINT64_MAX, &config.packets_max)) {
			log_line("report: %s is not an option, or not with this value (teecee "
				 "report --help)",
				argv[optind - 1]);
			return EXIT_OURS;
		}
	}
	if (optind + 1 != argc) {
		log_line("report: %s (teecee report --help)",
			optind == argc ? "which capture?" : "one capture only");
		return EXIT_OURS;
	}
	if (!output && isatty(STDOUT_FILENO)) {
		log_line("report: which file is the page to be? (-o report.html)");
		return EXIT_OURS;
	}
	config.name = capture_name(argv[optind]);
	return make(argv[optind], output, &config);
}
