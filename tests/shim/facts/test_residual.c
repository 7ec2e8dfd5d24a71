/*
 * The residual byte: an engine that leaves the last byte unread turns each of its ends into what
 * TCP would show. A cut-off stream is an error, a finished one is a clean end.
 */
#include "tests/shim/facts/facts.h"

#include <signal.h>
#include <sys/wait.h>

static void expect_reset(int program)
{
	char byte;

	assert_int_equal(poll_now(program), POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLERR);
	assert_int_equal(read(program, &byte, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	/* As TCP: the error is told once, then the stream is at its end. */
	assert_int_equal(read(program, &byte, 1), 0);
}

static void close_with_the_byte_unread_is_a_reset(void **state)
{
	struct pair p = seeded_pair();

	close(p.engine);
	p.engine = -1;
	expect_reset(p.program);
	pair_close(&p);
}

static void close_with_the_byte_read_is_a_clean_end(void **state)
{
	struct pair p = seeded_pair();
	char byte;

	assert_int_equal(read(p.engine, &byte, 1), 1);
	close(p.engine);
	p.engine = -1;
	assert_int_equal(poll_now(p.program), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	assert_int_equal(read(p.program, &byte, 1), 0);
	assert_int_equal(socket_error(p.program), 0);
	pair_close(&p);
}

static void a_killed_engine_is_a_reset(void **state)
{
	struct pair p = seeded_pair();
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	close(p.engine);
	p.engine = -1;
	assert_int_equal(poll_now(p.program), POLLOUT);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	expect_reset(p.program);
	pair_close(&p);
}

static void queued_data_is_read_before_the_reset(void **state)
{
	struct pair p = seeded_pair();
	char got[16];

	assert_int_equal(write(p.engine, "hello", 5), 5);
	close(p.engine);
	p.engine = -1;
	assert_true(poll_now(p.program) & POLLERR);
	assert_int_equal(read(p.program, got, 2), 2);
	assert_int_equal(read(p.program, got, sizeof(got)), 3);
	assert_memory_equal(got, "llo", 3);
	expect_reset(p.program);
	pair_close(&p);
}

static void stdio_reports_the_reset(void **state)
{
	struct pair p = seeded_pair();
	FILE *f = fdopen(p.program, "r");
	char got[16];

	assert_non_null(f);
	assert_int_equal(write(p.engine, "half a li", 9), 9);
	close(p.engine);
	p.engine = -1;
	assert_int_equal(fread(got, 1, sizeof(got), f), 9);
	assert_memory_equal(got, "half a li", 9);
	assert_true(ferror(f) != 0);
	fclose(f);
}

static void splice_reports_the_reset(void **state)
{
	struct pair p = seeded_pair();
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	close(p.engine);
	p.engine = -1;
	assert_int_equal(splice(p.program, NULL, pipes[1], NULL, 100, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	close(pipes[0]);
	close(pipes[1]);
	pair_close(&p);
}

static void close_by_the_program_with_unread_data_is_told_to_the_engine(void **state)
{
	struct pair p = seeded_pair();

	assert_int_equal(write(p.engine, "x", 1), 1);
	close(p.program);
	p.program = -1;
	assert_int_equal(poll_now(p.engine), POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLERR);
	assert_int_equal(socket_error(p.engine), ECONNRESET);
	assert_int_equal(queued(p.engine), 1);
	pair_close(&p);
}

static void close_by_the_program_with_nothing_unread_is_no_error(void **state)
{
	struct pair p = seeded_pair();

	close(p.program);
	p.program = -1;
	assert_int_equal(poll_now(p.engine), POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
	assert_int_equal(socket_error(p.engine), 0);
	pair_close(&p);
}

/* What the pump does: everything but the last byte is consumed, the last one is looked at. */
static void peek_offset_steps_over_the_byte_and_back(void **state)
{
	struct pair p = seeded_pair();
	int one = 1, off = -1;
	socklen_t len = sizeof(off);
	char got[16];

	assert_int_equal(setsockopt(p.engine, SOL_SOCKET, SO_PEEK_OFF, &one, sizeof(one)), 0);
	assert_int_equal(recv(p.engine, got, sizeof(got), MSG_PEEK), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(write(p.program, "abc", 3), 3);
	assert_int_equal(write(p.program, "de", 2), 2);
	assert_int_equal(recv(p.engine, got, sizeof(got), MSG_PEEK), 5);
	assert_memory_equal(got, "abcde", 5);
	assert_int_equal(queued(p.engine), 6);
	assert_int_equal(recv(p.engine, got, 5, 0), 5);
	assert_memory_equal(got, "rabcd", 5);
	assert_int_equal(getsockopt(p.engine, SOL_SOCKET, SO_PEEK_OFF, &off, &len), 0);
	assert_int_equal(off, 1);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(close_with_the_byte_unread_is_a_reset),
		cmocka_unit_test(close_with_the_byte_read_is_a_clean_end),
		cmocka_unit_test(a_killed_engine_is_a_reset),
		cmocka_unit_test(queued_data_is_read_before_the_reset),
		cmocka_unit_test(stdio_reports_the_reset),
		cmocka_unit_test(splice_reports_the_reset),
		cmocka_unit_test(close_by_the_program_with_unread_data_is_told_to_the_engine),
		cmocka_unit_test(close_by_the_program_with_nothing_unread_is_no_error),
		cmocka_unit_test(peek_offset_steps_over_the_byte_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
