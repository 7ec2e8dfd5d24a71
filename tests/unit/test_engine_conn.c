/*
 * The engine between a program's socket and a peer: what one side does is what the other side sees.
 */
#include <sys/ioctl.h>

#include "tests/unit/engine_rig.h"


#define TEST(name) static void name(void **state)

enum {
	CLEAN_END = POLLIN | POLLOUT | POLLRDHUP | POLLHUP,
	RESET = CLEAN_END | POLLERR,
	BIG = 3 << 20,
	HUGE = 20 << 20
};

static void fill(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
}

static void expect_read(int fd, const char *text)
{
	char got[64];
	ssize_t n = recv(fd, got, sizeof(got), MSG_DONTWAIT);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

static void expect_peer(struct engine_rig *r, struct tcp *t, const char *text)
{
	char got[64];

	assert_int_equal(peer_read(r, t, got, sizeof(got)), strlen(text));
	assert_memory_equal(got, text, strlen(text));
}

TEST(a_connect_is_writable_only_when_established)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *listener = peer_listen(r, 80);
	int fd = program_socket(r);

	r->cut = true;
	program_request(fd, IPC_CONNECT, 80);
	engine_turns(r, 0);
	assert_int_equal(program_poll(fd), 0);
	assert_int_equal(program_table(r, fd).tcp_state, 2);
	r->cut = false;
	engine_turns(r, 5 * SEC);
	assert_int_equal(program_poll(fd), POLLOUT);
	assert_int_equal(program_table(r, fd).tcp_state, 1);
	assert_int_equal(program_table(r, fd).remote.port, 80);
	assert_non_null(tcp_accept(listener));
	close(fd);
	engine_rig_free(r);
}

TEST(a_refused_connect_leaves_its_errno)
{
	struct engine_rig *r = engine_rig_new();
	int fd = program_socket(r);

	program_request(fd, IPC_CONNECT, 81);
	engine_turns(r, 0);
	assert_int_equal(program_poll(fd), RESET);
	assert_int_equal(program_table(r, fd).error, ECONNREFUSED);
	assert_int_equal(program_table(r, fd).use, IPC_SLOT_DEAD);
	assert_int_equal(r->e.nsocks, 0);
	close(fd);
	engine_rig_free(r);
}

TEST(a_silent_peer_is_a_timeout)
{
	struct engine_rig *r = engine_rig_new();
	int fd = program_socket(r);

	r->cut = true;
	program_option(fd, IPC_OPT_SYNCNT, 2);
	program_request(fd, IPC_CONNECT, 80);
	for (int i = 0; i < 20; i++)
		engine_turns(r, SEC);
	assert_int_equal(program_poll(fd), RESET);
	/* Nobody answers ARP either. */
	assert_int_equal(program_table(r, fd).error, EHOSTUNREACH);
	close(fd);
	engine_rig_free(r);
}

TEST(small_messages_cross_both_ways_whole_and_at_once)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	for (int i = 0; i < 50; i++) {
		assert_int_equal(write(fd, "ping", 4), 4);
		engine_turns(r, 0);
		expect_peer(r, t, "ping");
		assert_int_equal(peer_write(r, t, "pong!", 5), 5);
		engine_turns(r, 0);
		expect_read(fd, "pong!");
	}
	close(fd);
	engine_rig_free(r);
}

/* What the shim does of a setsockopt (preload/cork.c), and the message if one is needed. */
static void set_word(struct engine_rig *r, int fd, enum ipc_cork which, bool on)
{
	uint64_t cookie = program_table(r, fd).cookie;
	ipc_cork_word *w = ipc_table_cork(r->e.table, ipc_table_find(r->e.table, cookie));

	if (ipc_cork_put(w, cookie, which, on) == IPC_CORK_FLUSH)
		conn_serve(&r->e, table_sock(&r->e, cookie));
}

static void set_cork(struct engine_rig *r, int fd, bool on)
{
	set_word(r, fd, IPC_CORK_ON, on);
}

