#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/link/segment.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"

enum { MTU = 1500, FRAME_MAX = MTU + ETH_HDR_LEN, PORT = 80 };

struct flight {
	struct list link;
	nsec at;
	unsigned to;
	size_t len;
	uint8_t data[FRAME_MAX];
};

uint64_t sim_random(struct sim *s)
{
	/* splitmix64 */
	uint64_t z = (s->random += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static bool chance(struct sim *s, uint32_t per_65536)
{
	return per_65536 && (sim_random(s) & 0xffff) < per_65536;
}

static void fly(struct sim *s, unsigned to, const uint8_t *data, size_t len, nsec at)
{
	struct flight *f = malloc(sizeof *f);

	f->at = at;
	f->to = to;
	f->len = len;
	memcpy(f->data, data, len);
	list_init(&f->link);
	struct list *before = s->flying.prev;
	while (before != &s->flying && LIST_ENTRY(before, struct flight, link)->at > at)
		before = before->prev;
	list_prepend(before, &f->link);
}

static bool is_tcp(const uint8_t *data, size_t len)
{
	return len > ETH_HDR_LEN + 9 && get_be16(data + 12) == ETH_TYPE_IPV4 &&
	       data[ETH_HDR_LEN + 9] == IP_PROTO_TCP;
}

static bool is_lost(struct sim_side *side, bool tcp)
{
	struct sim *s = side->sim;
	const struct sim_wire *w = &side->wire;

	if (tcp && side->tcp_frames <= 64 && (w->loss_mask >> (side->tcp_frames - 1) & 1))
		return true;
	if (chance(s, side->bad ? w->burst_end : w->burst_begin))
		side->bad = !side->bad;
	return side->bad || chance(s, w->loss);
}

static void put_on_wire(struct sim_side *side, uint8_t *data, size_t len, nsec now)
{
	struct sim *s = side->sim;
	const struct sim_wire *w = &side->wire;
	bool tcp = is_tcp(data, len);

	for (size_t i = 0; i < len; i++) /* FNV-1a */
		s->digest = (s->digest ^ data[i]) * UINT64_C(0x100000001b3);
	s->digest = (s->digest ^ (uint64_t)now) * UINT64_C(0x100000001b3);
	side->frames++;
	side->bytes += len;
	side->tcp_frames += tcp;
	if (is_lost(side, tcp) || (w->mtu && len - ETH_HDR_LEN > w->mtu)) {
		side->dropped++;
		return;
	}
	nsec at = now;
	if (w->rate) {
		nsec start = nsec_max(now, side->free_at);
		if (w->queue && (uint64_t)(start - now) * w->rate / 8 / SEC + len > w->queue) {
			side->dropped++;
			return;
		}
		side->free_at = start + (nsec)(len * 8 * SEC / w->rate);
		at = side->free_at;
	}
	if (!chance(s, w->overtake))
		at += w->delay + (w->jitter ? (nsec)(sim_random(s) % (uint64_t)w->jitter) : 0);
	if (chance(s, w->reorder))
		at += w->reorder_delay;
	if (chance(s, w->corrupt)) {
		uint64_t bit = sim_random(s) % ((len - ETH_HDR_LEN) * 8);
		data[ETH_HDR_LEN + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	fly(s, 1 - side->index, data, len, at);
	if (chance(s, w->duplicate))
		fly(s, 1 - side->index, data, len, at);
}

static int emit(void *ctx, const struct tx_frame *f, nsec now)
{
	struct sim_side *side = ctx;
	struct segmenter seg;
	uint8_t out[FRAME_MAX];
	size_t len;

	if (segment_begin(&seg, f) || segment_frame_max(&seg) > sizeof out) {
		fprintf(stderr, "sim: a frame that cannot be cut, or above the MTU\n");
		abort();
	}
	while ((len = segment_next(&seg, out)))
		put_on_wire(side, out, len, now);
	return 0;
}

void sim_init(struct sim *s, uint64_t seed, uint32_t gso_max)
{
	static const struct stack_ops ops = {.emit = emit};

	memset(s, 0, sizeof *s);
	s->seed = s->random = seed;
	s->now = 1 * SEC;
	list_init(&s->flying);
	for (unsigned i = 0; i < 2; i++) {
		struct sim_side *side = &s->side[i];
		struct stack_config config = {
			.mac = {{2, 0, 0, 0, 0, (uint8_t)(i + 1)}}, .mtu = MTU, .gso_max = gso_max};
		struct ipnet net = {sim_endpoint(i, 0).addr, 96 + 24};
		for (unsigned k = 0; k < sizeof config.secret; k++)
			config.secret[k] = (uint8_t)sim_random(s);
		side->sim = s;
		side->index = i;
		side->stack = stack_new(&config, &ops, side, s->now);
		stack_claim(side->stack, &net, PROBE_NONE, s->now);
	}
}

void sim_free(struct sim *s)
{
	stack_free(s->side[0].stack);
	stack_free(s->side[1].stack);
	LIST_FOR_EACH (link, &s->flying) {
		list_remove(link);
		free(LIST_ENTRY(link, struct flight, link));
	}
	if (s->paid != s->lent) {
		fprintf(stderr, "sim: %llu loans, and %llu have ended\n",
			(unsigned long long)s->lent, (unsigned long long)s->paid);
		abort();
	}
}

struct endpoint sim_endpoint(unsigned side, uint16_t port)
{
	return (struct endpoint){ipaddr_v4(0x0a000001 + side), port};
}

void sim_poll(struct sim *s)
{
	stack_poll(s->side[0].stack, s->now);
	stack_poll(s->side[1].stack, s->now);
}

static struct flight *first_flight(const struct sim *s)
{
	struct list *first = list_first(&s->flying);

	return first ? LIST_ENTRY(first, struct flight, link) : NULL;
}

/* One frame, or the batch that the first one began; the frames stay until all have been received. */
static void land(struct sim *s)
{
	struct flight *f = first_flight(s);
	struct list landed;

	list_init(&landed);
	do {
		struct rx_frame rx = {.data = f->data, .len = f->len, .arrival = s->now};

		rx.stays = s->batch ? UINT8_MAX : 0;
		list_remove(&f->link);
		list_append(&landed, &f->link);
		stack_input(s->side[f->to].stack, &rx, s->now);
	} while (s->batch && (f = first_flight(s)) && f->at <= s->now);
	for (int i = 0; i < 2; i++)
		stack_input_end(s->side[i].stack, s->now);
	LIST_FOR_EACH (link, &landed) {
		list_remove(link);
		free(LIST_ENTRY(link, struct flight, link));
	}
}

bool sim_step(struct sim *s, nsec until)
{
	const struct flight *first = first_flight(s);
	nsec landing = first ? first->at + s->batch : NSEC_NEVER, next = landing;

	for (int i = 0; i < 2; i++)
		next = nsec_min(next, stack_deadline(s->side[i].stack));
	if (next > until)
		return false;
	s->now = nsec_max(s->now, next);
	s->steps++;
	if (landing <= s->now)
		land(s);
	sim_poll(s);
	if (s->check)
		s->check(s, s->check_ctx);
	return true;
}

/* --- the transfer --- */

/*
 * Byte n of a direction: a pattern with no short period, so that a shifted or repeated piece shows.
 */
static uint8_t pattern(unsigned side, uint64_t n)
{
	return (uint8_t)((n * 0x9e3779b97f4a7c15 >> 56) ^ (n >> 8) ^ side * 0x5a);
}

struct lent {
	struct sim *sim;
	uint32_t len;
	uint8_t bytes[];
};

/* What is read of it from now on is wrong. */
static void take_back(void *ctx, const uint8_t *data)
{
	struct lent *l = ctx;

	if (data < l->bytes || data >= l->bytes + l->len) {
		fprintf(stderr, "sim: a loan ended that was none\n");
		abort();
	}
	l->sim->paid++;
	memset(l->bytes, 0xee, l->len);
	free(l);
}

/* Loans and what is between them have a dice of their own: the wire does not depend on them. */
static uint32_t roll(const struct sim *s, const struct sim_flow *f, unsigned i)
{
	struct sim dice = {.random = s->seed ^ f->sent[i] << 1 ^ i};

	return (uint32_t)sim_random(&dice);
}

/* 0: no room. */
static size_t lend(struct sim *s, struct sim_flow *f, unsigned i, size_t len)
{
	struct lent *l = malloc(sizeof *l + len);

	*l = (struct lent){.sim = s, .len = (uint32_t)len};
	for (size_t b = 0; b < len; b++)
		l->bytes[b] = pattern(i, f->sent[i] + b);
	if (!tcp_send_lend(f->conn[i], &(struct loan){l->bytes, l->len, take_back, l})) {
		free(l);
		return 0;
	}
	s->lent++;
	return len;
}

/* 0: no room. */
static size_t copy(struct sim *s, struct sim_flow *f, unsigned i, size_t len)
{
	struct iovec iov[2];
	int n = tcp_send_room(f->conn[i], len, iov);
	size_t total = 0;

	for (int k = 0; k < n; k++) {
		uint8_t *p = iov[k].iov_base;
		for (size_t b = 0; b < iov[k].iov_len; b++)
			p[b] = pattern(i, f->sent[i] + total + b);
		total += iov[k].iov_len;
	}
	if (total > 0)
		tcp_send_commit(f->conn[i], total, s->now);
	return total;
}

/* One write of the program; 0: no room. */
static size_t put(struct sim *s, struct sim_flow *f, unsigned i)
{
	uint64_t left = f->to_send[i] - f->sent[i];
	size_t most = left < 65536 ? left : 65536;

	if (!f->lends)
		return copy(s, f, i, most);
	uint32_t dice = roll(s, f, i);
	if ((dice & 0xffff) >= f->lends || left < LOAN_MIN)
		return copy(s, f, i, MIN(most, 1 + (size_t)(dice >> 16) % 4096));
	return lend(s, f, i, LOAN_MIN + (dice >> 16) % (most - LOAN_MIN + 1));
}

static void fill(struct sim *s, struct sim_flow *f, unsigned i)
{
	while (f->sent[i] < f->to_send[i]) {
		size_t n = put(s, f, i);
		if (n == 0)
			return;
		f->sent[i] += n;
	}
	if (!f->closed[i]) {
		f->closed[i] = true;
		tcp_shutdown(f->conn[i], s->now);
	}
}

static void drain(struct sim *s, struct sim_flow *f, unsigned i)
{
	struct tcp *t = f->conn[i];
	struct iovec iov[2];
	int n = tcp_recv_peek(t, iov);
	size_t total = 0, most = SIZE_MAX;

	if (f->reader_rate && i == 1)
		most = (size_t)((uint64_t)(s->now - f->began_at) / MSEC * f->reader_rate -
				f->received[i]);
	for (int k = 0; k < n; k++) {
		const uint8_t *p = iov[k].iov_base;
		iov[k].iov_len = MIN(iov[k].iov_len, most - total);
		for (size_t b = 0; b < iov[k].iov_len; b++)
			f->wrong |= p[b] != pattern(1 - i, f->received[i] + total + b);
		total += iov[k].iov_len;
	}
	tcp_recv_consume(t, total, s->now);
	f->received[i] += total;
	f->eof[i] |= tcp_recv_eof(t);
}

static void handle(struct sim *s, struct sim_flow *f, struct tcp *t, unsigned events)
{
	if (t == f->listener) {
		struct tcp *c = tcp_accept(t);
		if (c)
			f->conn[1] = c;
		t = c;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (!t || t != f->conn[i])
			continue;
		drain(s, f, i);
		if (events & TCP_EV_CLOSED)
			f->error[i] = tcp_error(t);
		else if (tcp_state(t) >= TCPS_ESTABLISHED)
			fill(s, f, i);
	}
}

static void pump(struct sim *s, struct sim_flow *f)
{
	for (unsigned i = 0; i < 2; i++) {
		struct tcp *t;
		unsigned events;
		bool any = false;
		while ((t = stack_next_event(s->side[i].stack, &events))) {
			handle(s, f, t, events);
			any = true;
		}
		if (any)
			stack_poll(s->side[i].stack, s->now);
	}
}

static bool is_done(const struct sim_flow *f)
{
	return (f->eof[0] || f->error[0]) && (f->eof[1] || f->error[1]);
}

bool sim_run_flow(struct sim *s, struct sim_flow *f, nsec limit)
{
	struct endpoint server = sim_endpoint(1, PORT);
	nsec until = s->now + limit;

	f->began_at = s->now;
	f->listener = tcp_new(s->side[1].stack, NULL);
	tcp_set_option(f->listener, TCP_OPT_REUSEADDR, 1, s->now);
	tcp_bind(f->listener, &server);
	tcp_listen(f->listener, 8, s->now);
	f->conn[0] = tcp_new(s->side[0].stack, NULL);
	tcp_connect(f->conn[0], &server, s->now);
	sim_poll(s);
	while (!is_done(f) && !f->error[0] && s->now < until) {
		/* A slow reader looks every 10 ms, whether something happens or not. */
		nsec look = f->reader_rate && f->conn[1] ? s->now + 10 * MSEC : until;
		if (!sim_step(s, nsec_min(look, until))) {
			s->now = nsec_min(look, until);
			if (f->reader_rate && f->conn[1])
				drain(s, f, 1);
			sim_poll(s);
		}
		pump(s, f);
	}
	f->finished_at = s->now;
	for (unsigned i = 0; i < 2; i++) {
		if (f->conn[i])
			tcp_close(f->conn[i], s->now);
	}
	tcp_close(f->listener, s->now);
	sim_poll(s);
	return !f->wrong && f->received[1] == f->to_send[0] && f->received[0] == f->to_send[1] &&
	       f->eof[0] && f->eof[1];
}
