#include "core/report/pack.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void pack_begin(struct pack *p, FILE *out)
{
	*p = (struct pack){.out = out};
	putc('"', out);
}

static void put_byte(struct pack *p, uint8_t byte)
{
	p->bits = p->bits << 8 | byte;
	if (++p->n < 3)
		return;
	for (int shift = 18; shift >= 0; shift -= 6)
		putc(letters[p->bits >> shift & 63], p->out);
	p->bits = p->n = 0;
}

void pack_unsigned(struct pack *p, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_byte(p, (uint8_t)(v | 0x80));
	put_byte(p, (uint8_t)v);
}

void pack_signed(struct pack *p, int64_t v)
{
	pack_unsigned(p, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void pack_difference(struct pack *p, int64_t v, int64_t before)
{
	pack_signed(p, (int64_t)((uint64_t)v - (uint64_t)before));
}

void pack_end(struct pack *p)
{
	static const char padding[] = "==";
	unsigned n = p->n;

	if (n) {
		uint32_t bits = p->bits << (n == 1 ? 16 : 8);
		for (unsigned i = 0; i <= n; i++)
			putc(letters[bits >> (18 - 6 * (int)i) & 63], p->out);
		fputs(padding + n - 1, p->out);
	}
	putc('"', p->out);
}
