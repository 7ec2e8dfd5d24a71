/*
 * A capture file of arbitrary bytes, all the way: libpcap, the comments beside it, the dissection,
 * the analysis, and everything that is drawn of it. Whatever the file is,
 *
 *	- it is refused with a line that says why, or drawn, in whole or in part with a line
 *	- what is drawn has only printable ASCII in it, apart from our own arrows
 *	- nothing in a page's data could end the element that it stands in
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/report/capture.h"
#include "core/report/ladder.h"
#include "core/report/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static FILE *stream_of(const uint8_t *data, size_t size)
{
	FILE *f = fmemopen((void *)(uintptr_t)data, size, "r");

	require(f != NULL);
	return f;
}

static void try_ladder(const uint8_t *data, size_t size, bool svg)
{
	struct ladder_config config = {.name = "fuzz",
		.filter = "",
		.packets_max = 1000,
		.columns = 80,
		.svg = svg,
		.ascii = true};
	char message[SOURCE_ERROR_LEN] = "", *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	int result = ladder_draw(stream_of(data, size), out, &config, message);
	fclose(out);
	require((result == 0) == (message[0] == '\0'));
	/* Times in microseconds have a sign of ours; the rest of the words is ASCII. */
	for (size_t i = 0; i < len; i++)
		require(text[i] == '\n' || (text[i] >= ' ' && text[i] != 127) || (uint8_t)text[i] >= 0x80);
	free(text);
}

static bool check_segment(void *ctx, const struct segment *g)
{
	const struct conn *k = g->conn;
	const struct side *s = &k->side[g->from];

	require(g->number <= 1000 && g->end >= g->seq && s->fresh <= s->payload);
	require(g->rtt >= 0 && g->echo_rtt >= 0);
	require(!s->rtt.n || (s->rtt.min > 0 && s->rtt.min <= s->rtt.max && s->rtt.max <= s->rtt.sum));
	for (unsigned i = 0; i < g->note.nruns; i++)
		require(g->note.run[i].first <= g->note.run[i].last && g->note.run[i].last < g->note.segments);
	return true;
}

static void try_analysis(const uint8_t *data, size_t size)
{
	struct capture_reading how = {.filter = "", .packets_max = 1000, .segment = check_segment};
	char error[SOURCE_ERROR_LEN];
	struct capture_totals totals;
	struct conns *conns;

	if (capture_read(stream_of(data, size), "fuzz", &how, &conns, &totals, error))
		return;
	require(totals.tcp + totals.other + totals.broken + totals.uncounted == totals.packets);
	for (unsigned i = 1; i <= conns_count(conns); i++)
		require(conns_get(conns, i)->number == i);
	conns_free(conns);
}

static void try_page(const uint8_t *data, size_t size)
{
	struct report_config config = {.name = "fuzz", .packets_max = 1000};
	char message[SOURCE_ERROR_LEN] = "", *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	int result = report_write(stream_of(data, size), out, &config, message);
	fclose(out);
	require((result == 0) == (message[0] == '\0') && (result >= 0) == (len > 0));
	if (len) {
		static const char before[] = "id=\"data\">", after[] = "\n</script>";
		const char *begin = strstr(text, before);
		const char *end = begin ? strchr(begin + sizeof before, '<') : NULL;
		require(end && strncmp(end - 1, after, sizeof after - 1) == 0);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	try_analysis(data, size);
	try_ladder(data, size, false);
	try_ladder(data, size, true);
	try_page(data, size);
	return 0;
}
