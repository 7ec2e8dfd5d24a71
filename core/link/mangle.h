/*
 * What impairment does to the bytes of one frame. Checksums that should be right afterwards are
 * complete then, and frames are marked as nobody's to vouch for.
 */
#ifndef TEECEE_LINK_MANGLE_H
#define TEECEE_LINK_MANGLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/link/held.h"

/* Flips one bit; `random` says which. `out`: the frame is one that we send. */
void mangle_corrupt(struct held *h, bool out, uint32_t random);

/* Leaves that much of a UDP datagram's payload; false: it is none, or no longer than that. */
bool mangle_truncate_udp(struct held *h, bool out, unsigned left);

/* The lengths and checksums of an IPv4 packet after v->end has changed. */
void mangle_resize(const struct flow_view *v, uint8_t *frame);

/* A TCP frame to be sent, its checksum partial, ends at v->end now, and not with a FIN. */
void mangle_shorten(struct flow_view *v, struct tx_frame *tx);

#endif
