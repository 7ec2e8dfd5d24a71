/*
 * Neighbours: which MAC address has an IP address of our subnet, and the packets that wait for the
 * answer.
 */
#ifndef TEECEE_STACK_NEIGH_H
#define TEECEE_STACK_NEIGH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/list.h"
#include "core/base/time.h"
#include "core/stack/timer.h"
#include "core/wire/frame.h"

struct stack;

enum { NEIGH_BUCKETS = 256 };

enum neigh_state {
	NEIGH_ASKING,    /* entered by the first packet; broadcasts requests, packets wait */
	NEIGH_REACHABLE, /* entered by any ARP packet from it; packets leave */
	/* entered by a packet after ARP_LIFETIME; asks again, packets still leave */
	NEIGH_REFRESHING,
	NEIGH_FAILED,     /* entered after ARP_TRIES requests; refuses packets for ARP_NEGATIVE */
};

struct neigh {
	struct list bucket, lru; /* lru: least recently used first */
	struct stack *stack;
	struct timer timer; /* next request; in NEIGH_FAILED the end of the entry */
	struct ipaddr ip;
	struct macaddr mac; /* meaningful in REACHABLE and REFRESHING */
	enum neigh_state state;
	uint8_t tries; /* requests sent since it was last heard */
	uint32_t pending_bytes;
	struct list pending; /* packets that wait, in order */
	nsec heard;
};

/*
 * At most ARP_ENTRIES_MAX entries. They are a cache and not part of stack.memory; packets that wait
 * are.
 */
struct neigh_table {
	struct list bucket[NEIGH_BUCKETS];
	struct list lru;
	unsigned count;
	size_t pending_bytes; /* of all of them */
};

void neigh_init(struct stack *s);

/* Forgets everybody; packets that wait are dropped without a word. */
void neigh_flush(struct stack *s);

/*
 * Sends an IP packet to the neighbour `next_hop`: pushes the Ethernet header and emits, or copies
 * the packet and asks. 0 (sent or waiting), -EHOSTUNREACH (asked in vain a moment ago), -ENOBUFS
 * (no memory), or emit's error.
 */
int neigh_output(struct stack *s, const struct ipaddr *next_hop, struct tx_frame *f, nsec now);

/* Pushes the Ethernet header onto an IP packet and emits it: 0 or emit's error. */
int eth_output(struct stack *s, const struct macaddr *to, struct tx_frame *f, nsec now);

/*
 * An ARP packet says that `mac` has `ip`: known neighbours are updated, others added if `create`.
 * What waited leaves.
 */
void neigh_learn(
	struct stack *s, const struct ipaddr *ip, const struct macaddr *mac, bool create, nsec now);

/* A packet of ours has been answered through that neighbour: it is there, and need not be asked (RFC 1122 §2.3.2.1). */
void neigh_confirm(struct stack *s, const struct ipaddr *next_hop, nsec now);

#endif
