/*
 * THE WAY OF A FRAME, the same in both directions:
 *
 *	1. its conversation is looked up; a first frame decides which rule's faults it has
 *	2. faults: the frame is dropped, changed, or held (fault.c)
 *	3. the first rule of its direction that matches and impairs frames is its rule; none: it
 *	   passes
 *	4. a fate is drawn for each of its segments. If all of them pass, and at the same time, the
 *	   frame stays whole. Else it is cut
 *	5. each segment is lost, or gets a time and waits in the queue until then
 *
 * TIME. rate, jitter and delay add up as in netem: a frame leaves the "wire" when those before it
 * have, and arrives the delay later. Jitter may let frames overtake each other, unless there is a
 * rate.
 *
 * A frame to send that nothing is done to goes straight to the link, whose -EAGAIN is the stack's
 * to deal with; then the segment counts as not seen. A held frame that the link has no room for
 * stays in front of the queue and tries again a little later; until then nothing else is sent.
 */
#include "core/link/impair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/link/capture.h"
#include "core/link/fate.h"
#include "core/link/fault.h"
#include "core/link/flows.h"
#include "core/link/held.h"
#include "core/link/losses.h"
#include "core/link/mangle.h"
#include "core/link/segment.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"

enum {
	IN,
	OUT,
	FRAME_MAX = 65535 + ETH_HDR_LEN + 4,
	LOOK_LEN = 256, /* of a frame: what a match can see */
	NOTE_LEN = 64,
};

#define BUSY_RETRY (100 * USEC)

/* What a capture's comments say: man/teecee-ladder.1 tells them to readers. */
#define LOST "lost"
#define LOST_LIMIT "lost: limit"

struct rule_state {
	struct filter filter;
	nsec free_at[2]; /* when the wire is free again: in, out */
	nsec last_at[2]; /* with a rate, no frame before the one before it */
	nsec slot_end[2];
	uint64_t nslots[2];
	unsigned held[2];
};

struct impair {
	struct link link;
	struct link *inner;
	bool active;
	struct impairment spec;
	uint64_t seed;
	struct rule_state rule[IMPAIR_RULES_MAX];
	struct flows flows;
	struct held_queue queue[2];
	struct held *given; /* handed out by the last recv */
	nsec busy_until;    /* the link had no room for a held frame */
	struct impair_stats stats;
	uint8_t frame[FRAME_MAX]; /* a received frame that may be changed */
	uint8_t piece[FRAME_MAX]; /* one of a frame's segments */
};

/* A frame on its way through the steps. */
struct passing {
	int way;
	nsec now;
	struct flow_view view;
	struct flow *flow;
	struct tx_frame *tx;       /* as if it were to be sent; of a received one, payload in place */
	const struct rx_frame *rx; /* NULL when it is to be sent */
	const uint8_t *known_as;   /* the received frame's data, to the capture */
	size_t segments;
	unsigned nth;                     /* of them, the one that is dealt with; 0: the frame as a whole */
	struct losses lost, over_limit;   /* of a received frame that is cut */
};

static struct impair *of(const struct link *l)
{
	return CONTAINER_OF(l, struct impair, link);
}

/* --- step 1 and 3: which rule --- */

/* Of the rules that `wanted` takes, the first that matches; -1: none. */
static int find_rule(
	const struct impair *m, const struct passing *p, bool (*wanted)(const struct impair_rule *r))
{
	uint8_t look[LOOK_LEN];
	size_t whole = tx_frame_head_len(p->tx) + tx_frame_payload_len(p->tx);
	size_t len = tx_frame_head_len(p->tx);

	memcpy(look, p->tx->head + p->tx->head_at, len);
	if (p->tx->npayload) {
		size_t more = MIN(p->tx->payload[0].iov_len, LOOK_LEN - len);
		memcpy(look + len, p->tx->payload[0].iov_base, more);
		len += more;
	}
	for (unsigned i = 0; i < m->spec.n; i++)
		if (wanted(&m->spec.rule[i]) &&
			filter_match(&m->rule[i].filter, look, len, whole))
			return (int)i;
	return -1;
}

