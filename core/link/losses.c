#include "core/link/losses.h"

#include <stdio.h>
#include <string.h>

static void end_run(struct losses *l)
{
	char run[24];
	size_t at = strlen(l->runs);

	if (!l->first || l->full)
		return;
	if (l->last > l->first)
		snprintf(run, sizeof run, " %u-%u", l->first, l->last);
	else
		snprintf(run, sizeof run, " %u", l->first);
	l->full = at + strlen(run) + sizeof " ..." > sizeof l->runs;
	snprintf(l->runs + at, sizeof l->runs - at, "%s", l->full ? " ..." : run);
}

void losses_add(struct losses *l, unsigned nth)
{
	l->n++;
	if (l->first && nth == l->last + 1) {
		l->last = nth;
		return;
	}
	end_run(l);
	l->first = l->last = nth;
}

bool losses_note(struct losses *l, const char *what, size_t segments, unsigned step, unsigned rule,
	char out[static LOSSES_NOTE_LEN])
{
	if (!l->n)
		return false;
	end_run(l);
	l->first = 0;
	snprintf(out, LOSSES_NOTE_LEN, "%s %u of %zu segments of %u:%s (rule %u)", what, l->n,
		segments, step, l->runs, rule);
	return true;
}
