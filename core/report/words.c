#include "core/report/words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"

static void put(char *out, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Behind what is there; what has no room is cut. */
static void put(char *out, size_t size, const char *format, ...)
{
	size_t at = strlen(out);
	va_list args;

	va_start(args, format);
	vsnprintf(out + at, size - at, format, args);
	va_end(args);
}

static const char *blank(const char *out, const char *separator)
{
	return out[0] ? separator : "";
}

char *words_flags(char out[static WORDS_FLAGS_LEN], uint8_t flags)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {{TH_SYN, "SYN"}, {TH_FIN, "FIN"}, {TH_RST, "RST"}, {TH_PSH, "PSH"},
		{TH_URG, "URG"}, {TH_ECE, "ECE"}, {TH_CWR, "CWR"}, {TH_ACK, "ACK"}};

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (flags & names[i].bit)
			put(out, WORDS_FLAGS_LEN, "%s%s", blank(out, " "), names[i].name);
	if (!out[0])
		put(out, WORDS_FLAGS_LEN, "no flag");
	return out;
}

char *words_numbers(char out[static WORDS_LEN], const struct segment *g)
{
	char seq[48], ack[32] = "";

	if (g->end != g->seq)
		snprintf(seq, sizeof seq, "%" PRId64 ":%" PRId64, g->seq, g->end);
	else
		snprintf(seq, sizeof seq, "%" PRId64, g->seq);
	if (g->tcp.flags & TH_ACK)
		snprintf(ack, sizeof ack, "ack %" PRId64, g->ack);
	snprintf(out, WORDS_LEN, "%-17s %-14s win %" PRIu64, seq, ack, g->window);
	return out;
}

char *words_options(char out[static WORDS_LEN], const struct segment *g)
{
	const struct tcp_hdr *h = &g->tcp;

	out[0] = '\0';
	if (h->flags & TH_SYN) {
		if (h->opts & TO_MSS)
			put(out, WORDS_LEN, "mss %u", h->mss);
		if (h->opts & TO_SACK_OK)
			put(out, WORDS_LEN, "%ssackOK", blank(out, " "));
		if (h->opts & TO_TIMESTAMP)
			put(out, WORDS_LEN, "%sts", blank(out, " "));
		if (h->opts & TO_WSCALE)
			put(out, WORDS_LEN, "%swscale %u", blank(out, " "), h->wscale);
		if (h->opts & TO_FASTOPEN)
			put(out, WORDS_LEN, "%sfast open, cookie of %u", blank(out, " "),
				h->fastopen_len);
	}
	for (unsigned i = 0; (h->opts & TO_SACK) && i < h->nsack; i++)
		put(out, WORDS_LEN, "%s%" PRId64 ":%" PRId64,
			i        ? " "
			: out[0] ? " sack "
				 : "sack ",
			g->ack + seq_diff(h->sack[i].left, h->ack),
			g->ack + seq_diff(h->sack[i].right, h->ack));
	return out;
}

char *words_time(char out[static WORDS_FLAGS_LEN], nsec t)
{
	static const struct {
		nsec unit;
		const char *name;
	} units[] = {{SEC, "s"}, {MSEC, "ms"}, {USEC, "µs"}, {1, "ns"}};
	size_t i = 0;

	while (i < ARRAY_LEN(units) - 1 && t < units[i].unit)
		i++;
	snprintf(out, WORDS_FLAGS_LEN, "%.4g %s", (double)t / (double)units[i].unit, units[i].name);
	return out;
}

static void put_mark(char *out, const struct segment *g, enum mark m)
{
	const char *remark = mark_info[m].remark;
	char time[WORDS_FLAGS_LEN];

	/* A reset says so by its flag; what is needless is also again. */
	if (!(g->marks >> m & 1) || !remark[0] || m == MARK_RESET ||
		(m == MARK_AGAIN && g->marks & 1u << MARK_NEEDLESS))
		return;
	put(out, WORDS_LEN, "%s", blank(out, "; "));
	if (m == MARK_DUP_ACK)
		put(out, WORDS_LEN, "%s %u", remark, g->dup_acks);
	else if (m == MARK_HOLE)
		put(out, WORDS_LEN, "%" PRId64 " %s", g->hole, remark);
	else
		put(out, WORDS_LEN, "%s%s", m == MARK_NEEDLESS ? "again, " : "", remark);
	if (m == MARK_AGAIN && g->since > 0)
		put(out, WORDS_LEN, " after %s", words_time(time, g->since));
}

char *words_remarks(char out[static WORDS_LEN], const struct segment *g)
{
	out[0] = '\0';
	for (int m = 0; m < MARKS; m++)
		put_mark(out, g, (enum mark)m);
	if (g->note.text[0])
		put(out, WORDS_LEN, "%s%s", blank(out, "; "), g->note.text);
	return out;
}
