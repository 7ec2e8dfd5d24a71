/* The pool of lent memory: whose a chunk is, what is refused, and both sides at once. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/ipc/lend.h"

enum { SECRET = 4711, ID = 5, US = 77, OTHER = 78, LEN = IPC_LEND_MIN + 5, NUMBER = 255 };

static struct ipc_lend *pool;

static int map(void **state)
{
	int fd = memfd_create("pool", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, IPC_LEND_LEN) < 0)
		return -1;
	pool = ipc_lend_map(fd);
	close(fd);
	return pool ? 0 : -1;
}

static int unmap(void **state)
{
	return munmap(pool, IPC_LEND_LEN);
}

static int make(void **state)
{
	memset(pool, 0, IPC_LEND_HEAD_LEN);
	pool->secret = SECRET;
	pool->id = ID;
	return 0;
}

static bool is_unused(void)
{
	for (int i = 0; i < IPC_LEND_CHUNKS; i++)
		if ((pool->chunk[i].state & NUMBER) != IPC_LEND_FREE)
			return false;
	return true;
}

static ipc_lend_place taken(void)
{
	ipc_lend_place place;

	assert_true(ipc_lend_take(pool, &place));
	return place;
}

/* A chunk whose token is on the way. */
static ipc_lend_place sent_by(uint64_t owner, size_t len)
{
	struct ipc_lend_token t;

	assert_true(ipc_lend_ready(pool, taken(), owner, len, &t));
	return t.place;
}

static unsigned number(ipc_lend_place place)
{
	return place & NUMBER;
}

/* --- taking --- */

static void a_file_that_is_none_is_not_mapped(void **state)
{
	assert_null(ipc_lend_map(-1));
	assert_int_equal(errno, EBADF);
}

static void the_lowest_is_taken(void **state)
{
	ipc_lend_place first = taken(), second = taken();

	assert_int_equal(number(first), 0);
	assert_int_equal(number(second), 1);
	assert_int_equal(number(taken()), 2);
	assert_true(ipc_lend_give_back(pool, second));
	ipc_lend_place again = taken();
	assert_int_equal(number(again), 1);
	assert_int_not_equal(again, second);
	assert_int_equal(number(taken()), 3);
}

static void chunks_lie_side_by_side_behind_the_head(void **state)
{
	const uint8_t *base = (const uint8_t *)pool;

	for (size_t i = 0; i < IPC_LEND_CHUNKS; i++)
		assert_ptr_equal(ipc_lend_data(pool, taken()),
			base + IPC_LEND_HEAD_LEN + i * IPC_LEND_CHUNK_LEN);
}

static void when_all_are_taken_there_is_none(void **state)
{
	ipc_lend_place last = 0, none;

	for (unsigned i = 0; i < IPC_LEND_CHUNKS; i++)
		last = taken();
	assert_false(ipc_lend_take(pool, &none));
	assert_true(ipc_lend_give_back(pool, last));
	assert_int_equal(number(taken()), IPC_LEND_CHUNKS - 1);
	assert_false(ipc_lend_take(pool, &none));
}

static void the_number_of_uses_goes_round(void **state)
{
	pool->chunk[0].state = 0xffffff00; /* FREE */
	ipc_lend_place place = sent_by(US, LEN);
	assert_int_equal(place, 0);
	assert_int_equal(ipc_lend_accept(pool, place, US), LEN);
	ipc_lend_done(pool, ipc_lend_chunk_of(pool, ipc_lend_data(pool, place)));
	assert_int_equal(taken(), 256);
}

/* --- accepting --- */

static void a_token_says_where_the_bytes_are(void **state)
{
	taken();
	ipc_lend_place place = taken();
	struct ipc_lend_token t;
	assert_true(ipc_lend_ready(pool, place, US, LEN, &t));
	assert_true(t.secret == SECRET);
	assert_int_equal(t.pool, ID);
	assert_int_equal(t.place, place);
	assert_int_equal(ipc_lend_accept(pool, t.place, US), LEN);
}

static void it_is_accepted_once(void **state)
{
	ipc_lend_place place = taken();
	struct ipc_lend_token t;

	assert_int_equal(ipc_lend_accept(pool, place, 0), 0); /* it is being filled */
	assert_true(ipc_lend_ready(pool, place, US, LEN, &t));
	assert_int_equal(ipc_lend_accept(pool, place, US), LEN);
	assert_int_equal(ipc_lend_accept(pool, place, US), 0);
	/* Any byte of it will do. */
	ipc_lend_done(pool, ipc_lend_chunk_of(pool, ipc_lend_data(pool, place) + LEN - 1));
	assert_int_equal(ipc_lend_accept(pool, place, US), 0);
	assert_true(is_unused());
}

