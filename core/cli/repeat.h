/*
 * teecee run --repeat: one program under many seeds.
 */
#ifndef TEECEE_CLI_REPEAT_H
#define TEECEE_CLI_REPEAT_H

#include "core/cli/cli.h"

struct repeat {
	unsigned long long times; /* 0: no repetition was asked for */
	unsigned long long timeout_s; /* 0: no limit */
	bool vary_seed;
	const char *keep; /* the directory of failures; NULL: a new one here */
};

/* Ends an engine of these settings that runs for nobody. False: it serves a program, as a line says. */
bool engine_free(const struct settings *s);

/* Runs the program so many times; LD_PRELOAD is set. The exit status of the command. */
int repeat(const struct repeat *r, const struct cli_options *o, char **program);

#endif