static bool impairs_in(const struct impair_rule *r)
{
	return r->direction != IMPAIR_OUT && impair_rule_is_of_frames(r);
}

static bool impairs_out(const struct impair_rule *r)
{
	return r->direction != IMPAIR_IN && impair_rule_is_of_frames(r);
}

static enum flow_kind kind_of(const struct flow_view *v)
{
	bool begins = (v->flags & (TH_SYN | TH_ACK)) == TH_SYN;

	switch (v->key.protocol) {
	case 0:
		return FLOW_NOT_IP;
	case IP_PROTO_TCP:
		return begins ? FLOW_TCP : FLOW_TCP_STRAY;
	case IP_PROTO_UDP:
		return FLOW_UDP;
	default:
		return FLOW_OTHER_IP;
	}
}

/* False: no memory for it, and the frame passes. */
static bool find_flow(struct impair *m, struct passing *p, struct fault_io *io)
{
	enum flow_kind kind = kind_of(&p->view);
	struct flow *f = flows_get(&m->flows, &p->view.key, kind, p->now);

	p->flow = f;
	if (!f)
		return false;
	if (kind == FLOW_TCP) {
		if (!f->fresh && !(f->has_isn && seq_eq(f->isn, p->view.seq)))
			flows_renew(&m->flows, f, kind, p->now);
		f->has_isn = true;
		f->isn = p->view.seq;
	}
	if (!f->fresh || p->view.key.protocol != IP_PROTO_TCP || !p->view.payload)
		return true;
	int rule = find_rule(m, p, impair_rule_is_of_connections);
	if (rule >= 0) {
		f->rule = &m->spec.rule[rule];
		fault_begin(f, io);
	}
	return true;
}

/* --- notes and the queue --- */

/* For the capture: what is done to a frame. h: the one to send, NULL: it will not be. */
static void say(struct impair *m, const struct passing *p, struct held *h, const char *what, unsigned rule)
{
	char note[NOTE_LEN];

	snprintf(note, sizeof note, "%s (rule %u)", what, rule + 1);
	if (p->way == IN)
		capture_note(m->inner, p->known_as, note);
	else if (h)
		memcpy(h->note, note, sizeof note);
}

static void hold(struct impair *m, int way, struct held *h, unsigned rule, nsec at)
{
	h->rule = (uint8_t)rule;
	if (held_put(&m->queue[way], h, at) && rule != HELD_NO_RULE)
		m->rule[rule].held[way]++;
}

/* Of a received frame that is cut, all losses are one note, in the end. */
static void lose(struct impair *m, struct passing *p, struct held *h, bool over_limit, unsigned rule)
{
	char note[NOTE_LEN];

	snprintf(note, sizeof note, "%s (rule %u)", over_limit ? LOST_LIMIT : LOST, rule + 1);
	if (p->way == IN && p->nth)
		losses_add(over_limit ? &p->over_limit : &p->lost, p->nth);
	else if (p->way == IN)
		capture_note(m->inner, p->known_as, note);
	else
		capture_show(m->inner, h->data, h->len, true, note, p->now);
	free(h);
}

static struct held *whole(const struct passing *p)
{
	if (p->way == OUT)
		return held_from_tx(p->tx);
	return held_from_bytes(p->rx->data, p->rx->len, p->rx->csum, p->rx->gso_size);
}

/* --- step 4 and 5 --- */

static nsec in_slot(struct impair *m, unsigned rule, int way, nsec at)
{
	const struct impair_rule *r = &m->spec.rule[rule];
	struct rule_state *s = &m->rule[rule];
	struct fate_of of = {.seed = m->seed, .rule = rule, .out = way == OUT};

	if (!r->slot_max)
		return at;
	/* After an idle time the slots begin anew with this frame. */
	if (at - s->slot_end[way] > r->slot_max)
		s->slot_end[way] = at;
	while (s->slot_end[way] < at) {
		of.nth = s->nslots[way]++;
		s->slot_end[way] += fate_slot(r, &of);
	}
	return s->slot_end[way];
}