static void it_is_accepted_for_its_owner_only(void **state)
{
	ipc_lend_place place = sent_by(US + (UINT64_C(1) << 40), LEN);

	assert_int_equal(ipc_lend_accept(pool, place, OTHER), 0);
	assert_int_equal(ipc_lend_accept(pool, place, US), 0);
	assert_int_equal(ipc_lend_accept(pool, place, US + (UINT64_C(1) << 40)), LEN);
}

static void an_older_use_is_not_accepted(void **state)
{
	ipc_lend_place old = sent_by(US, LEN);

	assert_true(ipc_lend_give_back(pool, old));
	ipc_lend_place new = sent_by(US, LEN + 1);
	assert_int_equal(number(new), number(old));
	assert_int_equal(ipc_lend_accept(pool, old, US), 0);
	assert_false(ipc_lend_give_back(pool, old));
	assert_int_equal(ipc_lend_accept(pool, new, US), LEN + 1);
	ipc_lend_put_off(pool, old); /* it is not this one */
	assert_int_equal(ipc_lend_accept(pool, new, US), 0);
}

static void a_bad_length_is_not_accepted(void **state)
{
	static const size_t bad[] = {0, 1, IPC_LEND_MIN - 1, IPC_LEND_CHUNK_LEN + 1, UINT32_MAX};
	static const size_t good[] = {IPC_LEND_MIN, IPC_LEND_CHUNK_LEN};

	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		ipc_lend_place place = sent_by(US, bad[i]);
		assert_int_equal(ipc_lend_accept(pool, place, US), 0);
		assert_true(ipc_lend_give_back(pool, place));
	}
	for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(ipc_lend_accept(pool, sent_by(US, good[i]), US), good[i]);
}

/* Behind the last chunk there is memory that a program may write, too. */
static void a_bad_number_is_not_accepted(void **state)
{
	enum { USE = 256 };
	const struct ipc_lend_chunk c = {.state = USE | IPC_LEND_READY, .len = LEN, .owner = US};
	uint8_t *chunks = (uint8_t *)pool + offsetof(struct ipc_lend, chunk);

	for (unsigned i = 0; i < NUMBER && chunks + (i + 1) * sizeof c <= ipc_lend_data(pool, 0);
		i++) {
		memcpy(chunks + i * sizeof c, &c, sizeof c);
		assert_int_equal(ipc_lend_accept(pool, USE | i, US), i < IPC_LEND_CHUNKS ? LEN : 0);
	}
	assert_int_equal(ipc_lend_accept(pool, USE | NUMBER, US), 0);
}

static void what_is_put_off_is_accepted_later(void **state)
{
	ipc_lend_place place = sent_by(US, LEN);

	assert_int_equal(ipc_lend_accept(pool, place, US), LEN);
	assert_int_equal(ipc_lend_waiting(pool, US), 0);
	ipc_lend_put_off(pool, place);
	assert_int_equal(ipc_lend_waiting(pool, US), LEN);
	assert_int_equal(ipc_lend_accept(pool, place, US), LEN);
	ipc_lend_done(pool, ipc_lend_chunk_of(pool, ipc_lend_data(pool, place)));
	ipc_lend_put_off(pool, place); /* too late */
	assert_true(is_unused());
}

/* --- the end --- */

static void what_was_accepted_is_not_given_back(void **state)
{
	ipc_lend_place place = sent_by(US, LEN);

	assert_int_equal(ipc_lend_accept(pool, place, US), LEN);
	assert_false(ipc_lend_give_back(pool, place));
	assert_int_not_equal(number(taken()), number(place));
}

static void only_what_waits_of_the_owner_is_forgotten(void **state)
{
	ipc_lend_place ours[3], others, filling, sent;

	for (int i = 0; i < 3; i++)
		ours[i] = sent_by(US, (size_t)LEN + i);
	others = sent_by(OTHER, LEN);
	sent = sent_by(US, LEN);
	assert_int_equal(ipc_lend_accept(pool, sent, US), LEN);
	filling = taken();
	assert_int_equal(ipc_lend_waiting(pool, US), 3 * LEN + 3);
	assert_int_equal(ipc_lend_forget(pool, US), 3);
	assert_int_equal(ipc_lend_forget(pool, US), 0);
	assert_int_equal(ipc_lend_waiting(pool, US), 0);
	assert_int_equal(ipc_lend_waiting(pool, OTHER), LEN);
	for (int i = 0; i < 3; i++) {
		assert_false(ipc_lend_give_back(pool, ours[i]));
		assert_int_equal(ipc_lend_accept(pool, ours[i], US), 0);
	}
	assert_int_equal(ipc_lend_accept(pool, others, OTHER), LEN);
	assert_true(ipc_lend_give_back(pool, filling));
	ipc_lend_done(pool, ipc_lend_chunk_of(pool, ipc_lend_data(pool, others)));
	assert_false(is_unused());
	ipc_lend_done(pool, ipc_lend_chunk_of(pool, ipc_lend_data(pool, sent)));
	assert_true(is_unused());
}

