/*
 * A packet socket's receive ring (TPACKET_V2): the kernel copies each frame into memory that it
 * shares with us, on the time of whoever sends it. Taking one is a look at that memory.
 *
 * For small frames that come faster than their program can read them: what will be thrown away costs
 * next to nothing. Bulk TCP is better received by calls, into one buffer that stays in the cache.
 */
#ifndef TEECEE_LINK_RING_H
#define TEECEE_LINK_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/time.h"
#include "core/wire/frame.h"

enum {
	RING_SLOTS = 1024, /* full-sized datagrams in 212,992 bytes of a kernel's UDP socket: 92 */
	RING_SLOT_LEN = 2048,
	RING_FRAME_MAX = 1600, /* longer ones must not come: a slot begins with 78 bytes of its own */
};

struct ring {
	uint8_t *slots; /* NULL: there is none */
	unsigned next;  /* to be looked at */
	bool holds;     /* the one before it is still in use by who took it */
};

/*
 * Gives the socket `fd`, which has PACKET_VNET_HDR and is not bound yet, a ring: 0 or -errno. The fd
 * stays the caller's.
 */
int ring_open(struct ring *r, int fd);
void ring_close(struct ring *r);

/* Whether none waits. */
bool ring_is_empty(const struct ring *r);

/* The next frame, valid until the next call; false: there is none. */
bool ring_recv(struct ring *r, struct rx_frame *f, nsec now);

#endif
