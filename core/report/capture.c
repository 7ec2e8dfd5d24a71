#include "core/report/capture.h"

#include <errno.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/report/dissect.h"

/* False: enough. */
static bool take(struct conns *conns, const struct source *s, const struct raw_packet *p,
	const struct capture_reading *how, struct capture_totals *t)
{
	struct dissected d;
	struct segment g;

	if (!t->packets) {
		t->began = p->at;
		conns_begin(conns, p->at);
	}
	t->packets++;
	t->bytes += p->whole;
	t->ended = nsec_max(t->ended, p->at);
	switch (dissect(&d, p->linktype, p->data, p->len, p->whole)) {
	case DISSECT_TCP:
		break;
	case DISSECT_BROKEN:
		t->broken++;
		return true;
	default:
		t->other++;
		return true;
	}
	if (!conns_add(conns, p, &d, &g)) {
		t->uncounted++;
		return true;
	}
	t->tcp++;
	return !source_matches(s, p) || how->segment(how->ctx, &g);
}

static void read_all(struct source *s, struct conns *conns, const struct capture_reading *how,
	struct capture_totals *t)
{
	struct raw_packet p;
	int got = 0;

	while (t->packets < how->packets_max && (got = source_next(s, &p, t->partial)) > 0)
		if (!take(conns, s, &p, how, t))
			return;
	if (t->packets == how->packets_max && source_next(s, &p, t->partial) > 0)
		snprintf(t->partial, sizeof t->partial, "only the first %llu packets were read",
			(unsigned long long)t->packets);
	else if (got == 0 && t->uncounted)
		snprintf(t->partial, sizeof t->partial, "there are more than %u connections",
			conns_count(conns));
}

int capture_read(FILE *in, const char *name, const struct capture_reading *how, struct conns **out,
	struct capture_totals *totals, char error[static SOURCE_ERROR_LEN])
{
	struct source *s = source_open(in, name, error);

	*out = NULL;
	memset(totals, 0, sizeof *totals);
	if (!s)
		return -EINVAL;
	if (!source_filter(s, how->filter, error)) {
		source_close(s);
		return -EINVAL;
	}
	struct conns *conns = conns_new();
	if (conns)
		read_all(s, conns, how, totals);
	else
		snprintf(error, SOURCE_ERROR_LEN, "out of memory");
	source_close(s);
	*out = conns;
	return conns ? 0 : -ENOMEM;
}