static void program_write(struct engine_rig *r, int fd, const char *text)
{
	uint64_t cookie = program_table(r, fd).cookie;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	ipc_cork_wrote(ipc_table_cork(r->e.table, ipc_table_find(r->e.table, cookie)), cookie);
}

TEST(a_cork_holds_what_is_written_under_it_until_it_comes_off)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	set_cork(r, fd, true);
	program_write(r, fd, "head");
	engine_turns(r, 100 * MSEC);
	expect_peer(r, t, "");
	program_write(r, fd, "body");
	engine_turns(r, 0);
	expect_peer(r, t, "");
	set_cork(r, fd, false);
	engine_turns(r, 0);
	expect_peer(r, t, "headbody");
	set_cork(r, fd, true);
	program_write(r, fd, "late");
	engine_turns(r, 0);
	expect_peer(r, t, "");
	engine_turns(r, 201 * MSEC); /* tcp(7): the ceiling */
	expect_peer(r, t, "late");
	close(fd);
	engine_rig_free(r);
}

/* Three small segments, of which Nagle's rule lets one go until it is acknowledged. */
static void write_three(struct engine_rig *r, int fd)
{
	for (int i = 0; i < 3; i++) {
		program_write(r, fd, "ab");
		engine_turns(r, 0);
	}
}

/* In a dialogue the peer acknowledges with what it sends, or later. */
static int connected_in_dialogue(struct engine_rig *r, struct tcp **t)
{
	int fd = program_connected(r, t);

	assert_int_equal(write(fd, "ping", 4), 4);
	engine_turns(r, 0);
	expect_peer(r, *t, "ping");
	assert_int_equal(peer_write(r, *t, "pong", 4), 4);
	engine_turns(r, 0);
	expect_read(fd, "pong");
	return fd;
}

TEST(nodelay_sends_what_nagle_holds_and_holds_nothing_from_then_on)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = connected_in_dialogue(r, &t);

	write_three(r, fd);
	expect_peer(r, t, "ab");
	set_word(r, fd, IPC_CORK_NODELAY, true);
	engine_turns(r, 0);
	expect_peer(r, t, "abab");
	write_three(r, fd);
	expect_peer(r, t, "ababab");
	close(fd);
	engine_rig_free(r);
}

/* The shim has not written yet: no message. */
TEST(nodelay_before_the_first_write_is_seen_with_it)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = connected_in_dialogue(r, &t);

	set_word(r, fd, IPC_CORK_NODELAY, true);
	write_three(r, fd);
	expect_peer(r, t, "ababab");
	close(fd);
	engine_rig_free(r);
}

TEST(a_cork_that_is_off_again_before_the_engine_looks_holds_nothing)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	set_cork(r, fd, true);
	program_write(r, fd, "answer");
	set_cork(r, fd, false);
	set_cork(r, fd, true); /* for the next one */
	engine_turns(r, 0);
	expect_peer(r, t, "answer");
	program_write(r, fd, "next");
	engine_turns(r, 0);
	expect_peer(r, t, "");
	close(fd);
	engine_rig_free(r);
}

TEST(a_cork_right_behind_a_write_does_not_hold_it)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	for (int i = 0; i < 3; i++) {
		program_write(r, fd, "before");
		set_cork(r, fd, true);
		engine_turns(r, 0);
		expect_peer(r, t, "before");
		program_write(r, fd, "after");
		engine_turns(r, 0);
		expect_peer(r, t, "");
		set_cork(r, fd, false);
		engine_turns(r, 0);
		expect_peer(r, t, "after");
	}
	close(fd);
	engine_rig_free(r);
}

TEST(everything_is_forwarded_and_one_byte_stays)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t), queued = -1;
	struct sock *s = LIST_ENTRY(list_first(&r->e.socks), struct sock, link);
	static char data[9000];

	for (size_t n = 1; n <= sizeof(data); n += n < 5 ? 1 : 1021) {
		assert_int_equal(write(fd, data, n), n);
		engine_turns(r, 0);
		assert_int_equal(peer_read(r, t, data, sizeof(data)), n);
		assert_int_equal(ioctl(s->src.fd, FIONREAD, &queued), 0);
		assert_int_equal(queued, 1);
		assert_int_equal(s->held, 1);
	}
	close(fd);
	engine_rig_free(r);
}