/* When a segment of `len` bytes arrives at the other side. */
static nsec arrival(
	struct impair *m, unsigned rule, const struct passing *p, const struct fate *f, size_t len)
{
	const struct impair_rule *r = &m->spec.rule[rule];
	struct rule_state *s = &m->rule[rule];
	int way = p->way;
	nsec at = p->now;

	if (r->rate) {
		s->free_at[way] = nsec_max(s->free_at[way], at) +
				  (nsec)((uint64_t)len * 8 * SEC / r->rate);
		at = s->free_at[way];
	}
	if (f->overtakes)
		return at;
	at += f->delay;
	if (r->rate)
		at = s->last_at[way] = nsec_max(at, s->last_at[way]);
	return in_slot(m, rule, way, at);
}

static void damage(struct impair *m, const struct passing *p, unsigned rule, const struct fate *f, struct held *h)
{
	const struct impair_rule *r = &m->spec.rule[rule];

	if (f->corrupt) {
		m->stats.corrupted++;
		mangle_corrupt(h, p->way == OUT, f->random);
		say(m, p, h, "corrupted", rule);
	}
	if (r->truncate_udp && mangle_truncate_udp(h, p->way == OUT, r->truncate_udp)) {
		m->stats.truncated++;
		say(m, p, h, "truncated", rule);
	}
}

/* A segment, which is taken, meets its fate. */
static void deal(struct impair *m, struct passing *p, unsigned rule, const struct fate *f, struct held *h)
{
	if (!h)
		return;
	if (f->lost) {
		m->stats.lost++;
		lose(m, p, h, false, rule);
		return;
	}
	if (m->rule[rule].held[p->way] >= m->spec.rule[rule].limit) {
		m->stats.over_limit++;
		lose(m, p, h, true, rule);
		return;
	}
	nsec at = arrival(m, rule, p, f, h->len);
	m->stats.delayed += at > p->now;
	m->stats.reordered += f->overtakes;
	damage(m, p, rule, f, h);
	struct held *twin = f->duplicate ? held_copy(h) : NULL;
	hold(m, p->way, h, rule, at);
	if (!twin)
		return;
	m->stats.duplicated++;
	say(m, p, twin, "duplicate", rule);
	hold(m, p->way, twin, rule, at);
}

static bool is_bare(const struct flow_view *v)
{
	return v->key.protocol == IP_PROTO_TCP && v->payload && v->end == v->payload &&
	       !(v->flags & (TH_SYN | TH_FIN));
}

static struct flow_lane *lane_of(const struct passing *p)
{
	return &p->flow->lane[p->way][is_bare(&p->view)];
}

static struct fate next_fate(
	const struct impair *m, const struct passing *p, unsigned rule, uint64_t nth, bool *bad)
{
	struct fate_of of = {.seed = m->seed,
		.rule = rule,
		.ordinal = p->flow->ordinal,
		.out = p->way == OUT,
		.bare = is_bare(&p->view),
		.nth = nth};

	return fate_draw(&m->spec.rule[rule], &of, bad);
}

static bool is_plain(const struct fate *f)
{
	return !f->lost && !f->duplicate && !f->corrupt && !f->overtakes;
}

/* Whether all segments share one fate: the rule's delay and nothing else. */
static bool stays_whole(const struct impair *m, const struct passing *p, unsigned rule)
{
	const struct impair_rule *r = &m->spec.rule[rule];
	const struct flow_lane *lane = lane_of(p);
	bool bad = lane->bad & 1u << rule;

	if (r->jitter || r->rate || r->slot_max || r->truncate_udp)
		return false;
	for (size_t i = 0; i < p->segments; i++) {
		struct fate f = next_fate(m, p, rule, lane->nth + i, &bad);
		if (!is_plain(&f))
			return false;
	}
	return true;
}

/* The fate of the next segment of the conversation, which is passed. */
static struct fate take_fate(const struct impair *m, const struct passing *p, unsigned rule)
{
	struct flow_lane *lane = lane_of(p);
	uint32_t mask = 1u << rule;
	bool bad = lane->bad & mask;
	struct fate f = next_fate(m, p, rule, lane->nth++, &bad);

	lane->bad = bad ? lane->bad | mask : lane->bad & ~mask;
	return f;
}

