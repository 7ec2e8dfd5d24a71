/* Memory that a program lends: tokens between bytes, who gets it back, and what is no token. */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "core/engine/lend.h"
#include "tests/unit/engine_rig.h"

enum { TOKEN = sizeof(struct ipc_lend_token), CHUNK = 20000, MOST = 1 << 20 };

static struct engine_rig *r;
static struct lend_pool *pool;
static struct ipc_lend *shared; /* as the program sees it */
static struct tcp *peer;
static int fd;

static uint8_t sent[MOST], got[MOST];
static size_t nsent, narrived;

static int make(void **state)
{
	int file;

	r = engine_rig_new();
	r->e.lend_secret = 0x1122334455667788;
	pool = lend_open(&r->e, &file);
	assert_non_null(pool);
	shared = ipc_lend_map(file);
	assert_non_null(shared);
	close(file);
	fd = program_connected(r, &peer);
	nsent = narrived = 0;
	for (size_t i = 0; i < MOST; i++)
		sent[i] = (uint8_t)(i * 2654435761u >> 13);
	return 0;
}

static int end(void **state)
{
	if (fd >= 0)
		close(fd);
	if (pool)
		lend_close(pool);
	engine_rig_free(r);
	munmap(shared, IPC_LEND_LEN);
	return 0;
}

static bool is_unused(void)
{
	for (int i = 0; i < IPC_LEND_CHUNKS; i++)
		if ((shared->chunk[i].state & 255) != IPC_LEND_FREE)
			return false;
	return true;
}

static uint64_t cookie(void)
{
	uint64_t c = 0;
	socklen_t len = sizeof(c);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &c, &len);
	return c;
}

static ipc_cork_word *word(void)
{
	return ipc_table_cork(r->e.table, ipc_table_find(r->e.table, cookie()));
}

static void plain(size_t n)
{
	assert_int_equal(send(fd, sent + nsent, n, MSG_NOSIGNAL), n);
	nsent += n;
}

static struct ipc_lend_token chunk_for(uint64_t owner, size_t n)
{
	struct ipc_lend_token t;
	ipc_lend_place place;

	assert_true(ipc_lend_take(shared, &place));
	memcpy(ipc_lend_data(shared, place), sent + nsent, n);
	assert_true(ipc_lend_ready(shared, place, owner, n, &t));
	return t;
}

static void send_token(const struct ipc_lend_token *t)
{
	assert_true(ipc_cork_lend(word(), cookie(), 1));
	assert_int_equal(send(fd, t, TOKEN, MSG_NOSIGNAL), TOKEN);
}

static void lend(size_t n)
{
	struct ipc_lend_token t = chunk_for(cookie(), n);

	send_token(&t);
	nsent += n;
}

/* Everything arrives as it was sent, and all memory is free. */
static void all_arrives(void)
{
	size_t more;

	do {
		engine_turns(r, 50 * MSEC);
		narrived += more = peer_read(r, peer, got + narrived, MOST - narrived);
	} while (more > 0);
	engine_turns(r, SEC);
	assert_int_equal(narrived, nsent);
	assert_memory_equal(got, sent, nsent);
	assert_true(is_unused());
	assert_int_equal(ipc_cork_lent(word()), 0);
	assert_int_equal(program_table(r, fd).unsent, 0);
}

static void tokens_have_their_place_between_the_bytes(void **state)
{
	lend(CHUNK);
	plain(3);
	lend(IPC_LEND_CHUNK_LEN);
	lend(IPC_LEND_MIN);
	plain(5000);
	plain(1);
	lend(CHUNK);
	all_arrives();
	plain(7);
	all_arrives();
}

static void a_token_may_lie_where_a_look_ends(void **state)
{
	for (size_t cut = ENGINE_SCRATCH_LEN - TOKEN - 4; cut < ENGINE_SCRATCH_LEN + 4; cut++) {
		nsent = narrived = 0;
		plain(cut);
		lend(CHUNK);
		plain(11);
		lend(CHUNK);
		all_arrives();
	}
}

