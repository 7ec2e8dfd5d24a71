/*
 * One stack in virtual time, seen from its IP layer: packets without Ethernet go in, packets with
 * the instant of their emission come out, and the clock moves when it is told to. The neighbour (a
 * gateway that is the way to everybody) is part of the world: it answers ARP.
 *
 * The packetdrill adapter and the script runner both stand on it. Not thread-safe.
 */
#ifndef TEECEE_TESTS_PACKETDRILL_WORLD_H
#define TEECEE_TESTS_PACKETDRILL_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/list.h"
#include "core/base/time.h"
#include "core/stack/stack.h"

/* An IP packet the stack emitted. */
struct world_packet {
	struct list link;
	nsec at;
	size_t len;
	uint8_t data[];
};

struct world {
	struct stack *stack;
	nsec now;
	struct list sent; /* struct world_packet, oldest first */
	bool arp_asked;   /* the neighbour owes an answer */

	/* Called after everything that may have changed a socket, unless NULL. */
	void (*changed)(struct world *w, void *ctx);
	void *ctx;
};

/* `address`: the stack's own, its prefix 16 bits long. False: no memory. */
bool world_init(struct world *w, const struct ipaddr *address);
void world_free(struct world *w);

/* A packet from the wire, and what the stack answers at once. */
void world_input(struct world *w, const void *packet, size_t len);

/* Sends what socket calls left due, and hands out events. After every call into the stack. */
void world_settle(struct world *w);

/*
 * Runs every timer up to `until`, each at its deadline. With `until_sent` it stops after the first
 * packet.
 */
void world_advance(struct world *w, nsec until, bool until_sent);

/* The oldest packet not yet taken, to be freed by the caller; NULL: none. */
struct world_packet *world_take(struct world *w);

#endif
