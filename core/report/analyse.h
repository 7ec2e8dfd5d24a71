/*
 * What one segment means in its connection: the steps of conn.h's analysis.
 */
#ifndef TEECEE_REPORT_ANALYSE_H
#define TEECEE_REPORT_ANALYSE_H

#include <stdint.h>

#include "core/report/conn.h"

/* Fills what is derived in g (whose packet, connection, header and note are there), and counts it. */
void analyse(struct segment *g, uint8_t ecn);

#endif
