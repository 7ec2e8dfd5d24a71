/*
 * The send queue against a flat array of bytes: own bytes and loans in any mixture come out in order, and
 * every loan ends once, with its last byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/stack/limits.h"
#include "core/stack/sendq.h"
#include "core/stack/state.h"

enum { FLAT_LEN = 8 << 20, LOANS_MAX = FLAT_LEN / LOAN_MIN, SEGMENT_MAX = 65535 };

/* Bytes [begin, end) of the flat array are in the queue. */
static uint8_t flat[FLAT_LEN];
static uint32_t begin, end;

/* All loans there were; [ndone, nloans) are in the queue. */
static struct piece {
	uint8_t *bytes;
	uint32_t len, end;
} loan[LOANS_MAX];
static unsigned nloans, ndone;

static struct stack stack;
static struct sendq queue;
static uint64_t dice;

static uint32_t up_to(uint32_t most)
{
	/* splitmix64 */
	uint64_t z = (dice += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ (z >> 31)) % ((uint64_t)most + 1));
}

static void start(void)
{
	begin = end = 0;
	nloans = ndone = 0;
}

static int make(void **state)
{
	memset(&stack, 0, sizeof stack);
	memset(&queue, 0, sizeof queue);
	stack.config.tcp_mem_max = 64 << 20;
	start();
	return 0;
}

static int write_flat(void **state)
{
	for (size_t i = 0; i < sizeof flat; i++)
		flat[i] = (uint8_t)up_to(255);
	return 0;
}

static int give_back(void **state)
{
	sendq_release(&stack, &queue);
	return stack.memory == 0 && ndone == nloans ? 0 : -1;
}

/* `begin` has gone forward by now. */
static void done(void *ctx, const uint8_t *data)
{
	struct piece *p = ctx;

	assert_ptr_equal(p, &loan[ndone]); /* in order, and so once only */
	assert_true(data >= p->bytes && data < p->bytes + p->len);
	assert_true(p->end <= begin);
	ndone++;
	memset(p->bytes, 0xee, p->len);
	free(p->bytes);
}

static void append(uint32_t n)
{
	struct iovec room[2];

	assert_true(sendq_grow(&stack, &queue, n));
	assert_true(sendq_spare(&queue) >= n);
	int k = sendq_room(&queue, n, room);
	uint32_t at = end;
	for (int i = 0; i < k; at += room[i++].iov_len)
		memcpy(room[i].iov_base, flat + at, room[i].iov_len);
	assert_int_equal(at, end + n);
	sendq_commit(&queue, n);
	end += n;
}

static bool lend(uint32_t n)
{
	struct piece *p = &loan[nloans];

	*p = (struct piece){malloc(n), n, end + n};
	memcpy(p->bytes, flat + end, n);
	if (!sendq_lend(&queue, &(struct loan){p->bytes, n, done, p})) {
		free(p->bytes);
		return false;
	}
	nloans++;
	end += n;
	return true;
}

static void consume(uint32_t n)
{
	begin += n;
	sendq_consume(&queue, n);
	assert_int_equal(queue.len, end - begin);
	assert_true(ndone == nloans || loan[ndone].end > begin);
}

/* How many pieces they are. */
static int check(uint32_t offset, uint32_t n)
{
	struct iovec iov[TX_PAYLOAD_MAX + 1];
	const uint8_t *want = flat + begin + offset;
	const uint8_t guard = 0;

	iov[TX_PAYLOAD_MAX].iov_base = (void *)&guard;
	int k = sendq_pieces(&queue, offset, n, iov);
	assert_true(k <= TX_PAYLOAD_MAX);
	assert_ptr_equal(iov[TX_PAYLOAD_MAX].iov_base, &guard);
	for (int i = 0; i < k; want += iov[i++].iov_len) {
		assert_true(iov[i].iov_len > 0);
		assert_memory_equal(iov[i].iov_base, want, iov[i].iov_len);
	}
	assert_ptr_equal(want, flat + begin + offset + n);
	return k;
}

static void check_some(void)
{
	uint32_t offset = up_to(queue.len);

	check(offset, up_to(MIN(queue.len - offset, (uint32_t)SEGMENT_MAX)));
}

/* --- */