/* What was put off is not consumed twice when the urgent mark behind it is reached. */
TEST(an_urgent_byte_right_behind_others_arrives)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);
	char data[16];

	for (int i = 0; i < 3; i++) {
		assert_int_equal(send(fd, "ABOR\r\n", 6, MSG_OOB), 6);
		engine_turns(r, 0);
		assert_int_equal(peer_read(r, t, data, sizeof(data)), 6);
		assert_memory_equal(data, "ABOR\r\n", 6);
	}
	close(fd);
	engine_rig_free(r);
}

TEST(a_big_upload_arrives_unchanged)
{
	struct engine_rig *r = engine_rig_new();
	uint8_t *out = malloc(BIG), *in = malloc(BIG);
	size_t sent = 0, got = 0, step = 1;
	struct tcp *t;
	int fd = program_connected(r, &t);

	fill(out, BIG);
	while (got < BIG) {
		size_t part = MIN(BIG - sent, step);
		ssize_t n = part ? send(fd, out + sent, part, MSG_DONTWAIT) : 0;

		step = step * 5 % 70001 + 1;
		sent += n > 0 ? (size_t)n : 0;
		engine_turns(r, n > 0 ? 0 : 50 * MSEC);
		/* A slow reader now and then, so that the ring and the queue fill. */
		if (sent % 7 == 0 || sent == BIG || n < 0)
			got += peer_read(r, t, in + got, BIG - got);
	}
	assert_memory_equal(in, out, BIG);
	close(fd);
	free(in);
	free(out);
	engine_rig_free(r);
}

TEST(a_big_download_arrives_unchanged_though_the_program_is_slow)
{
	struct engine_rig *r = engine_rig_new();
	uint8_t *out = malloc(HUGE), *in = malloc(HUGE);
	size_t sent = 0, got = 0, stuck = 0;
	struct tcp *t;
	int fd = program_connected(r, &t);

	fill(out, HUGE);
	/* Nobody reads: the window closes. */
	for (int i = 0; i < 100; i++) {
		sent += peer_write(r, t, out + sent, HUGE - sent);
		engine_turns(r, 50 * MSEC);
	}
	stuck = sent;
	assert_true(stuck < HUGE);
	while (got < HUGE) {
		ssize_t n = recv(fd, in + got, MIN(HUGE - got, (size_t)30011), MSG_DONTWAIT);

		got += n > 0 ? (size_t)n : 0;
		if (sent < HUGE)
			sent += peer_write(r, t, out + sent, HUGE - sent);
		engine_turns(r, n > 0 ? 0 : 50 * MSEC);
	}
	assert_memory_equal(in, out, HUGE);
	close(fd);
	free(in);
	free(out);
	engine_rig_free(r);
}

/* The peer writes as long as there is room, the program reads nothing. */
static void stall(struct engine_rig *r, struct tcp *t)
{
	static const uint8_t data[64 << 10];

	while (peer_write(r, t, data, sizeof data) > 0)
		engine_turns(r, 0);
	engine_turns(r, SEC);
}

/* What a stalled reader's socket has come to hold when all may hold `max` bytes more. */
static void try_raise(uint64_t max, uint64_t expected)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	r->e.raised_max = max;
	stall(r, t);
	assert_int_equal(r->e.raised, expected);
	close(fd);
	engine_turns(r, SEC);
	assert_int_equal(r->e.raised, 0);
	engine_rig_free(r);
}

TEST(a_stalled_readers_socket_holds_more_while_there_is_memory_for_it)
{
	try_raise(1 << 20, 0);
	try_raise(2 << 20, 2 << 20);
	try_raise(15 << 20, 2 << 20); /* half of it is for those who ask for the first time */
	try_raise(16 << 20, 8 << 20);
}