static void say_losses(struct impair *m, struct passing *p, unsigned rule)
{
	char note[LOSSES_NOTE_LEN];

	if (losses_note(&p->lost, LOST, p->segments, p->tx->gso_size, rule + 1, note))
		capture_note(m->inner, p->known_as, note);
	if (losses_note(&p->over_limit, LOST_LIMIT, p->segments, p->tx->gso_size, rule + 1, note))
		capture_note(m->inner, p->known_as, note);
}

static void deal_all(struct impair *m, struct passing *p, unsigned rule)
{
	struct segmenter s;
	struct fate f;
	size_t len;

	if (p->segments == 1 || segment_begin(&s, p->tx)) {
		f = take_fate(m, p, rule);
		deal(m, p, rule, &f, whole(p));
		return;
	}
	while ((len = segment_next(&s, m->piece))) {
		p->nth++;
		f = take_fate(m, p, rule);
		deal(m, p, rule, &f, held_from_bytes(m->piece, len, FRAME_CSUM_UNVERIFIED, 0));
	}
	if (p->way == IN)
		say_losses(m, p, rule);
}

/* True: the frame passes now and whole. */
static bool meet_rule(struct impair *m, struct passing *p)
{
	int found = find_rule(m, p, p->way == OUT ? impairs_out : impairs_in);
	unsigned rule = (unsigned)found;

	if (found < 0)
		return true;
	m->stats.seen += p->segments;
	if (!stays_whole(m, p, rule)) {
		deal_all(m, p, rule);
		return false;
	}
	for (size_t i = 0; i < p->segments; i++)
		take_fate(m, p, rule);
	if (!m->spec.rule[rule].delay)
		return true;
	struct fate f = {.delay = m->spec.rule[rule].delay};
	deal(m, p, rule, &f, whole(p));
	return false;
}

/* --- step 2 --- */

/* After the faults: true when the frame goes on. */
static bool after_fault(struct impair *m, struct passing *p, bool passes, const struct fault_io *io)
{
	m->stats.faulted += !passes || io->note;
	if (p->way == IN && io->note)
		capture_note(m->inner, p->known_as, io->note);
	if (passes && !io->hold)
		return true;
	struct held *h = whole(p);
	if (!h)
		return false;
	if (passes) {
		strncpy(h->note, io->note, sizeof h->note - 1);
		hold(m, p->way, h, HELD_NO_RULE, p->now + io->hold);
		return false;
	}
	if (p->way == OUT && io->note)
		capture_show(m->inner, h->data, h->len, true, io->note, p->now);
	free(h);
	return false;
}

/* --- sending --- */

static struct fault_io fault_io(struct impair *m, nsec now)
{
	return (struct fault_io){.in = &m->queue[IN], .out = &m->queue[OUT], .now = now};
}

static void tick(struct impair *m, const struct held *h, nsec now)
{
	struct flow *f = flows_find(&m->flows, &h->key, h->ordinal);
	struct fault_io io = fault_io(m, now);

	if (f && f->rule)
		fault_tick(f, &io);
}

/* What is due leaves. */
static void release(struct impair *m, nsec now)
{
	struct tx_frame f;
	struct held *h;

	if (now < m->busy_until)
		return;
	while ((h = held_take(&m->queue[OUT], now))) {
		if (h->is_timer) {
			tick(m, h, now);
			free(h);
			continue;
		}
		held_as_tx(h, &f);
		if (h->note[0])
			capture_note_next(m->inner, h->note);
		if (m->inner->ops->send(m->inner, &f, now) == -EAGAIN) {
			m->busy_until = now + BUSY_RETRY;
			capture_note_next(m->inner, NULL);
			held_put_back(&m->queue[OUT], h);
			return;
		}
		m->stats.forged += h->rule == HELD_NO_RULE;
		if (h->rule != HELD_NO_RULE)
			m->rule[h->rule].held[OUT]--;
		free(h);
	}
}

