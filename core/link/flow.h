/*
 * What a frame is about, for those who stand beside the link and look: whose conversation, which
 * way, and where its parts begin. Reads headers only; a frame it cannot read belongs to no
 * conversation.
 */
#ifndef TEECEE_LINK_FLOW_H
#define TEECEE_LINK_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/seq.h"
#include "core/wire/checksum.h"

/* A conversation as our side sees it, the same for frames of both directions. */
struct flow_key {
	struct endpoint local, remote; /* ports 0 for what has none */
	uint16_t protocol;             /* of IP; 0: not IP */
	uint16_t pad;
};

/* Where things are in a frame, as offsets from its first byte. */
struct flow_view {
	struct flow_key key;
	uint16_t l3, l4, payload; /* 0: there is none */
	uint32_t end;             /* of the IP packet: what follows is padding */
	bool fragment;            /* not the first one, or one of several */
	uint8_t flags;            /* TCP's, enum tcp_flags */
	uint16_t window;          /* as on the wire */
	struct seq32 seq, ack;
};

/*
 * Looks at the first `len` bytes of a frame (at least its headers should be among them). `out`:
 * we sent it. The frame's full length may be greater.
 */
void flow_look(struct flow_view *v, const uint8_t *frame, size_t len, bool out);

bool flow_equal(const struct flow_key *a, const struct flow_key *b);
uint32_t flow_hash(const struct flow_key *k);

/*
 * A received TCP or UDP frame may carry only the pseudo-header's sum in its checksum field, as
 * local senders leave it. Whether this one does, and completing it, over the whole frame.
 */
bool flow_csum_is_partial(const struct flow_view *v, const uint8_t *frame);
void flow_csum_complete(const struct flow_view *v, uint8_t *frame);

/* The sum of the pseudo-header alone. */
csum_acc flow_csum_pseudo(const struct flow_view *v);

/* Another value in the field. */
void flow_csum_spoil(const struct flow_view *v, uint8_t *frame);

/* Whether the checksum is right as it stands; true for what has none. */
bool flow_csum_is_right(const struct flow_view *v, const uint8_t *frame);

#endif
