/*
 * Which segments of a received super-segment are lost, in the words of a capture's comment:
 *
 *	lost 3 of 45 segments of 1448: 2 7-8 (rule 1)
 *
 * counted from 1. The number is always right; a list that has no room ends with "...".
 */
#ifndef TEECEE_LINK_LOSSES_H
#define TEECEE_LINK_LOSSES_H

#include <stdbool.h>
#include <stddef.h>

enum { LOSSES_RUNS_LEN = 80, LOSSES_NOTE_LEN = 150 };

struct losses {
	unsigned n;           /* lost so far */
	unsigned first, last; /* the run in hand; 0: none */
	char runs[LOSSES_RUNS_LEN];
	bool full;
};

/* The nth is lost, from 1 on, in ascending order. All zero is the beginning. */
void losses_add(struct losses *l, unsigned nth);

/* The note, when anything was lost; false: nothing was. `step`: payload bytes of a segment. */
bool losses_note(struct losses *l, const char *what, size_t segments, unsigned step, unsigned rule,
	char out[static LOSSES_NOTE_LEN]);

#endif
