/*
 * Every block is: type, total length, body, total length again; everything is padded to 32 bits.
 * Options are (code, length, value), ended by (0, 0).
 */
#include "core/wire/pcapng.h"

#include <string.h>

#include "core/base/bytes.h"

enum {
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINKTYPE_ETHERNET = 1,
	NAME_MAX_LEN = 64,
	FRAME_AT = 28, /* of a packet block: behind type, length, interface, time, two lengths */

	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	EPB_FLAGS = 2,
	FLAG_INBOUND = 1,
	FLAG_OUTBOUND = 2,
};

static uint8_t *put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof v);
	return p + sizeof v;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof v);
	return p + sizeof v;
}

static uint8_t *pad(uint8_t *p, size_t len)
{
	for (; len % 4; len++)
		*p++ = 0;
	return p;
}

static uint8_t *put_option(uint8_t *p, uint16_t code, const void *value, size_t len)
{
	p = put16(p, code);
	p = put16(p, (uint16_t)len);
	memcpy(p, value, len);
	return pad(p + len, len);
}

static uint8_t *put_text(uint8_t *p, uint16_t code, const char *text, size_t max)
{
	size_t len = text ? strnlen(text, max) : 0;

	return len ? put_option(p, code, text, len) : p;
}

/* Ends the options and the block that began at `block`; the first byte behind it. */
static uint8_t *end_block(uint8_t *block, uint8_t *p)
{
	p = put16(p, OPT_END);
	p = put16(p, 0);
	uint32_t total = (uint32_t)(p - block) + 4;
	put32(block + 4, total);
	return put32(p, total);
}

size_t pcapng_begin(
	uint8_t out[static PCAPNG_BEGIN_MAX], const char *application, const char *interface)
{
	static const uint8_t nanoseconds = 9, unknown_length[8] = {255, 255, 255, 255, 255, 255, 255, 255};
	uint8_t *p = out;

	p = put32(p, PCAPNG_MAGIC);
	p = put32(p, 0);
	p = put32(p, BYTE_ORDER_MAGIC);
	p = put16(p, 1); /* version 1.0 */
	p = put16(p, 0);
	memcpy(p, unknown_length, sizeof unknown_length);
	p = put_text(p + sizeof unknown_length, SHB_USERAPPL, application, NAME_MAX_LEN);
	p = end_block(out, p);

	uint8_t *block = p;
	p = put32(p, BLOCK_INTERFACE);
	p = put32(p, 0);
	p = put16(p, LINKTYPE_ETHERNET);
	p = put16(p, 0);
	p = put32(p, 0); /* no snap length */
	p = put_text(p, IF_NAME, interface, NAME_MAX_LEN);
	p = put_option(p, IF_TSRESOL, &nanoseconds, 1);
	return (size_t)(end_block(block, p) - out);
}

uint8_t *pcapng_frame(uint8_t *block)
{
	return block + FRAME_AT;
}

size_t pcapng_packet(uint8_t *out, const struct pcapng_packet *p)
{
	uint64_t at = (uint64_t)p->at;
	uint32_t flags = p->out ? FLAG_OUTBOUND : FLAG_INBOUND;
	uint8_t *q = put32(out, BLOCK_PACKET);

	q = put32(q, 0);
	q = put32(q, 0); /* the section's first interface */
	q = put32(q, (uint32_t)(at >> 32));
	q = put32(q, (uint32_t)at);
	q = put32(q, (uint32_t)p->len);
	q = put32(q, (uint32_t)p->len);
	q = pad(q + p->len, p->len);
	q = put_text(q, OPT_COMMENT, p->comment, PCAPNG_COMMENT_MAX);
	q = put_option(q, EPB_FLAGS, &flags, sizeof flags);
	return (size_t)(end_block(out, q) - out);
}
