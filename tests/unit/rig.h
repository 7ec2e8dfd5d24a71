/*
 * A stack below TCP on a table: frames go in with rx_…, what it sends is captured and has to be
 * expected, in order, by expect_…; time moves only by advance(). TCP is replaced by a recorder.
 *
 * We are 10.0.0.2/24 behind 02:…:02; the gateway is 10.0.0.1. 10.0.0.N has the MAC 02:…:N.
 */
#ifndef TEECEE_TESTS_RIG_H
#define TEECEE_TESTS_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/stack/state.h"
#include "core/stack/tcb.h"
#include "core/wire/arp.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/udphdr.h"

#define TEST(name) static void name(void **state)

enum { RIG_TX_MAX = 256, RIG_FRAME_MAX = 1 << 17, RIG_MTU = 1500 };

struct rig_frame {
	uint8_t *data;
	size_t len;
	uint16_t gso_size;
	uint8_t csum;
};

struct rig {
	struct stack *s;
	nsec now;
	int emit_result;
	struct rig_frame tx[RIG_TX_MAX];
	unsigned ntx, seen; /* sent, and expected by the test */

	unsigned nsegments; /* what TCP got */
	struct ip_meta meta;
	uint8_t segment[RIG_FRAME_MAX];
	size_t segment_len;
	enum frame_csum segment_csum;
	uint16_t segment_gso;

	unsigned nerrors;
	struct ip_error error[8];

	struct tx_frame *on_poll; /* sent once by the next tcp_poll */
	struct ip_meta on_poll_meta;
};

/* --- addresses --- */

#define V4_INIT(a, b, c, d)                                                                        \
	{                                                                                          \
		{                                                                                  \
			[10] = 0xff, 0xff, (a), (b), (c), (d)                                      \
		}                                                                                  \
	}
#define V4(a, b, c, d) ((struct ipaddr)V4_INIT(a, b, c, d))
#define HOST(n) V4(10, 0, (n) / 256 % 256, (n) % 256)
#define US HOST(2)
#define GATEWAY HOST(1)
#define PEER HOST(9)
#define FAR V4(192, 0, 2, 7)
#define NOBODY V4(0, 0, 0, 0)
#define MAC(n) ((struct macaddr){{2, 0, 0, 0, 0, (n)}})
#define NO_MAC ((struct macaddr){{0}})

/* --- TCP, as far as these tests need one --- */

__attribute__((weak)) int tcp_table_init(struct stack *s, nsec now)
{
	return 0;
}

__attribute__((weak)) void tcp_table_free(struct stack *s)
{
}

__attribute__((weak)) void tcp_poll(struct stack *s, nsec now)
{
	struct rig *t = s->ctx;

	if (t->on_poll) {
		struct tx_frame *f = t->on_poll;
		t->on_poll = NULL;
		ip_output(s, f, &t->on_poll_meta, now);
	}
}

__attribute__((weak)) void tcp_input(struct stack *s, const struct ip_meta *m,
	const uint8_t *segment, size_t len, const struct rx_frame *f, nsec now)
{
	struct rig *t = s->ctx;

	assert_true(len <= sizeof t->segment);
	t->nsegments++;
	t->meta = *m;
	memcpy(t->segment, segment, len);
	t->segment_len = len;
	t->segment_csum = f->csum;
	t->segment_gso = f->gso_size;
}

__attribute__((weak)) void tcp_segment_input(struct tcp *t, struct segment *g, nsec now)
{
}

__attribute__((weak)) void tcp_icmp_error(struct stack *s, const struct ip_error *e, nsec now)
{
	struct rig *t = s->ctx;

	assert_true(t->nerrors < ARRAY_LEN(t->error));
	t->error[t->nerrors++] = *e;
}

/* --- the rig --- */

/* What a link does for a datagram in one piece. */
static inline void rig_sum_udp(struct rig_frame *out, size_t l4_at)
{
	uint16_t sum = csum_finish(csum_add(0, out->data + l4_at, out->len - l4_at));

	put_be16(out->data + l4_at + UDP_CSUM_OFFSET, sum ? sum : 0xffff);
	out->csum = FRAME_CSUM_UNVERIFIED;
}

static inline int rig_emit(void *ctx, const struct tx_frame *f, nsec now)
{
	struct rig *t = ctx;
	size_t head = tx_frame_head_len(f), at = head;

	if (t->emit_result < 0)
		return t->emit_result;
	assert_int_equal(now, t->now);
	assert_true(t->ntx < RIG_TX_MAX);
	struct rig_frame *out = &t->tx[t->ntx++];
	out->len = head + tx_frame_payload_len(f);
	out->data = malloc(out->len);
	out->gso_size = f->gso_size;
	out->csum = f->csum;
	memcpy(out->data, f->head + f->head_at, head);
	for (unsigned i = 0; i < f->npayload; i++) {
		memcpy(out->data + at, f->payload[i].iov_base, f->payload[i].iov_len);
		at += f->payload[i].iov_len;
	}
	if (f->csum == FRAME_CSUM_PARTIAL && f->csum_offset == UDP_CSUM_OFFSET)
		rig_sum_udp(out, head - f->l4_from_end);
	return 0;
}

