/*
 * Datagram sockets through the engine: the messages of core/ipc/dgram.h on one side, the stack on
 * the other. A datagram to our own address comes back, which is all the network that is needed.
 */
#include "core/engine/dgram.h"
#include "tests/unit/engine_rig.h"

#define TEST(name) static void name(void **state)

static const char nobody[IPC_INSTANCE_LEN] = "0123456789abcde!";

/* A socket whose other end the engine has accepted by its datagram name. */
static int program(struct engine_rig *r)
{
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	struct sock *s = sock_new(&r->e, pair[1]);
	assert_non_null(s);
	s->is_dgram = true;
	return pair[0];
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	return cookie;
}

static struct ipc_dgram header(struct engine_rig *r, enum ipc_dgram_op op)
{
	return ipc_dgram(r->e.instance, op, 0);
}

static void tell(struct engine_rig *r, int fd, const struct ipc_dgram *h)
{
	assert_int_equal(send(fd, h, sizeof(*h), MSG_NOSIGNAL), sizeof(*h));
	engine_turns(r, 0);
}

static int opened(struct engine_rig *r)
{
	struct ipc_dgram h = header(r, IPC_DGRAM_OPEN);
	int fd = program(r);

	h.cookie = cookie_of(fd);
	h.family = AF_INET;
	h.kind = IPC_KIND_UDP;
	tell(r, fd, &h);
	return fd;
}

/* A request, answered on a socket pair: its errno. */
static int request(struct engine_rig *r, int fd, struct ipc_dgram h)
{
	int pair[2];
	struct ipc_reply reply;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_int_equal(ipc_send_fd(fd, &h, sizeof(h), pair[1], 0), sizeof(h));
	close(pair[1]);
	engine_turns(r, 0);
	assert_int_equal(recv(pair[0], &reply, sizeof(reply), 0), sizeof(reply));
	close(pair[0]);
	return reply.error;
}

static int bind_to(struct engine_rig *r, int fd, uint16_t port)
{
	struct ipc_dgram h = header(r, IPC_DGRAM_BIND);

	h.remote.port = port;
	return request(r, fd, h);
}

static int connect_to(struct engine_rig *r, int fd, uint16_t port)
{
	struct ipc_dgram h = header(r, IPC_DGRAM_CONNECT);

	h.remote = (struct endpoint){stack_address(r->e.stack)->addr, port};
	return request(r, fd, h);
}

/* A datagram to a port of our own. */
static void send_datagram(struct engine_rig *r, int fd, uint16_t port, const char *text)
{
	uint8_t bytes[256];
	struct ipc_dgram h = ipc_dgram(r->e.instance, IPC_DGRAM_DATA, strlen(text));

	if (port)
		h.remote = (struct endpoint){stack_address(r->e.stack)->addr, port};
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), text, strlen(text));
	assert_int_equal(send(fd, bytes, h.len, MSG_NOSIGNAL), h.len);
	engine_turns(r, 0);
}

static void expect_datagram(struct engine_rig *r, int fd, const char *text)
{
	uint8_t bytes[512];
	struct ipc_dgram h;
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	assert_int_equal(n, sizeof(h) + strlen(text));
	memcpy(&h, bytes, sizeof(h));
	assert_true(ipc_dgram_check(&h, (size_t)n, r->e.instance));
	assert_int_equal(h.op, IPC_DGRAM_DATA);
	assert_memory_equal(bytes + sizeof(h), text, strlen(text));
}

