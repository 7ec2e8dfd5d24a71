/*
 * A segment in words, the same for text and picture.
 */
#ifndef TEECEE_REPORT_WORDS_H
#define TEECEE_REPORT_WORDS_H

#include <stddef.h>

#include "core/report/conn.h"

enum { WORDS_LEN = 400, WORDS_FLAGS_LEN = 40 };

/* "SYN ACK". */
char *words_flags(char out[static WORDS_FLAGS_LEN], uint8_t flags);

/* "1:1449 ack 143 win 64256": numbers relative, window in bytes. */
char *words_numbers(char out[static WORDS_LEN], const struct segment *g);

/* Options that matter: "mss 1460 sackOK ts wscale 7", "sack 2897:4345". */
char *words_options(char out[static WORDS_LEN], const struct segment *g);

/* What is remarkable, the note of the capture included: "again after 203.1 ms; lost (rule 1)". */
char *words_remarks(char out[static WORDS_LEN], const struct segment *g);

/* "812 ns", "1.25 ms", "3.4 s". */
char *words_time(char out[static WORDS_FLAGS_LEN], nsec t);

#endif
