/*
 * The sequence diagram of a capture: a line per segment, client at the left, server at the right.
 */
#ifndef TEECEE_REPORT_LADDER_H
#define TEECEE_REPORT_LADDER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/report/source.h"

struct ladder_config {
	const char *name;    /* of the capture, for messages */
	const char *filter;  /* in pcap syntax; "": all of TCP */
	unsigned connection; /* only this one; 0: all */
	uint64_t packets_max;
	unsigned columns;   /* of the terminal; what is wider is not cut */
	bool svg;           /* a picture; else text */
	bool colour, ascii; /* of text */
};

/*
 * Draws `in` (which it closes) on `out`. 0: the whole of it; 1: not all, and *message has the
 * reason; -EINVAL and the like: nothing, and the reason. A failure of `out` is the caller's to see.
 */
int ladder_draw(FILE *in, FILE *out, const struct ladder_config *config,
	char message[static SOURCE_ERROR_LEN]);

#endif
