/*
 * GENERIC RECEIVE OFFLOAD. Segments of one connection that come right behind each other are taken for one.
 * The kernel does this for what the wire carries, up to 64 KiB; here its super-segments are joined in turn, and
 * what comes by a NIC that does not, as far as one call has received it. What it saves is not in the stack:
 * the program is woken by each piece that it is handed, and takes the engine's place on the processor.
 *
 * A RUN begins with a segment that is in order and says nothing else (gro_begin, called by tcp_input). It is
 * put aside, if its frame's bytes stay valid for a while (rx_frame.stays). A frame continues the run if its
 * headers are the same, byte for byte, but for the lengths, the identification, the checksums, PSH, and the
 * sequence number, which is the next, and if it is within the window. Any other frame ends the run and is looked at
 * afterwards; so do GRO_PIECES_MAX, the end of the first frame's validity, and stack_input_end. What has ended
 * goes through tcp_input's steps as one segment with several pieces.
 *
 * WHY THAT IS THE SAME. Nothing happens to the stack in between: no other frame, no timer, no call of the
 * owner's. And ACKs leave in stack_poll only, one for all that came before it.
 */
#ifndef TEECEE_STACK_GRO_H
#define TEECEE_STACK_GRO_H

#include <stdbool.h>

#include "core/base/time.h"
#include "core/wire/frame.h"

struct segment;
struct stack;
struct tcp;

enum { GRO_PIECES_MAX = 8 }; /* 512 KiB of super-segments: a quarter of an L2 cache */

struct gro;

struct gro *gro_new(void); /* NULL: no memory */
void gro_free(struct gro *r);

/* A frame came. True: it was a piece of the run; false: there is no run any more. */
bool gro_continue(struct stack *s, const struct rx_frame *f, nsec now);

/* The segment `g` of `t`, in the frame `f`, which was parsed and checked. True: it was put aside. */
bool gro_begin(struct tcp *t, const struct segment *g, const struct rx_frame *f);

void gro_end(struct stack *s, nsec now);

#endif
