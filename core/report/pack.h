/*
 * Numbers as compact text for a page: variable-length integers (7 bits a byte, the lowest first,
 * signs folded into the lowest bit) in base64, written as they come.
 */
#ifndef TEECEE_REPORT_PACK_H
#define TEECEE_REPORT_PACK_H

#include <stdint.h>
#include <stdio.h>

struct pack {
	FILE *out;
	uint32_t bits; /* bytes that are no group of three yet */
	unsigned n;
};

void pack_begin(struct pack *p, FILE *out); /* writes the opening quote */
void pack_unsigned(struct pack *p, uint64_t v);
void pack_signed(struct pack *p, int64_t v);

/* To a number from the one before it. Differences wrap, as the reader's sums do. */
void pack_difference(struct pack *p, int64_t v, int64_t before);
void pack_end(struct pack *p); /* and the closing one */

#endif