/* 0: taken; 1: it goes to the link as it is. */
static int consider_out(struct impair *m, struct passing *p)
{
	struct fault_io io = fault_io(m, p->now);
	struct segmenter s;

	flow_look(&p->view, p->tx->head + p->tx->head_at, tx_frame_head_len(p->tx), true);
	if (!find_flow(m, p, &io))
		return 1;
	p->segments = segment_begin(&s, p->tx) ? 1 : segment_count(&s);
	if (p->flow->rule && !after_fault(m, p, fault_out(p->flow, &p->view, p->tx, &io), &io))
		return 0;
	return meet_rule(m, p);
}

static int im_send(struct link *l, const struct tx_frame *f, nsec now)
{
	struct impair *m = of(l);
	struct tx_frame copy;
	struct passing p = {.way = OUT, .now = now, .tx = &copy};

	release(m, now);
	if (!m->active && !m->queue[OUT].n)
		return m->inner->ops->send(m->inner, f, now);
	if (now < m->busy_until)
		return -EAGAIN;
	if (!m->active)
		return m->inner->ops->send(m->inner, f, now);
	copy = *f;
	uint64_t seen = m->stats.seen;
	if (!consider_out(m, &p)) {
		release(m, now);
		return 0;
	}
	int err = m->inner->ops->send(m->inner, &copy, now);
	if (err == -EAGAIN && p.flow && m->stats.seen > seen) {
		lane_of(&p)->nth -= p.segments;
		m->stats.seen = seen;
	}
	release(m, now);
	return err;
}

/* --- receiving --- */

/* The received frame as if it were to be sent, so that it can be matched and cut. */
static void as_tx(const struct impair *m, struct passing *p)
{
	const struct rx_frame *f = p->rx;
	struct flow_view *v = &p->view;
	bool tcp = v->key.protocol == IP_PROTO_TCP && v->payload && v->end <= f->len;
	size_t head = tcp ? v->payload : MIN(f->len, (size_t)ETH_HDR_LEN), len = tcp ? v->end : f->len;
	size_t wire = (size_t)m->link.info.mtu - (v->payload - ETH_HDR_LEN);

	tx_frame_init(p->tx);
	memcpy(tx_frame_push(p->tx, head), f->data, head);
	p->tx->payload[0] = (struct iovec){(void *)(f->data + head), len - head};
	p->tx->npayload = len > head;
	p->segments = 1;
	if (!tcp)
		return;
	p->tx->l4_from_end = (uint16_t)(v->payload - v->l4);
	p->tx->gso_size = f->gso_size ? f->gso_size : (uint16_t)wire;
	struct segmenter s;
	if (len - head > p->tx->gso_size && segment_begin(&s, p->tx) == 0)
		p->segments = segment_count(&s);
	else
		p->tx->gso_size = 0;
}

/* True: *f, perhaps changed, is handed on now. */
static bool consider_in(struct impair *m, struct rx_frame *f, nsec now)
{
	struct fault_io io = fault_io(m, now);
	struct tx_frame tx;
	struct passing p = {.way = IN, .now = now, .rx = f, .tx = &tx, .known_as = f->data};

	f->stays = 0; /* others may be received, and this one kept, before it is handed on */
	flow_look(&p.view, f->data, f->len, false);
	as_tx(m, &p);
	if (!find_flow(m, &p, &io))
		return true;
	if (p.flow->rule && p.view.end <= f->len && f->len <= sizeof m->frame) {
		memcpy(m->frame, f->data, f->len);
		size_t len = f->len;
		bool passes = fault_in(p.flow, &p.view, m->frame, &len, &io);
		if (passes && (len != f->len || io.note)) {
			f->data = m->frame;
			f->csum = len != f->len ? FRAME_CSUM_UNVERIFIED : f->csum;
			f->len = len;
			as_tx(m, &p);
		}
		if (!after_fault(m, &p, passes, &io))
			return false;
	}
	return meet_rule(m, &p);
}

/* A held frame that is due. */
static bool give_held(struct impair *m, struct rx_frame *f, nsec now)
{
	struct held *h = held_take(&m->queue[IN], now);

	free(m->given);
	m->given = h;
	if (!h)
		return false;
	if (h->rule != HELD_NO_RULE)
		m->rule[h->rule].held[IN]--;
	else if (strncmp(h->note, "forged", 6) == 0) {
		m->stats.forged++;
		capture_show(m->inner, h->data, h->len, false, h->note, now);
	}
	*f = (struct rx_frame){
		.data = h->data, .len = h->len, .gso_size = h->gso_size, .csum = h->csum, .arrival = now};
	return true;
}

