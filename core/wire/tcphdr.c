#include "core/wire/tcphdr.h"

#include <string.h>

#include "core/base/bytes.h"

enum {
	KIND_END = 0,
	KIND_NOP = 1,
	KIND_MSS = 2,
	KIND_WSCALE = 3,
	KIND_SACK_OK = 4,
	KIND_SACK = 5,
	KIND_TIMESTAMP = 8,
	KIND_FASTOPEN = 34,
	KIND_EXPERIMENT = 254, /* RFC 6994: a 16-bit number says whose */
};

enum {
	LEN_MSS = 4,
	LEN_WSCALE = 3,
	LEN_SACK_OK = 2,
	LEN_TIMESTAMP = 10,
	LEN_SACK_BLOCK = 8,
	FASTOPEN_COOKIE_MIN = 4, /* RFC 7413 §4.1.1 */
	FASTOPEN_EXID = 0xf989,
	WSCALE_MAX = 14,
};

static bool parse_sack(struct tcp_hdr *out, const uint8_t *value, size_t len)
{
	size_t n = len / LEN_SACK_BLOCK;

	if (len % LEN_SACK_BLOCK || n == 0 || n > TCP_SACK_MAX)
		return false;
	for (size_t i = 0; i < n; i++, value += LEN_SACK_BLOCK)
		out->sack[i] = (struct sack_block){seq(get_be32(value)), seq(get_be32(value + 4))};
	out->nsack = (uint8_t)n;
	out->opts |= TO_SACK;
	return true;
}

static bool parse_fastopen(struct tcp_hdr *out, const uint8_t *value, size_t len)
{
	if (len % 2 || len > TCP_FASTOPEN_COOKIE_MAX || (len > 0 && len < FASTOPEN_COOKIE_MIN))
		return false;
	memcpy(out->fastopen, value, len);
	out->fastopen_len = (uint8_t)len;
	out->opts |= TO_FASTOPEN;
	return true;
}

/* Fast Open before it had a number of its own; other experiments are skipped. */
static bool parse_experiment(struct tcp_hdr *out, const uint8_t *value, size_t len)
{
	if (len < 2 || get_be16(value) != FASTOPEN_EXID)
		return true;
	if (!parse_fastopen(out, value + 2, len - 2))
		return false;
	out->opts |= TO_FASTOPEN_EXP;
	return true;
}

/*
 * One option of `len` bytes, kind and length byte included. False: its length is not one the kind
 * can have.
 */
static bool parse_option(struct tcp_hdr *out, const uint8_t *p, size_t len)
{
	switch (p[0]) {
	case KIND_MSS:
		if (len != LEN_MSS)
			return false;
		out->mss = get_be16(p + 2);
		out->opts |= TO_MSS;
		return true;
	case KIND_WSCALE:
		if (len != LEN_WSCALE)
			return false;
		out->wscale = MIN(p[2], WSCALE_MAX);
		out->opts |= TO_WSCALE;
		return true;
	case KIND_SACK_OK:
		if (len != LEN_SACK_OK)
			return false;
		out->opts |= TO_SACK_OK;
		return true;
	case KIND_TIMESTAMP:
		if (len != LEN_TIMESTAMP)
			return false;
		out->tsval = get_be32(p + 2);
		out->tsecr = get_be32(p + 6);
		out->opts |= TO_TIMESTAMP;
		return true;
	case KIND_SACK:
		return parse_sack(out, p + 2, len - 2);
	case KIND_FASTOPEN:
		return parse_fastopen(out, p + 2, len - 2);
	case KIND_EXPERIMENT:
		return parse_experiment(out, p + 2, len - 2);
	default:
		return true;
	}
}

static void parse_options(struct tcp_hdr *out, const uint8_t *p, size_t left)
{
	while (left > 0 && p[0] != KIND_END) {
		size_t len = 1;

		if (p[0] != KIND_NOP) {
			if (left < 2 || p[1] < 2 || p[1] > left || !parse_option(out, p, p[1]))
				return;
			len = p[1];
		}
		p += len;
		left -= len;
	}
}

bool tcp_hdr_parse(struct tcp_hdr *out, const uint8_t *data, size_t len)
{
	if (len < TCP_HDR_LEN)
		return false;
	size_t hdr_len = (size_t)(data[12] >> 4) * 4;
	if (hdr_len < TCP_HDR_LEN || hdr_len > len)
		return false;
	out->src_port = get_be16(data);
	out->dst_port = get_be16(data + 2);
	out->seq = seq(get_be32(data + 4));
	out->ack = seq(get_be32(data + 8));
	out->hdr_len = (uint8_t)hdr_len;
	out->flags = data[13];
	out->window = get_be16(data + 14);
	out->urgent = get_be16(data + 18);
	out->opts = out->wscale = out->nsack = out->fastopen_len = 0;
	out->mss = 0;
	out->tsval = out->tsecr = 0;
	parse_options(out, data + TCP_HDR_LEN, hdr_len - TCP_HDR_LEN);
	return true;
}

