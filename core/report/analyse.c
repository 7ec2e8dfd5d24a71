/*
 * THE STEPS for a segment of side `me` to side `you`:
 *
 *	1. positions: numbers become relative and unrolled
 *	2. what it sends: fresh, again, out of order, behind a hole
 *	3. what it acknowledges: round trips, duplicates
 *	4. its window
 *	5. the counts
 */
#include "core/report/analyse.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

enum { PROBE_MAX = 1 };

#define SOON (3 * MSEC) /* what comes later than this after its successors was sent again */

static void mark(struct segment *g, enum mark m)
{
	g->marks |= 1u << m;
}

static struct side *me(const struct segment *g)
{
	return &g->conn->side[g->from];
}

static struct side *you(const struct segment *g)
{
	return &g->conn->side[!g->from];
}

static void round_trip(struct round_trips *r, nsec t)
{
	if (t <= 0)
		return;
	r->min = r->n ? nsec_min(r->min, t) : t;
	r->max = nsec_max(r->max, t);
	r->sum = r->sum > INT64_MAX - t ? INT64_MAX : r->sum + t;
	r->n++;
}

/* --- 1 --- */

/* The position nearest to `near` that has these 32 bits, relative to base. */
static int64_t unroll(uint32_t base, int64_t near, uint32_t v)
{
	return near + (int32_t)(v - base - (uint32_t)near);
}

/* What is first seen of a side that did not begin with a SYN is its byte 1. */
static void begin_side(struct side *s, uint32_t base, int64_t at)
{
	if (s->known)
		return;
	s->known = true;
	s->base = base;
	s->next = s->acked = s->sent.floor = at;
}

static void take_syn(const struct segment *g)
{
	struct side *s = me(g);

	if (!(g->tcp.flags & TH_SYN))
		return;
	s->syn = true;
	s->opts = g->tcp.opts;
	s->mss = g->tcp.opts & TO_MSS ? g->tcp.mss : 0;
	s->scales = g->tcp.opts & TO_WSCALE;
	s->wscale = s->scales ? g->tcp.wscale : 0;
}

static void place(struct segment *g)
{
	uint8_t flags = g->tcp.flags;
	struct side *s = me(g), *o = you(g);

	if (flags & TH_SYN)
		begin_side(s, g->tcp.seq.v, 0);
	else if (!(flags & TH_RST) || g->tcp.seq.v)
		begin_side(s, g->tcp.seq.v - 1, 1);
	if (flags & TH_ACK && !(flags & TH_RST))
		begin_side(o, g->tcp.ack.v - 1, 1);
	take_syn(g);
	g->seq = unroll(s->base, s->next, g->tcp.seq.v);
	g->end = g->seq + g->len + ((flags & TH_SYN) != 0) + ((flags & TH_FIN) != 0);
	/* acked of the other side counts in our numbers, ours in theirs. */
	if (flags & TH_ACK)
		g->ack = unroll(o->base, s->acked > o->next ? s->acked : o->next, g->tcp.ack.v);
	bool scaled = !(flags & TH_SYN) && s->scales && (o->scales || !o->syn);
	g->window = (uint64_t)g->tcp.window << (scaled ? s->wscale : 0);
}

/* --- 2 --- */

/* A probe asks for an answer with a byte that was acknowledged, or one the window has no room for. */
static bool is_probe(const struct segment *g)
{
	const struct side *s = me(g), *o = you(g);
	bool quiet = s->sent.from == s->sent.n && g->len <= PROBE_MAX &&
		     !(g->tcp.flags & (TH_SYN | TH_FIN | TH_RST));

	if (!quiet || !o->known)
		return false;
	return g->seq == s->next - 1 ||
	       (g->len == PROBE_MAX && g->seq == s->next && o->window == 0 && o->packets);
}

/* A segment that fills a hole: whether those behind it were sent after it. */
static bool was_overtaken(const struct segment *g, const struct sent_verdict *v)
{
	nsec limit = g->conn->handshake ? g->conn->handshake / 10 * 9 : SOON;

	if ((g->tcp.opts & TO_TIMESTAMP) && v->next.tsval && g->tcp.tsval != v->next.tsval)
		return (int32_t)(g->tcp.tsval - v->next.tsval) < 0;
	return g->at - v->next.first < limit;
}

static void judge(struct segment *g, int64_t from)
{
	struct side *s = me(g), *o = you(g);
	bool arrived = g->end <= o->acked && o->known;
	bool behind = from > s->next && s->packets;
	struct sent_verdict v = sent_add(
		&s->sent, from, g->end, g->at, g->tcp.opts & TO_TIMESTAMP ? g->tcp.tsval : 0);

	s->fresh += MIN(v.fresh, (uint64_t)g->len);
	if (!v.fresh) {
		mark(g, MARK_AGAIN);
		g->since = v.last == NSEC_NEVER ? 0 : g->at - v.last;
		if (arrived)
			mark(g, MARK_NEEDLESS);
	} else if (v.before_others && g->end <= s->next) {
		mark(g, was_overtaken(g, &v) ? MARK_OUT_OF_ORDER : MARK_AGAIN);
	} else if (behind) {
		mark(g, MARK_HOLE);
		g->hole = from - s->next;
	}
}

