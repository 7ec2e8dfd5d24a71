/*
 * Capture files in pcapng (IETF draft-ietf-opsawg-pcapng), as much of it as a writer needs: a
 * section header, one Ethernet interface with nanosecond times, and enhanced packet blocks with a
 * direction and a comment. Byte order is the writer's own, as the format allows.
 */
#ifndef TEECEE_WIRE_PCAPNG_H
#define TEECEE_WIRE_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/time.h"

enum {
	PCAPNG_MAGIC = 0x0a0d0d0a,    /* the first four bytes of every file, in either byte order */
	PCAPNG_BEGIN_MAX = 256,       /* what pcapng_begin writes at most */
	PCAPNG_COMMENT_MAX = 255,     /* longer comments are cut */
	PCAPNG_PACKET_MAX = 32 + 320, /* what pcapng_packet adds to the frame at most */
};

struct pcapng_packet {
	nsec at;             /* since 1970, not the clock of `now` */
	bool out;            /* sent by us */
	const char *comment; /* NULL or "": none */
	size_t len;          /* bytes of the frame, all of them kept */
};

/*
 * A section header and an interface description, for the start of a file or of a further section
 * in it. Names beyond 64 bytes are cut. Returns the bytes written.
 */
size_t pcapng_begin(
	uint8_t out[static PCAPNG_BEGIN_MAX], const char *application, const char *interface);

/*
 * One packet. The frame's bytes are written by the caller at pcapng_frame(out), before or after.
 * `out` has room for p->len + PCAPNG_PACKET_MAX. Returns the bytes of the whole block.
 */
size_t pcapng_packet(uint8_t *out, const struct pcapng_packet *p);
uint8_t *pcapng_frame(uint8_t *block);

#endif
