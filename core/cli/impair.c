/*
 * teecee impair: the rules of a running engine, changed while its programs run.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/cli/dial.h"

static void words(void)
{
	const char *example, *meaning;

	printf("  %-27s %s\n", "in, out, both (default)",
		"which way; for faults, whose bytes count (received)");
	for (unsigned i = 0; impair_word(i, &example, &meaning); i++)
		printf("  %-27s %s\n", example, meaning);
	printf("\n");
}

static const struct cli_spec spec = {
	.name = "impair",
	.usage = "[OPTIONS] RULES | show | clear",
	.about = "RULES are separated by semicolons, what a rule says by blanks; the first that matches "
		 "a frame is its own.\n"
		 "For example: \"out delay=20ms loss=2%; match='udp port 53' loss=100%\".\n",
	.settings = true,
	.words = true,
	.more = words,
	.end = "teecee-impair(5) says more. The exit status is 0 when done, 1 when there is no engine.\n",
};

/* The words of the command line are one spec. */
static bool join(char out[static IPC_SPEC_LEN], char **words)
{
	size_t at = 0;

	for (; *words; words++) {
		int n = snprintf(out + at, IPC_SPEC_LEN - at, "%s%s", at ? " " : "", *words);
		if (n < 0 || at + (size_t)n >= IPC_SPEC_LEN)
			return false;
		at += (size_t)n;
	}
	return true;
}

static int ask(const struct settings *s, const struct ipc_attach *m)
{
	struct ipc_result r = {.text = ""};
	int fd = dial(s);

	if (fd == -ECONNREFUSED) {
		log_line("no engine runs for %s on %s", s->ip_spec, s->iface);
		return 1;
	}
	int err = fd < 0 ? fd : dial_attach(fd, m, &r);
	if (fd >= 0)
		close(fd);
	if (err)
		log_line("impair: %s", r.text[0] ? r.text : strerror(-err));
	else if (m->kind == IPC_ATTACH_IMPAIR_SHOW)
		printf("%s\n", r.text[0] ? r.text : "none");
	return err || fflush(stdout) ? EXIT_OURS : 0;
}

int cli_impair(int argc, char **argv)
{
	struct cli_options o;
	struct ipc_attach m = {
		.h = ipc_header(IPC_ATTACH, sizeof m), .kind = IPC_ATTACH_IMPAIR_SET};
	char error[IMPAIR_ERROR_LEN];
	struct impairment rules;

	if (!cli_options(&o, &spec, NULL, argc, argv))
		return o.status;
	if (o.first == argc || !join(m.text, argv + o.first)) {
		log_line("impair: which rules? (teecee impair --help)");
		return EXIT_OURS;
	}
	m.has_seed = o.settings.has_seed;
	m.seed = o.settings.seed;
	if (strcmp(m.text, "show") == 0)
		m.kind = IPC_ATTACH_IMPAIR_SHOW;
	else if (strcmp(m.text, "clear") == 0)
		m.kind = IPC_ATTACH_IMPAIR_CLEAR;
	else if (impair_parse(&rules, m.text, error) < 0) {
		log_line("impair: %s", error);
		return EXIT_OURS;
	}
	return ask(&o.settings, &m);
}
