/*
 * Impairment in virtual time: probabilities, rates and delays as they were asked for, and the same
 * fate for the same segment whatever else happens.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/ipc/impair_spec.h"
#include "core/link/capture.h"
#include "core/link/flow.h"
#include "core/link/impair.h"
#include "core/wire/tcphdr.h"
#include "tests/unit/wire_link.h"

enum { PACKETS = 100000, MSS = 1000, FRAME_LEN = 54 + MSS };

struct bench {
	struct wire_link *wire;
	struct link *link;
	nsec now;
};

static struct bench bench(const char *spec, uint64_t seed)
{
	struct bench b = {.wire = wire_link_new(), .now = SEC};
	struct impairment rules;
	char error[IMPAIR_ERROR_LEN];

	b.link = impair_wrap(capture_wrap(&b.wire->link));
	if (impair_parse(&rules, spec, error))
		fail_msg("%s", error);
	assert_int_equal(impair_set(b.link, &rules, seed, error), 0);
	return b;
}

static void end(struct bench *b)
{
	b->link->ops->close(b->link);
}

/* Everything that is due up to `until` leaves at its time. */
static void advance(struct bench *b, nsec until)
{
	for (nsec at; (at = b->link->ops->deadline(b->link)) <= until;) {
		b->now = nsec_max(b->now, at);
		b->link->ops->poll(b->link, b->now);
	}
	b->now = until;
}

static void send_segment(struct bench *b, uint32_t seq, size_t len, uint16_t gso)
{
	struct tx_frame f;

	wire_tcp(&f, TH_ACK, seq, 1, len, gso);
	assert_int_equal(b->link->ops->send(b->link, &f, b->now), 0);
}

/* One segment per `gap`, PACKETS in all, and time for the last. */
static void send_many(struct bench *b, nsec gap)
{
	for (uint32_t i = 0; i < PACKETS; i++) {
		send_segment(b, i * MSS, MSS, 0);
		advance(b, b->now + gap);
	}
	advance(b, b->now + 1000 * SEC);
}

/* Within four standard deviations; `spread` is how much the variance exceeds the binomial's. */
static void assert_share(uint64_t n, double p, double spread)
{
	double mean = PACKETS * p, distance = (double)n - mean;

	if (distance * distance > 16 * mean * (1 - p) * spread)
		fail_msg("%llu of %d, expected %.0f", (unsigned long long)n, PACKETS, mean);
}

static void each_probability_is_met(void **state)
{
	static const struct {
		const char *spec;
		size_t at; /* in struct impair_stats */
		double p, spread;
	} t[] = {
		{"loss=2%", offsetof(struct impair_stats, lost), 0.02, 1},
		{"loss=50%", offsetof(struct impair_stats, lost), 0.5, 1},
		{"loss=0.1%", offsetof(struct impair_stats, lost), 0.001, 1},
		{"duplicate=1%", offsetof(struct impair_stats, duplicated), 0.01, 1},
		{"corrupt=0.5%", offsetof(struct impair_stats, corrupted), 0.005, 1},
		{"delay=1ms reorder=25%", offsetof(struct impair_stats, reordered), 0.25, 1},
		/* The chain's memory, 1 - p - r = 0.89, multiplies the variance by (1+m)/(1-m). */
		{"gemodel=1%/10%", offsetof(struct impair_stats, lost), 1.0 / 11, 1.89 / 0.11},
		{"gemodel=5%/20%/50%/1%", offsetof(struct impair_stats, lost), 0.2 * 0.5 + 0.8 * 0.01,
			1.75 / 0.25},
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct bench b = bench(t[i].spec, 7 + i);
		struct impair_stats s;

		send_many(&b, 10 * USEC);
		impair_stats(b.link, &s);
		assert_int_equal(s.seen, PACKETS);
		assert_share(*(uint64_t *)((char *)&s + t[i].at), t[i].p, t[i].spread);
		assert_int_equal(b.wire->nsent, PACKETS - s.lost + s.duplicated);
		end(&b);
	}
}