TEST(the_peers_fin_is_an_end_and_writing_goes_on)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	peer_write(r, t, "bye", 3);
	tcp_shutdown(t, r->e.now);
	engine_turns(r, 0);
	assert_int_equal(program_poll(fd), POLLIN | POLLOUT | POLLRDHUP);
	expect_read(fd, "bye");
	expect_read(fd, "");
	assert_int_equal(write(fd, "wait", 4), 4);
	engine_turns(r, 0);
	expect_peer(r, t, "wait");
	shutdown(fd, SHUT_WR);
	engine_turns(r, 0);
	assert_true(tcp_recv_eof(t));
	/* Both done: a clean end, no error, nothing left. */
	assert_int_equal(program_poll(fd), CLEAN_END);
	assert_int_equal(r->e.nsocks, 0);
	assert_int_equal(program_table(r, fd).error, 0);
	close(fd);
	engine_rig_free(r);
}

TEST(shut_wr_by_the_program_is_a_fin_behind_the_data)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	assert_int_equal(write(fd, "last words", 10), 10);
	shutdown(fd, SHUT_WR);
	engine_turns(r, 0);
	expect_peer(r, t, "last words");
	assert_true(tcp_recv_eof(t));
	peer_write(r, t, "answer", 6);
	engine_turns(r, 0);
	expect_read(fd, "answer");
	assert_int_equal(program_poll(fd), POLLOUT);
	tcp_close(t, r->e.now);
	engine_turns(r, 0);
	assert_int_equal(program_poll(fd), CLEAN_END);
	assert_int_equal(r->e.nsocks, 0);
	assert_int_equal(r->resets, 0);
	close(fd);
	engine_rig_free(r);
}

TEST(a_close_sends_everything_then_fin)
{
	struct engine_rig *r = engine_rig_new();
	static uint8_t out[150000], in[150000];
	size_t sent = 0, got = 0;
	struct tcp *t;
	int fd = program_connected(r, &t);
	ssize_t n;

	fill(out, sizeof(out));
	while (sent < sizeof(out) &&
		(n = send(fd, out + sent, sizeof(out) - sent, MSG_DONTWAIT)) > 0)
		sent += (size_t)n;
	close(fd);
	for (int i = 0; i < 100 && !tcp_recv_eof(t); i++) {
		engine_turns(r, 10 * MSEC);
		got += peer_read(r, t, in + got, sizeof(in) - got);
	}
	assert_true(tcp_recv_eof(t));
	assert_int_equal(got, sent);
	assert_memory_equal(in, out, got);
	assert_int_equal(r->resets, 0);
	assert_int_equal(r->e.nsocks, 0);
	engine_rig_free(r);
}

TEST(a_close_with_unread_data_is_a_reset)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	peer_write(r, t, "unread", 6);
	engine_turns(r, 0);
	close(fd);
	engine_turns(r, 0);
	assert_int_equal(tcp_error(t), ECONNRESET);
	assert_int_equal(r->e.nsocks, 0);
	engine_rig_free(r);
}

TEST(linger_zero_is_a_reset)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd;

	program_option(-1, IPC_OPT_LINGER, 0);
	fd = program_connected(r, &t);
	assert_int_equal(write(fd, "sent", 4), 4);
	close(fd);
	engine_turns(r, 0);
	assert_int_equal(tcp_error(t), ECONNRESET);
	expect_peer(r, t, "sent");
	assert_false(tcp_recv_eof(t));
	engine_rig_free(r);
}

TEST(a_close_after_the_peers_fin_is_a_fin)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	tcp_shutdown(t, r->e.now);
	engine_turns(r, 0);
	expect_read(fd, "");
	assert_int_equal(write(fd, "ok", 2), 2);
	close(fd);
	engine_turns(r, 0);
	expect_peer(r, t, "ok");
	assert_true(tcp_recv_eof(t));
	assert_int_equal(r->resets, 0);
	assert_int_equal(r->e.nsocks, 0);
	engine_rig_free(r);
}