static size_t fastopen_size(const struct tcp_hdr *h)
{
	size_t cookie = MIN(h->fastopen_len, TCP_FASTOPEN_COOKIE_MAX);
	size_t fixed = h->opts & TO_FASTOPEN_EXP ? 4 : 2;

	return h->opts & TO_FASTOPEN ? (fixed + cookie + 3) & ~(size_t)3 : 0;
}

/* Everything but SACK: at most 40 bytes, since the largest of them add up to that. */
static size_t size_without_sack(const struct tcp_hdr *h)
{
	size_t n = TCP_HDR_LEN + fastopen_size(h);

	if (h->opts & TO_MSS)
		n += 4;
	if (h->opts & TO_TIMESTAMP)
		n += 12;
	else if (h->opts & TO_SACK_OK)
		n += 4;
	if (h->opts & TO_WSCALE)
		n += 4;
	return n;
}

static size_t sack_blocks_that_fit(const struct tcp_hdr *h)
{
	size_t room = TCP_HDR_MAX - size_without_sack(h);
	size_t n = h->opts & TO_SACK ? MIN(h->nsack, TCP_SACK_MAX) : 0;

	return room < 4 ? 0 : MIN(n, (room - 4) / LEN_SACK_BLOCK);
}

size_t tcp_hdr_size(const struct tcp_hdr *h)
{
	size_t nsack = sack_blocks_that_fit(h);

	return size_without_sack(h) + (nsack ? 4 + nsack * LEN_SACK_BLOCK : 0);
}

static uint8_t *emit4(uint8_t *p, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	p[0] = a;
	p[1] = b;
	p[2] = c;
	p[3] = d;
	return p + 4;
}

static uint8_t *emit_sack(uint8_t *p, const struct tcp_hdr *h)
{
	size_t n = sack_blocks_that_fit(h);

	if (n == 0)
		return p;
	p = emit4(p, KIND_NOP, KIND_NOP, KIND_SACK, (uint8_t)(2 + n * LEN_SACK_BLOCK));
	for (size_t i = 0; i < n; i++, p += LEN_SACK_BLOCK) {
		put_be32(p, h->sack[i].left.v);
		put_be32(p + 4, h->sack[i].right.v);
	}
	return p;
}

static uint8_t *emit_fastopen(uint8_t *p, const struct tcp_hdr *h)
{
	size_t size = fastopen_size(h), cookie = MIN(h->fastopen_len, TCP_FASTOPEN_COOKIE_MAX);

	if (size == 0)
		return p;
	memset(p, KIND_NOP, size);
	bool experiment = h->opts & TO_FASTOPEN_EXP;
	uint8_t fixed = experiment ? 4 : 2;
	p[0] = experiment ? KIND_EXPERIMENT : KIND_FASTOPEN;
	p[1] = (uint8_t)(fixed + cookie);
	if (experiment)
		put_be16(p + 2, FASTOPEN_EXID);
	memcpy(p + fixed, h->fastopen, cookie);
	return p + size;
}

static void emit_options(uint8_t *p, const struct tcp_hdr *h)
{
	if (h->opts & TO_MSS)
		p = emit4(p, KIND_MSS, LEN_MSS, (uint8_t)(h->mss >> 8), (uint8_t)h->mss);
	if (h->opts & TO_TIMESTAMP) {
		/* permission to SACK takes the place of the padding */
		bool sack_ok = h->opts & TO_SACK_OK;
		p = emit4(p, sack_ok ? KIND_SACK_OK : KIND_NOP, sack_ok ? LEN_SACK_OK : KIND_NOP,
			KIND_TIMESTAMP, LEN_TIMESTAMP);
		put_be32(p, h->tsval);
		put_be32(p + 4, h->tsecr);
		p += 8;
	} else if (h->opts & TO_SACK_OK) {
		p = emit4(p, KIND_NOP, KIND_NOP, KIND_SACK_OK, LEN_SACK_OK);
	}
	if (h->opts & TO_WSCALE)
		p = emit4(p, KIND_NOP, KIND_WSCALE, LEN_WSCALE, h->wscale);
	p = emit_sack(p, h);
	emit_fastopen(p, h);
}

size_t tcp_hdr_emit(uint8_t out[static TCP_HDR_MAX], const struct tcp_hdr *h)
{
	size_t size = tcp_hdr_size(h);

	put_be16(out, h->src_port);
	put_be16(out + 2, h->dst_port);
	put_be32(out + 4, h->seq.v);
	put_be32(out + 8, h->ack.v);
	out[12] = (uint8_t)(size / 4 << 4);
	out[13] = h->flags;
	put_be16(out + 14, h->window);
	put_be16(out + TCP_CSUM_OFFSET, 0);
	put_be16(out + 18, h->urgent);
	emit_options(out + TCP_HDR_LEN, h);
	return size;
}
