/*
 * WHERE AN ERROR IS. libpcap says that a filter is none, not where it ceases to be one. So on an
 * error the filter is tried word by word: a beginning that some ending makes a filter is sound, and
 * the first word behind the sound ones is where the error is. The endings are one for each way in
 * which pcap-filter(7)'s grammar can go on.
 */
#include "core/link/filter.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

static const char *const endings[] = {"", " tcp", " 80", " 1.2.3.4", " port 80", " host 1.2.3.4",
	" 10.0.0.0/8", " 02:00:00:00:00:01", " 80-90", "0] = 0", "] = 0", " = 0", " 1 = 0", " 0",
	" multicast", " proto 6"};

static bool compiles(pcap_t *p, const char *text)
{
	struct bpf_program program;
	bool ok = pcap_compile(p, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0;

	if (ok)
		pcap_freecode(&program);
	return ok;
}

/* Whether the first `len` bytes can be the beginning of a filter. */
static bool may_begin(pcap_t *p, const char *text, size_t len)
{
	char whole[FILTER_ERROR_LEN + 64], closing[16] = "";
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		depth += text[i] == '(';
		depth -= text[i] == ')' && depth;
	}
	memset(closing, ')', MIN(depth, sizeof closing - 1));
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		snprintf(whole, sizeof whole, "%.*s%s%s", (int)len, text, endings[i], closing);
		if (compiles(p, whole))
			return true;
	}
	return false;
}

/* From 0; the text's length: it ends too early. */
static size_t error_at(pcap_t *p, const char *text)
{
	size_t at = strspn(text, " \t"), end;

	for (; text[at]; at = end + strspn(text + end, " \t")) {
		end = at + strcspn(text + at, " \t");
		if (end > FILTER_ERROR_LEN || !may_begin(p, text, end))
			return at;
	}
	return at;
}

static void explain(pcap_t *p, const char *text, char error[static FILTER_ERROR_LEN])
{
	static const char noise[] = "can't parse filter expression: ";
	char word[PCAP_ERRBUF_SIZE];

	snprintf(word, sizeof word, "%s", pcap_geterr(p));
	const char *why =
		strncmp(word, noise, sizeof noise - 1) == 0 ? word + sizeof noise - 1 : word;
	size_t at = error_at(p, text);
	snprintf(error, FILTER_ERROR_LEN,
		"filter \"%.80s\", position %zu, \"%.20s\": %.60s, as in \"udp port 53\"", text,
		at + 1, text[at] ? text + at : "the end", why);
}

int filter_compile(struct filter *f, const char *text, char error[static FILTER_ERROR_LEN])
{
	f->program = NULL;
	if (!text[0])
		return 0;
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, 65535 + 14);
	struct bpf_program *program = calloc(1, sizeof *program);
	int err = dead && program ? 0 : -ENOMEM;
	if (!err && pcap_compile(dead, program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		err = -EINVAL;
	if (err == -EINVAL)
		explain(dead, text, error);
	else if (err)
		snprintf(error, FILTER_ERROR_LEN, "out of memory");
	if (dead)
		pcap_close(dead);
	if (err)
		free(program);
	else
		f->program = program;
	return err;
}

void filter_free(struct filter *f)
{
	if (f->program)
		pcap_freecode(f->program);
	free(f->program);
	f->program = NULL;
}

bool filter_match(const struct filter *f, const uint8_t *frame, size_t len, size_t whole)
{
	struct pcap_pkthdr h = {.caplen = (bpf_u_int32)len, .len = (bpf_u_int32)whole};

	return !f->program || pcap_offline_filter(f->program, &h, frame) != 0;
}
