/*
 * Whole transfers between two stacks in virtual time: every byte arrives once, in order, whatever
 * the wire does; memory returns to zero. SIM_SEEDS sets how many random networks are tried (1000),
 * SIM_SEED replays one, SIM_TERRIBLE sets how many seeds the worst network is tried with (1).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sim/invariant.h"
#include "tests/sim/sim.h"

static uint64_t count(struct sim *s, unsigned side, enum counter c)
{
	return stack_counters(s->side[side].stack)->v[c];
}

/* Runs until nothing is left to happen: TIME-WAIT ends, and everything was given back. */
static void assert_all_freed(struct sim *s)
{
	nsec until = s->now + 1000 * SEC;

	while (sim_step(s, until))
		;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stack_memory(s->side[i].stack), 0);
		assert_int_equal(stack_socket_count(s->side[i].stack), 0);
	}
	assert_int_equal(s->paid, s->lent);
	sim_free(s);
}

static void begin(struct sim *s, uint64_t seed, uint32_t gso_max)
{
	sim_init(s, seed, gso_max);
	s->check = invariant_check;
}

static void a_clean_wire_needs_no_retransmission(void **state)
{
	struct sim s;
	struct sim_flow f = {.to_send = {5000000, 3000000}};

	begin(&s, 1, 65536);
	for (int i = 0; i < 2; i++)
		s.side[i].wire.delay = 5 * MSEC;
	assert_true(sim_run_flow(&s, &f, 60 * SEC));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(count(&s, i, CNT_TcpRetransSegs), 0);
		assert_int_equal(count(&s, i, CNT_TcpExtDupDropped), 0);
		assert_int_equal(count(&s, i, CNT_TcpOutRsts), 0);
	}
	assert_all_freed(&s);
}

static void a_full_queue_is_filled_without_collapse(void **state)
{
	struct sim s;
	struct sim_flow f = {.to_send = {20000000, 0}};

	begin(&s, 1, 65536);
	for (int i = 0; i < 2; i++)
		s.side[i].wire =
			(struct sim_wire){.delay = 10 * MSEC, .rate = 100000000, .queue = 125000};
	assert_true(sim_run_flow(&s, &f, 60 * SEC));
	assert_int_equal(count(&s, 0, CNT_TcpExtTimeouts), 0);
	/* 20 MB at 100 Mbit/s are 1.6 s; slow start and one halving may cost a third more. */
	assert_true(f.finished_at - 1 * SEC < 2200 * MSEC);
	assert_all_freed(&s);
}

static void a_full_queue_is_filled_by_loans_as_well(void **state)
{
	struct sim s;
	struct sim_flow f = {.to_send = {20000000, 0}, .lends = 65536};

	begin(&s, 1, 65536);
	for (int i = 0; i < 2; i++)
		s.side[i].wire =
			(struct sim_wire){.delay = 10 * MSEC, .rate = 100000000, .queue = 125000};
	assert_true(sim_run_flow(&s, &f, 60 * SEC));
	assert_true(s.lent > 20000000 / 65536);
	assert_int_equal(count(&s, 0, CNT_TcpExtTimeouts), 0);
	assert_true(f.finished_at - 1 * SEC < 2200 * MSEC);
	assert_all_freed(&s);
}

static void a_slow_reader_closes_the_window_and_loses_nothing(void **state)
{
	struct sim s;
	struct sim_flow f = {.to_send = {3000000, 0}, .reader_rate = 1000};

	begin(&s, 1, 65536);
	for (int i = 0; i < 2; i++)
		s.side[i].wire.delay = 1 * MSEC;
	assert_true(sim_run_flow(&s, &f, 600 * SEC));
	assert_true(f.finished_at - 1 * SEC >= 2900 * MSEC);
	assert_int_equal(count(&s, 0, CNT_TcpRetransSegs), 0);
	assert_all_freed(&s);
}

/*
 * Bursts can swallow every SYN or ARP request there is: then the right answer is an honest errno.
 */
static bool never_connected(const struct sim_flow *f)
{
	return (f->error[0] == ETIMEDOUT || f->error[0] == EHOSTUNREACH) && f->sent[0] == 0 &&
	       f->received[0] + f->received[1] == 0;
}

