/*
 * A whole file through the analysis: the loop that the text, the picture and the page share.
 */
#ifndef TEECEE_REPORT_CAPTURE_H
#define TEECEE_REPORT_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/report/conn.h"

/* What the file held, segments aside. */
struct capture_totals {
	uint64_t packets, bytes; /* as long as they were on the wire */
	uint64_t tcp;            /* of these, analysed */
	uint64_t other;          /* readable, and not TCP */
	uint64_t broken;         /* cut off, or contradicting themselves */
	uint64_t uncounted;      /* TCP beyond the limits of connections or memory */
	nsec began, ended;       /* since 1970 */
	/* Not the whole file was read, and why; "": it was. */
	char partial[SOURCE_ERROR_LEN];
};

struct capture_reading {
	const char
		*filter; /* in pcap syntax: what `segment` is called for; all of TCP is analysed */
	uint64_t packets_max;
	/* For each segment of TCP that the filter takes. False: enough, read no further. */
	bool (*segment)(void *ctx, const struct segment *g);
	void *ctx;
};

/*
 * Reads to the end, or as far as it goes. Closes `in`. 0, or -EINVAL with one clear line when
 * nothing was read: no capture, or no filter; -ENOMEM. *out, for the caller to free, is what was
 * analysed.
 */
int capture_read(FILE *in, const char *name, const struct capture_reading *how, struct conns **out,
	struct capture_totals *totals, char error[static SOURCE_ERROR_LEN]);

#endif
