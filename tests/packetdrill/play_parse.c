#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire/icmp.h"
#include "tests/packetdrill/play.h"

const char *play_skip(const char *at)
{
	while (isspace((unsigned char)*at) || *at == ',')
		at++;
	return at;
}

bool play_word(const char **at, const char *word)
{
	size_t n = strlen(word);
	const char *from = play_skip(*at);

	if (strncmp(from, word, n) != 0 ||
		(isalnum((unsigned char)word[n - 1]) &&
			(isalnum((unsigned char)from[n]) || from[n] == '_')))
		return false;
	*at = from + n;
	return true;
}

int64_t play_number(struct play *p, const char **at)
{
	char *end;
	int64_t v = strtoll(play_skip(*at), &end, 0);

	if (end == play_skip(*at))
		play_fail(p, "a number is missing at '%s'", *at);
	*at = end;
	return v;
}

double play_seconds(struct play *p, const char **at)
{
	char *end;
	double v = strtod(play_skip(*at), &end);

	if (end == play_skip(*at))
		play_fail(p, "a time is missing at '%s'", *at);
	*at = end;
	return v;
}

static void expect_char(struct play *p, const char **at, char c)
{
	*at = play_skip(*at);
	if (**at != c)
		play_fail(p, "'%c' is missing at '%s'", c, *at);
	(*at)++;
}

static void parse_flags(struct play *p, const char **at, struct play_segment *s)
{
	static const char letters[] = "FSRP.UEW";
	const char *c = play_skip(*at);

	for (; *c && !isspace((unsigned char)*c); c++) {
		const char *l = strchr(letters, *c);
		if (!l)
			play_fail(p, "'%c' is no flag", *c);
		s->h.flags |= (uint8_t)(1 << (l - letters));
	}
	s->has_psh = s->h.flags & TH_PSH;
	*at = c;
}

static void parse_sack(struct play *p, const char **at, struct play_segment *s)
{
	s->h.opts |= TO_SACK;
	for (*at = play_skip(*at); isdigit((unsigned char)**at); *at = play_skip(*at)) {
		if (s->h.nsack == TCP_SACK_MAX)
			play_fail(p, "too many SACK blocks");
		struct sack_block *b = &s->h.sack[s->h.nsack++];
		b->left = seq((uint32_t)play_number(p, at));
		expect_char(p, at, ':');
		b->right = seq((uint32_t)play_number(p, at));
	}
}

static void parse_cookie(struct play *p, const char **at, struct play_segment *s)
{
	const char *c = play_skip(*at);
	unsigned byte;

	s->h.opts |= TO_FASTOPEN;
	for (; isxdigit((unsigned char)c[0]) && isxdigit((unsigned char)c[1]); c += 2) {
		char pair[3] = {c[0], c[1], 0};
		byte = (unsigned)strtoul(pair, NULL, 16);
		if (s->h.fastopen_len < TCP_FASTOPEN_COOKIE_MAX)
			s->h.fastopen[s->h.fastopen_len++] = (uint8_t)byte;
	}
	*at = c;
}

/* TS 100 (the peer's value; expected: the echo of it), or TS 100:7 with what the peer echoes. */
static void parse_timestamp(struct play *p, const char **at, struct play_segment *s)
{
	s->h.opts |= TO_TIMESTAMP;
	s->h.tsval = (uint32_t)play_number(p, at);
	s->has_ecr = **at == ':';
	if (s->has_ecr) {
		(*at)++;
		s->has_mark = play_word(at, "mark");
		if (!s->has_mark)
			s->h.tsecr = (uint32_t)play_number(p, at);
	}
}

static void parse_option(struct play *p, const char **at, struct play_segment *s)
{
	if (play_word(at, "mss")) {
		s->h.opts |= TO_MSS;
		s->h.mss = (uint16_t)play_number(p, at);
	} else if (play_word(at, "wscale")) {
		s->h.opts |= TO_WSCALE;
		s->h.wscale = (uint8_t)play_number(p, at);
	} else if (play_word(at, "sackOK")) {
		s->h.opts |= TO_SACK_OK;
	} else if (play_word(at, "TS")) {
		parse_timestamp(p, at, s);
	} else if (play_word(at, "sack")) {
		parse_sack(p, at, s);
	} else if (play_word(at, "FO")) {
		parse_cookie(p, at, s);
	} else {
		play_fail(p, "no option is called '%s'", *at);
	}
}

static void parse_options(struct play *p, const char **at, struct play_segment *s)
{
	s->has_opts = true;
	expect_char(p, at, '<');
	for (*at = play_skip(*at); **at != '>'; *at = play_skip(*at))
		parse_option(p, at, s);
	(*at)++;
}

static void parse_range(struct play *p, const char **at, struct play_segment *s)
{
	s->has_seq = true;
	s->h.seq = seq((uint32_t)play_number(p, at));
	expect_char(p, at, ':');
	uint32_t end = (uint32_t)play_number(p, at);
	expect_char(p, at, '(');
	s->len = (uint32_t)play_number(p, at);
	expect_char(p, at, ')');
	if (end - s->h.seq.v != s->len)
		play_fail(p, "the range is not as long as it says");
}

static void parse_icmp(struct play *p, const char **at, struct play_segment *s)
{
	static const struct {
		const char *name;
		uint8_t code;
	} codes[] = {{"net", 0}, {"host", 1}, {"protocol", 2}, {"port", 3}, {"frag_needed", 4},
		{"prohibited", 13}};
	bool found = false;

	s->is_icmp = true;
	for (size_t i = 0; i < ARRAY_LEN(codes) && !found; i++) {
		found = play_word(at, codes[i].name);
		s->icmp_code = codes[i].code;
	}
	if (!found)
		play_fail(p, "no ICMP code is called '%s'", *at);
	if (play_word(at, "mtu"))
		s->icmp_mtu = (uint16_t)play_number(p, at);
	if (play_word(at, "seq"))
		s->h.seq = seq((uint32_t)play_number(p, at));
}

void play_segment(struct play *p, const char *at, struct play_segment *s)
{
	*s = (struct play_segment){.h.window = 65535};
	if (play_word(&at, "icmp")) {
		parse_icmp(p, &at, s);
		return;
	}
	if (play_word(&at, "[ect0]") || play_word(&at, "[ce]")) {
		s->has_tos = true;
		s->tos = at[-2] == '0' ? 2 : 3;
	} else if (play_word(&at, "[noecn]")) {
		s->has_tos = true;
	}
	parse_flags(p, &at, s);
	parse_range(p, &at, s);
	for (at = play_skip(at); *at; at = play_skip(at)) {
		if (play_word(&at, "ack")) {
			s->has_ack = true;
			s->h.ack = seq((uint32_t)play_number(p, &at));
		} else if (play_word(&at, "win")) {
			s->has_win = true;
			s->h.window = (uint16_t)play_number(p, &at);
		} else if (play_word(&at, "urg")) {
			s->h.urgent = (uint16_t)play_number(p, &at);
		} else if (*at == '<') {
			parse_options(p, &at, s);
		} else {
			play_fail(p, "not understood: '%s'", at);
		}
	}
}
