/*
 * The comments of a pcapng file, beside libpcap, which reads its packets but has no word for these.
 * The walk is fed the file's bytes as they come, in pieces of any size, and calls back once for
 * each block that libpcap takes for a packet, in the same order: the n-th call is about the n-th
 * packet. A file that is no pcapng, or a block that contradicts itself, ends the walk: no more
 * calls. It never reads more than it was fed and keeps no more than one comment.
 */
#ifndef TEECEE_WIRE_PCAPNG_WALK_H
#define TEECEE_WIRE_PCAPNG_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PCAPNG_WALK_COMMENT_LEN = 512 };

enum pcapng_way { PCAPNG_WAY_UNKNOWN, PCAPNG_WAY_IN, PCAPNG_WAY_OUT };

struct pcapng_walk {
	/* Several comments of a packet are joined by "; "; what is too long is cut. */
	void (*packet)(void *ctx, const char *comment, enum pcapng_way way);
	void *ctx;

	/* The walk's own. */
	bool over, swapped, is_packet;
	uint8_t step;      /* enum step */
	uint8_t head[28];  /* of the block in hand, as much as is there */
	size_t have, want; /* of head */
	uint64_t skip;     /* bytes to pass over before the next step */
	uint64_t left;     /* of the block, behind what was looked at */
	uint16_t code, value_len;
	uint32_t flags;
	size_t comment_len;
	char comment[PCAPNG_WALK_COMMENT_LEN];
};

void pcapng_walk_init(
	struct pcapng_walk *w, void (*packet)(void *, const char *, enum pcapng_way), void *ctx);
void pcapng_walk_feed(struct pcapng_walk *w, const uint8_t *data, size_t len);

#endif
