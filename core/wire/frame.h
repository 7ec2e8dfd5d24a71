/*
 * Frames as they cross the link interface, in both directions. A frame is a whole Ethernet frame
 * without its FCS. It may be a *super-segment*: one TCP segment far above the MTU that the wire
 * carries as many (gso_size says how much payload each), because moving 64 KiB at a time is where
 * the speed is.
 */
#ifndef TEECEE_WIRE_FRAME_H
#define TEECEE_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/base/time.h"

enum frame_csum {
	FRAME_CSUM_UNVERIFIED, /* received: nobody checked the TCP/UDP checksum. To send: it is complete */
	FRAME_CSUM_VERIFIED,   /* received: the link vouches for it */
	FRAME_CSUM_PARTIAL,    /* to send: the field holds the folded pseudo-header sum; the link completes it */
};

/* A received frame. `data` belongs to the link and is valid until its next recv, and `stays` more of them. */
struct rx_frame {
	const uint8_t *data;
	size_t len;
	uint8_t stays;
	uint16_t gso_size; /* payload bytes per segment of a super-segment the link knows of; 0: unknown or none */
	uint8_t csum;      /* enum frame_csum */
	nsec arrival;      /* on the clock of `now` */
	nsec waited;       /* for us, before it was received, at most */
};

enum {
	TX_HEAD_ROOM = 160, /* Ethernet 14 + IPv6 40 + TCP 60, and room for what follows one day */
	TX_PAYLOAD_MAX = 12, /* a ring buffer's two ends, and memory lent to a connection (sendq.h) */
};

/*
 * A frame to send: headers, pushed from the inside out into `head`, then payload that stays where
 * it is. The frame and its payload belong to the caller; the link has no claim on either once send
 * returns.
 */
struct tx_frame {
	uint8_t head[TX_HEAD_ROOM];
	uint16_t head_at;     /* the headers are head[head_at .. TX_HEAD_ROOM) */
	uint16_t l4_from_end; /* where the TCP/UDP header starts: bytes from the end of head; 0: none */
	uint16_t csum_offset; /* of the checksum field within the L4 header; meaningful when csum is PARTIAL */
	uint16_t gso_size;    /* payload bytes per segment; 0: send as it is */
	uint8_t csum;         /* enum frame_csum */
	uint8_t npayload;
	struct iovec payload[TX_PAYLOAD_MAX];
};

static inline void tx_frame_init(struct tx_frame *f)
{
	f->head_at = TX_HEAD_ROOM;
	f->l4_from_end = f->csum_offset = f->gso_size = 0;
	f->csum = FRAME_CSUM_UNVERIFIED;
	f->npayload = 0;
}

/* Room for `n` more header bytes in front of what is there; the caller fills them. */
static inline uint8_t *tx_frame_push(struct tx_frame *f, size_t n)
{
	f->head_at = (uint16_t)(f->head_at - n);
	return f->head + f->head_at;
}

static inline size_t tx_frame_head_len(const struct tx_frame *f)
{
	return (size_t)TX_HEAD_ROOM - f->head_at;
}

static inline size_t tx_frame_payload_len(const struct tx_frame *f)
{
	size_t n = 0;

	for (unsigned i = 0; i < f->npayload; i++)
		n += f->payload[i].iov_len;
	return n;
}

#endif
