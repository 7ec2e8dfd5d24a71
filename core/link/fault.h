/*
 * Scripted faults: what happens to one connection at a certain point of its life. Everything is
 * done to frames on their way, as a router or a middlebox would do it; neither end is asked.
 */
#ifndef TEECEE_LINK_FAULT_H
#define TEECEE_LINK_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/link/flows.h"
#include "core/link/held.h"

/* Where forged frames go, and what is told about the frame at hand. */
struct fault_io {
	struct held_queue *in, *out;
	nsec now;
	nsec hold;        /* set: the frame at hand is late by that */
	const char *note; /* set: what was done to it; NULL: nothing */
};

/* A conversation with a rule begins, with the frame at hand. */
void fault_begin(struct flow *f, struct fault_io *io);

/*
 * The next frame of a conversation that has a rule. False: it is dropped. A received one, `frame`,
 * may be changed and become shorter; so may the frame to send.
 */
bool fault_in(struct flow *f, struct flow_view *v, uint8_t *frame, size_t *len, struct fault_io *io);
bool fault_out(struct flow *f, struct flow_view *v, struct tx_frame *tx, struct fault_io *io);

/* A timer that fault_begin or a later call put into io->out has come. */
void fault_tick(struct flow *f, struct fault_io *io);

#endif
