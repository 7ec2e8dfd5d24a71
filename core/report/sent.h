/*
 * What one side of a connection has sent and the other has not acknowledged yet, as far as the
 * capture shows: pieces in order, none of which overlap. From it come retransmissions, holes and
 * round trips. Positions are relative sequence numbers unrolled to 64 bits.
 */
#ifndef TEECEE_REPORT_SENT_H
#define TEECEE_REPORT_SENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/time.h"

enum { SENT_PIECES_MAX = 1 << 16, SENT_BLOCKS = 8 };

struct sent_piece {
	int64_t seq, end;
	nsec first, last; /* sent for the first and for the last time */
	uint32_t tsval;   /* of the first time; 0: none */
	bool again;       /* more than once: no round trip can be told from it (Karn) */
	bool sacked;
};

struct sent {
	struct sent_piece *piece; /* piece[from..n) */
	size_t from, n, room;
	int64_t floor; /* all below counts as seen: acknowledged, or forgotten for want of room */
	/* SACK blocks seen last. They come again and again, a little longer each time. */
	struct {
		int64_t left, right;
	} block[SENT_BLOCKS];
	unsigned next_block;
};

/* What a segment turned out to be. */
struct sent_verdict {
	uint64_t fresh;     /* bytes that were not seen before */
	nsec last;          /* when the others were sent last; NSEC_NEVER: not known */
	bool before_others; /* fresh, and later ones have been seen: `next` is the first of those */
	struct sent_piece next;
};

/* [seq, end) is sent, seq < end. */
struct sent_verdict sent_add(struct sent *s, int64_t seq, int64_t end, nsec at, uint32_t tsval);

/*
 * All below `ack` has arrived. The round trip that this tells, from the first sending of the last
 * byte: 0 when it tells none.
 */
nsec sent_ack(struct sent *s, int64_t ack, nsec now);

/* The same for a SACK block: what lies in it whole has arrived. */
nsec sent_sack(struct sent *s, int64_t left, int64_t right, nsec now);

void sent_free(struct sent *s);

#endif
