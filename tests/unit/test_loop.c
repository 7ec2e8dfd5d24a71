/*
 * A connection to our own address: two real TCPs in one stack, nothing on the wire.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/stack/stack.h"
#include "core/stack/tcp.h"

#define TEST(name) static void name(void **state)

enum { PORT = 8080, TOTAL = 8 << 20, POLLS_MAX = 100000 };

struct pair {
	struct stack *s;
	nsec now;
	unsigned on_wire; /* IPv4 frames the stack wanted to send */
	unsigned polls;
	struct tcp *client, *server;
};

static int emit(void *ctx, const struct tx_frame *f, nsec now)
{
	struct pair *p = ctx;

	p->on_wire += f->head[f->head_at + 13] == 0; /* 0x0800, not ARP's 0x0806 */
	return 0;
}

/* On to the next deadline, at most a second. */
static void turn(struct pair *p)
{
	nsec next = nsec_min(stack_deadline(p->s), p->now + SEC);

	assert_true(++p->polls < POLLS_MAX);
	p->now = nsec_max(p->now, next);
	stack_poll(p->s, p->now);
}

static struct pair *connected_pair(uint32_t gso_max)
{
	struct stack_config config = {.mac = {{2, 0, 0, 0, 0, 2}}, .mtu = 1500, .gso_max = gso_max};
	struct stack_ops ops = {.emit = emit};
	struct ipnet address = {ipaddr_v4(0x0a000002), 120};
	struct endpoint at = {address.addr, PORT};
	struct pair *p = calloc(1, sizeof *p);

	p->now = SEC;
	p->s = stack_new(&config, &ops, p, p->now);
	stack_claim(p->s, &address, PROBE_NONE, p->now);
	struct tcp *listener = tcp_new(p->s, NULL);
	assert_int_equal(tcp_bind(listener, &at), 0);
	assert_int_equal(tcp_listen(listener, 1, p->now), 0);
	p->client = tcp_new(p->s, NULL);
	assert_int_equal(tcp_connect(p->client, &at, p->now), 0);
	stack_poll(p->s, p->now);
	p->server = tcp_accept(listener);
	assert_non_null(p->server);
	tcp_close(listener, p->now);
	return p;
}

static uint8_t pattern_at(size_t i)
{
	return (uint8_t)(i * 31 + i / 4096);
}

static size_t send_some(struct pair *p, size_t at)
{
	struct iovec iov[2];
	int n = tcp_send_room(p->client, MIN((size_t)65536, TOTAL - at), iov);
	size_t done = 0;

	for (int i = 0; i < n; i++) {
		size_t len = MIN(iov[i].iov_len, TOTAL - at - done);
		for (size_t k = 0; k < len; k++)
			((uint8_t *)iov[i].iov_base)[k] = pattern_at(at + done + k);
		done += len;
	}
	if (done > 0)
		tcp_send_commit(p->client, done, p->now);
	return done;
}

static size_t receive_some(struct pair *p, size_t at)
{
	struct iovec iov[2];
	int n = tcp_recv_peek(p->server, iov);
	size_t done = 0;

	for (int i = 0; i < n; i++) {
		const uint8_t *data = iov[i].iov_base;
		for (size_t k = 0; k < iov[i].iov_len; k++)
			assert_int_equal(data[k], pattern_at(at + done + k));
		done += iov[i].iov_len;
	}
	tcp_recv_consume(p->server, done, p->now);
	return done;
}

/* `packets_max`: how many IP packets it may take, ACKs included. */
static void transfer_and_close(uint32_t gso_max, uint64_t packets_max)
{
	struct pair *p = connected_pair(gso_max);
	size_t sent = 0, received = 0;

	assert_int_equal(tcp_state(p->client), TCPS_ESTABLISHED);
	while (received < TOTAL) {
		sent += send_some(p, sent);
		turn(p);
		received += receive_some(p, received);
	}
	assert_int_equal(stack_counters(p->s)->v[CNT_TcpRetransSegs], 0);
	assert_int_equal(p->on_wire, 0);
	assert_in_range(stack_counters(p->s)->v[CNT_IpInReceives], 1, packets_max);
	tcp_close(p->client, p->now);
	turn(p);
	assert_true(tcp_recv_eof(p->server));
	tcp_close(p->server, p->now);
	while (stack_deadline(p->s) != NSEC_NEVER)
		turn(p);
	assert_int_equal(stack_memory(p->s), 0);
	assert_int_equal(stack_socket_count(p->s), 0);
	assert_int_equal(p->on_wire, 0);
	stack_free(p->s);
	free(p);
}

TEST(eight_megabytes_to_ourselves_arrive_in_single_segments)
{
	transfer_and_close(0, 2 * TOTAL / 1448);
}

TEST(eight_megabytes_to_ourselves_arrive_in_super_segments)
{
	transfer_and_close(65000, TOTAL / 16384);
}

TEST(a_port_of_ours_that_nobody_has_refuses_at_once)
{
	struct pair *p = connected_pair(0);
	struct endpoint nobody = {ipaddr_v4(0x0a000002), PORT + 1};
	struct tcp *t = tcp_new(p->s, NULL);

	assert_int_equal(tcp_connect(t, &nobody, p->now), 0);
	stack_poll(p->s, p->now);
	assert_int_equal(tcp_state(t), TCPS_CLOSED);
	assert_int_equal(tcp_error(t), ECONNREFUSED);
	tcp_close(t, p->now);
	stack_free(p->s);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_megabytes_to_ourselves_arrive_in_single_segments),
		cmocka_unit_test(eight_megabytes_to_ourselves_arrive_in_super_segments),
		cmocka_unit_test(a_port_of_ours_that_nobody_has_refuses_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