static void no_token_is_sent_for_a_closed_pool(void **state)
{
	ipc_lend_place filling = taken(), ready = sent_by(US, LEN);
	struct ipc_lend_token t;

	ipc_lend_close(pool);
	assert_false(ipc_lend_ready(pool, filling, US, LEN, &t));
	assert_true(ipc_lend_owner(pool, number(filling)) == 0);
	assert_true(ipc_lend_owner(pool, number(ready)) == US);
	assert_int_equal(ipc_lend_accept(pool, ready, US), LEN); /* what was on the way arrives */
	assert_true(ipc_lend_owner(pool, number(ready)) == 0);
	ipc_lend_done(pool, ipc_lend_chunk_of(pool, ipc_lend_data(pool, ready)));
	assert_true(is_unused());
}

/* --- both sides at once --- */

enum { PROGRAMS = 2, ROUNDS = 5000, DROPS = 100000, QUEUE = 16, HOLD = 8 };

/* A program, and what its socket carries: places, in order. */
static struct program {
	uint64_t owner;
	ipc_lend_place queue[QUEUE];
	_Atomic unsigned sent, taken;
	_Atomic unsigned wrong;
	pthread_t thread;
} program[PROGRAMS];

static _Atomic unsigned running;

static size_t len_of(const struct program *p, unsigned n)
{
	return IPC_LEND_MIN + (n * 37 + p->owner) % 1024;
}

static uint8_t byte_of(const struct program *p, unsigned n)
{
	return (uint8_t)(n * 5 + p->owner * 101);
}

static void send_token(struct program *p, ipc_lend_place place)
{
	while (p->sent - p->taken == QUEUE)
		sched_yield();
	p->queue[p->sent % QUEUE] = place;
	p->sent++;
}

static void *act_as_program(void *ctx)
{
	struct program *p = ctx;

	for (unsigned i = 0; i < ROUNDS; i++) {
		size_t len = len_of(p, i);
		ipc_lend_place place;
		while (!ipc_lend_take(pool, &place))
			sched_yield();
		struct ipc_lend_token t;
		memset(ipc_lend_data(pool, place), byte_of(p, i), len);
		p->wrong += !ipc_lend_ready(pool, place, p->owner, len, &t);
		send_token(p, place);
	}
	running--;
	return NULL;
}

static bool has_content(struct program *p, ipc_lend_place place)
{
	const uint8_t *data = ipc_lend_data(pool, place);
	size_t len = len_of(p, p->taken);

	if (ipc_lend_accept(pool, place, p->owner) != len)
		return false;
	if (p->taken % 5 == 0) {
		ipc_lend_put_off(pool, place);
		if (ipc_lend_accept(pool, place, p->owner) != len)
			return false;
	}
	for (size_t i = 0; i < len; i++)
		if (data[i] != byte_of(p, p->taken))
			return false;
	return true;
}

/* The next token of the program; what was accepted is kept until HOLD more were. */
static void take_token(struct program *p, const uint8_t *held[static HOLD], unsigned *nheld)
{
	ipc_lend_place place = p->queue[p->taken % QUEUE];
	const uint8_t **slot = &held[(*nheld)++ % HOLD];

	if (!has_content(p, place))
		p->wrong++;
	if (*slot)
		ipc_lend_done(pool, ipc_lend_chunk_of(pool, *slot));
	*slot = ipc_lend_data(pool, place);
	p->taken++;
}

static void act_as_engine(void)
{
	const uint8_t *held[HOLD] = {NULL};
	unsigned nheld = 0;

	while (nheld < PROGRAMS * ROUNDS) {
		unsigned before = nheld;
		for (struct program *p = program; p < program + PROGRAMS; p++)
			if (p->sent != p->taken)
				take_token(p, held, &nheld);
		if (nheld == before)
			sched_yield();
	}
	for (int i = 0; i < HOLD; i++)
		ipc_lend_done(pool, ipc_lend_chunk_of(pool, held[i]));
}

