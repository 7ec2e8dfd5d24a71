/*
 * The conversations that impairment remembers: how many segments each has had, and how far its
 * scripted fault is.
 */
#ifndef TEECEE_LINK_FLOWS_H
#define TEECEE_LINK_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/impairment.h"
#include "core/base/list.h"
#include "core/base/time.h"
#include "core/link/flow.h"

/*
 * Conversations are counted by kind, so that what comes by chance (an ARP request, a segment left
 * over from a conversation of before) does not move the number of a connection.
 */
enum flow_kind { FLOW_TCP, FLOW_TCP_STRAY, FLOW_UDP, FLOW_OTHER_IP, FLOW_NOT_IP, FLOW_KINDS };

enum { FLOWS_MAX = 16384, FLOWS_BUCKETS = 4096, FLOW_HEAD_MAX = 14 + 20 + 60 };

/*
 * What is drawn for in turn. Bare ACKs (and RSTs) of TCP have a lane of their own: how many there
 * are depends on who was scheduled when, and must not move the fate of a segment that carries data.
 */
struct flow_lane {
	uint64_t nth; /* segments so far */
	uint32_t bad; /* gemodel's state, a bit per rule */
};

struct flow {
	struct list bucket, by_age; /* least recently used first */
	struct flow_key key;
	uint32_t ordinal; /* its kind, and which one of that kind */
	struct flow_lane lane[2][2]; /* in, out; what carries something, bare ACKs */
	bool fresh;       /* the frame at hand is its first */
	bool has_isn;
	struct seq32 isn; /* of the SYN that began it */

	/* fault.c */
	const struct impair_rule *rule; /* NULL: no fault */
	nsec began;
	bool knows[2];            /* the next two: in, out */
	struct seq32 done_at[2];  /* up to here the receiver has acknowledged */
	uint64_t done[2];         /* payload bytes that are */
	struct seq32 top;         /* behind the last byte we sent */
	unsigned syns;
	nsec blackhole_from, window_from; /* NSEC_NEVER: not yet */
	bool was_reset;
	uint8_t mac[12];          /* Ethernet addresses as a received frame has them */
	uint8_t wscale;           /* of our window */
	struct seq32 edge;        /* slow-read: the right edge that was told last */
	bool has_edge;
	uint16_t head_len;        /* slow-read: our last header, to open the window with */
	uint8_t head[FLOW_HEAD_MAX];
};

struct flows {
	struct list bucket[FLOWS_BUCKETS];
	struct list by_age;
	unsigned n;
	uint32_t count[FLOW_KINDS];
};

void flows_init(struct flows *t);
void flows_clear(struct flows *t);

/* The conversation, made if there is none; NULL: no memory. */
struct flow *flows_get(struct flows *t, const struct flow_key *key, enum flow_kind kind, nsec now);

/* The conversation if it still is the one of that ordinal; else NULL. */
struct flow *flows_find(struct flows *t, const struct flow_key *key, uint32_t ordinal);

/* The same addresses begin anew: a new ordinal, everything else forgotten. */
void flows_renew(struct flows *t, struct flow *f, enum flow_kind kind, nsec now);

#endif