/* `mask`: of each side's frames; 61 each way when none is lost. True: the transfer happened. */
static bool run_masked(const uint64_t mask[2], uint32_t gso_max, uint32_t lends)
{
	struct sim s;
	struct sim_flow f = {.to_send = {52000, 52000}, .lends = lends};

	begin(&s, 7, gso_max);
	for (int i = 0; i < 2; i++) {
		s.side[i].wire.delay = 10 * MSEC;
		s.side[i].wire.loss_mask = mask[i];
	}
	bool done = sim_run_flow(&s, &f, 3600 * SEC);
	if (!done && !never_connected(&f)) {
		print_error("masks %#llx and %#llx: received %llu and %llu, errors %d %d\n",
			(unsigned long long)mask[0], (unsigned long long)mask[1],
			(unsigned long long)f.received[0], (unsigned long long)f.received[1],
			f.error[0], f.error[1]);
		fail();
	}
	assert_all_freed(&s);
	return done;
}

/* Open, transfer and close: whichever one or two frames of a direction are lost. */
static void any_two_lost_frames_are_survived(void **state)
{
	enum { FRAMES = 64 };

	for (unsigned side = 0; side < 2; side++) {
		for (unsigned a = 0; a < FRAMES; a++) {
			for (unsigned b = a; b < FRAMES; b++) {
				uint64_t mask[2] = {0};
				mask[side] = UINT64_C(1) << a | UINT64_C(1) << b;
				assert_true(run_masked(
					mask, side ? 0 : 65536, (a + b) % 4 ? 0 : 40000));
			}
		}
	}
}

/* A quarter of the first 64 frames of both directions, or an eighth. */
static void random_masks_are_survived(void **state)
{
	enum { MASKS = 10000 };
	struct sim dice = {.random = 1};
	unsigned done = 0;

	for (unsigned i = 0; i < MASKS; i++) {
		uint64_t mask[2];
		for (unsigned k = 0; k < 2; k++)
			mask[k] = sim_random(&dice) & sim_random(&dice) &
				  (i & 2 ? sim_random(&dice) : UINT64_MAX);
		done += run_masked(mask, i & 1 ? 0 : 65536, i & 4 ? 0 : 40000);
	}
	assert_true(done >= MASKS - 10);
}

/* RFC 2923 §2.1, RFC 4821: a router drops what is too long and does not say so. */
static void a_black_hole_is_found_and_measured(void **state)
{
	static const uint32_t mtus[] = {1492, 1400, 1280, 1100, 700};

	for (unsigned i = 0; i < sizeof mtus / sizeof *mtus; i++) {
		struct sim s;
		struct sim_flow f = {.to_send = {5000000, 0}};
		struct tcp_stats stats;

		begin(&s, 3, 65536);
		for (int k = 0; k < 2; k++)
			s.side[k].wire = (struct sim_wire){
				.delay = 10 * MSEC, .rate = 100000000, .queue = 250000, .mtu = mtus[i]};
		assert_true(sim_run_flow(&s, &f, 60 * SEC));
		assert_true(count(&s, 0, CNT_TcpExtMTUPFail) >= 1);
		tcp_get_stats(f.conn[0], &stats);
		assert_true(stats.pmtu <= mtus[i] && (stats.pmtu + 8 >= mtus[i] || mtus[i] < 1064));
		assert_all_freed(&s);
	}
}

static uint32_t up_to(struct sim *s, uint32_t most)
{
	return (uint32_t)(sim_random(s) % (most + 1));
}

static void random_wire(struct sim *s, struct sim_wire *w)
{
	static const uint64_t rates[] = {0, 1000000, 10000000, 100000000, 1000000000};

	w->delay = (nsec)up_to(s, 50) * MSEC;
	w->jitter = (nsec)up_to(s, 5) * MSEC;
	w->rate = rates[up_to(s, 4)];
	w->queue = 10000 + up_to(s, 200000);
	w->loss = up_to(s, 3) ? up_to(s, 3000) : 0;
	if (up_to(s, 3) == 0) {
		w->burst_begin = up_to(s, 300);
		w->burst_end = 26000 + up_to(s, 30000);
	}
	w->reorder = up_to(s, 2) ? 0 : up_to(s, 6000);
	w->reorder_delay = (nsec)up_to(s, 20) * MSEC;
	w->duplicate = up_to(s, 2) ? 0 : up_to(s, 3000);
	w->corrupt = up_to(s, 2) ? 0 : up_to(s, 600);
}

/* Half of the seeds lend, most of these now and then; the wire of a seed is the same either way. */
static uint32_t random_lends(uint64_t seed)
{
	static const uint32_t lends[] = {0, 0, 0, 0, 10000, 30000, 50000, 65536};
	struct sim dice = {.random = ~seed};

	return lends[sim_random(&dice) % 8];
}