static void losses_come_in_bursts(void **state)
{
	struct bench b = bench("gemodel=1%/10%", 3);
	size_t runs = 0, lost = 0;
	uint32_t expected = 0;

	send_many(&b, USEC);
	for (size_t i = 0; i < b.wire->nsent; i++) {
		uint32_t gap = (wire_seq(&b.wire->sent[i]) - expected) / MSS;
		runs += gap > 0;
		lost += gap;
		expected = wire_seq(&b.wire->sent[i]) + MSS;
	}
	/* A stay in the bad state lasts 1/r = 10 segments; geometric, about 900 of them. */
	double mean = (double)lost / (double)runs;
	assert_true(mean > 8.7 && mean < 11.3);
	end(&b);
}

static void a_rate_is_kept(void **state)
{
	struct bench b = bench("rate=10mbit limit=1000000", 1);

	for (uint32_t i = 0; i < 5000; i++)
		send_segment(&b, i * MSS, MSS, 0);
	nsec began = b.now;
	advance(&b, b.now + 100 * SEC);
	assert_int_equal(b.wire->nsent, 5000);
	double took = (double)(b.wire->sent[4999].at - began) / SEC;
	double rate = 5000.0 * FRAME_LEN * 8 / took;
	assert_true(rate > 9.8e6 && rate < 10.2e6);
	end(&b);
}

/* The delay of each segment, in the order of their sequence numbers; gap between them. */
static nsec *delays(struct bench *b, nsec gap)
{
	nsec *d = calloc(PACKETS, sizeof *d), began = b->now;

	send_many(b, gap);
	assert_int_equal(b->wire->nsent, PACKETS);
	for (size_t i = 0; i < PACKETS; i++) {
		uint32_t nth = wire_seq(&b->wire->sent[i]) / MSS;
		d[nth] = b->wire->sent[i].at - (began + nth * gap);
	}
	return d;
}

static void a_delay_is_exact(void **state)
{
	struct bench b = bench("delay=20ms", 1);
	nsec *d = delays(&b, 10 * USEC);

	for (size_t i = 0; i < PACKETS; i++)
		assert_int_equal(d[i], 20 * MSEC);
	free(d);
	end(&b);
}

static void jitter_has_the_asked_mean_and_spread(void **state)
{
	static const struct {
		const char *spec;
		double variance; /* of the jitter, 1: as asked */
	} t[] = {
		{"delay=20ms jitter=5ms distribution=normal", 1},
		{"delay=20ms jitter=5ms", 1.0 / 3},
		{"delay=20ms jitter=5ms distribution=pareto", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct bench b = bench(t[i].spec, 11 + i);
		nsec *d = delays(&b, 10 * USEC);
		double sum = 0, squares = 0;

		for (size_t k = 0; k < PACKETS; k++) {
			double ms = (double)d[k] / MSEC - 20;
			sum += ms;
			squares += ms * ms;
		}
		double mean = sum / PACKETS, variance = squares / PACKETS - mean * mean;
		assert_true(mean > -0.4 && mean < 0.4); /* 2 % of the delay */
		if (t[i].variance > 0)
			assert_true(variance > 25 * t[i].variance * 0.95 &&
				    variance < 25 * t[i].variance * 1.05);
		free(d);
		end(&b);
	}
}

static void pareto_has_a_long_tail_on_one_side(void **state)
{
	struct bench b = bench("delay=20ms jitter=5ms distribution=pareto", 5);
	nsec *d = delays(&b, 10 * USEC);
	size_t early = 0, late = 0;

	for (size_t i = 0; i < PACKETS; i++) {
		early += d[i] < 10 * MSEC;
		late += d[i] > 40 * MSEC;
	}
	/* P(x > 4 deviations) = (4 * 0.866 + 1.5)^-3 = 0.82 % */
	assert_int_equal(early, 0);
	assert_share(late, 0.0082, 1.2);
	free(d);
	end(&b);
}

static void a_rate_with_jitter_keeps_the_order(void **state)
{
	struct bench b = bench("rate=100mbit delay=5ms jitter=5ms", 1);

	for (uint32_t i = 0; i < 3000; i++) {
		send_segment(&b, i * MSS, MSS, 0);
		advance(&b, b.now + 100 * USEC);
	}
	advance(&b, b.now + 10 * SEC);
	assert_int_equal(b.wire->nsent, 3000);
	for (uint32_t i = 0; i < 3000; i++)
		assert_int_equal(wire_seq(&b.wire->sent[i]), i * MSS);
	end(&b);
}

static void more_than_the_limit_is_lost(void **state)
{
	struct bench b = bench("delay=1s limit=10", 1);
	struct impair_stats s;

	for (uint32_t i = 0; i < 25; i++)
		send_segment(&b, i * MSS, MSS, 0);
	impair_stats(b.link, &s);
	assert_int_equal(s.over_limit, 15);
	advance(&b, b.now + 2 * SEC);
	assert_int_equal(b.wire->nsent, 10);
	end(&b);
}

static void slots_gather_frames(void **state)
{
	struct bench b = bench("slot=10ms", 1);
	unsigned times = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		send_segment(&b, i * MSS, MSS, 0);
		advance(&b, b.now + 100 * USEC);
	}
	advance(&b, b.now + SEC);
	assert_int_equal(b.wire->nsent, 1000);
	for (size_t i = 1; i < 1000; i++)
		times += b.wire->sent[i].at != b.wire->sent[i - 1].at;
	assert_in_range(times, 9, 11);
	end(&b);
}

