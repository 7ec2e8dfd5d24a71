/*
 * Packets from the stack to itself: queued by ip_output, taken in by stack_poll, so that a
 * connection to our own address is two real TCPs and nothing recurses.
 */
#ifndef TEECEE_STACK_LOOP_H
#define TEECEE_STACK_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/base/list.h"
#include "core/base/time.h"
#include "core/wire/frame.h"

struct ip_meta;
struct stack;

struct loop {
	struct list queue;
	size_t bytes; /* its share of stack.memory, at most LOOP_BYTES_MAX and one packet */
};

void loop_init(struct stack *s);
void loop_flush(struct stack *s);

/*
 * Copies an IP packet into the queue, or with `bare` an L4 packet without a header of its own, which
 * that describes: 0, -EAGAIN (full; the next poll drains it), -ENOBUFS (no
 * memory).
 */
int loop_output(struct stack *s, const struct tx_frame *f, const struct ip_meta *bare);

/*
 * Hands what is queued now, not what comes meanwhile, to the IP input. False when there was
 * nothing.
 */
bool loop_drain(struct stack *s, nsec now);

#endif