TEST(a_close_while_the_fin_is_unacknowledged_is_found_by_asking)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	tcp_shutdown(t, r->e.now);
	engine_turns(r, 0);
	r->cut = true;
	shutdown(fd, SHUT_WR);
	engine_turns(r, 2 * SEC);
	assert_int_equal(r->e.nsocks, 1);
	close(fd);
	engine_turns(r, 0);
	engine_turns(r, 2 * SEC);
	assert_int_equal(r->e.nsocks, 0);
	engine_rig_free(r);
}

TEST(a_reset_comes_after_the_data_and_with_an_errno)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);
	char byte;

	peer_write(r, t, "half a page", 11);
	engine_turns(r, 0);
	tcp_abort(t, r->e.now);
	engine_turns(r, 0);
	expect_read(fd, "half a page");
	assert_int_equal(program_poll(fd), RESET);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(program_table(r, fd).error, ECONNRESET);
	assert_int_equal(r->e.nsocks, 0);
	close(fd);
	engine_rig_free(r);
}

/* Both sides have written until nothing moved; then the peer gives up. */
TEST(a_program_that_waits_to_write_goes_on_after_a_reset_and_reads_what_came_before)
{
	static uint8_t data[64 << 10];
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t), in_socket = 0;
	size_t read_back = 0;
	ssize_t n;

	do {
		stall(r, t);
		n = send(fd, data, sizeof data, MSG_DONTWAIT);
	} while (n > 0);
	assert_false(program_poll(fd) & POLLOUT);
	ioctl(fd, FIONREAD, &in_socket);
	tcp_abort(t, r->e.now);
	engine_turns(r, 0);
	assert_int_equal(program_table(r, fd).error, ECONNRESET);
	assert_true(program_poll(fd) & POLLOUT);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(send(fd, data, sizeof data, MSG_DONTWAIT), sizeof data);
		engine_turns(r, 0);
	}
	while ((n = recv(fd, data, sizeof data, MSG_DONTWAIT)) > 0) {
		read_back += (size_t)n;
		engine_turns(r, 0);
	}
	assert_int_equal(errno, ECONNRESET);
	assert_true(read_back > (size_t)in_socket); /* the rest had waited in the ring */
	assert_int_equal(r->e.nsocks, 0);
	close(fd);
	engine_rig_free(r);
}

TEST(acknowledged_data_is_delivered_before_a_reset_however_slow_the_program)
{
	struct engine_rig *r = engine_rig_new();
	uint8_t *out = malloc(BIG), *in = malloc(BIG);
	size_t sent = 0, got = 0, acked;
	int in_socket = 0;
	struct tcp *t;
	int fd = program_connected(r, &t);
	ssize_t n;

	fill(out, BIG);
	for (int i = 0; i < 50; i++) {
		sent += peer_write(r, t, out + sent, BIG - sent);
		engine_turns(r, 50 * MSEC);
	}
	acked = sent - tcp_send_queued(t);
	ioctl(fd, FIONREAD, &in_socket);
	assert_true(acked > (size_t)in_socket + 200000); /* the rest waits in the ring */
	tcp_abort(t, r->e.now);
	engine_turns(r, 0);
	assert_false(program_poll(fd) & POLLERR);
	while ((n = recv(fd, in + got, BIG - got, MSG_DONTWAIT)) > 0) {
		got += (size_t)n;
		engine_turns(r, 0);
	}
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(got, acked);
	assert_memory_equal(in, out, got);
	close(fd);
	free(in);
	free(out);
	engine_rig_free(r);
}