static bool same_wire(const struct wire_link *a, const struct wire_link *b)
{
	if (a->nsent != b->nsent)
		return false;
	for (size_t i = 0; i < a->nsent; i++)
		if (a->sent[i].at != b->sent[i].at || a->sent[i].len != b->sent[i].len ||
			memcmp(a->sent[i].data, b->sent[i].data, a->sent[i].len) != 0)
			return false;
	return true;
}

static void the_same_seed_does_the_same_to_the_byte(void **state)
{
	static const char spec[] = "delay=10ms jitter=3ms distribution=normal loss=3% duplicate=2% "
				   "corrupt=1% reorder=5%";
	struct bench a = bench(spec, 42), b = bench(spec, 42), c = bench(spec, 43);

	send_many(&a, 7 * USEC);
	send_many(&b, 7 * USEC);
	send_many(&c, 7 * USEC);
	assert_true(same_wire(a.wire, b.wire));
	assert_false(same_wire(a.wire, c.wire));
	end(&a);
	end(&b);
	end(&c);
}

/* Which of five data segments are lost, as bits, with so many bare ACKs among them. */
static unsigned lost_among(unsigned acks, unsigned strays)
{
	struct bench b = bench("loss=40%", 7);
	unsigned lost = 0;

	for (unsigned i = 0; i < strays; i++) {
		struct tx_frame f;
		wire_tcp(&f, TH_ACK, i, 1, 0, 0);
		f.head[f.head_at + 14 + 20] ^= (uint8_t)(i + 1); /* another source port */
		assert_int_equal(b.link->ops->send(b.link, &f, b.now), 0);
	}
	struct tx_frame syn;
	wire_tcp(&syn, TH_SYN, UINT32_MAX, 0, 0, 0);
	assert_int_equal(b.link->ops->send(b.link, &syn, b.now), 0);
	for (uint32_t i = 0; i < 5; i++) {
		for (unsigned k = 0; k < acks; k++)
			send_segment(&b, i * MSS, 0, 0);
		unsigned before = b.wire->nsent;
		send_segment(&b, i * MSS, MSS, 0);
		lost |= (b.wire->nsent == before) << i;
	}
	end(&b);
	return lost;
}

static void the_number_of_acks_and_strays_changes_no_fate_of_data(void **state)
{
	unsigned lost = lost_among(0, 0);

	assert_int_not_equal(lost, 0);
	assert_int_not_equal(lost, 31);
	assert_int_equal(lost_among(1, 0), lost);
	assert_int_equal(lost_among(3, 0), lost);
	assert_int_equal(lost_among(0, 1), lost);
	assert_int_equal(lost_among(2, 3), lost);
}