/* True: it is set aside until those before it have come. */
static bool is_lost_ahead(const struct segment *g)
{
	struct side *s = me(g);
	struct lost_ahead lost = {
		g->seq, g->end, g->at, g->tcp.opts & TO_TIMESTAMP ? g->tcp.tsval : 0};

	if (g->way != PCAPNG_WAY_OUT || !g->note.lost || g->seq <= s->next || !s->packets)
		return false;
	if (!s->ahead && !(s->ahead = calloc(LOST_AHEAD_MAX, sizeof(struct lost_ahead))))
		return false;
	if (s->nahead == LOST_AHEAD_MAX)
		memmove(s->ahead, s->ahead + 1, --s->nahead * sizeof(struct lost_ahead));
	s->ahead[s->nahead++] = lost;
	return true;
}

/* Those set aside whose turn has come were sent, at their time. */
static void take_lost_ahead(const struct segment *g)
{
	struct side *s = me(g);

	for (unsigned i = 0; i < s->nahead;) {
		struct lost_ahead l = s->ahead[i];

		if (l.seq > s->next || l.seq > g->seq) {
			i++;
			continue;
		}
		memmove(s->ahead + i, s->ahead + i + 1,
			(--s->nahead - i) * sizeof(struct lost_ahead));
		s->fresh += sent_add(&s->sent, l.seq, l.end, l.at, l.tsval).fresh;
		s->next = MAX(s->next, l.end);
		i = 0;
	}
}

static void take_data(struct segment *g)
{
	struct side *s = me(g), *o = you(g);
	uint8_t flags = g->tcp.flags;

	if (flags & TH_RST) {
		mark(g, MARK_RESET);
		g->conn->reset = true;
		return;
	}
	s->fin |= flags & TH_FIN;
	if (is_probe(g)) {
		mark(g, MARK_PROBE);
		return;
	}
	if (g->end == g->seq || is_lost_ahead(g))
		return;
	take_lost_ahead(g);
	judge(g, g->seq);
	if (g->end > s->next)
		s->next = g->end;
	if (g->len)
		s->last_data = g->at;
	/* The last window may allow more than is said here: it is not scaled in a SYN. */
	if (g->len && o->known && o->packets && o->window &&
		g->end == o->acked + (int64_t)o->window)
		mark(g, MARK_WINDOW_FULL);
}

/* --- 3 --- */

static bool is_dsack(const struct segment *g)
{
	if (!(g->tcp.opts & TO_SACK) || !g->tcp.nsack)
		return false;
	const struct sack_block *b = g->tcp.sack;
	if (seq_lt(b[0].left, g->tcp.ack))
		return true;
	return g->tcp.nsack > 1 && seq_ge(b[0].left, b[1].left) && seq_le(b[0].right, b[1].right);
}

static nsec take_sack(const struct segment *g)
{
	struct side *o = you(g);
	nsec rtt = 0;

	for (unsigned i = 0; (g->tcp.opts & TO_SACK) && i < g->tcp.nsack; i++) {
		int64_t left = unroll(o->base, g->ack, g->tcp.sack[i].left.v);
		int64_t right = unroll(o->base, g->ack, g->tcp.sack[i].right.v);
		nsec t = left >= g->ack && right > left && right <= o->next
				 ? sent_sack(&o->sent, left, right, g->at)
				 : 0;
		rtt = nsec_max(rtt, t);
	}
	return rtt;
}

/* The same number once more, without anything else to say, while it is waited for. */
static bool is_duplicate(const struct segment *g)
{
	const struct side *s = me(g), *o = you(g);

	return g->end == g->seq && g->ack == s->acked && g->ack < o->next && s->packets &&
	       (g->window == s->window || (g->tcp.opts & TO_SACK)) &&
	       !(g->marks & 1u << MARK_PROBE);
}

static void take_ack(struct segment *g)
{
	struct side *s = me(g), *o = you(g);

	if (!(g->tcp.flags & TH_ACK) || (g->tcp.flags & TH_RST))
		return;
	if (g->ack > o->next) {
		if (o->packets)
			mark(g, MARK_ACK_UNSEEN);
		o->next = g->ack;
	}
	if (is_dsack(g))
		mark(g, MARK_DSACK);
	if (is_duplicate(g)) {
		mark(g, MARK_DUP_ACK);
		g->dup_acks = ++s->dup_acks;
	} else if (g->ack > s->acked) {
		s->dup_acks = 0;
		g->rtt = sent_ack(&o->sent, g->ack, g->at);
		s->acked = g->ack;
	}
	g->rtt = nsec_max(g->rtt, take_sack(g));
	/* A SYN-ACK answers a SYN: that round trip counts as well. */
	round_trip(&o->rtt, g->rtt);
}

