/* The cork words: who is told what, in which order, what is lent, and both sides at once. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "core/ipc/cork.h"

enum { COOKIE = 77, LENT_MAX = 128 };

/* What the engine keeps, and what its last look said. */
static struct view {
	uint32_t flushes;
	bool corked, flush;
} engine;

static ipc_cork_word word;

static int fresh_word(void **state)
{
	ipc_cork_claim(&word, COOKIE, 0);
	engine = (struct view){0};
	return 0;
}

/* All that the program has written is read between the two. */
static void look_after(uint32_t begun)
{
	uint32_t flushes;

	engine.corked = ipc_is_corked(ipc_cork_look(&word, &flushes));
	engine.flush = flushes != engine.flushes;
	engine.flushes = begun;
}

static void look(void)
{
	uint32_t begun;

	ipc_cork_reading(&word, &begun);
	look_after(begun);
}

static enum ipc_cork_put put(bool on)
{
	return ipc_cork_put(&word, COOKIE, IPC_CORK_ON, on);
}

static void another_sockets_word_is_left_alone(void **state)
{
	ipc_cork_claim(&word, COOKIE + 1, IPC_CORK_ON);
	uint64_t before = word;
	assert_int_equal(put(false), IPC_CORK_STALE);
	assert_int_equal(ipc_cork_put(&word, COOKIE + 1 + (UINT64_C(1) << 31), IPC_CORK_ON, false),
		IPC_CORK_STALE);
	ipc_cork_wrote(&word, COOKIE);
	assert_int_equal(ipc_cork_get(&word, COOKIE), 0);
	assert_true(word == before);
	assert_true(ipc_cork_get(&word, COOKIE + 1) & IPC_CORK_ON);
}

static void an_unused_word_is_nobodys(void **state)
{
	word = 0;
	assert_int_equal(ipc_cork_put(&word, 0, IPC_CORK_ON, true), IPC_CORK_STALE);
}

static void a_cork_that_nobody_saw_comes_off_without_a_message(void **state)
{
	assert_int_equal(put(true), IPC_CORK_PUT);
	assert_int_equal(put(false), IPC_CORK_PUT);
	look();
	assert_false(engine.corked);
}

static void a_cork_that_was_seen_needs_one(void **state)
{
	put(true);
	look();
	assert_true(engine.corked);
	assert_int_equal(put(false), IPC_CORK_FLUSH);
	look();
	assert_false(engine.corked);
	put(true);
	assert_int_equal(put(false), IPC_CORK_PUT); /* the next one has not been seen */
}

static void off_twice_is_once(void **state)
{
	put(true);
	look();
	assert_int_equal(put(false), IPC_CORK_FLUSH);
	assert_int_equal(put(false), IPC_CORK_PUT);
}

static void off_for_a_moment_is_a_flush(void **state)
{
	put(true);
	look();
	assert_false(engine.flush);
	put(false);
	put(true);
	look();
	assert_true(engine.corked && engine.flush);
	look();
	assert_true(engine.corked && !engine.flush);
}

static void a_cork_behind_bytes_that_may_be_unread_is_a_flush(void **state)
{
	ipc_cork_wrote(&word, COOKIE);
	put(true);
	look();
	assert_true(engine.corked && engine.flush);
}

static void a_first_cork_behind_nothing_is_none(void **state)
{
	put(true);
	ipc_cork_wrote(&word, COOKIE); /* under it */
	look();
	assert_true(engine.corked && !engine.flush);
}

static void what_was_read_needs_no_flush(void **state)
{
	put(true);
	put(false);
	look();
	ipc_cork_wrote(&word, COOKIE);
	look();
	put(true);
	look();
	assert_true(engine.corked && !engine.flush);
}

/* It is read, but not sent: the look finds the cork. */
static void a_cork_between_read_and_look_does_not_hold_what_was_read(void **state)
{
	uint32_t begun;

	put(true);
	put(false);
	look();
	ipc_cork_wrote(&word, COOKIE);
	ipc_cork_reading(&word, &begun);
	put(true);
	look_after(begun);
	assert_true(engine.corked && engine.flush);
}

