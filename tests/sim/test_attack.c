/*
 * Attacks from off the path (RFC 5961, RFC 5927, RFC 4987): somebody who sees nothing forges
 * segments to a running connection, or floods a listener with SYNs. The transfer goes on, new
 * connections work, memory stays bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/stack/tcb.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "tests/sim/bulk.h"
#include "tests/sim/invariant.h"

enum { FRAME_MAX = 256 };

static size_t wrap(uint8_t *frame, const struct ipaddr *src, const struct ipaddr *dst,
	uint8_t protocol, size_t len, unsigned to)
{
	struct eth_hdr eth = {.dst = {{2, 0, 0, 0, 0, (uint8_t)(to + 1)}},
		.src = {{2, 9, 9, 9, 9, 9}},
		.ethertype = ETH_TYPE_IPV4};
	struct ipv4_hdr ip = {.src = *src,
		.dst = *dst,
		.total_len = (uint16_t)(IPV4_HDR_LEN + len),
		.ttl = 64,
		.protocol = protocol,
		.df = true};

	eth_emit(frame, &eth);
	ipv4_emit(frame + ETH_HDR_LEN, &ip);
	return ETH_HDR_LEN + IPV4_HDR_LEN + len;
}

static void inject(struct sim *s, unsigned to, const uint8_t *frame, size_t len)
{
	struct rx_frame rx = {.data = frame, .len = len, .arrival = s->now};

	stack_input(s->side[to].stack, &rx, s->now);
}

static void inject_tcp(struct sim *s, unsigned to, const struct endpoint *from,
	const struct endpoint *at, struct tcp_hdr *h, uint16_t payload)
{
	uint8_t frame[FRAME_MAX] = {0}, *l4 = frame + ETH_HDR_LEN + IPV4_HDR_LEN;

	h->src_port = from->port;
	h->dst_port = at->port;
	size_t len = tcp_hdr_emit(l4, h) + payload;
	csum_acc sum = csum_pseudo(&from->addr, &at->addr, IP_PROTO_TCP, (uint32_t)len);
	put_be16(l4 + TCP_CSUM_OFFSET, csum_finish(csum_add(sum, l4, len)));
	inject(s, to, frame, wrap(frame, &from->addr, &at->addr, IP_PROTO_TCP, len, to));
}

/* An ICMP error about a segment of `at`'s with a guessed sequence number. */
static void inject_icmp(struct sim *s, unsigned to, const struct endpoint *from,
	const struct endpoint *at, uint8_t code, struct seq32 guess)
{
	uint8_t frame[FRAME_MAX] = {0}, *icmp = frame + ETH_HDR_LEN + IPV4_HDR_LEN;
	struct ipv4_hdr quoted = {.src = at->addr,
		.dst = from->addr,
		.total_len = 1500,
		.ttl = 60,
		.protocol = IP_PROTO_TCP};
	struct icmp_msg m = {.type = ICMP_TYPE_UNREACHABLE,
		.code = code,
		.rest = code == ICMP_CODE_FRAG_NEEDED ? 296 : 0,
		.body = icmp + ICMP_HDR_LEN,
		.body_len = IPV4_HDR_LEN + 8};

	ipv4_emit(icmp + ICMP_HDR_LEN, &quoted);
	put_be16(icmp + ICMP_HDR_LEN + IPV4_HDR_LEN, at->port);
	put_be16(icmp + ICMP_HDR_LEN + IPV4_HDR_LEN + 2, from->port);
	put_be32(icmp + ICMP_HDR_LEN + IPV4_HDR_LEN + 4, guess.v);
	icmp_emit(icmp, &m);
	inject(s, to, frame,
		wrap(frame, &from->addr, &at->addr, IP_PROTO_ICMP, ICMP_HDR_LEN + m.body_len, to));
}

/* --- blind attack on a running transfer --- */

struct blind {
	struct bulk *bulk;
	uint64_t left; /* forged segments to go */
	unsigned per_event;
};

/*
 * Any 32-bit number but the one exact value that an attacker cannot know: near the window half of
 * the time.
 */
static struct seq32 guess(struct sim *s, struct seq32 near)
{
	uint64_t r = sim_random(s);

	struct seq32 g =
		r & 1 ? seq((uint32_t)(r >> 32)) : seq_add(near, (uint32_t)(r >> 40) - (1u << 23));
	return seq_eq(g, near) ? seq_add(g, 1) : g;
}

