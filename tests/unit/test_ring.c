/*
 * A ring's memory: what it costs the stack, and what is remembered when it is given back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/stack/limits.h"
#include "core/stack/ring.h"
#include "core/stack/state.h"

static struct stack stack;
static struct ring ring;

static int make(void **state)
{
	memset(&stack, 0, sizeof stack);
	memset(&ring, 0, sizeof ring);
	stack.config.tcp_mem_max = 1 << 20;
	return 0;
}

static int give_back(void **state)
{
	ring_release(&stack, &ring);
	return stack.memory == 0 ? 0 : -1;
}

static void it_begins_with_a_page(void **state)
{
	assert_true(ring_grow(&stack, &ring, 1));
	assert_int_equal(ring.cap, TCP_RING_MIN);
	assert_int_equal(stack.memory, TCP_RING_MIN);
}

static void growing_keeps_what_is_in_it(void **state)
{
	uint8_t bytes[3000], back[3000];
	struct iovec iov[2];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	assert_true(ring_grow(&stack, &ring, 4000));
	ring.len = 2000;
	ring_consume(&ring, 2000); /* so that what follows goes round the end */
	ring_write(&ring, 0, bytes, sizeof bytes);
	ring.len = sizeof bytes;
	assert_true(ring_grow(&stack, &ring, 100000));
	assert_int_equal(ring.cap, 131072);
	assert_int_equal(ring_pieces(&ring, 0, sizeof back, iov), 1);
	assert_memory_equal(iov[0].iov_base, bytes, sizeof bytes);
}

static void one_that_was_large_begins_large(void **state)
{
	assert_true(ring_grow(&stack, &ring, 300000));
	ring_release(&stack, &ring);
	assert_int_equal(stack.memory, 0);
	assert_true(ring_grow(&stack, &ring, 1));
	assert_int_equal(ring.cap, 524288);
}

static void one_that_stayed_small_forgets(void **state)
{
	assert_true(ring_grow(&stack, &ring, 300000));
	ring_release(&stack, &ring);
	assert_true(ring_grow(&stack, &ring, 1));
	assert_true(ring_grow(&stack, &ring, 9000));
	ring_release(&stack, &ring);
	ring_release(&stack, &ring); /* twice is as good as once */
	assert_true(ring_grow(&stack, &ring, 1));
	assert_int_equal(ring.cap, 16384);
}

static void where_memory_is_short_it_begins_small(void **state)
{
	assert_true(ring_grow(&stack, &ring, 300000));
	ring_release(&stack, &ring);
	stack.memory = stack.config.tcp_mem_max;
	assert_true(ring_grow(&stack, &ring, 1));
	assert_int_equal(ring.cap, TCP_RING_MIN);
	assert_false(ring_grow(&stack, &ring, TCP_RING_MIN + 1));
	assert_int_equal(stack.memory, stack.config.tcp_mem_max + TCP_RING_MIN);
	stack.memory = TCP_RING_MIN;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_begins_with_a_page, make, give_back),
		cmocka_unit_test_setup_teardown(growing_keeps_what_is_in_it, make, give_back),
		cmocka_unit_test_setup_teardown(one_that_was_large_begins_large, make, give_back),
		cmocka_unit_test_setup_teardown(one_that_stayed_small_forgets, make, give_back),
		cmocka_unit_test_setup_teardown(
			where_memory_is_short_it_begins_small, make, give_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