static void expect_silence(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void expect_closed(int fd)
{
	struct pollfd p = {.fd = fd};

	assert_int_equal(poll(&p, 1, 0), 1);
	assert_true(p.revents & POLLHUP);
}

TEST(a_datagram_goes_from_one_program_to_another)
{
	struct engine_rig *r = engine_rig_new();
	int a = opened(r), b = opened(r);

	assert_int_equal(bind_to(r, b, 7), 0);
	send_datagram(r, a, 7, "hello");
	expect_datagram(r, b, "hello");
	expect_silence(b);
	struct ipc_sock_info info = program_table(r, b);
	assert_int_equal(info.kind, IPC_KIND_UDP);
	assert_int_equal(info.local.port, 7);
	assert_int_not_equal(program_table(r, a).local.port, 0);
	close(a);
	close(b);
	engine_turns(r, 0);
	assert_int_equal(r->e.nsocks, 0);
	engine_rig_free(r);
}

TEST(requests_are_answered_behind_unread_datagrams)
{
	struct engine_rig *r = engine_rig_new();
	int a = opened(r), b = opened(r), c = opened(r);

	assert_int_equal(bind_to(r, b, 7), 0);
	send_datagram(r, a, 7, "unread");
	assert_int_equal(bind_to(r, b, 8), EINVAL);
	assert_int_equal(bind_to(r, c, 7), EADDRINUSE);
	assert_int_equal(connect_to(r, b, 9), 0);
	expect_datagram(r, b, "unread");
	close(a);
	close(b);
	close(c);
	engine_turns(r, 0);
	engine_rig_free(r);
}

TEST(a_plain_write_goes_to_the_connected_peer)
{
	struct engine_rig *r = engine_rig_new();
	int a = opened(r), b = opened(r);
	struct ipc_dgram forged = ipc_dgram(nobody, IPC_DGRAM_DISCONNECT, 0);

	assert_int_equal(bind_to(r, b, 7), 0);
	assert_int_equal(write(a, "lost", 4), 4);
	engine_turns(r, 0);
	expect_silence(b);
	assert_int_equal(connect_to(r, a, 7), 0);
	assert_int_equal(write(a, "plain", 5), 5);
	engine_turns(r, 0);
	expect_datagram(r, b, "plain");
	/* A header of no engine's is data like any other. */
	tell(r, a, &forged);
	assert_int_not_equal(recv(b, &forged, sizeof(forged), MSG_TRUNC), -1);
	assert_int_equal(program_table(r, a).remote.port, 7);
	close(a);
	close(b);
	engine_turns(r, 0);
	engine_rig_free(r);
}

TEST(a_refusal_is_told_in_the_table_and_in_the_queue)
{
	struct engine_rig *r = engine_rig_new();
	int a = opened(r);
	struct ipc_dgram h;

	assert_int_equal(connect_to(r, a, 9), 0);
	send_datagram(r, a, 0, "x");
	assert_int_equal(program_table(r, a).error, ECONNREFUSED);
	assert_int_equal(recv(a, &h, sizeof(h), 0), sizeof(h));
	assert_int_equal(h.op, IPC_DGRAM_ERROR);
	assert_int_equal(h.error, ECONNREFUSED);
	assert_int_equal(h.flags, IPC_DGRAM_PENDING);
	expect_silence(a);
	close(a);
	engine_turns(r, 0);
	engine_rig_free(r);
}

TEST(options_keep_their_place_among_the_datagrams)
{
	struct engine_rig *r = engine_rig_new();
	int a = opened(r), b = opened(r);
	uint8_t bytes[256];
	struct ipc_dgram option = header(r, IPC_DGRAM_SETOPT), data;

	assert_int_equal(bind_to(r, b, 7), 0);
	assert_int_equal(connect_to(r, a, 7), 0);
	option.option = IPC_DGRAM_OPT_TTL;
	for (int ttl = 3; ttl <= 5; ttl++) {
		option.value = ttl;
		assert_int_equal(send(a, &option, sizeof(option), 0), sizeof(option));
		assert_int_equal(send(a, "x", 1, 0), 1);
	}
	engine_turns(r, 0);
	for (int ttl = 3; ttl <= 5; ttl++) {
		assert_int_equal(recv(b, bytes, sizeof(bytes), 0), sizeof(data) + 1);
		memcpy(&data, bytes, sizeof(data));
		assert_int_equal(data.ttl, ttl);
	}
	assert_int_equal(program_table(r, a).option[IPC_DGRAM_OPT_TTL], 5);
	close(a);
	close(b);
	engine_turns(r, 0);
	engine_rig_free(r);
}

TEST(a_program_that_does_not_read_loses_datagrams_and_nobody_waits)
{
	struct engine_rig *r = engine_rig_new();
	int a = opened(r), b = opened(r), got = 0;
	char bytes[512];
	struct ipc_dgram option = header(r, IPC_DGRAM_SETOPT);

	option.option = IPC_DGRAM_OPT_RCVBUF;
	option.value = 4096;
	tell(r, b, &option);
	assert_int_equal(bind_to(r, b, 7), 0);
	for (int i = 0; i < 2000; i++)
		send_datagram(r, a, 7, "0123456789");
	assert_true(stack_counters(r->e.stack)->v[CNT_UdpRcvbufErrors] > 0);
	for (bool more = true; more; engine_turns(r, 0)) {
		more = false;
		for (; recv(b, bytes, sizeof(bytes), 0) > 0; more = true)
			got++;
	}
	assert_int_equal(got + (int)stack_counters(r->e.stack)->v[CNT_UdpRcvbufErrors], 2000);
	send_datagram(r, a, 7, "still there");
	expect_datagram(r, b, "still there");
	close(a);
	close(b);
	engine_turns(r, 0);
	engine_rig_free(r);
}

TEST(what_was_sent_before_a_close_still_leaves)
{
	struct engine_rig *r = engine_rig_new();
	int a = opened(r), b = opened(r);

	assert_int_equal(bind_to(r, b, 7), 0);
	assert_int_equal(bind_to(r, a, 8), 0);
	send_datagram(r, b, 8, "a never reads this");
	assert_int_equal(connect_to(r, a, 7), 0);
	assert_int_equal(write(a, "last words", 10), 10);
	close(a);
	engine_turns(r, 0);
	expect_datagram(r, b, "last words");
	assert_int_equal(r->e.nsocks, 1);
	close(b);
	engine_turns(r, 0);
	engine_rig_free(r);
}

TEST(who_does_not_speak_the_language_is_closed)
{
	struct engine_rig *r = engine_rig_new();
	struct ipc_dgram h = header(r, IPC_DGRAM_OPEN);
	int plain = program(r), kind = program(r), unknown = opened(r);
	uint64_t before = r->e.counters.bad_requests;

	assert_int_equal(write(plain, "x", 1), 1);
	h.family = AF_INET;
	h.kind = 99;
	tell(r, kind, &h);
	h = header(r, 77);
	tell(r, unknown, &h);
	expect_closed(plain);
	expect_closed(kind);
	expect_closed(unknown);
	assert_int_equal(r->e.counters.bad_requests - before, 3);
	assert_int_equal(r->e.nsocks, 0);
	close(plain);
	close(kind);
	close(unknown);
	engine_rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_goes_from_one_program_to_another),
		cmocka_unit_test(requests_are_answered_behind_unread_datagrams),
		cmocka_unit_test(a_plain_write_goes_to_the_connected_peer),
		cmocka_unit_test(a_refusal_is_told_in_the_table_and_in_the_queue),
		cmocka_unit_test(options_keep_their_place_among_the_datagrams),
		cmocka_unit_test(a_program_that_does_not_read_loses_datagrams_and_nobody_waits),
		cmocka_unit_test(what_was_sent_before_a_close_still_leaves),
		cmocka_unit_test(who_does_not_speak_the_language_is_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
