/*
 * The comments of our own captures, read back: the program, the congestion window, and what
 * impairment or the stack did to the frame (core/link/capfile.c and core/link/impair.c write them).
 * Anybody else's comment is just a text.
 *
 *	wget[4711]; cwnd 14480; lost (rule 1)
 *	curl[12]; lost 3 of 45 segments of 1448: 2 7-8 (rule 1)
 */
#ifndef TEECEE_REPORT_NOTE_H
#define TEECEE_REPORT_NOTE_H

#include <stdbool.h>
#include <stdint.h>

enum { NOTE_PROCESS_LEN = 40, NOTE_TEXT_LEN = 200, NOTE_RUNS = 32 };

struct note {
	char process[NOTE_PROCESS_LEN]; /* "": not told */
	uint32_t cwnd;                  /* bytes; 0: not told */
	char text[NOTE_TEXT_LEN];       /* the rest; "": nothing */
	unsigned lost;           /* segments; of `segments` that the frame carries (0: it is one) */
	unsigned segments, step; /* step: payload bytes of each */
	struct {
		uint16_t first, last; /* counted from 0 */
	} run[NOTE_RUNS];             /* which ones, as far as the comment has room */
	unsigned nruns;
	bool dropped, impaired;
};

void note_read(struct note *n, const char *comment);

#endif
