/*
 * Words for datagram sockets on the rig: they go in by rx_udp, are expected by expect_udp (on the
 * wire) and expect_recv (at the socket).
 */
#ifndef TEECEE_TESTS_DGRAM_RIG_H
#define TEECEE_TESTS_DGRAM_RIG_H

#include "core/stack/dgram.h"
#include "tests/unit/rig.h"

#define EP(a, p) (&(struct endpoint){(a), (p)})
#define ANY NOBODY
#define GROUP V4(239, 1, 2, 3)

static inline struct rig *rig_with_neighbours(void)
{
	struct rig *t = rig_ready();

	rig_knows_neighbours(t);
	return t;
}

static inline struct dgram *udp(struct rig *t)
{
	struct dgram *d = dgram_new(t->s, DGRAM_UDP, NULL);

	assert_non_null(d);
	return d;
}

static inline struct dgram *udp_bound(struct rig *t, struct ipaddr a, uint16_t port)
{
	struct dgram *d = udp(t);

	assert_int_equal(dgram_bind(d, EP(a, port)), 0);
	return d;
}

static inline int send_to(
	struct rig *t, struct dgram *d, const struct endpoint *to, const void *data, size_t len)
{
	struct dgram_out out = {.to = to,
		.ttl = -1,
		.tos = -1,
		.npieces = 1,
		.data[0] = {(void *)(uintptr_t)data, len}};

	return dgram_send(d, &out, t->now);
}

/* The bytes of a UDP datagram: the length. */
static inline size_t udp_bytes(uint8_t *out, struct ipaddr src, uint16_t from, struct ipaddr dst,
	uint16_t to, const char *text)
{
	size_t len = UDP_HDR_LEN + strlen(text);
	struct udp_hdr h = {.src_port = from, .dst_port = to, .len = (uint16_t)len};

	udp_hdr_emit(out, &h);
	memcpy(out + UDP_HDR_LEN, text, strlen(text));
	h.csum = csum_finish(csum_add(csum_pseudo(&src, &dst, IP_PROTO_UDP, (uint32_t)len), out, len));
	udp_hdr_emit(out, &h);
	return len;
}

static inline void rx_udp_from(
	struct rig *t, struct ipaddr src, uint16_t from, struct ipaddr dst, uint16_t to, const char *text)
{
	uint8_t bytes[512];
	size_t len = udp_bytes(bytes, src, from, dst, to, text);

	rx_ip(t, bytes, len, .h.protocol = IP_PROTO_UDP, .h.src = src, .h.dst = dst);
}

static inline void rx_udp(struct rig *t, uint16_t from, uint16_t to, const char *text)
{
	rx_udp_from(t, PEER, from, US, to, text);
}

/* The next frame is a whole UDP datagram with a right checksum; its ports and data. */
static inline struct udp_hdr expect_udp(
	struct rig *t, struct macaddr to, struct ipv4_hdr *h, const void *data, size_t len)
{
	struct udp_hdr u;
	const uint8_t *l4 = expect_ip(t, to, h);
	size_t got = h->total_len - h->hdr_len;

	assert_int_equal(h->protocol, IP_PROTO_UDP);
	assert_true(udp_hdr_parse(&u, l4, got));
	assert_int_equal(u.len, UDP_HDR_LEN + len);
	assert_memory_equal(l4 + UDP_HDR_LEN, data, len);
	if (u.csum)
		assert_int_equal(csum_fold(csum_add(csum_pseudo(&h->src, &h->dst, IP_PROTO_UDP, u.len),
					 l4, u.len)),
			0xffff);
	return u;
}

static inline void expect_recv(struct dgram *d, uint16_t from, const char *text)
{
	struct dgram_in in;

	assert_true(dgram_peek(d, &in));
	assert_int_equal(in.from.port, from);
	assert_int_equal(in.len, strlen(text));
	assert_memory_equal(in.data, text, in.len);
	dgram_pop(d);
}

static inline void expect_nothing(const struct dgram *d)
{
	struct dgram_in in;

	assert_false(dgram_peek(d, &in));
}

/* An ICMP error from `router` about the packet that was sent last. */
static inline void rx_error(
	struct rig *t, struct ipaddr router, uint8_t type, uint8_t code, uint32_t rest)
{
	const struct rig_frame *last = &t->tx[t->ntx - 1];
	uint8_t bytes[ICMP_HDR_LEN + 548];
	struct icmp_msg m = {.type = type, .code = code, .rest = rest};

	m.body = last->data + ETH_HDR_LEN;
	m.body_len = MIN(last->len - ETH_HDR_LEN, (size_t)548);
	icmp_emit(bytes, &m);
	memcpy(bytes + ICMP_HDR_LEN, m.body, m.body_len);
	rx_ip(t, bytes, ICMP_HDR_LEN + m.body_len, .h.protocol = IP_PROTO_ICMP, .h.src = router);
}

#endif
