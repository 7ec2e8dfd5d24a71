/*
 * What `teecee ladder` and `teecee report` have in common: a capture that is read, a file that is
 * written. Each failure is one line that begins with the command's name.
 */
#ifndef TEECEE_CLI_CAPTURE_FILE_H
#define TEECEE_CLI_CAPTURE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CAPTURE_PACKETS_MAX = 20000000 }; /* some 20 GB of full frames */

/* For reading; "-" is standard input. NULL: it has been said why. */
FILE *capture_open(const char *command, const char *path);

/* What to call it. */
const char *capture_name(const char *path);

/* A whole number from 1 on. */
bool capture_number(const char *text, uint64_t max, uint64_t *out);

/*
 * The output takes the place of its file when it is whole, so that a failure leaves what was there.
 */
struct capture_output {
	FILE *stream;
	const char *command, *path; /* path NULL: standard output */
	char *temporary;            /* NULL: written directly, since it is no regular file */
};

bool capture_output_open(struct capture_output *o, const char *command, const char *path);

/* keep: false throws away what was written. True: all is written. */
bool capture_output_close(struct capture_output *o, bool keep);

#endif