static void super_segments_do_not_change_fates(void **state)
{
	struct bench a = bench("loss=5% duplicate=3% corrupt=1%", 9), b = bench("loss=5% duplicate=3% corrupt=1%", 9);

	for (uint32_t i = 0; i < 4000; i++)
		send_segment(&a, i * MSS, MSS, 0);
	for (uint32_t i = 0; i < 4000; i += 40)
		send_segment(&b, i * MSS, 40 * MSS, MSS);
	assert_int_equal(a.wire->nsent, b.wire->nsent);
	for (size_t i = 0; i < a.wire->nsent; i++)
		assert_int_equal(wire_seq(&a.wire->sent[i]), wire_seq(&b.wire->sent[i]));
	end(&a);
	end(&b);
}

static void a_super_segment_to_which_nothing_happens_stays_whole(void **state)
{
	struct bench b = bench("match='tcp port 81' loss=100%", 1);
	struct impair_stats s;

	send_segment(&b, 0, 40 * MSS, MSS);
	impair_stats(b.link, &s);
	assert_int_equal(s.seen, 0);
	assert_int_equal(b.wire->nsent, 40);
	end(&b);
}

static void the_first_rule_that_matches_decides(void **state)
{
	struct bench b = bench("in loss=100%; match='tcp port 80' delay=1ms; loss=100%", 1);

	send_segment(&b, 0, MSS, 0);
	assert_int_equal(b.wire->nsent, 0);
	advance(&b, b.now + MSEC);
	assert_int_equal(b.wire->nsent, 1);
	end(&b);
}

static void a_full_link_is_the_stacks_to_deal_with_and_changes_no_fate(void **state)
{
	struct bench a = bench("loss=20%", 4), b = bench("loss=20%", 4);
	struct tx_frame f;

	for (uint32_t i = 0; i < 500; i++) {
		send_segment(&a, i * MSS, MSS, 0);
		wire_tcp(&f, TH_ACK, i * MSS, 1, MSS, 0);
		b.wire->is_full = true;
		int err = b.link->ops->send(b.link, &f, b.now);
		b.wire->is_full = false;
		/* 0: it was to be lost anyway. */
		if (err)
			assert_int_equal(b.link->ops->send(b.link, &f, b.now), 0);
	}
	assert_true(same_wire(a.wire, b.wire));
	end(&a);
	end(&b);
}

static void a_held_frame_waits_for_a_full_link(void **state)
{
	struct bench b = bench("delay=1ms", 4);

	send_segment(&b, 0, MSS, 0);
	b.wire->is_full = true;
	b.now += MSEC;
	b.link->ops->poll(b.link, b.now);
	assert_int_equal(b.wire->nsent, 0);
	assert_true(b.link->ops->deadline(b.link) > b.now);
	b.wire->is_full = false;
	advance(&b, b.now + MSEC);
	assert_int_equal(b.wire->nsent, 1);
	end(&b);
}

static size_t receive_all(struct bench *b, size_t *bytes)
{
	struct rx_frame f;
	size_t n = 0;

	while (b->link->ops->recv(b->link, &f, b->now) > 0) {
		struct flow_view v;

		flow_look(&v, f.data, f.len, false);
		assert_true(flow_csum_is_right(&v, f.data));
		*bytes += v.end - v.payload;
		n++;
	}
	return n;
}

static void a_received_super_segment_is_cut_when_a_part_is_lost(void **state)
{
	struct bench b = bench("in loss=10%", 2);
	uint8_t frame[WIRE_FRAME_MAX];
	size_t bytes = 0, frames = 0;
	struct impair_stats s;

	for (uint32_t i = 0; i < 100; i++) {
		wire_link_receive(b.wire, frame, wire_tcp_back(frame, TH_ACK, i * 14600, 1, 14600));
		frames += receive_all(&b, &bytes);
	}
	impair_stats(b.link, &s);
	assert_int_equal(s.seen, 1000);
	assert_int_equal(bytes, (1000 - s.lost) * 1460);
	assert_true(s.lost > 62 && s.lost < 138);
	assert_true(frames < 1000);
	end(&b);
}

