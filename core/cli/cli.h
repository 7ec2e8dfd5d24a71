/*
 * The `teecee` command. Each subcommand has a file of its own and one line in main.c's table;
 * argv[0] is its name. Results are exit statuses.
 */
#ifndef TEECEE_CLI_CLI_H
#define TEECEE_CLI_CLI_H

#include <stdbool.h>

#include "core/ipc/settings.h"

#define TEECEE_VERSION "0.1.0"

/* As env(1): a fault of ours, a program that cannot be run, a program that is not there. */
enum { EXIT_OURS = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

int cli_run(int argc, char **argv);
int cli_stop(int argc, char **argv);
int cli_impair(int argc, char **argv);
int cli_ss(int argc, char **argv);
int cli_stat(int argc, char **argv);
int cli_ladder(int argc, char **argv);
int cli_nat(int argc, char **argv);

struct cli_options {
	struct settings settings; /* environment and options together, interface resolved */
	bool verbose;
	bool help; /* --help was asked: nothing else is filled */
	int first; /* index in argv of the first word that is not an option */
};

/*
 * Takes the options that every subcommand knows (-i, --ip, …) into the environment, where they
 * replace the variables of the same meaning, and loads the settings. False: one line has said what
 * is wrong.
 */
bool cli_options(struct cli_options *o, int argc, char **argv);

/* Prints the options, one line each. */
void cli_print_options(void);

#endif
