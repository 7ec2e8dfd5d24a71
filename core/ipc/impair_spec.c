/*
 * One table of words. Each names where its value goes, how to read it, an example (which is also
 * what an error shows) and its meaning. A number is read once, as an integer count of billionths,
 * and its unit says by what to multiply; so 0.1% and 1.5ms are exact.
 */
#include "core/ipc/impair_spec.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"

/* The text that is being read. */
struct reader {
	const char *spec, *at;
	const struct word *word; /* for the example of an error */
	char *error;
	struct impair_rule *rule;
};

struct unit {
	const char *name;
	uint64_t times;
};

static const struct unit times[] = {{"ns", 1}, {"us", USEC}, {"ms", MSEC}, {"s", SEC}, {0}};
static const struct unit percent[] = {{"%", PROBABILITY_ONE / 100}, {0}};
static const struct unit sizes[] = {{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"B", 1}, {"", 1}, {0}};
static const struct unit sizes_per_second[] = {{"KiB/s", 1 << 10}, {"MiB/s", 1 << 20},
	{"kB/s", 1000}, {"MB/s", 1000000}, {"B/s", 1}, {0}};
static const struct unit bits_per_second[] = {
	{"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}, {0}};
static const struct unit counts[] = {{"", 1}, {0}};

static const char *example_of(const struct word *w);

static int fail(const struct reader *r, const char *at, const char *what)
{
	const char *end = at + strcspn(at, " ,;\t\n");

	snprintf(r->error, IMPAIR_ERROR_LEN, "position %d, \"%.*s\": %s%s%s",
		(int)(at - r->spec) + 1, (int)MIN(end - at, 40), at, what, r->word ? ", as in " : "",
		example_of(r->word));
	return -EINVAL;
}

static bool is_end(char c)
{
	return c == '\0' || strchr(" ,;\t\n", c);
}

/* The longest unit that stands here and is followed by `stop` or the end of the word. */
static const struct unit *find_unit(const char *at, const struct unit *u, const char *stop)
{
	const struct unit *best = NULL;

	for (; u->name; u++) {
		size_t len = strlen(u->name);

		if (strncmp(at, u->name, len) == 0 && (is_end(at[len]) || strchr(stop, at[len])) &&
			(!best || len > strlen(best->name)))
			best = u;
	}
	return best;
}

/* A number with one of `units`, up to `max`: 0 or -EINVAL. */
static int read_number(
	struct reader *r, const struct unit *units, const char *stop, uint64_t max, uint64_t *out)
{
	const char *begin = r->at;
	uint64_t billionths = 0, scale = 1000000000, whole = 0;

	if (*r->at < '0' || *r->at > '9')
		return fail(r, begin, "a number is missing");
	for (; *r->at >= '0' && *r->at <= '9' && whole < 1000000000000; r->at++)
		whole = whole * 10 + (uint64_t)(*r->at - '0');
	if (*r->at == '.')
		r->at++;
	for (; *r->at >= '0' && *r->at <= '9'; r->at++) {
		scale /= 10;
		billionths += (uint64_t)(*r->at - '0') * scale;
	}
	const struct unit *u = find_unit(r->at, units, stop);
	if (!u)
		return fail(r, begin, "the unit is not one");
	r->at += strlen(u->name);
	if (whole > max / u->times)
		return fail(r, begin, "that is too much");
	*out = whole * u->times + (uint64_t)((unsigned __int128)billionths * u->times / 1000000000);
	return *out > max ? fail(r, begin, "that is too much") : 0;
}

/* The words. */

enum { TIME_MAX_S = 86400 };

static int time_value(struct reader *r, void *to)
{
	uint64_t v;
	int err = read_number(r, times, "", (uint64_t)TIME_MAX_S * SEC, &v);

	if (!err)
		*(nsec *)to = (nsec)v;
	return err;
}

static int percent_value(struct reader *r, void *to)
{
	uint64_t v;
	int err = read_number(r, percent, "/", PROBABILITY_ONE, &v);

	if (!err)
		*(uint32_t *)to = (uint32_t)v;
	return err;
}

static int rate_value(struct reader *r, void *to)
{
	const char *begin = r->at;
	int err = read_number(r, bits_per_second, "", 1000000000000, to);

	return !err && *(uint64_t *)to < 8 ? fail(r, begin, "that is nothing") : err;
}

static int slow_value(struct reader *r, void *to)
{
	const char *begin = r->at;
	int err = read_number(r, sizes_per_second, "", 1000000000000, to);

	return !err && *(uint64_t *)to < 1 ? fail(r, begin, "that is nothing") : err;
}

static int count_value(struct reader *r, void *to)
{
	const char *begin = r->at;
	uint64_t v;
	int err = read_number(r, counts, "", 1000000, &v);

	if (err)
		return err;
	*(unsigned *)to = (unsigned)v;
	return v ? 0 : fail(r, begin, "it must be at least 1");
}

static int mtu_value(struct reader *r, void *to)
{
	enum { MTU_LEAST = 68 }; /* RFC 791: every link carries that */
	const char *begin = r->at;
	int err = count_value(r, to);

	return !err && (*(unsigned *)to < MTU_LEAST || *(unsigned *)to > 65535)
		       ? fail(r, begin, "an MTU is from 68 to 65535")
		       : err;
}

static int distribution_value(struct reader *r, void *to)
{
	static const struct unit names[] = {{"uniform", IMPAIR_UNIFORM},
		{"normal", IMPAIR_NORMAL}, {"pareto", IMPAIR_PARETO}, {0}};
	const struct unit *u = find_unit(r->at, names, "");

	if (!u)
		return fail(r, r->at, "it is uniform, normal or pareto");
	r->at += strlen(u->name);
	*(enum impair_distribution *)to = (enum impair_distribution)u->times;
	return 0;
}

static int unreachable_value(struct reader *r, void *to)
{
	static const struct unit names[] = {
		{"net", 0}, {"host", 1}, {"port", 3}, {"admin", 13}, {0}};
	const struct unit *u = find_unit(r->at, names, "");

	if (!u)
		return fail(r, r->at, "it is net, host, port or admin");
	r->at += strlen(u->name);
	*(uint8_t *)to = (uint8_t)(u->times + 1);
	return 0;
}

static int slot_value(struct reader *r, void *to)
{
	struct impair_rule *rule = r->rule;
	const char *begin = r->at;
	uint64_t v;
	int err = read_number(r, times, "/", (uint64_t)TIME_MAX_S * SEC, &v);

	if (err)
		return err;
	rule->slot_min = rule->slot_max = (nsec)v;
	if (*r->at == '/') {
		r->at++;
		err = time_value(r, &rule->slot_max);
	}
	if (!err && (rule->slot_min == 0 || rule->slot_max < rule->slot_min))
		return fail(r, begin, "a slot lasts from one time above zero to a longer one");
	return err;
}

static int gemodel_value(struct reader *r, void *to)
{
	struct impair_rule *rule = r->rule;
	uint32_t *part[] = {&rule->p, &rule->r, &rule->loss_in_bad, &rule->loss_in_good};
	int err = 0;

	rule->bursts = true;
	rule->loss_in_bad = PROBABILITY_ONE;
	for (size_t i = 0; i < ARRAY_LEN(part) && !err; i++) {
		err = percent_value(r, part[i]);
		if (i == 0 && !err)
			rule->r = PROBABILITY_ONE - rule->p;
		if (*r->at != '/')
			break;
		r->at++;
	}
	return err;
}

/* @64KiB, @3s, @2s+5s */
static int start_value(struct reader *r, void *to)
{
	struct fault_start *f = to;
	uint64_t v;
	size_t number = strspn(r->at, "0123456789.");

	f->set = true;
	f->by_time = find_unit(r->at + number, times, "+") != NULL;
	int err = read_number(r, f->by_time ? times : sizes, "+", INT64_MAX / 2, &v);
	if (err)
		return err;
	if (f->by_time)
		f->after = (nsec)v;
	else
		f->bytes = v;
	if (*r->at != '+')
		return 0;
	r->at++;
	return time_value(r, &f->lasts);
}

static int match_value(struct reader *r, void *to)
{
	const char *begin = r->at;
	char quote = *r->at;

	if (quote != '\'' && quote != '"')
		return fail(r, begin, "a filter stands in quotes");
	const char *end = strchr(++r->at, quote);
	if (!end)
		return fail(r, begin, "the closing quote is missing");
	if (end - r->at >= IMPAIR_MATCH_LEN)
		return fail(r, begin, "a filter has at most 127 characters");
	memcpy(to, r->at, (size_t)(end - r->at));
	((char *)to)[end - r->at] = '\0';
	r->at = end + 1;
	return 0;
}

#define AT(field) offsetof(struct impair_rule, field)

static const struct word {
	const char *example, *name;
	char sign; /* what stands between the name and the value */
	size_t at;
	int (*read)(struct reader *r, void *to);
	const char *meaning;
} words[] = {
	{"match='udp port 53'", "match", '=', AT(match), match_value, "only these, in pcap syntax"},
	{"delay=20ms", "delay", '=', AT(delay), time_value, "each frame is held that long"},
	{"jitter=5ms", "jitter", '=', AT(jitter), time_value, "the delay varies by that"},
	{"distribution=normal", "distribution", '=', AT(distribution), distribution_value,
		"of the jitter: uniform (default), normal, pareto"},
	{"loss=2%", "loss", '=', AT(loss), percent_value, "frames that never arrive"},
	{"gemodel=1%/10%", "gemodel", '=', AT(p), gemodel_value,
		"loss in bursts: good to bad, bad to good, loss in bad (100%), loss in good (0%)"},
	{"duplicate=1%", "duplicate", '=', AT(duplicate), percent_value, "frames that arrive twice"},
	{"reorder=25%", "reorder", '=', AT(reorder), percent_value,
		"frames that skip the delay and overtake"},
	{"corrupt=0.1%", "corrupt", '=', AT(corrupt), percent_value, "frames with one bit flipped"},
	{"rate=10mbit", "rate", '=', AT(rate), rate_value, "bits per second that pass"},
	{"limit=1000", "limit", '=', AT(limit), count_value,
		"frames held at a time, what comes then is lost (10000)"},
	{"slot=10ms/20ms", "slot", '=', AT(slot_min), slot_value,
		"frames pass only at the end of slots of that length"},
	{"truncate-udp=100", "truncate-udp", '=', AT(truncate_udp), count_value,
		"UDP datagrams are cut to that many bytes"},
	{"reset@64KiB", "reset", '@', AT(reset), start_value,
		"both ends get RST after that many bytes, or @3s"},
	{"blackhole@2s+5s", "blackhole", '@', AT(blackhole), start_value,
		"nothing passes from then on, for 5 s or for good"},
	{"window-zero@1MiB+2s", "window-zero", '@', AT(window_zero), start_value,
		"the peer's window closes after that many bytes sent"},
	{"syn-drop=3", "syn-drop", '=', AT(syn_drop), count_value, "the first SYNs are lost"},
	{"mtu=576", "mtu", '=', AT(mtu), mtu_value,
		"larger packets are answered by ICMP \"fragmentation needed\""},
	{"icmp-unreachable=host", "icmp-unreachable", '=', AT(unreachable), unreachable_value,
		"SYNs are answered by that ICMP error: net, host, port, admin"},
	{"slow-read=10KiB/s", "slow-read", '=', AT(slow_read), slow_value,
		"our window opens no faster than that"},
	{"accept-delay=2s", "accept-delay", '=', AT(accept_delay), time_value,
		"SYN-ACKs are held that long"},
};

static const char *example_of(const struct word *w)
{
	return w ? w->example : "";
}

bool impair_word(unsigned i, const char **example, const char **meaning)
{
	if (i >= ARRAY_LEN(words))
		return false;
	*example = words[i].example;
	*meaning = words[i].meaning;
	return true;
}

bool impair_parse_size(const char *text, uint64_t *out)
{
	char error[IMPAIR_ERROR_LEN];
	struct reader r = {.spec = text, .at = text, .error = error};

	return read_number(&r, sizes, "", INT64_MAX / 2, out) == 0 && !*r.at;
}

static bool take_direction(struct reader *r)
{
	static const struct unit names[] = {
		{"in", IMPAIR_IN}, {"out", IMPAIR_OUT}, {"both", IMPAIR_BOTH}, {0}};
	const struct unit *u = find_unit(r->at, names, "");

	if (!u)
		return false;
	r->at += strlen(u->name);
	r->rule->direction = (enum impair_direction)u->times;
	return true;
}

static int take_word(struct reader *r)
{
	const char *begin = r->at;
	size_t len = strcspn(begin, "=@ ,;\t\n");

	r->word = NULL;
	if (take_direction(r))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const struct word *w = &words[i];
		if (strlen(w->name) != len || strncmp(begin, w->name, len) != 0)
			continue;
		r->word = w;
		if (begin[len] != w->sign)
			return fail(r, begin, "its value is missing");
		r->at = begin + len + 1;
		int err = w->read(r, (char *)r->rule + w->at);
		if (!err && !is_end(*r->at))
			err = fail(r, r->at, "this does not belong here");
		return err;
	}
	return fail(r, begin, "unknown; a rule is, for example, \"out delay=20ms loss=2%\"");
}

/* What only makes sense together. */
static int check_rule(const struct reader *r, const char *begin)
{
	const struct impair_rule *rule = r->rule;

	if (rule->reorder && !rule->delay)
		return fail(r, begin, "reorder needs a delay to skip: delay=20ms reorder=25%");
	if (rule->distribution != IMPAIR_UNIFORM && !rule->jitter)
		return fail(r, begin, "a distribution needs jitter: jitter=5ms distribution=normal");
	if (rule->bursts && rule->loss)
		return fail(r, begin, "loss and gemodel exclude each other");
	if (!impair_rule_is_of_frames(rule) && !impair_rule_is_of_connections(rule))
		return fail(r, begin, "the rule does nothing; say, for example, loss=2%");
	return 0;
}

static int take_rule(struct reader *r)
{
	const char *begin = r->at;
	int err = 0;

	*r->rule = (struct impair_rule){.limit = IMPAIR_LIMIT_DEFAULT};
	while (!err && *r->at && *r->at != ';') {
		err = take_word(r);
		r->at += err ? 0 : strspn(r->at, " ,\t\n");
	}
	r->word = NULL;
	return err ? err : check_rule(r, begin);
}

int impair_parse(struct impairment *out, const char *spec, char error[static IMPAIR_ERROR_LEN])
{
	struct reader r = {.spec = spec, .at = spec, .error = error};

	*out = (struct impairment){0};
	if (strlen(spec) >= IMPAIR_SPEC_LEN)
		return fail(&r, spec, "a spec has at most 1023 characters");
	for (;;) {
		r.at += strspn(r.at, " ,;\t\n");
		if (!*r.at)
			break;
		if (out->n == IMPAIR_RULES_MAX)
			return fail(&r, r.at, "there are at most 16 rules");
		r.rule = &out->rule[out->n];
		int err = take_rule(&r);
		if (err)
			return err;
		out->n++;
	}
	return out->n ? 0 : fail(&r, spec, "no rule; one is, for example, \"out delay=20ms loss=2%\"");
}
