/*
 * What the page shows of one connection: its charts' series, its marks, the rows of its ladder.
 */
#ifndef TEECEE_REPORT_STORY_H
#define TEECEE_REPORT_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/report/conn.h"
#include "core/report/series.h"

enum story_series {
	STORY_DATA, /* first transmissions: a to b are bytes, joined where they follow each other */
	STORY_ACK,  /* of the other side's data: a to b; lo and hi: the right edge of the window */
	STORY_SACK, /* blocks of the other side's data: a to b */
	STORY_RTT,  /* of its data, lo and hi in nanoseconds */
	STORY_FLIGHT, /* bytes not acknowledged, lo and hi */
	STORY_CWND,   /* bytes, lo and hi */
	STORY_SERIES,
};

/* Something that must not be lost in a bucket. */
struct story_mark {
	nsec at;
	uint64_t number;
	int64_t seq, end;
	uint32_t marks; /* as in struct segment */
	uint32_t count; /* segments lost; else 1 */
	uint8_t from;
	size_t note; /* in the story's text; 0: none */
};

/* A line of the ladder. */
struct story_row {
	uint64_t number, nth; /* of the packet in the file, of the segment in its connection */
	nsec at;
	uint8_t from;
	uint32_t marks, len;
	char *flags, *numbers, *words; /* one allocation, flags is its beginning; NULL: no memory */
};

enum {
	STORY_MARKS_MAX = 1 << 20,
	STORY_ROWS_FIRST = 80,
	STORY_ROWS_MAX = 400,
	STORY_ROWS_LAST = 20,
};

struct story {
	struct conn *conn;
	struct series series[2][STORY_SERIES]; /* by sender, and for STORY_ACK by receiver */
	struct story_mark *mark;
	size_t nmarks, marks_room;
	uint64_t marks_missing; /* beyond STORY_MARKS_MAX, or memory */
	char *text;             /* notes, each with its NUL */
	size_t text_len, text_room, last_text;
	struct story_row row[STORY_ROWS_MAX];
	unsigned nrows;
	struct story_row last[STORY_ROWS_LAST]; /* a ring */
	unsigned nlast;
	uint64_t segments;
};

struct story *story_new(struct conn *k);

/* The connection's next segment. `points`: how many each series may have. */
void story_add(struct story *s, const struct segment *g, size_t points);

/* The rows of its end that are none yet are taken over. */
void story_end(struct story *s);
void story_free(struct story *s);

#endif