static void forge_one(struct sim *s, struct tcp *victim, unsigned side)
{
	static const uint8_t kinds[] = {
		TH_RST, TH_RST | TH_ACK, TH_SYN, TH_SYN | TH_ACK, TH_ACK, TH_ACK | TH_FIN};
	uint64_t r = sim_random(s);
	struct endpoint from = *tcp_remote(victim), at = *tcp_local(victim);

	if (r % 8 >= ARRAY_LEN(kinds)) {
		/* Outside of what is in flight: within it ICMP must be believed (RFC 5927 §4). */
		struct seq32 g = seq_add(victim->snd.nxt, (uint32_t)(r >> 34));
		inject_icmp(s, side, &from, &at, (uint8_t)(r >> 8) % 5, g);
		return;
	}
	struct tcp_hdr h = {.flags = kinds[r % 8],
		.seq = guess(s, victim->rcv.nxt),
		.ack = guess(s, victim->snd.una),
		.window = (uint16_t)(r >> 16)};
	/*
	 * Data and FIN with both numbers in range would be believed by any TCP: the ACK is kept
	 * outside.
	 */
	if ((h.flags & TH_ACK) && !(h.flags & (TH_RST | TH_SYN)))
		h.ack = seq_add(victim->snd.nxt, 1 + (uint32_t)(r >> 34));
	inject_tcp(s, side, &from, &at, &h, h.flags == TH_ACK ? (uint16_t)(r >> 59) : 0);
}

static void attack(struct sim *s, void *ctx)
{
	struct blind *b = ctx;
	struct bulk_flow *f = &b->bulk->flow[0];

	for (unsigned i = 0; i < b->per_event && b->left > 0 && f->from && f->to; i++, b->left--) {
		unsigned side = b->left & 1;
		forge_one(s, side ? f->to : f->from, side);
	}
	invariant_check(s, NULL);
}

static double transfer(uint64_t forged, uint64_t *left)
{
	struct bulk b = {.nflows = 1, .warmup = 1 * SEC, .duration = 20 * SEC};
	struct blind blind = {.bulk = &b, .left = forged, .per_event = 40};
	struct sim s;

	sim_init(&s, 3, 65536);
	for (int i = 0; i < 2; i++)
		s.side[i].wire =
			(struct sim_wire){.delay = 10 * MSEC, .rate = 20000000, .queue = 60000};
	s.check = attack;
	s.check_ctx = &blind;
	bulk_run(&s, &b);
	sim_free(&s);
	*left = blind.left;
	return bulk_goodput(&b, 0);
}

static void a_million_forged_segments_neither_reset_nor_stall(void **state)
{
	uint64_t left;
	double calm = transfer(0, &left), attacked = transfer(1000000, &left);

	assert_int_equal(left, 0);
	assert_true(attacked >= 0.9 * calm);
}

/* --- SYN flood --- */

struct flood {
	nsec next;
	nsec every;
	uint64_t sent;
	size_t most_memory;
	unsigned most_socks;
};

static void flood(struct sim *s, void *ctx)
{
	struct flood *f = ctx;
	struct endpoint at = sim_endpoint(1, 80);

	while (f->next <= s->now) {
		uint64_t r = sim_random(s);
		struct endpoint from = {
			ipaddr_v4(0x0a000003 + (uint32_t)(r % 250)), (uint16_t)(r >> 16 | 1024)};
		struct tcp_hdr h = {.flags = TH_SYN,
			.seq = seq((uint32_t)(r >> 32)),
			.window = 1024,
			.opts = TO_MSS,
			.mss = 1460};
		inject_tcp(s, 1, &from, &at, &h, 0);
		f->next += f->every;
		f->sent++;
	}
	f->most_memory = MAX(f->most_memory, stack_memory(s->side[1].stack));
	f->most_socks = MAX(f->most_socks, stack_socket_count(s->side[1].stack));
	invariant_check(s, NULL);
}

static void a_syn_flood_leaves_new_connections_working(void **state)
{
	struct flood f = {.next = 1 * SEC, .every = 20 * USEC};
	struct sim s;

	sim_init(&s, 5, 65536);
	s.side[0].wire.delay = s.side[1].wire.delay = 20 * MSEC;
	s.check = flood;
	s.check_ctx = &f;
	/*
	 * The listener lives as long as one flow, so the flood begins with it and meets ten
	 * transfers in turn.
	 */
	for (int i = 0; i < 10; i++) {
		struct sim_flow flow = {.to_send = {200000, 200000}};
		assert_true(sim_run_flow(&s, &flow, 60 * SEC));
	}
	assert_true(f.sent > 50000);
	assert_true(stack_counters(s.side[1].stack)->v[CNT_TcpExtSyncookiesRecv] >= 9);
	assert_true(f.most_socks < 300);
	assert_true(f.most_memory < 16u << 20);
	sim_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_forged_segments_neither_reset_nor_stall),
		cmocka_unit_test(a_syn_flood_leaves_new_connections_working),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