static int im_recv(struct link *l, struct rx_frame *f, nsec now)
{
	struct impair *m = of(l);

	for (;;) {
		if ((m->active || m->queue[IN].n || m->given) && give_held(m, f, now))
			return 1;
		int n = m->inner->ops->recv(m->inner, f, now);
		if (n <= 0 || !m->active || consider_in(m, f, now))
			return n;
	}
}

/* --- the rest of a link --- */

static int im_fd(struct link *l)
{
	return of(l)->inner->ops->fd(of(l)->inner);
}

static nsec im_deadline(const struct link *l)
{
	const struct impair *m = of(l);
	nsec out = held_next(&m->queue[OUT]), inner = m->inner->ops->deadline(m->inner);

	if (out != NSEC_NEVER)
		out = nsec_max(out, m->busy_until);
	return nsec_min(inner, nsec_min(out, held_next(&m->queue[IN])));
}

static void im_poll(struct link *l, nsec now)
{
	struct impair *m = of(l);

	m->inner->ops->poll(m->inner, now);
	release(m, now);
}

static bool im_hold_datagrams(struct link *l, bool on)
{
	struct link *inner = of(l)->inner;

	return inner->ops->hold_datagrams && inner->ops->hold_datagrams(inner, on);
}

static void im_stats(struct link *l, struct link_stats *out)
{
	of(l)->inner->ops->stats(of(l)->inner, out);
}

static void forget(struct impair *m)
{
	for (unsigned i = 0; i < m->spec.n; i++)
		filter_free(&m->rule[i].filter);
	memset(m->rule, 0, sizeof m->rule);
	flows_clear(&m->flows);
	m->spec.n = 0;
	m->active = false;
}

static void im_close(struct link *l)
{
	struct impair *m = of(l);

	forget(m);
	held_clear(&m->queue[IN]);
	held_clear(&m->queue[OUT]);
	free(m->given);
	m->inner->ops->close(m->inner);
	free(m);
}

struct link *impair_wrap(struct link *inner)
{
	static const struct link_ops ops = {.name = "impair",
		.fd = im_fd,
		.recv = im_recv,
		.send = im_send,
		.deadline = im_deadline,
		.poll = im_poll,
		.hold_datagrams = im_hold_datagrams,
		.stats = im_stats,
		.close = im_close};
	struct impair *m = calloc(1, sizeof *m);

	if (!m) {
		inner->ops->close(inner);
		return NULL;
	}
	m->link.ops = &ops;
	m->link.info = inner->info;
	m->inner = inner;
	flows_init(&m->flows);
	return &m->link;
}

/* Everything held is due now, and nobody's. */
static void let_go(struct held_queue *q)
{
	struct held_queue due = {.order = q->order};
	struct held *h;

	while ((h = held_take(q, NSEC_NEVER))) {
		h->rule = HELD_NO_RULE;
		if (h->is_timer)
			free(h);
		else
			held_put(&due, h, 0);
	}
	held_clear(q);
	*q = due;
}

int impair_set(struct link *l, const struct impairment *spec, uint64_t seed,
	char error[static FILTER_ERROR_LEN])
{
	struct filter filter[IMPAIR_RULES_MAX] = {{0}};
	struct impair *m = of(l);
	unsigned n = spec ? spec->n : 0;
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++)
		err = filter_compile(&filter[i], spec->rule[i].match, error);
	if (err) {
		for (unsigned i = 0; i < n; i++)
			filter_free(&filter[i]);
		return err;
	}
	let_go(&m->queue[IN]);
	let_go(&m->queue[OUT]);
	forget(m);
	if (!n)
		return 0;
	m->spec = *spec;
	m->seed = seed;
	for (unsigned i = 0; i < n; i++)
		m->rule[i].filter = filter[i];
	m->active = true;
	return 0;
}

void impair_stats(const struct link *l, struct impair_stats *out)
{
	*out = of(l)->stats;
}
