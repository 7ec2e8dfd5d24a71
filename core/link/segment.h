/*
 * Software segmentation: what a driver does whose wire carries no super-segments. Turns one
 * tx_frame into the frames the wire sees, with complete checksums.
 */
#ifndef TEECEE_LINK_SEGMENT_H
#define TEECEE_LINK_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/seq.h"
#include "core/wire/checksum.h"
#include "core/wire/frame.h"

/* Progress through one tx_frame. The fields are segment.c's. */
struct segmenter {
	const struct tx_frame *f;
	size_t head_len, l4_len; /* all headers; the TCP/UDP header alone */
	size_t total, done;      /* payload bytes */
	size_t step;             /* payload bytes per frame */
	unsigned iov;            /* where `done` stands in f->payload */
	size_t iov_at;
	bool cut; /* more than one frame will come of it */
	uint16_t ip_id, urgent;
	uint8_t tcp_flags;
	struct seq32 seq;
	csum_acc ip_sum, l4_sum; /* of the headers with the fields that differ per frame zeroed */
	bool finished;
};

/*
 * Begins with `f`, which must stay as it is until the last segment_next. 0, or -EINVAL when it has
 * a gso_size but is not TCP over IPv4 in Ethernet, or its offsets do not fit its headers.
 */
int segment_begin(struct segmenter *s, const struct tx_frame *f);

/*
 * How many frames will come, and the size of the largest: 14 bytes and what the MTU allows if f was
 * made right.
 */
size_t segment_count(const struct segmenter *s);
size_t segment_frame_max(const struct segmenter *s);

/*
 * Writes the next frame to `out`, of at least segment_frame_max bytes: its length, or 0 when all
 * have come.
 */
size_t segment_next(struct segmenter *s, uint8_t *out);

#endif
