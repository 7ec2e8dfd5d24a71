#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/cli/cli.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
} commands[] = {
	{"run", cli_run, "run a program on our own TCP/IP stack"},
	{"ss", cli_ss, "the sockets of all engines"},
	{"top", cli_top, "the sockets of all engines, live"},
	{"stat", cli_stat, "every counter by its name"},
	{"ladder", cli_ladder, "draw a capture as a sequence diagram"},
	{"report", cli_report, "a capture as one page of HTML, with charts"},
	{"impair", cli_impair, "break the network of a running engine, or mend it"},
	{"nat", cli_nat, "a network of our own behind the host, where a second MAC is refused"},
	{"doctor", cli_doctor, "check what is needed here, and say what to do about it"},
	{"stop", cli_stop, "end the engine of an address"},
};

static int help(void)
{
	printf("usage: teecee COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		printf("  %-8s %s\n", commands[i].name, commands[i].text);
	printf("\nteecee COMMAND --help says more; teecee --version, which version this is.\n");
	return fflush(stdout) ? EXIT_OURS : 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return help();
	if (strcmp(name, "--version") == 0) {
		printf("teecee %s\n", TEECEE_VERSION);
		return fflush(stdout) ? EXIT_OURS : 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (*name)
		log_line("%s is not a command (teecee --help lists them)", name);
	else
		log_line("which command? (teecee --help lists them)");
	return EXIT_OURS;
}