static void it_is_as_a_flat_array(void **state)
{
	enum { ROUNDS = 30, SPACE = 200000 };
	unsigned all = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint32_t own = round % 3 ? 3000 : 30000, most = round % 2 ? 400000 : 2000000;
		start();
		while (end < FLAT_LEN - SPACE) {
			if (up_to(2) == 0)
				lend(LOAN_MIN + (up_to(1) ? up_to(3) : up_to(3 * LOAN_MIN)));
			else
				append(1 + up_to(own));
			check_some();
			if (queue.len > most || up_to(3) == 0)
				consume(up_to(up_to(5) ? MIN(queue.len, 60000u) : queue.len));
			check_some();
		}
		all += nloans;
		begin = end;
		sendq_release(&stack, &queue);
		assert_int_equal(ndone, nloans);
		assert_int_equal(stack.memory, 0);
	}
	assert_true(all > ROUNDS * 20);
}

static void a_loan_is_not_copied(void **state)
{
	struct iovec iov[TX_PAYLOAD_MAX];

	append(10);
	size_t before = stack.memory;
	assert_true(lend(LOAN_MIN));
	assert_int_equal(stack.memory, before);
	assert_int_equal(sendq_pieces(&queue, 5, 1000, iov), 2);
	assert_ptr_equal(iov[1].iov_base, loan[0].bytes);
	begin = end;
}

static void a_loan_ends_with_its_last_byte(void **state)
{
	append(100);
	assert_true(lend(LOAN_MIN) && lend(LOAN_MIN));
	consume(100);
	consume(LOAN_MIN - 1);
	assert_int_equal(ndone, 0);
	assert_int_equal(check(0, 2), 2);
	consume(1);
	assert_int_equal(ndone, 1);
	consume(LOAN_MIN);
	assert_int_equal(ndone, 2);
	assert_int_equal(queue.len, 0);
}

static void one_ack_can_end_several(void **state)
{
	for (int i = 0; i < 5; i++) {
		assert_true(lend(LOAN_MIN));
		append(7);
	}
	consume(4 * (LOAN_MIN + 7) + 1);
	assert_int_equal(ndone, 4);
	begin = end;
}

static void there_are_so_many_loans_and_no_more(void **state)
{
	for (unsigned i = 0; i < SENDQ_LOANS; i++)
		assert_true(lend(LOAN_MIN));
	assert_false(lend(LOAN_MIN));
	append(100);
	assert_false(lend(LOAN_MIN));
	assert_int_equal(queue.len, end);
	consume(LOAN_MIN - 1);
	assert_false(lend(LOAN_MIN));
	consume(1);
	assert_true(lend(LOAN_MIN)); /* round the end of the list of loans */
	assert_false(lend(LOAN_MIN));
	check(queue.len - 2 * LOAN_MIN, 2 * LOAN_MIN);
	begin = end;
}

static void what_is_left_ends_with_the_queue(void **state)
{
	for (int i = 0; i < 3; i++) {
		append(5000);
		assert_true(lend(LOAN_MIN));
	}
	consume(5001);
	begin = end;
	sendq_release(&stack, &queue);
	assert_int_equal(ndone, 3);
	assert_int_equal(queue.len, 0);
	assert_int_equal(stack.memory, 0);
	sendq_release(&stack, &queue); /* twice is as good as once */
	assert_int_equal(ndone, 3);
	append(10);
	assert_true(lend(LOAN_MIN));
	check(0, 10 + LOAN_MIN);
	begin = end;
}

/* The shortest loans, two bytes between them, and the ring's end in the middle of one pair after the other. */
static void the_largest_segment_fits_a_frame(void **state)
{
	enum { LOANS = 7, PAIR = 2 };
	int most = 0;

	for (uint32_t pair = 0; pair <= LOANS; pair++) {
		append(TCP_RING_MIN - pair * PAIR - 1);
		consume(queue.len);
		for (int i = 0; i < LOANS; i++) {
			append(PAIR);
			assert_true(lend(LOAN_MIN));
		}
		append(PAIR);
		assert_int_equal(queue.ring.cap, TCP_RING_MIN);
		for (uint32_t at = 0; at + SEGMENT_MAX <= queue.len;
			at += at % LOAN_MIN > 64 ? 509 : 1)
			most = MAX(most, check(at, SEGMENT_MAX));
		begin = end;
		sendq_release(&stack, &queue);
	}
	/* A byte of a loan, three whole ones, nearly all of a fifth; four pairs, one in two pieces. */
	assert_int_equal(most, 5 + 4 + 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make, give_back)
	static const struct CMUnitTest tests[] = {
		T(it_is_as_a_flat_array),
		T(a_loan_is_not_copied),
		T(a_loan_ends_with_its_last_byte),
		T(one_ack_can_end_several),
		T(there_are_so_many_loans_and_no_more),
		T(what_is_left_ends_with_the_queue),
		T(the_largest_segment_fits_a_frame),
	};

	return cmocka_run_group_tests(tests, write_flat, NULL);
}