static void a_reset_cuts_what_is_sent_at_its_very_byte(void **state)
{
	struct bench b = bench("out reset@20000", 1);
	uint8_t frame[WIRE_FRAME_MAX];
	size_t bytes = 0;
	struct tx_frame f;

	wire_tcp(&f, TH_SYN, 99, 0, 0, 0);
	assert_int_equal(b.link->ops->send(b.link, &f, b.now), 0);
	wire_link_receive(b.wire, frame, wire_tcp_back(frame, TH_SYN | TH_ACK, 0, 100, 0));
	receive_all(&b, &bytes);
	for (uint32_t i = 0; i < 4; i++)
		send_segment(&b, 100 + i * 8 * MSS, (size_t)8 * MSS, MSS);
	bytes = 0;
	for (size_t i = 1; i < b.wire->nsent; i++) {
		struct flow_view v;

		flow_look(&v, b.wire->sent[i].data, b.wire->sent[i].len, true);
		assert_true(flow_csum_is_right(&v, b.wire->sent[i].data) ||
			    flow_csum_is_partial(&v, b.wire->sent[i].data));
		bytes += v.end - v.payload;
	}
	assert_int_equal(bytes, 20000);
	/* The peer has it all: both ends are reset, with numbers that fit. */
	wire_link_receive(b.wire, frame, wire_tcp_back(frame, TH_ACK, 1, 100 + 20000, 0));
	receive_all(&b, &bytes);
	b.link->ops->poll(b.link, b.now);
	struct flow_view v;
	const struct wire_frame *last = &b.wire->sent[b.wire->nsent - 1];
	flow_look(&v, last->data, last->len, true);
	assert_true(v.flags & TH_RST);
	assert_int_equal(v.seq.v, 100 + 20000);
	end(&b);
}

static void what_is_held_leaves_when_the_rules_do(void **state)
{
	struct bench b = bench("delay=10s", 1);
	char error[FILTER_ERROR_LEN];

	send_segment(&b, 0, MSS, 0);
	assert_int_equal(impair_set(b.link, NULL, 0, error), 0);
	b.link->ops->poll(b.link, b.now);
	assert_int_equal(b.wire->nsent, 1);
	send_segment(&b, MSS, MSS, 0);
	assert_int_equal(b.wire->nsent, 2);
	end(&b);
}

static void a_corrupt_frame_never_passes_for_a_whole_one(void **state)
{
	struct bench b = bench("corrupt=100%", 1);
	struct flow_view v;

	for (uint32_t i = 0; i < 20000; i++)
		send_segment(&b, i * MSS, MSS, 0);
	for (size_t i = 0; i < b.wire->nsent; i++) {
		const struct wire_frame *f = &b.wire->sent[i];
		flow_look(&v, f->data, f->len, true);
		/* Where the addresses, lengths and checksum still say TCP, it must show. */
		if (v.payload && v.end == f->len)
			assert_false(flow_csum_is_partial(&v, f->data));
	}
	end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_probability_is_met),
		cmocka_unit_test(losses_come_in_bursts),
		cmocka_unit_test(a_rate_is_kept),
		cmocka_unit_test(a_delay_is_exact),
		cmocka_unit_test(jitter_has_the_asked_mean_and_spread),
		cmocka_unit_test(pareto_has_a_long_tail_on_one_side),
		cmocka_unit_test(a_rate_with_jitter_keeps_the_order),
		cmocka_unit_test(more_than_the_limit_is_lost),
		cmocka_unit_test(slots_gather_frames),
		cmocka_unit_test(the_same_seed_does_the_same_to_the_byte),
		cmocka_unit_test(super_segments_do_not_change_fates),
		cmocka_unit_test(the_number_of_acks_and_strays_changes_no_fate_of_data),
		cmocka_unit_test(a_super_segment_to_which_nothing_happens_stays_whole),
		cmocka_unit_test(the_first_rule_that_matches_decides),
		cmocka_unit_test(a_full_link_is_the_stacks_to_deal_with_and_changes_no_fate),
		cmocka_unit_test(a_held_frame_waits_for_a_full_link),
		cmocka_unit_test(a_received_super_segment_is_cut_when_a_part_is_lost),
		cmocka_unit_test(a_reset_cuts_what_is_sent_at_its_very_byte),
		cmocka_unit_test(what_is_held_leaves_when_the_rules_do),
		cmocka_unit_test(a_corrupt_frame_never_passes_for_a_whole_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
