/*
 * Reassembly of IPv4 fragments (RFC 791, RFC 815).
 */
#ifndef TEECEE_STACK_REASM_H
#define TEECEE_STACK_REASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/list.h"
#include "core/base/time.h"
#include "core/wire/ipv4.h"

struct stack;

/*
 * Datagrams under way, oldest first. `bytes` is this part's share of stack.memory, at most
 * REASM_MEM_MAX.
 */
struct reasm_table {
	struct list datagrams;
	unsigned count;
	size_t bytes;
};

/* A datagram put together: a new header without options at `packet`, the payload behind it. */
struct reasm_packet {
	struct ipv4_hdr hdr;
	uint8_t *packet;
	bool to_multicast; /* one of the fragments came that way */
};

void reasm_init(struct stack *s);
void reasm_flush(struct stack *s);

/*
 * Takes a fragment with header `h`, whole at `packet`. True when it was the last one missing: *out
 * is the datagram, and the caller gives it back with reasm_release.
 */
bool reasm_input(struct stack *s, const struct ipv4_hdr *h, const uint8_t *packet,
	bool to_multicast, struct reasm_packet *out, nsec now);
void reasm_release(struct stack *s, struct reasm_packet *p);

#endif