/* The read had ended; what was written since is found by the next one. */
static void a_flush_between_read_and_look_is_one_for_the_next_read_too(void **state)
{
	uint32_t begun;

	assert_false(ipc_cork_reading(&word, &begun) & IPC_CORK_USED);
	ipc_cork_wrote(&word, COOKIE);
	put(true);
	look_after(begun);
	assert_true(engine.corked && engine.flush);
	look();
	assert_true(engine.corked && engine.flush);
	look();
	assert_true(engine.corked && !engine.flush);
	assert_true(ipc_cork_reading(&word, &begun) & IPC_CORK_USED);
}

static void both_corks_must_come_off(void **state)
{
	put(true);
	ipc_cork_put(&word, COOKIE, IPC_CORK_MORE, true);
	look();
	assert_int_equal(put(false), IPC_CORK_PUT);
	assert_false(ipc_cork_get(&word, COOKIE) & IPC_CORK_ON);
	look();
	assert_true(engine.corked && !engine.flush);
	assert_int_equal(ipc_cork_put(&word, COOKIE, IPC_CORK_MORE, false), IPC_CORK_FLUSH);
	look();
	assert_false(engine.corked);
}

static enum ipc_cork_put put_nodelay(bool on)
{
	return ipc_cork_put(&word, COOKIE, IPC_CORK_NODELAY, on);
}

static void nodelay_needs_a_message_if_something_may_be_held(void **state)
{
	assert_int_equal(put_nodelay(true), IPC_CORK_PUT);
	ipc_cork_wrote(&word, COOKIE);
	assert_int_equal(put_nodelay(true), IPC_CORK_PUT); /* it is on */
	assert_int_equal(put_nodelay(false), IPC_CORK_PUT);
	assert_int_equal(put_nodelay(true), IPC_CORK_FLUSH);
	fresh_word(NULL);
	put(true);
	assert_int_equal(put_nodelay(true), IPC_CORK_FLUSH);
	look();
	assert_true(engine.corked);
}

/* The number of flushes goes round; the tag above it stays, and what is below it. */
static void the_count_goes_round(void **state)
{
	enum { ALL = 1 << 16 };

	assert_true(ipc_cork_lend(&word, COOKIE, LENT_MAX));
	put(true);
	put(false);
	uint64_t once = word;
	for (unsigned i = 1; i <= ALL; i++) {
		put(true);
		put(false);
		assert_true((word == once) == (i == ALL));
		assert_int_equal(ipc_cork_lent(&word), LENT_MAX);
	}
	ipc_cork_unlend(&word, COOKIE, LENT_MAX);
	for (unsigned i = 1; i < ALL; i++) {
		put(true);
		put(false);
	}
	look();
	assert_false(engine.flush);
	assert_int_equal(put(true), IPC_CORK_PUT);
	assert_int_equal(ipc_cork_lent(&word), 0);
}

/* --- the number of loans --- */

static void what_was_lent_is_counted_until_it_is_taken(void **state)
{
	assert_int_equal(ipc_cork_lent(&word), 0);
	assert_true(ipc_cork_lend(&word, COOKIE, 3));
	assert_true(ipc_cork_lend(&word, COOKIE, 1));
	assert_int_equal(ipc_cork_lent(&word), 4);
	ipc_cork_unlend(&word, COOKIE, 3);
	assert_int_equal(ipc_cork_lent(&word), 1);
	ipc_cork_claim(&word, COOKIE + 1, IPC_CORK_ON); /* the slot is another socket's */
	assert_int_equal(ipc_cork_lent(&word), 0);
}

