/*
 * A capture as one page of HTML that needs nothing else: tables, charts of the largest connections,
 * their ladders. The page's own parts are in core/report/page/; here they get their data.
 */
#ifndef TEECEE_REPORT_REPORT_H
#define TEECEE_REPORT_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "core/report/source.h"

struct report_config {
	const char *name; /* of the capture */
	uint64_t packets_max;
};

/*
 * Reads `in` (which it closes) and writes the page to `out`. 0: of the whole file; 1: not all was
 * read, which the page and *message say; -EINVAL, -ENOMEM: nothing, and the reason. A failure of
 * `out` is the caller's to see.
 */
int report_write(FILE *in, FILE *out, const struct report_config *config,
	char message[static SOURCE_ERROR_LEN]);

#endif
