/*
 * What comes in bulk is received in batches, as NICs do it with interrupts: datagrams are counted by
 * themselves, TCP's payload in bytes. A turn of the loop for each frame takes the CPU that the program needs
 * to read it. Datagrams that find its queues full were received for nothing: their sender waits for nobody. TCP's
 * frames, as few as one a turn, each wake the program and are each acknowledged; what has come together is
 * handed over in one piece (core/stack/gro.h), and acknowledged once.
 *
 * When a streak of so many has come within FAST, and `after` since a program has sent any, those that follow
 * are held back for a while, and again as long as that many come of it. A program that sends is in a
 * dialogue, whose answers should not wait, be they 256 KiB long (which took 300 instead of 230 us); and a
 * stream of less than 40,000 datagrams or 655 MB a second is left alone. All programs of an engine are
 * counted together: beside a download an answer may wait for one hold, and who talks much keeps the download
 * from being held.
 *
 * Before Linux 5.11 the loop waits in milliseconds. Datagrams are then held for one; bytes, whose ACKs would
 * be, are not.
 */
#ifndef TEECEE_ENGINE_MODERATION_H
#define TEECEE_ENGINE_MODERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/time.h"

#define MODERATION_FAST (200 * USEC)

struct moderation_kind {
	unsigned streak, after;
	nsec hold;
};

#define MODERATION_DGRAMS ((struct moderation_kind){8, 8, 100 * USEC})
#define MODERATION_BYTES ((struct moderation_kind){128 << 10, 1 << 20, 50 * USEC})

struct moderation {
	struct moderation_kind kind;
	uint64_t sent_at; /* how many there had been when a program sent */
	uint64_t counted; /* and when the streak began */
	nsec since;
	nsec until; /* they are held back; NSEC_NEVER: they are not */
};

void moderation_init(struct moderation *m, struct moderation_kind kind);

/* Before each wait: `total` have come in all. Whether those to come are held back now. */
bool moderation_holds(struct moderation *m, uint64_t total, nsec now);

/* A program has sent. */
void moderation_sent(struct moderation *m, uint64_t total, nsec now);

#endif