static void so_many_are_lent_and_no_more(void **state)
{
	for (unsigned i = 0; i < LENT_MAX - 4; i += 4)
		assert_true(ipc_cork_lend(&word, COOKIE, 4));
	uint64_t before = word;
	assert_false(ipc_cork_lend(&word, COOKIE, 5)); /* all of them or none */
	assert_true(word == before);
	assert_true(ipc_cork_lend(&word, COOKIE, 4));
	assert_false(ipc_cork_lend(&word, COOKIE, 1));
	assert_int_equal(ipc_cork_lent(&word), LENT_MAX);
	ipc_cork_unlend(&word, COOKIE, 1);
	assert_true(ipc_cork_lend(&word, COOKIE, 1));
}

static void it_does_not_go_below_zero(void **state)
{
	uint64_t before = word;

	ipc_cork_unlend(&word, COOKIE, 1);
	assert_true(word == before);
	assert_true(ipc_cork_lend(&word, COOKIE, 2));
	ipc_cork_unlend(&word, COOKIE, 100);
	assert_true(word == before);
}

static void of_another_socket_nothing_is_counted(void **state)
{
	const uint64_t other = COOKIE + (UINT64_C(1) << 31);

	assert_true(ipc_cork_lend(&word, COOKIE, 2));
	uint64_t before = word;
	assert_false(ipc_cork_lend(&word, other, 1));
	ipc_cork_unlend(&word, other, 1);
	assert_true(word == before);
	word = 0;
	assert_false(ipc_cork_lend(&word, 0, 1));
	assert_int_equal(ipc_cork_lent(&word), 0);
}

/* A step of either side that has nothing to do with loans. */
static void step(ipc_cork_word *w, unsigned which)
{
	uint32_t flushes;

	if (which < 6)
		ipc_cork_put(w, COOKIE, 1u << which / 2 % 2, which % 2);
	else if (which < 8)
		ipc_cork_put(w, COOKIE, IPC_CORK_NODELAY, which % 2);
	else if (which == 8)
		ipc_cork_wrote(w, COOKIE);
	else if (which == 9)
		ipc_cork_reading(w, &flushes);
	else
		ipc_cork_look(w, &flushes);
}

/* Two words with the same history, but for what is lent: they differ by that only. */
static void loans_and_corks_do_not_disturb_each_other(void **state)
{
	enum { STEPS = 300000 };
	ipc_cork_word plain;
	uint32_t dice = 1;
	unsigned lent = 0, flushes = 0;

	ipc_cork_claim(&plain, COOKIE, 0);
	for (unsigned i = 0; i < STEPS; i++) {
		dice = dice * 1664525 + 1013904223;
		unsigned n = dice >> 24 & 3, before = (unsigned)(plain >> 16 & 0xffff);
		step(&plain, dice >> 28 & 15);
		step(&word, dice >> 28 & 15);
		if (dice >> 20 & 1) {
			ipc_cork_unlend(&word, COOKIE, n);
			lent -= n < lent ? n : lent;
		} else if (ipc_cork_lend(&word, COOKIE, n)) {
			lent += n;
		}
		assert_int_equal(ipc_cork_lent(&word), lent);
		assert_int_equal(ipc_cork_get(&word, COOKIE), ipc_cork_get(&plain, COOKIE));
		assert_true((word ^ plain) == (uint64_t)lent << 8);
		flushes += (plain >> 16 & 0xffff) != before;
	}
	assert_true(flushes > STEPS / 100);
}

/*
 * A model of the two processes: `written` bytes are in the queue, the engine reads them, looks, and sends
 * unless there is a cork. It acts on new bytes and on messages only. Whatever the interleaving, what was
 * written before a cork is sent, and all when the cork has come off.
 */
static struct {
	_Atomic unsigned written, sent;
	_Atomic unsigned messages;
	_Atomic bool over;
} model;

static void *act_as_engine(void *unused)
{
	unsigned read = 0, messages = 0;
	uint32_t begun;

	while (!model.over) {
		if (model.written == read && model.messages == messages) {
			sched_yield();
			continue;
		}
		messages = model.messages;
		ipc_cork_reading(&word, &begun);
		read = model.written;
		look_after(begun);
		if (!engine.corked || engine.flush)
			model.sent = read;
	}
	return NULL;
}

