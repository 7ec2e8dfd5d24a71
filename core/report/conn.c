#include "core/report/conn.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/report/analyse.h"

const struct mark_info mark_info[MARKS] = {
	[MARK_AGAIN] = {"again", "again", "sent again", true},
	[MARK_NEEDLESS] = {"needless", "needless: it had arrived", "of these needless", true},
	[MARK_OUT_OF_ORDER] = {"order", "out of order", "out of order", true},
	[MARK_HOLE] = {"hole", "bytes missing before", "holes before", true},
	[MARK_DUP_ACK] = {"dupack", "duplicate ACK", "duplicate ACKs", false},
	[MARK_DSACK] = {"dsack", "D-SACK: arrived twice", "D-SACKs", true},
	[MARK_ACK_UNSEEN] = {"unseen", "acknowledges what was not captured", "ACKs of the unseen",
		true},
	[MARK_ZERO_WINDOW] = {"zero", "window closed", "zero windows", true},
	[MARK_WINDOW_FULL] = {"full", "fills the window", "windows filled", false},
	[MARK_WINDOW_UPDATE] = {"update", "window update", "window updates", false},
	[MARK_PROBE] = {"probe", "probe", "probes", false},
	[MARK_RESET] = {"reset", "reset", "resets", true},
	[MARK_CE] = {"ce", "congestion experienced", "congestion marks", true},
	[MARK_LOST] = {"lost", "", "frames lost by impairment", true},
	[MARK_DROPPED] = {"dropped", "", "dropped by our stack", true},
	[MARK_IMPAIRED] = {"impaired", "", "otherwise impaired", true},
};

/* A chain longer than that is somebody's making: then what is far down in it is not found again. */
enum { BUCKETS = 1 << 16, CHAIN_MAX = 1024 };

struct conns {
	struct conn **all; /* by number - 1 */
	unsigned n, room;
	struct conn *bucket[BUCKETS];
	nsec epoch; /* what times count from */
};

struct conns *conns_new(void)
{
	return calloc(1, sizeof(struct conns));
}

void conns_begin(struct conns *c, nsec epoch)
{
	c->epoch = epoch;
}

/* The same for both directions. FNV-1a of each end, added. */
static uint32_t hash_end(const struct endpoint *e)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof e->addr.b; i++)
		h = (h ^ e->addr.b[i]) * 16777619u;
	h = (h ^ (e->port >> 8)) * 16777619u;
	return (h ^ (e->port & 255)) * 16777619u;
}

static uint32_t hash(const struct dissected *d)
{
	uint32_t h = hash_end(&d->src) + hash_end(&d->dst);

	return (h ^ h >> 15) % BUCKETS;
}

static bool is_client(const struct dissected *d)
{
	if (d->tcp.flags & TH_SYN)
		return !(d->tcp.flags & TH_ACK);
	return d->src.port > d->dst.port ||
	       (d->src.port == d->dst.port && memcmp(&d->src.addr, &d->dst.addr, 16) > 0);
}

static struct conn *add(struct conns *c, const struct dissected *d, uint32_t h, nsec at)
{
	struct conn *k = NULL;
	bool client = is_client(d);

	if (c->n == CONNS_MAX)
		return NULL;
	if (c->n == c->room) {
		unsigned room = c->room ? c->room * 2 : 64;
		struct conn **all = realloc(c->all, room * sizeof(struct conn *));
		if (!all)
			return NULL;
		c->all = all;
		c->room = room;
	}
	if (!(k = calloc(1, sizeof *k)))
		return NULL;
	k->side[0].end = client ? d->src : d->dst;
	k->side[1].end = client ? d->dst : d->src;
	k->first = k->last = at;
	k->older = c->bucket[h];
	c->bucket[h] = k;
	c->all[c->n++] = k;
	k->number = c->n;
	return k;
}

/* A SYN that cannot belong to what is there begins something new between the same ends. */
static bool begins_anew(const struct conn *k, unsigned from, const struct dissected *d)
{
	const struct side *s = &k->side[from];

	return (d->tcp.flags & (TH_SYN | TH_ACK)) == TH_SYN && s->known && s->base != d->tcp.seq.v;
}

static struct conn *find(struct conns *c, const struct dissected *d, unsigned *from, nsec at)
{
	uint32_t h = hash(d);
	unsigned looked = 0;

	for (struct conn *k = c->bucket[h]; k && looked < CHAIN_MAX; k = k->older, looked++) {
		const struct endpoint *a = &k->side[0].end, *b = &k->side[1].end;
		bool there = endpoint_equal(a, &d->src) && endpoint_equal(b, &d->dst);
		bool back = endpoint_equal(b, &d->src) && endpoint_equal(a, &d->dst);

		if (!there && !back)
			continue;
		*from = there ? 0 : 1;
		if (!begins_anew(k, *from, d))
			return k;
		break;
	}
	struct conn *k = add(c, d, h, at);
	if (k)
		*from = endpoint_equal(&k->side[0].end, &d->src) ? 0 : 1;
	return k;
}

bool conns_add(
	struct conns *c, const struct raw_packet *p, const struct dissected *d, struct segment *out)
{
	unsigned from = 0;

	nsec at = p->at - c->epoch;
	struct conn *k = find(c, d, &from, at);
	if (!k)
		return false;
	memset(out, 0, sizeof *out);
	out->number = p->number;
	out->at = at;
	out->conn = k;
	out->from = from;
	out->way = p->way;
	out->tcp = d->tcp;
	out->len = d->len;
	note_read(&out->note, p->comment);
	analyse(out, d->ecn);
	return true;
}

unsigned conns_count(const struct conns *c)
{
	return c->n;
}

struct conn *conns_get(const struct conns *c, unsigned number)
{
	return number >= 1 && number <= c->n ? c->all[number - 1] : NULL;
}

void conns_free(struct conns *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		for (unsigned k = 0; k < 2; k++) {
			sent_free(&c->all[i]->side[k].sent);
			free(c->all[i]->side[k].ahead);
		}
		free(c->all[i]);
	}
	free(c->all);
	free(c);
}
