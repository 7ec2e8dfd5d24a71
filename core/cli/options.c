#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/cli/cli.h"

/* An option is a variable of the environment under another name. */
static const struct cli_option {
	const char *name;
	char letter; /* 0: none */
	const char *variable, *value, *text;
} options[] = {
	{"iface", 'i', "TEECEE_IFACE", "IFACE",
		"the interface (default: that of the default route)"},
	{"ip", 0, "TEECEE_IP", "A.B.C.D/LEN",
		"our address there, or auto (default): a free one is found"},
	{"gateway", 0, "TEECEE_GATEWAY", "A.B.C.D",
		"the way out (default: the interface's default route)"},
	{"mac", 0, "TEECEE_MAC", "MAC", "own (default), nic, or an address"},
	{"link", 0, "TEECEE_LINK", "DRIVER", "auto (default), packet, pcap or tap"},
	{"mtu", 0, "TEECEE_MTU", "BYTES", "IP bytes per packet (default: the interface's)"},
	{"idle", 0, "TEECEE_IDLE", "SECONDS",
		"how long the engine stays after the last socket (default 30)"},
	{"pcap", 'p', "TEECEE_PCAP", "FILE", "write every frame there, as pcapng"},
	{"pcap-filter", 0, "TEECEE_PCAP_FILTER", "FILTER", "only these, in pcap syntax"},
	{"pcap-rotate", 0, "TEECEE_PCAP_ROTATE", "SIZE,N", "go on in FILE.1, FILE.2 …, N files in all"},
	{"trace", 0, "TEECEE_TRACE", "FILE", "a line per segment; -: on stderr"},
	{"impair", 0, "TEECEE_IMPAIR", "RULES", "break the network: teecee impair --help"},
	{"seed", 0, "TEECEE_SEED", "N", "equal seeds, equal runs"},
};

enum { OPT_FIRST = 256, OPT_HELP = OPT_FIRST + ARRAY_LEN(options) };

static void fill_long(struct option out[static ARRAY_LEN(options) + 3])
{
	size_t n = 0;

	for (; n < ARRAY_LEN(options); n++)
		out[n] = (struct option){
			options[n].name, required_argument, NULL, (int)(OPT_FIRST + n)};
	out[n++] = (struct option){"verbose", no_argument, NULL, 'v'};
	out[n++] = (struct option){"help", no_argument, NULL, OPT_HELP};
	out[n] = (struct option){0};
}

static const struct cli_option *find(int c)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (c == (int)(OPT_FIRST + i) || (options[i].letter && c == options[i].letter))
			return &options[i];
	return NULL;
}

/* One option found by getopt: false when it is none of ours. */
static bool take(struct cli_options *o, int c, const char *command, const char *word)
{
	const struct cli_option *option = find(c);

	if (c == 'v')
		o->verbose = true;
	else if (c == OPT_HELP)
		o->help = true;
	else if (option && setenv(option->variable, optarg, 1) < 0)
		log_line("%s", strerror(errno));
	else if (!option)
		log_line("%s: %s is not an option, or its value is missing (teecee %s --help)",
			command, word, command);
	return c == 'v' || c == OPT_HELP || option;
}

bool cli_options(struct cli_options *o, int argc, char **argv)
{
	struct option table[ARRAY_LEN(options) + 3];
	char error[SETTINGS_ERROR_LEN];
	int c;

	memset(o, 0, sizeof *o);
	fill_long(table);
	opterr = 0;
	optind = 1;
	for (;;) {
		int at = optind;
		if ((c = getopt_long(argc, argv, "+:i:p:v", table, NULL)) < 0)
			break;
		if (!take(o, c, argv[0], argv[at]))
			return false;
		if (o->help)
			return true;
	}
	o->first = optind;
	if (settings_load(&o->settings, environ, error) < 0 ||
		settings_resolve(&o->settings, error) < 0) {
		log_line("%s", error);
		return false;
	}
	return true;
}

void cli_print_options(void)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		char letter[] = "-?, ", left[32];
		letter[1] = options[i].letter;
		snprintf(left, sizeof left, "%s--%s %s", options[i].letter ? letter : "    ",
			options[i].name, options[i].value);
		printf("  %-26s %s\n", left, options[i].text);
	}
	printf("  -v, --verbose              say what is used\n");
}