static void many_tokens_are_more_than_a_look(void **state)
{
	for (int i = 0; i < 20; i++) {
		lend(CHUNK);
		plain(2000);
	}
	all_arrives();
}

static void the_beginning_of_the_secret_is_no_token(void **state)
{
	for (size_t n = 1; n < sizeof(uint64_t); n++) {
		memcpy(sent + nsent, &r->e.lend_secret, n);
		plain(n);
		lend(CHUNK);
		memcpy(sent + nsent, &r->e.lend_secret, n);
		plain(n);
	}
	all_arrives();
}

static void what_has_no_room_waits(void **state)
{
	r->cut = true;
	while (nsent + IPC_LEND_CHUNK_LEN <= MOST && ipc_cork_lent(word()) < 4) {
		lend(IPC_LEND_CHUNK_LEN);
		engine_turns(r, 0);
	}
	assert_true(ipc_cork_lent(word()) > 0);
	assert_int_equal(program_table(r, fd).unsent, nsent - ipc_lend_waiting(shared, cookie()));
	plain(10);
	engine_turns(r, 0);
	r->cut = false;
	all_arrives();
}

/* Not a byte of it goes out: the connection ends. */
static void is_refused(const struct ipc_lend_token *t)
{
	send_token(t);
	engine_turns(r, SEC);
	assert_int_equal(peer_read(r, peer, got, MOST), 0);
	assert_int_equal(tcp_error(peer), ECONNRESET);
	assert_true(program_poll(fd) & POLLERR);
}

static void a_pool_that_is_not_there_ends_the_connection(void **state)
{
	struct ipc_lend_token t = chunk_for(cookie(), CHUNK);

	t.pool += 77;
	is_refused(&t);
}

static void a_chunk_of_another_socket_ends_the_connection(void **state)
{
	struct ipc_lend_token t = chunk_for(cookie() + 1, CHUNK);

	is_refused(&t);
	ipc_lend_give_back(shared, t.place);
}

static void an_old_token_ends_the_connection(void **state)
{
	struct ipc_lend_token t = chunk_for(cookie(), CHUNK);

	send_token(&t);
	nsent += CHUNK;
	all_arrives();
	is_refused(&t);
}

static void a_chunk_that_is_too_long_ends_the_connection(void **state)
{
	struct ipc_lend_token t = chunk_for(cookie(), CHUNK);

	shared->chunk[0].len = IPC_LEND_CHUNK_LEN + 1;
	is_refused(&t);
}

static void a_close_sends_what_was_lent(void **state)
{
	size_t n = 0;

	lend(CHUNK);
	plain(100);
	lend(CHUNK);
	close(fd);
	fd = -1;
	for (int i = 0; i < 20; i++) {
		engine_turns(r, 50 * MSEC);
		n += peer_read(r, peer, got + n, MOST - n);
	}
	assert_int_equal(n, nsent);
	assert_memory_equal(got, sent, n);
	assert_true(tcp_recv_eof(peer));
	assert_true(is_unused());
}

static void a_reset_gives_all_of_it_back(void **state)
{
	r->cut = true;
	while (ipc_cork_lent(word()) < 4) {
		lend(IPC_LEND_MIN);
		engine_turns(r, 0);
	}
	r->cut = false;
	tcp_abort(peer, r->e.now);
	engine_turns(r, SEC);
	assert_true(is_unused());
}

static void a_pool_outlives_its_client_while_it_is_needed(void **state)
{
	r->cut = true;
	lend(CHUNK);
	engine_turns(r, 0);
	lend_close(pool);
	pool = NULL;
	engine_turns(r, 0);
	assert_false(list_empty(&r->e.pools));
	r->cut = false;
	all_arrives();
	assert_true(list_empty(&r->e.pools));
}

