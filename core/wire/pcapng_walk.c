/*
 * THE STEPS. A block is looked at in pieces that have a known size when they begin:
 *
 *	HEAD    12 bytes: type, length, and what follows (of a section, the byte order)
 *	PACKET  16 more of a packet block, up to the captured length, then the data is skipped
 *	OPTION  4 bytes: code and length of an option
 *	VALUE   its value, taken when it is a comment or the flags, and its padding
 *
 * `left` counts down what the block's length promised, its last four bytes (the length again)
 * included; a piece that does not fit into it is a contradiction.
 */
#include "core/wire/pcapng_walk.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/wire/pcapng.h"

enum {
	BLOCK_OLD_PACKET = 2,
	BLOCK_SIMPLE_PACKET = 3,
	BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	HEAD_LEN = 12,
	PACKET_LEN = 28,
	CAPTURED_AT = 20,
	TRAILER_LEN = 4,
	OPTION_LEN = 4,
	BLOCK_MAX = 16 << 20, /* as libpcap */

	OPT_END = 0,
	OPT_COMMENT = 1,
	OPT_FLAGS = 2, /* of both kinds of packet block */
	FLAG_DIRECTION = 3,
	FLAG_INBOUND = 1,
	FLAG_OUTBOUND = 2,
};

enum step { HEAD, PACKET, OPTION, VALUE };

static uint32_t u32(const struct pcapng_walk *w, size_t at)
{
	uint32_t v;

	memcpy(&v, w->head + at, sizeof v);
	return w->swapped ? __builtin_bswap32(v) : v;
}

static uint16_t u16(const struct pcapng_walk *w, size_t at)
{
	uint16_t v;

	memcpy(&v, w->head + at, sizeof v);
	return w->swapped ? __builtin_bswap16(v) : v;
}

static void expect(struct pcapng_walk *w, enum step step, size_t have, size_t want)
{
	w->step = (uint8_t)step;
	w->have = have;
	w->want = want;
}

void pcapng_walk_init(
	struct pcapng_walk *w, void (*packet)(void *, const char *, enum pcapng_way), void *ctx)
{
	memset(w, 0, sizeof *w);
	w->packet = packet;
	w->ctx = ctx;
	w->over = true; /* until the first four bytes say that it is pcapng */
	expect(w, HEAD, 0, HEAD_LEN);
}

static enum pcapng_way way_of(uint32_t flags)
{
	switch (flags & FLAG_DIRECTION) {
	case FLAG_INBOUND:
		return PCAPNG_WAY_IN;
	case FLAG_OUTBOUND:
		return PCAPNG_WAY_OUT;
	default:
		return PCAPNG_WAY_UNKNOWN;
	}
}

/* Whatever is left of the block is passed over. */
static void end_block(struct pcapng_walk *w)
{
	if (w->is_packet) {
		w->comment[w->comment_len] = '\0';
		w->packet(w->ctx, w->comment, way_of(w->flags));
	}
	w->skip = w->left;
	expect(w, HEAD, 0, HEAD_LEN);
}

static void next_option(struct pcapng_walk *w)
{
	if (w->left < OPTION_LEN + TRAILER_LEN)
		end_block(w);
	else
		expect(w, OPTION, 0, OPTION_LEN);
}

static void take_head(struct pcapng_walk *w)
{
	uint32_t type, magic;

	memcpy(&type, w->head, sizeof type);
	memcpy(&magic, w->head + 8, sizeof magic);
	if (type == PCAPNG_MAGIC)
		w->swapped = magic != BYTE_ORDER_MAGIC;
	type = u32(w, 0);
	uint32_t len = u32(w, 4);
	if (len < HEAD_LEN || len % 4 || len > BLOCK_MAX ||
		(type == PCAPNG_MAGIC && u32(w, 8) != BYTE_ORDER_MAGIC)) {
		w->over = true;
		return;
	}
	w->left = len - HEAD_LEN;
	w->comment_len = 0;
	w->flags = 0;
	w->is_packet =
		type == BLOCK_PACKET || type == BLOCK_OLD_PACKET || type == BLOCK_SIMPLE_PACKET;
	if (!w->is_packet || type == BLOCK_SIMPLE_PACKET)
		end_block(w);
	else if (w->left < PACKET_LEN - HEAD_LEN + TRAILER_LEN)
		w->over = true;
	else
		expect(w, PACKET, HEAD_LEN, PACKET_LEN);
}