static inline struct ipnet rig_net(void)
{
	return (struct ipnet){US, 120};
}

static inline struct rig *rig_unclaimed(void)
{
	struct stack_config c = {.mac = MAC(2), .mtu = RIG_MTU, .gateway = GATEWAY};
	struct stack_ops ops = {.emit = rig_emit};
	struct rig *t = calloc(1, sizeof *t);

	for (unsigned i = 0; i < sizeof c.secret; i++)
		c.secret[i] = (uint8_t)(i * 7 + 1);
	t->now = 1000 * SEC;
	t->s = stack_new(&c, &ops, t, t->now);
	assert_non_null(t->s);
	return t;
}

static inline void rig_free(struct rig *t)
{
	stack_free(t->s);
	for (unsigned i = 0; i < t->ntx; i++)
		free(t->tx[i].data);
	free(t);
}

/* The end of a test; one that left a frame unexpected or memory behind fails here. */
static inline void rig_end(struct rig *t)
{
	assert_int_equal(t->ntx - t->seen, 0);
	assert_int_equal(stack_memory(t->s), 0);
	rig_free(t);
}

/* Goes on to now + d the way the owner does: a poll at every deadline on the way. */
static inline void advance(struct rig *t, nsec d)
{
	nsec end = t->now + d;

	for (nsec next = stack_deadline(t->s); next <= end; next = stack_deadline(t->s)) {
		t->now = nsec_max(t->now, next);
		stack_poll(t->s, t->now);
	}
	t->now = end;
	stack_poll(t->s, t->now);
}

static inline uint64_t counted(const struct rig *t, enum counter which)
{
	return stack_counters(t->s)->v[which];
}

static inline void forget_tx(struct rig *t)
{
	t->seen = t->ntx;
}

static inline void expect_silence(struct rig *t)
{
	assert_int_equal(t->ntx - t->seen, 0);
}

/* A rig whose address is ours and has been announced. */
static inline struct rig *rig_ready(void)
{
	struct rig *t = rig_unclaimed();
	struct ipnet net = rig_net();

	stack_claim(t->s, &net, PROBE_NONE, t->now);
	advance(t, 10 * SEC);
	assert_int_equal(stack_address_state(t->s, NULL), ADDRESS_READY);
	forget_tx(t);
	return t;
}

/* --- in --- */

static inline void rx_frame(struct rig *t, const struct macaddr *dst, uint16_t type,
	const void *payload, size_t len, enum frame_csum csum)
{
	uint8_t *frame = malloc(ETH_HDR_LEN + len); /* exactly as long: a read beyond it is seen */
	struct rx_frame f = {
		.data = frame, .len = ETH_HDR_LEN + len, .csum = (uint8_t)csum, .arrival = t->now};

	eth_emit(frame, &(struct eth_hdr){.dst = *dst, .src = MAC(9), .ethertype = type});
	memcpy(frame + ETH_HDR_LEN, payload, len);
	stack_input(t->s, &f, t->now);
	free(frame);
}

static inline void rx_arp_packet(struct rig *t, const struct arp_packet *p)
{
	uint8_t bytes[ARP_LEN];

	arp_emit(bytes, p);
	rx_frame(t, p->op == ARP_REQUEST ? &eth_broadcast : &t->s->config.mac, ETH_TYPE_ARP, bytes,
		sizeof bytes, FRAME_CSUM_UNVERIFIED);
}

static inline bool is_unsaid(const void *value, size_t len)
{
	static const uint8_t zero[16];

	return memcmp(value, zero, len) == 0;
}

static inline void rx_arp_with_defaults(struct rig *t, struct arp_packet p)
{
	if (is_unsaid(&p.sender_mac, sizeof p.sender_mac))
		p.sender_mac = MAC(9);
	if (is_unsaid(&p.sender_ip, sizeof p.sender_ip))
		p.sender_ip = PEER;
	if (is_unsaid(&p.target_ip, sizeof p.target_ip))
		p.target_ip = US;
	rx_arp_packet(t, &p);
}

/* From 10.0.0.9 to us, unless said. */
#define rx_arp(t, ...) rx_arp_with_defaults(t, (struct arp_packet){__VA_ARGS__})

struct rig_ip {
	struct ipv4_hdr h; /* total_len is filled in */
	const void *data;
	size_t len;
	size_t padding; /* Ethernet's */
	struct macaddr eth_dst;
	enum frame_csum csum;
};

