/*
 * Datagrams in bulk are received in batches, as NICs do it with interrupts. Their sender waits for
 * nobody; a turn of the loop for each of them takes the CPU that the program needs to read them, and
 * those that find its queues full were received for nothing.
 *
 * When STREAK of them have come within FAST, and no program has sent any meanwhile, those that follow
 * are held back for HOLD, and again as long as that many come of it. A program that sends is in a
 * dialogue, whose answers should not wait; and a stream of less than 40,000 a second is left alone.
 * (Before Linux 5.11 the loop waits in milliseconds, and this is one.)
 */
#ifndef TEECEE_ENGINE_MODERATION_H
#define TEECEE_ENGINE_MODERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/time.h"

#define MODERATION_FAST (200 * USEC)
#define MODERATION_HOLD (100 * USEC)

enum { MODERATION_STREAK = 8 };

struct moderation {
	uint64_t counted; /* datagrams, when the streak began */
	nsec since;
	nsec until; /* they are held back; NSEC_NEVER: they are not */
};

void moderation_init(struct moderation *m);

/* Before each wait: `total` datagrams have come in all. Whether those to come are held back now. */
bool moderation_holds(struct moderation *m, uint64_t total, nsec now);

/* A program has sent one. */
void moderation_sent(struct moderation *m, uint64_t total, nsec now);

#endif