TEST(shut_rd_discards_and_the_connection_lives)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);
	static char data[100000];

	shutdown(fd, SHUT_RD);
	for (int i = 0; i < 20; i++) {
		peer_write(r, t, data, sizeof(data));
		engine_turns(r, 50 * MSEC);
	}
	assert_int_equal(tcp_send_queued(t), 0);
	assert_int_equal(write(fd, "still here", 10), 10);
	engine_turns(r, 0);
	expect_peer(r, t, "still here");
	assert_int_equal(r->resets, 0);
	close(fd);
	engine_rig_free(r);
}

TEST(shut_rdwr_is_a_fin_and_a_clean_end)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	assert_int_equal(write(fd, "done", 4), 4);
	shutdown(fd, SHUT_RDWR);
	engine_turns(r, 0);
	expect_peer(r, t, "done");
	assert_true(tcp_recv_eof(t));
	assert_int_equal(program_poll(fd), CLEAN_END);
	assert_int_equal(r->resets, 0);
	close(fd);
	engine_rig_free(r);
}

TEST(the_engines_death_is_a_reset)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);
	char byte;

	engine_rig_free(r);
	assert_int_equal(program_poll(fd), RESET);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	close(fd);
}

TEST(siocoutq_falls_to_zero_by_acks_alone)
{
	struct engine_rig *r = engine_rig_new();
	struct tcp *t;
	int fd = program_connected(r, &t);

	r->cut = true;
	assert_int_equal(write(fd, "12345", 5), 5);
	engine_turns(r, 0);
	assert_int_equal(program_table(r, fd).unsent, 5);
	r->cut = false;
	engine_turns(r, SEC);
	engine_turns(r, SEC);
	assert_int_equal(program_table(r, fd).unsent, 0);
	assert_true(program_table(r, fd).tcp_info_len > 100);
	close(fd);
	engine_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connect_is_writable_only_when_established),
		cmocka_unit_test(a_refused_connect_leaves_its_errno),
		cmocka_unit_test(a_silent_peer_is_a_timeout),
		cmocka_unit_test(small_messages_cross_both_ways_whole_and_at_once),
		cmocka_unit_test(a_cork_holds_what_is_written_under_it_until_it_comes_off),
		cmocka_unit_test(nodelay_sends_what_nagle_holds_and_holds_nothing_from_then_on),
		cmocka_unit_test(nodelay_before_the_first_write_is_seen_with_it),
		cmocka_unit_test(a_cork_that_is_off_again_before_the_engine_looks_holds_nothing),
		cmocka_unit_test(a_cork_right_behind_a_write_does_not_hold_it),
		cmocka_unit_test(everything_is_forwarded_and_one_byte_stays),
		cmocka_unit_test(an_urgent_byte_right_behind_others_arrives),
		cmocka_unit_test(a_big_upload_arrives_unchanged),
		cmocka_unit_test(a_big_download_arrives_unchanged_though_the_program_is_slow),
		cmocka_unit_test(a_stalled_readers_socket_holds_more_while_there_is_memory_for_it),
		cmocka_unit_test(the_peers_fin_is_an_end_and_writing_goes_on),
		cmocka_unit_test(shut_wr_by_the_program_is_a_fin_behind_the_data),
		cmocka_unit_test(a_close_sends_everything_then_fin),
		cmocka_unit_test(a_close_with_unread_data_is_a_reset),
		cmocka_unit_test(linger_zero_is_a_reset),
		cmocka_unit_test(a_close_after_the_peers_fin_is_a_fin),
		cmocka_unit_test(a_close_while_the_fin_is_unacknowledged_is_found_by_asking),
		cmocka_unit_test(a_reset_comes_after_the_data_and_with_an_errno),
		cmocka_unit_test(a_program_that_waits_to_write_goes_on_after_a_reset_and_reads_what_came_before),
		cmocka_unit_test(
			acknowledged_data_is_delivered_before_a_reset_however_slow_the_program),
		cmocka_unit_test(shut_rd_discards_and_the_connection_lives),
		cmocka_unit_test(shut_rdwr_is_a_fin_and_a_clean_end),
		cmocka_unit_test(the_engines_death_is_a_reset),
		cmocka_unit_test(siocoutq_falls_to_zero_by_acks_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