static void take_handshake(const struct segment *g)
{
	struct conn *k = g->conn;
	uint8_t flags = g->tcp.flags;

	if ((flags & (TH_SYN | TH_ACK)) == TH_SYN && !k->established) {
		k->syn_at = g->at;
	} else if (!k->established && g->from == 0 &&
		   (flags & (TH_SYN | TH_ACK | TH_RST)) == TH_ACK && k->side[0].syn &&
		   k->side[1].syn) {
		k->established = true;
		k->handshake = g->at - k->syn_at;
	}
}

/*
 * One that only receives has no data whose acknowledgement could be timed. But its ACK lets the
 * other side go on, and what that sends echoes the ACK's timestamp. (The idea is pping's.) Data
 * after a pause of its own is no answer and not counted.
 */
static void remember_echo(struct segment *g)
{
	struct side *s = me(g);
	nsec spacing = g->conn->handshake ? g->conn->handshake / 16 : 4 * MSEC;
	unsigned last = (s->echo_from + s->nechoes - 1) % CONN_ECHOES;

	if (s->nechoes && g->at - s->echo[last].at < spacing)
		return;
	if (s->nechoes == CONN_ECHOES) {
		s->echo_from++;
		s->nechoes--;
	}
	unsigned i = (s->echo_from + s->nechoes++) % CONN_ECHOES;
	s->echo[i].tsval = g->tcp.tsval;
	s->echo[i].at = g->at;
}

static void find_echo(struct segment *g)
{
	struct side *o = you(g);

	while (o->nechoes) {
		unsigned i = o->echo_from % CONN_ECHOES;
		int32_t ahead = (int32_t)(o->echo[i].tsval - g->tcp.tsecr);
		nsec t = g->at - o->echo[i].at;

		if (ahead > 0)
			break;
		if (ahead == 0 && t > g->at - me(g)->last_data)
			g->echo_rtt = nsec_max(t, 0);
		o->echo_from++;
		o->nechoes--;
	}
	round_trip(&o->rtt, g->echo_rtt);
}

static void take_timestamp(struct segment *g)
{
	struct side *s = me(g);

	if (!(g->tcp.opts & TO_TIMESTAMP))
		return;
	if (s->tsval == 0 || (int32_t)(g->tcp.tsval - s->tsval) > 0) {
		s->tsval = g->tcp.tsval;
		if (g->end == g->seq && (g->tcp.flags & TH_ACK))
			remember_echo(g);
	}
	if (g->len)
		find_echo(g);
}

/* --- 4 --- */

static void take_window(struct segment *g, int64_t acked_before)
{
	struct side *s = me(g);
	uint32_t others =
		1u << MARK_DUP_ACK | 1u << MARK_PROBE | 1u << MARK_DSACK | 1u << MARK_ZERO_WINDOW;

	if (g->tcp.flags & TH_RST)
		return;
	if (g->tcp.window == 0 && !(g->tcp.flags & (TH_SYN | TH_FIN)))
		mark(g, MARK_ZERO_WINDOW);
	if (g->end == g->seq && s->packets && g->ack == acked_before && g->window > s->window &&
		!g->tcp.nsack && !(g->marks & others))
		mark(g, MARK_WINDOW_UPDATE);
	s->window = g->window;
}

/* --- 5 --- */

static void take_note(struct segment *g)
{
	struct side *s = me(g);
	struct conn *k = g->conn;

	if (g->note.lost)
		mark(g, MARK_LOST);
	if (g->note.dropped)
		mark(g, MARK_DROPPED);
	if (g->note.impaired)
		mark(g, MARK_IMPAIRED);
	s->lost += g->note.lost;
	s->cwnd_max = MAX(s->cwnd_max, g->note.cwnd);
	if (!k->process[0])
		memcpy(k->process, g->note.process, sizeof k->process);
}

static void count(struct segment *g)
{
	struct side *s = me(g);
	int64_t acked = you(g)->known ? you(g)->acked : 0;

	s->packets++;
	s->payload += g->len;
	for (int m = 0; m < MARKS; m++)
		s->count[m] += g->marks >> m & 1;
	g->flight = s->next > acked ? (uint64_t)(s->next - acked) : 0;
	s->flight_max = MAX(s->flight_max, g->flight);
	g->conn->last = nsec_max(g->conn->last, g->at);
}

void analyse(struct segment *g, uint8_t ecn)
{
	place(g);
	int64_t acked_before = me(g)->acked;
	if (ecn == ECN_CE)
		mark(g, MARK_CE);
	take_timestamp(g);
	take_data(g);
	take_ack(g);
	take_window(g, acked_before);
	take_handshake(g);
	take_note(g);
	count(g);
}