/* True: the transfer happened. */
static bool run_seed(uint64_t seed, uint64_t *lent, uint64_t *joined)
{
	struct sim s;
	struct sim_flow f = {.lends = random_lends(seed)};

	begin(&s, seed, seed & 1 ? 65536 : 0);
	s.batch = seed & 2 ? 5 * MSEC : 0;
	for (int i = 0; i < 2; i++) {
		random_wire(&s, &s.side[i].wire);
		f.to_send[i] = up_to(&s, 300000);
	}
	bool done = sim_run_flow(&s, &f, 3600 * SEC);
	if (!done && !never_connected(&f)) {
		print_error(
			"SIM_SEED=%llu: %llu of %llu and %llu of %llu, errors %d %d, wrong %d\n",
			(unsigned long long)seed, (unsigned long long)f.received[1],
			(unsigned long long)f.to_send[0], (unsigned long long)f.received[0],
			(unsigned long long)f.to_send[1], f.error[0], f.error[1], f.wrong);
		fail();
	}
	for (int i = 0; i < 2; i++)
		*joined += count(&s, i, CNT_TcpExtRcvCoalesce);
	assert_all_freed(&s);
	*lent += s.lent;
	return done;
}

static uint64_t digest_of(uint64_t seed)
{
	struct sim s;
	struct sim_flow f = {.to_send = {300000, 100000}, .lends = random_lends(seed)};

	begin(&s, seed, 65536);
	for (int i = 0; i < 2; i++)
		random_wire(&s, &s.side[i].wire);
	sim_run_flow(&s, &f, 3600 * SEC);
	uint64_t digest = s.digest;
	sim_free(&s);
	return digest;
}

static void the_same_seed_sends_the_same_bytes_at_the_same_times(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		uint64_t first = digest_of(seed);
		assert_int_equal(digest_of(seed), first);
		assert_int_not_equal(digest_of(seed + 1), first);
	}
}

static void random_networks_lose_no_byte(void **state)
{
	const char *one = getenv("SIM_SEED"), *many = getenv("SIM_SEEDS");
	uint64_t n = many ? strtoull(many, NULL, 10) : 1000, done = 0, lent = 0, joined = 0;

	if (one) {
		run_seed(strtoull(one, NULL, 10), &lent, &joined);
		return;
	}
	for (uint64_t seed = 1; seed <= n; seed++)
		done += run_seed(seed, &lent, &joined);
	assert_true(done * 100 >= n * 99);
	assert_true(lent > n);
	assert_true(joined > n / 2);
}

/* 25 % loss, 25 % out of order, 1 % with a flipped bit, 5 % twice, both ways. */
static void a_terrible_network_takes_long_and_nothing_else(void **state)
{
	const char *many = getenv("SIM_TERRIBLE");
	uint64_t n = many ? strtoull(many, NULL, 10) : 1;

	for (uint64_t seed = 1; seed <= n; seed++) {
		struct sim s;
		struct sim_flow f = {.to_send = {20 << 20, 0}, .lends = seed % 2 ? 0 : 50000};
		begin(&s, seed, 65536);
		for (int i = 0; i < 2; i++)
			s.side[i].wire = (struct sim_wire){.delay = 10 * MSEC, .rate = 100000000, .queue = 250000,
				.loss = 16384, .reorder = 16384, .reorder_delay = 5 * MSEC, .corrupt = 655,
				.duplicate = 3277};
		bool done = sim_run_flow(&s, &f, 24 * 3600 * SEC);
		if (!done || many)
			print_message("seed %llu: %llu bytes in %.0f s\n", (unsigned long long)seed,
				(unsigned long long)f.received[1], (double)(s.now - f.began_at) / SEC);
		assert_true(done);
		assert_all_freed(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clean_wire_needs_no_retransmission),
		cmocka_unit_test(a_full_queue_is_filled_without_collapse),
		cmocka_unit_test(a_full_queue_is_filled_by_loans_as_well),
		cmocka_unit_test(a_slow_reader_closes_the_window_and_loses_nothing),
		cmocka_unit_test(any_two_lost_frames_are_survived),
		cmocka_unit_test(random_masks_are_survived),
		cmocka_unit_test(a_black_hole_is_found_and_measured),
		cmocka_unit_test(the_same_seed_sends_the_same_bytes_at_the_same_times),
		cmocka_unit_test(random_networks_lose_no_byte),
		cmocka_unit_test(a_terrible_network_takes_long_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
