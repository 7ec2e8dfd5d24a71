/*
 * libpcap gets a stream of ours that copies what passes to the walk of comments. stdio reads ahead,
 * so comments are queued until their packet comes; the n-th call of the walk is the n-th packet.
 */
#include "core/report/source.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

enum { STREAM_BUFFER = 256 << 10, YEARS_MAX = 100 };

/* The comment of a packet that libpcap has not returned yet. */
struct noted {
	enum pcapng_way way;
	size_t at; /* in text; 0: none */
};

struct source {
	pcap_t *pcap;
	FILE *in;
	char name[128];
	uint64_t count;
	struct bpf_program filter;
	bool has_filter;

	struct pcapng_walk walk;
	bool is_pcapng;
	/* From `given` on, those whose packet is still to come; text[0] is never used. */
	struct noted *noted;
	size_t nnoted, given, noted_room;
	char *text;
	size_t text_len, text_room;
	bool no_memory; /* comments end here */
};

static bool grow(void **p, size_t *room, size_t need, size_t each)
{
	size_t more = *room ? *room * 2 : 1024;
	void *q = NULL;

	if (need <= *room)
		return true;
	more = MAX(more, need);
	if (more < SIZE_MAX / each)
		q = realloc(*p, more * each);
	if (!q)
		return false;
	*p = q;
	*room = more;
	return true;
}

static void take_comment(void *ctx, const char *comment, enum pcapng_way way)
{
	struct source *s = ctx;
	size_t len = strlen(comment) + 1;

	s->is_pcapng = true;
	if (s->given == s->nnoted) {
		s->given = s->nnoted = 0;
		s->text_len = 1;
	}
	if (s->no_memory ||
		!grow((void **)&s->noted, &s->noted_room, s->nnoted + 1, sizeof *s->noted) ||
		!grow((void **)&s->text, &s->text_room, s->text_len + len, 1)) {
		s->no_memory = true;
		return;
	}
	struct noted *n = &s->noted[s->nnoted++];
	*n = (struct noted){.way = way};
	if (len == 1)
		return;
	n->at = s->text_len;
	memcpy(s->text + s->text_len, comment, len);
	s->text_len += len;
}

static ssize_t stream_read(void *cookie, char *buffer, size_t size)
{
	struct source *s = cookie;
	size_t n = fread(buffer, 1, size, s->in);

	pcapng_walk_feed(&s->walk, (const uint8_t *)buffer, n);
	return n == 0 && ferror(s->in) ? -1 : (ssize_t)n;
}

static int stream_close(void *cookie)
{
	struct source *s = cookie;
	int err = fclose(s->in);

	s->in = NULL;
	return err;
}

struct source *source_open(FILE *in, const char *name, char error[static SOURCE_ERROR_LEN])
{
	char why[PCAP_ERRBUF_SIZE] = "out of memory";
	struct source *s = calloc(1, sizeof *s);
	FILE *stream = NULL;

	if (s) {
		s->in = in;
		snprintf(s->name, sizeof s->name, "%s", name);
		pcapng_walk_init(&s->walk, take_comment, s);
		stream = fopencookie(s, "r",
			(cookie_io_functions_t){.read = stream_read, .close = stream_close});
	}
	if (stream) {
		setvbuf(stream, NULL, _IOFBF, STREAM_BUFFER);
		s->pcap = pcap_fopen_offline_with_tstamp_precision(
			stream, PCAP_TSTAMP_PRECISION_NANO, why);
	}
	if (s && s->pcap)
		return s;
	snprintf(error, SOURCE_ERROR_LEN, "%.120s is no capture file that can be read: %.160s",
		name, why);
	if (stream)
		fclose(stream);
	else
		fclose(in);
	if (s) {
		free(s->noted);
		free(s->text);
	}
	free(s);
	return NULL;
}

/* Times that no clock shows are taken for 1970: what is computed from them stays in range. */
static nsec time_of(const struct pcap_pkthdr *h)
{
	nsec seconds = (nsec)h->ts.tv_sec, nanos = (nsec)h->ts.tv_usec;

	if (seconds < 0 || seconds > (nsec)YEARS_MAX * 366 * 86400 || nanos < 0 || nanos >= SEC)
		return 0;
	return seconds * SEC + nanos;
}

static void give_comment(struct source *s, struct raw_packet *out)
{
	out->comment = "";
	out->way = PCAPNG_WAY_UNKNOWN;
	if (s->given == s->nnoted)
		return;
	const struct noted *n = &s->noted[s->given++];
	out->way = n->way;
	if (n->at)
		out->comment = s->text + n->at;
}

int source_next(struct source *s, struct raw_packet *out, char error[static SOURCE_ERROR_LEN])
{
	struct pcap_pkthdr *h;
	const u_char *data;
	int got = pcap_next_ex(s->pcap, &h, &data);

	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got != 1) {
		snprintf(error, SOURCE_ERROR_LEN,
			"%.120s ends being readable after packet %llu: %.120s", s->name,
			(unsigned long long)s->count, pcap_geterr(s->pcap));
		return -1;
	}
	out->number = ++s->count;
	out->at = time_of(h);
	out->data = data;
	out->len = h->caplen;
	out->whole = MAX(h->len, h->caplen);
	out->linktype = pcap_datalink(s->pcap);
	give_comment(s, out);
	return 1;
}

bool source_filter(struct source *s, const char *filter, char error[static SOURCE_ERROR_LEN])
{
	if (!filter[0])
		return true;
	if (pcap_compile(s->pcap, &s->filter, filter, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		snprintf(error, SOURCE_ERROR_LEN, "filter \"%.100s\": %.160s", filter,
			pcap_geterr(s->pcap));
		return false;
	}
	s->has_filter = true;
	return true;
}

bool source_matches(const struct source *s, const struct raw_packet *p)
{
	struct pcap_pkthdr h = {.caplen = (bpf_u_int32)p->len, .len = (bpf_u_int32)p->whole};

	return !s->has_filter || pcap_offline_filter(&s->filter, &h, p->data) != 0;
}

void source_close(struct source *s)
{
	if (s->has_filter)
		pcap_freecode(&s->filter);
	pcap_close(s->pcap); /* and with it the stream, and the file */
	free(s->noted);
	free(s->text);
	free(s);
}