/* Clients may write into their pools what they like. */
static void a_client_cannot_pass_its_pool_off_as_another_ones(void **state)
{
	int file;
	struct lend_pool *other = lend_open(&r->e, &file);
	struct ipc_lend *theirs = ipc_lend_map(file);
	struct ipc_lend_token t = chunk_for(cookie(), CHUNK);

	assert_int_equal(ftruncate(file, 4096), -1); /* that would kill the engine */
	close(file);
	t.pool = theirs->id;
	shared->id = theirs->id;
	theirs->id = 1000;
	is_refused(&t);
	lend_close(other);
	munmap(theirs, IPC_LEND_LEN);
}

static void who_was_killed_while_filling_keeps_nothing(void **state)
{
	ipc_lend_place place;

	assert_true(ipc_lend_take(shared, &place));
	lend_close(pool);
	pool = NULL;
	engine_turns(r, SEC);
	assert_true(list_empty(&r->e.pools));
}

static void who_was_killed_before_sending_keeps_the_pool_as_long_as_the_socket(void **state)
{
	chunk_for(cookie(), CHUNK);
	lend_close(pool);
	pool = NULL;
	engine_turns(r, SEC);
	assert_false(list_empty(&r->e.pools));
	close(fd);
	fd = -1;
	engine_turns(r, SEC);
	assert_true(list_empty(&r->e.pools));
}

/* It was counted, and never came: what others write is taken in bulk again. */
static void a_token_that_never_comes_is_counted_off(void **state)
{
	assert_true(ipc_cork_lend(word(), cookie(), 1));
	plain(10);
	all_arrives();
}

/* What clients say of chunks that the stack has is not believed. */
static int queued(void)
{
	int n = -1;

	ioctl(fd, SIOCOUTQ, &n);
	return n;
}

static void no_residual_byte_fills_a_small_buffer(void **state)
{
	for (size_t n = 100; n < 100000; n *= 30) {
		plain(n);
		all_arrives();
		assert_true(queued() > 0);
		ipc_cork_put(word(), cookie(), IPC_CORK_LOW, true);
		plain(n);
		all_arrives();
		assert_int_equal(queued(), 0);
		lend(CHUNK);
		all_arrives();
		assert_in_range(queued(), 1, 1152); /* a quarter of the least SO_SNDBUF */
		ipc_cork_put(word(), cookie(), IPC_CORK_LOW, false);
	}
}

static void a_chunk_that_is_lent_cannot_be_lent_again(void **state)
{
	struct ipc_lend_token t = chunk_for(cookie(), CHUNK);

	r->cut = true;
	send_token(&t);
	engine_turns(r, 0);
	shared->chunk[0].state = (shared->chunk[0].state & ~255u) | IPC_LEND_READY;
	lend_close(pool);
	pool = NULL;
	engine_turns(r, 0);
	assert_false(list_empty(&r->e.pools));
	send_token(&t);
	engine_turns(r, SEC);
	assert_true(program_poll(fd) & POLLERR);
	r->cut = false;
	engine_turns(r, SEC);
	assert_true(list_empty(&r->e.pools));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tokens_have_their_place_between_the_bytes),
		TEST(a_token_may_lie_where_a_look_ends),
		TEST(many_tokens_are_more_than_a_look),
		TEST(the_beginning_of_the_secret_is_no_token),
		TEST(what_has_no_room_waits),
		TEST(a_pool_that_is_not_there_ends_the_connection),
		TEST(a_chunk_of_another_socket_ends_the_connection),
		TEST(an_old_token_ends_the_connection),
		TEST(a_chunk_that_is_too_long_ends_the_connection),
		TEST(a_close_sends_what_was_lent),
		TEST(a_reset_gives_all_of_it_back),
		TEST(a_pool_outlives_its_client_while_it_is_needed),
		TEST(a_client_cannot_pass_its_pool_off_as_another_ones),
		TEST(who_was_killed_while_filling_keeps_nothing),
		TEST(who_was_killed_before_sending_keeps_the_pool_as_long_as_the_socket),
		TEST(a_token_that_never_comes_is_counted_off),
		TEST(no_residual_byte_fills_a_small_buffer),
		TEST(a_chunk_that_is_lent_cannot_be_lent_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