/* False: they were held back for ever. */
static bool are_sent(unsigned bytes)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 10;
	while (model.sent < bytes) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= end.tv_sec)
			return false;
		sched_yield();
	}
	return true;
}

static void no_end_of_a_cork_is_lost(void **state)
{
	enum { ROUNDS = 20000 };
	pthread_t thread;
	int lost = 0;

	assert_int_equal(pthread_create(&thread, NULL, act_as_engine, NULL), 0);
	for (int i = 0; i < ROUNDS && !lost; i++) {
		if (i % 3 == 0) { /* one that is not under the cork */
			model.written++;
			ipc_cork_wrote(&word, COOKIE);
		}
		unsigned before = model.written;
		put(true);
		if (i % 3 == 0)
			lost += !are_sent(before);
		for (int n = 0; n <= i % 4; n++)
			model.written++;
		if (put(false) == IPC_CORK_FLUSH)
			model.messages++;
		if (i % 2)
			lost += !are_sent(model.written);
	}
	lost += !are_sent(model.written);
	model.over = true;
	pthread_join(thread, NULL);
	assert_int_equal(lost, 0);
}

static void *scribble(void *unused)
{
	while (!model.over)
		word += 0x100000001;
	return NULL;
}

static void *take_what_is_lent(void *unused)
{
	unsigned seen = 0;

	for (unsigned n; !model.over || ipc_cork_lent(&word) > 0; seen += n) {
		n = ipc_cork_lent(&word);
		ipc_cork_unlend(&word, COOKIE, n);
		look();
	}
	model.sent = seen;
	return NULL;
}

/* The engine takes none before it was counted, and misses none. */
static void no_loan_is_lost(void **state)
{
	enum { ROUNDS = 20000 };
	pthread_t thread;
	unsigned lent = 0;

	model.over = false;
	assert_int_equal(pthread_create(&thread, NULL, take_what_is_lent, NULL), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		while (!ipc_cork_lend(&word, COOKIE, 1 + i % 3))
			sched_yield();
		lent += 1 + i % 3;
		put(i % 2);
	}
	model.over = true;
	pthread_join(thread, NULL);
	assert_int_equal(model.sent, lent);
	assert_int_equal(ipc_cork_lent(&word), 0);
}

/* Somebody who changes the word all the time does not keep the engine. */
static void a_client_that_scribbles_is_not_waited_for(void **state)
{
	pthread_t thread;

	model.over = false;
	assert_int_equal(pthread_create(&thread, NULL, scribble, NULL), 0);
	for (int i = 0; i < 100000; i++)
		look();
	model.over = true;
	pthread_join(thread, NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, fresh_word)
	const struct CMUnitTest tests[] = {
		T(another_sockets_word_is_left_alone),
		T(an_unused_word_is_nobodys),
		T(a_cork_that_nobody_saw_comes_off_without_a_message),
		T(a_cork_that_was_seen_needs_one),
		T(off_twice_is_once),
		T(off_for_a_moment_is_a_flush),
		T(a_cork_behind_bytes_that_may_be_unread_is_a_flush),
		T(a_first_cork_behind_nothing_is_none),
		T(what_was_read_needs_no_flush),
		T(a_cork_between_read_and_look_does_not_hold_what_was_read),
		T(a_flush_between_read_and_look_is_one_for_the_next_read_too),
		T(both_corks_must_come_off),
		T(nodelay_needs_a_message_if_something_may_be_held),
		T(the_count_goes_round),
		T(what_was_lent_is_counted_until_it_is_taken),
		T(so_many_are_lent_and_no_more),
		T(it_does_not_go_below_zero),
		T(of_another_socket_nothing_is_counted),
		T(loans_and_corks_do_not_disturb_each_other),
		T(no_end_of_a_cork_is_lost),
		T(no_loan_is_lost),
		T(a_client_that_scribbles_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