static void a_chunk_is_one_sides_at_a_time(void **state)
{
	for (uint64_t i = 0; i < PROGRAMS; i++) {
		program[i] = (struct program){.owner = US + i};
		assert_int_equal(
			pthread_create(&program[i].thread, NULL, act_as_program, &program[i]), 0);
	}
	act_as_engine();
	for (int i = 0; i < PROGRAMS; i++) {
		pthread_join(program[i].thread, NULL);
		assert_int_equal(program[i].wrong, 0);
		assert_int_equal(program[i].taken, ROUNDS);
	}
	assert_true(is_unused());
}

/* The tokens could not be sent. */
static void *give_all_back(void *ctx)
{
	struct program *p = ctx;
	struct ipc_lend_token t;
	ipc_lend_place place;

	for (unsigned i = 0; i < DROPS; i++) {
		if (ipc_lend_take(pool, &place)) {
			p->sent++;
			p->wrong += !ipc_lend_ready(pool, place, p->owner, LEN, &t);
			p->taken += ipc_lend_give_back(pool, place);
		}
	}
	running--;
	return NULL;
}

/* The engine is done with the sockets meanwhile. */
static void what_was_not_sent_is_freed_by_one_of_the_two(void **state)
{
	unsigned forgotten = 0, sent = 0, back = 0;

	running = PROGRAMS;
	for (uint64_t i = 0; i < PROGRAMS; i++) {
		program[i] = (struct program){.owner = US + i};
		assert_int_equal(
			pthread_create(&program[i].thread, NULL, give_all_back, &program[i]), 0);
	}
	while (running > 0)
		for (uint64_t i = 0; i < PROGRAMS; i++)
			forgotten += ipc_lend_forget(pool, US + i);
	for (int i = 0; i < PROGRAMS; i++) {
		pthread_join(program[i].thread, NULL);
		sent += program[i].sent;
		back += program[i].taken;
	}
	assert_int_equal(sent, PROGRAMS * DROPS);
	assert_int_equal(back + forgotten, sent);
	assert_true(is_unused());
}

static _Atomic bool buried;

static bool has_ready(void)
{
	for (unsigned i = 0; i < IPC_LEND_CHUNKS; i++)
		if (ipc_lend_owner(pool, i))
			return true;
	return false;
}

/* Would send tokens until it is told that the pool is closed. */
static void *lend_until_closed(void *ctx)
{
	struct program *p = ctx;
	struct ipc_lend_token t;
	ipc_lend_place place;

	while (ipc_lend_take(pool, &place) && ipc_lend_ready(pool, place, US, LEN, &t)) {
		p->wrong += buried;
		p->taken++;
		p->wrong += !ipc_lend_give_back(pool, place);
	}
	running--;
	return NULL;
}

/* Once closed and nothing is ready, there will be no token of it. */
static void nobody_sends_tokens_of_a_pool_that_is_gone(void **state)
{
	enum { POOLS = 200 };
	unsigned all = 0;

	for (int i = 0; i < POOLS; i++) {
		make(NULL);
		buried = false;
		running = PROGRAMS;
		for (int k = 0; k < PROGRAMS; k++) {
			struct program *p = &program[k];
			*p = (struct program){.owner = US};
			assert_int_equal(pthread_create(&p->thread, NULL, lend_until_closed, p), 0);
		}
		while (program[i % PROGRAMS].taken < (unsigned)i)
			sched_yield();
		ipc_lend_close(pool);
		while (has_ready())
			sched_yield();
		buried = true;
		for (int k = 0; k < PROGRAMS; k++) {
			pthread_join(program[k].thread, NULL);
			assert_int_equal(program[k].wrong, 0);
			all += program[k].taken;
		}
		assert_true(is_unused());
	}
	assert_true(all >= POOLS * (POOLS - 1) / 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, make)
	const struct CMUnitTest tests[] = {
		T(a_file_that_is_none_is_not_mapped),
		T(the_lowest_is_taken),
		T(chunks_lie_side_by_side_behind_the_head),
		T(when_all_are_taken_there_is_none),
		T(the_number_of_uses_goes_round),
		T(a_token_says_where_the_bytes_are),
		T(it_is_accepted_once),
		T(it_is_accepted_for_its_owner_only),
		T(an_older_use_is_not_accepted),
		T(a_bad_length_is_not_accepted),
		T(a_bad_number_is_not_accepted),
		T(what_is_put_off_is_accepted_later),
		T(what_was_accepted_is_not_given_back),
		T(only_what_waits_of_the_owner_is_forgotten),
		T(no_token_is_sent_for_a_closed_pool),
		T(a_chunk_is_one_sides_at_a_time),
		T(what_was_not_sent_is_freed_by_one_of_the_two),
		T(nobody_sends_tokens_of_a_pool_that_is_gone),
	};

	return cmocka_run_group_tests(tests, map, unmap);
}