static void take_packet(struct pcapng_walk *w)
{
	uint64_t data = ((uint64_t)u32(w, CAPTURED_AT) + 3) / 4 * 4;

	w->left -= PACKET_LEN - HEAD_LEN;
	if (data > w->left - TRAILER_LEN) {
		w->over = true;
		return;
	}
	w->skip = data;
	w->left -= data;
	next_option(w);
}

static void take_option(struct pcapng_walk *w)
{
	w->code = u16(w, 0);
	w->value_len = u16(w, 2);
	size_t padded = ((size_t)w->value_len + 3) / 4 * 4;
	w->left -= OPTION_LEN;
	if (w->code == OPT_END || padded + TRAILER_LEN > w->left) {
		end_block(w);
		return;
	}
	w->left -= padded;
	if (w->code == OPT_COMMENT && w->comment_len && w->comment_len + 2 < sizeof w->comment) {
		memcpy(w->comment + w->comment_len, "; ", 2);
		w->comment_len += 2;
	}
	expect(w, VALUE, 0, padded);
	if (!padded)
		next_option(w);
}

/* One piece of an option's value and its padding: the bytes used. */
static size_t take_value(struct pcapng_walk *w, const uint8_t *data, size_t len)
{
	size_t n = MIN(len, w->want - w->have), keep = 0;

	if (w->have < w->value_len)
		keep = MIN(n, w->value_len - w->have);
	if (w->code == OPT_COMMENT) {
		keep = MIN(keep, sizeof w->comment - 1 - w->comment_len);
		memcpy(w->comment + w->comment_len, data, keep);
		w->comment_len += keep;
	} else if (w->code == OPT_FLAGS && w->value_len == 4) {
		memcpy(w->head + w->have, data, keep);
	}
	w->have += n;
	if (w->have < w->want)
		return n;
	if (w->code == OPT_FLAGS && w->value_len == 4)
		w->flags = u32(w, 0);
	next_option(w);
	return n;
}

/* Gathers the fixed piece in hand: the bytes used. */
static size_t gather(struct pcapng_walk *w, const uint8_t *data, size_t len)
{
	size_t n = MIN(len, w->want - w->have);

	memcpy(w->head + w->have, data, n);
	w->have += n;
	if (w->have < w->want)
		return n;
	if (w->step == HEAD)
		take_head(w);
	else if (w->step == PACKET)
		take_packet(w);
	else
		take_option(w);
	return n;
}

/* Whether the file begins as pcapng does; the bytes used. */
static size_t begin(struct pcapng_walk *w, const uint8_t *data, size_t len)
{
	static const uint8_t magic[4] = {0x0a, 0x0d, 0x0d, 0x0a};
	size_t n = MIN(len, sizeof magic - w->have);

	memcpy(w->head + w->have, data, n);
	w->have += n;
	if (w->have == sizeof magic)
		w->over = memcmp(w->head, magic, sizeof magic) != 0;
	return n;
}

void pcapng_walk_feed(struct pcapng_walk *w, const uint8_t *data, size_t len)
{
	if (w->over && w->step == HEAD && w->have < 4) {
		size_t n = begin(w, data, len);
		data += n;
		len -= n;
	}
	while (len > 0 && !w->over) {
		size_t n = (size_t)MIN(w->skip, (uint64_t)len);
		if (n)
			w->skip -= n;
		else
			n = w->step == VALUE ? take_value(w, data, len) : gather(w, data, len);
		data += n;
		len -= n;
	}
}