static inline void rx_ip_with_defaults(struct rig *t, struct rig_ip p)
{
	uint8_t *packet = calloc(1, IPV4_HDR_LEN + p.len + p.padding);

	if (is_unsaid(&p.h.src, sizeof p.h.src))
		p.h.src = PEER;
	if (is_unsaid(&p.h.dst, sizeof p.h.dst))
		p.h.dst = US;
	if (is_unsaid(&p.eth_dst, sizeof p.eth_dst))
		p.eth_dst = MAC(2);
	p.h.ttl = p.h.ttl ? p.h.ttl : 64;
	p.h.protocol = p.h.protocol ? p.h.protocol : IP_PROTO_TCP;
	p.h.total_len = (uint16_t)(IPV4_HDR_LEN + p.len);
	ipv4_emit(packet, &p.h);
	if (p.len > 0)
		memcpy(packet + IPV4_HDR_LEN, p.data, p.len);
	rx_frame(t, &p.eth_dst, ETH_TYPE_IPV4, packet, IPV4_HDR_LEN + p.len + p.padding, p.csum);
	free(packet);
}

/* `n` bytes at `d` as TCP from 10.0.0.9 to us, unless said. */
#define rx_ip(t, d, n, ...)                                                                        \
	rx_ip_with_defaults(t, (struct rig_ip){.data = (d), .len = (n), ##__VA_ARGS__})

/* --- out --- */

static inline struct rig_frame *next_tx(struct rig *t, struct eth_hdr *eth, uint16_t type)
{
	assert_true(t->seen < t->ntx);
	struct rig_frame *f = &t->tx[t->seen++];
	assert_true(eth_parse(eth, f->data, f->len));
	assert_int_equal(eth->ethertype, type);
	assert_memory_equal(eth->src.b, t->s->config.mac.b, 6);
	return f;
}

static inline void assert_ip(const struct ipaddr *a, struct ipaddr b)
{
	assert_memory_equal(a->b, b.b, sizeof b.b);
}

static inline void assert_mac(const struct macaddr *a, struct macaddr b)
{
	assert_memory_equal(a->b, b.b, sizeof b.b);
}

/* The next frame is this ARP packet to this MAC. */
static inline void expect_arp(struct rig *t, struct macaddr to, uint16_t op, struct ipaddr sender,
	struct macaddr target_mac, struct ipaddr target)
{
	struct eth_hdr eth;
	struct arp_packet p;
	struct rig_frame *f = next_tx(t, &eth, ETH_TYPE_ARP);

	assert_true(arp_parse(&p, f->data + ETH_HDR_LEN, f->len - ETH_HDR_LEN));
	assert_mac(&eth.dst, to);
	assert_int_equal(p.op, op);
	assert_mac(&p.sender_mac, t->s->config.mac);
	assert_ip(&p.sender_ip, sender);
	assert_mac(&p.target_mac, target_mac);
	assert_ip(&p.target_ip, target);
}

static inline void expect_request(struct rig *t, struct ipaddr target)
{
	expect_arp(t, eth_broadcast, ARP_REQUEST, US, NO_MAC, target);
}

static inline void expect_probe(struct rig *t)
{
	expect_arp(t, eth_broadcast, ARP_REQUEST, NOBODY, NO_MAC, US);
}

static inline void expect_announcement(struct rig *t)
{
	expect_arp(t, eth_broadcast, ARP_REQUEST, US, NO_MAC, US);
}

/* The next frame is a well-formed IPv4 packet to this MAC; its payload is returned. */
static inline const uint8_t *expect_ip(struct rig *t, struct macaddr to, struct ipv4_hdr *h)
{
	struct eth_hdr eth;
	struct rig_frame *f = next_tx(t, &eth, ETH_TYPE_IPV4);
	const uint8_t *packet = f->data + ETH_HDR_LEN;

	assert_mac(&eth.dst, to);
	assert_int_equal(ipv4_parse(h, packet, f->len - ETH_HDR_LEN), IPV4_OK);
	assert_int_equal(h->total_len, f->len - ETH_HDR_LEN);
	return packet + h->hdr_len;
}

/* The next frame is an ICMP message to 10.0.0.9 or its router. */
static inline struct icmp_msg expect_icmp(
	struct rig *t, struct macaddr to, uint8_t type, uint8_t code, struct ipv4_hdr *h)
{
	struct icmp_msg m;
	const uint8_t *data = expect_ip(t, to, h);

	assert_int_equal(h->protocol, IP_PROTO_ICMP);
	assert_true(icmp_parse(&m, data, h->total_len - h->hdr_len));
	assert_int_equal(m.type, type);
	assert_int_equal(m.code, code);
	return m;
}

/* --- the verbs of a transport --- */

/* 10.0.0.9 (and the gateway) are in the cache. */
static inline void rig_knows_neighbours(struct rig *t)
{
	rx_arp(t, .op = ARP_REPLY);
	rx_arp(t, .op = ARP_REPLY, .sender_ip = GATEWAY, .sender_mac = MAC(1));
	expect_silence(t);
}

/* Sends `len` bytes to `dst` as TCP would. */
static inline int output(struct rig *t, struct ipaddr dst, const void *data, size_t len)
{
	struct ip_meta m = {.src = US, .dst = dst, .protocol = IP_PROTO_TCP, .df = true};
	struct tx_frame f;

	tx_frame_init(&f);
	f.npayload = 1;
	f.payload[0] = (struct iovec){(void *)(uintptr_t)data, len};
	return ip_output(t->s, &f, &m, t->now);
}

#endif
