#include "core/report/note.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

/* "name[digits]" and nothing behind. */
static bool is_process(const char *part, size_t len)
{
	size_t i = len - 1;

	if (len < 3 || len >= NOTE_PROCESS_LEN || part[len - 1] != ']')
		return false;
	while (i > 0 && isdigit((unsigned char)part[i - 1]))
		i--;
	return i > 0 && i < len - 1 && part[i - 1] == '[';
}

static bool begins(const char *part, size_t len, const char *word)
{
	return len >= strlen(word) && strncmp(part, word, strlen(word)) == 0;
}

/* "2 7-8 30": counted from 1, ascending. */
static void read_runs(struct note *n, const char *p)
{
	unsigned at = 0;

	while (n->nruns < NOTE_RUNS && isdigit((unsigned char)*p)) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		if (first <= at || last < first || last > n->segments)
			return;
		n->run[n->nruns].first = (uint16_t)(first - 1);
		n->run[n->nruns++].last = (uint16_t)(last - 1);
		at = (unsigned)last;
		p = *end == ' ' ? end + 1 : end;
	}
}

static void read_lost(struct note *n, const char *part, size_t len)
{
	char text[NOTE_TEXT_LEN];
	unsigned lost, of, step;
	int end = 0;

	snprintf(text, sizeof text, "%.*s", (int)MIN(len, sizeof text - 1), part);
	const char *number = strpbrk(text, "0123456789(");
	if (!number ||
		sscanf(number, "%9u of %5u segments of %5u: %n", &lost, &of, &step, &end) != 3 ||
		!end || !lost || lost > of || of > UINT16_MAX || !step) {
		n->lost++;
		return;
	}
	n->lost += lost;
	n->segments = of;
	n->step = step;
	read_runs(n, number + end);
}

static void read_part(struct note *n, const char *part, size_t len)
{
	static const char *const done[] = {
		"late", "changed", "forged", "corrupted", "duplicate", "truncated"};
	size_t used = strlen(n->text);

	if (!n->process[0] && is_process(part, len)) {
		memcpy(n->process, part, len);
		n->process[len] = '\0';
		return;
	}
	if (begins(part, len, "cwnd ") && isdigit((unsigned char)part[5])) {
		unsigned long long cwnd = strtoull(part + 5, NULL, 10);
		n->cwnd = (uint32_t)MIN(cwnd, (unsigned long long)UINT32_MAX);
		return;
	}
	if (begins(part, len, "lost"))
		read_lost(n, part, len);
	n->dropped |= begins(part, len, "dropped");
	for (size_t i = 0; i < ARRAY_LEN(done); i++)
		n->impaired |= begins(part, len, done[i]);
	snprintf(n->text + used, sizeof n->text - used, "%s%.*s", used ? "; " : "", (int)len, part);
}

/* Comments are anybody's, and are shown on terminals and in pages. */
static void make_harmless(char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void note_read(struct note *n, const char *comment)
{
	memset(n, 0, sizeof *n);
	while (*comment) {
		const char *end = strstr(comment, "; ");
		size_t len = end ? (size_t)(end - comment) : strlen(comment);

		if (len)
			read_part(n, comment, len);
		comment += len + (end ? 2 : 0);
	}
	make_harmless(n->process);
	make_harmless(n->text);
}
