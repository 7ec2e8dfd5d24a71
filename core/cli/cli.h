/*
 * The `teecee` command. Each subcommand has a file of its own and one line in main.c's table;
 * argv[0] is its name. Results are exit statuses.
 */
#ifndef TEECEE_CLI_CLI_H
#define TEECEE_CLI_CLI_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

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
int cli_report(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_top(int argc, char **argv);
int cli_nat(int argc, char **argv);

/* An option of a command's own. */
struct cli_option {
	const char *name;
	char letter;       /* 0: none */
	const char *value; /* NULL: it takes none, and sets the bool at `flag` of the context */
	const char *text;
	size_t flag;
	const char *expected; /* "should be …", with an example */
	/* Takes the value: 0, or where it is wrong (1: at its first character). */
	size_t (*take)(void *ctx, const char *value);
};

/* What a command is told on its command line: the source of its --help and of its parsing. */
struct cli_spec {
	const char *name;
	const char *usage; /* behind "teecee NAME " */
	const char *about; /* whole lines */
	bool settings;     /* it knows the option of every TEECEE_* variable, and -v */
	bool any_iface;    /* an interface need not be found */
	bool words;        /* it takes words that are no options */
	const struct cli_option *own;
	size_t nown;
	void (*more)(void); /* prints more help, in front of the options; or NULL */
	const char *end;    /* whole lines, behind them */
};

struct cli_options {
	struct settings settings; /* environment and options together, interface resolved */
	bool verbose;
	int first;  /* index in argv of the first word that is not an option */
	int status; /* when there is nothing left to do */
};

/*
 * Takes the options into `ctx` and, those that stand for a variable, into the environment, where
 * they replace it; and loads the settings. False: the command ends with o->status, for its help was
 * asked and is printed, or one line has said what is wrong.
 */
bool cli_options(
	struct cli_options *o, const struct cli_spec *spec, void *ctx, int argc, char **argv);

/* libteecee.so, beside the command (in the build tree) or in ../lib (installed). */
bool cli_find_library(char path[static PATH_MAX]);

/* The option that stands for a variable: "ip" for TEECEE_IP. */
enum { CLI_NAME_LEN = 32 };
void cli_option_of(const char *variable, char out[static CLI_NAME_LEN]);

/* A decimal number within bounds, for struct cli_option's take. */
size_t cli_number(const char *text, unsigned long long min, unsigned long long max,
	unsigned long long *out);

#endif
