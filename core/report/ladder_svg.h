/*
 * The sequence diagram as a picture: one SVG that needs nothing else.
 */
#ifndef TEECEE_REPORT_LADDER_SVG_H
#define TEECEE_REPORT_LADDER_SVG_H

#include <stdbool.h>
#include <stdio.h>

#include "core/report/conn.h"

enum { SVG_LADDER_ROWS = 5000 }; /* no viewer likes more */

struct svg_ladder;

struct svg_ladder *svg_ladder_begin(void); /* NULL: no memory */

/* A row more; beyond SVG_LADDER_ROWS it is only counted. */
void svg_ladder_add(struct svg_ladder *s, const struct segment *g);

/* `partial`: why it is not all of the capture, "": it is. False: there was no memory for it. */
bool svg_ladder_end(struct svg_ladder *s, FILE *out, const char *name, const char *partial);
void svg_ladder_free(struct svg_ladder *s);

#endif
