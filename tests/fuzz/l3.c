/*
 * The network layer under structured noise: ARP in every combination, fragments that overlap, ICMP
 * about real and invented packets, and packets of our own, mixed with waiting. The input is a
 * program of records: a byte that chooses the verb, then its operands. Whatever it does,
 *
 *	- every frame sent is whole, fits the MTU, and comes from our MAC and address;
 *	- nothing is sent as an ICMP error or echo reply to a group;
 *	- memory stays under the caps, and is 0 again when everything has timed out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/stack/ip.h"
#include "core/stack/limits.h"
#include "core/stack/stack.h"
#include "core/wire/arp.h"
#include "core/wire/eth.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MTU = 1500, PACKET_MAX = 4096, QUEUES_MAX = 64 << 20 };

/* What is left of the input; reads beyond its end are zero. */
struct program {
	const uint8_t *at;
	size_t left;
};

static uint8_t operand(struct program *p)
{
	if (p->left == 0)
		return 0;
	p->left--;
	return *p->at++;
}

static uint16_t operand16(struct program *p)
{
	uint16_t high = operand(p);

	return (uint16_t)(high << 8 | operand(p));
}

static const struct macaddr our_mac = {{2, 0, 0, 0, 0, 2}};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct ipaddr our_ip(void)
{
	return ipaddr_v4(0x0a000002);
}

static struct ipaddr any_ip(struct program *p)
{
	static const uint32_t known[] = {0x0a000002, 0x0a000001, 0x0a000009, 0x0a000002, 0,
		0xffffffff, 0x0a0000ff, 0xe0000001, 0x7f000001, 0xc0000207};
	uint8_t choice = operand(p);

	if (choice >= 0x80)
		return ipaddr_v4(0x0a000000u | choice);
	return ipaddr_v4(known[choice % ARRAY_LEN(known)]);
}

static struct macaddr any_mac(struct program *p)
{
	uint8_t choice = operand(p);

	if (choice == 0xff)
		return eth_broadcast;
	return (struct macaddr){{choice & 0x80 ? 1 : 2, 0, 0, 0, 0, choice & 0x7f}};
}

static void check_packet(const uint8_t *packet, size_t len)
{
	struct ipaddr us = our_ip();
	struct ipv4_hdr h;

	require(ipv4_parse(&h, packet, len) == IPV4_OK && h.total_len == len && len <= MTU);
	require(ipaddr_equal(&h.src, &us) && !ipaddr_equal(&h.dst, &us));
	require(!(h.df && (h.mf || h.frag_offset > 0)));
	if (h.protocol == IP_PROTO_ICMP)
		require(!ipaddr_is_multicast(&h.dst) && !ipaddr_is_broadcast(&h.dst));
}

static int check_frame(void *ctx, const struct tx_frame *f, nsec now)
{
	uint8_t frame[ETH_HDR_LEN + MTU];
	size_t len = tx_frame_head_len(f);
	struct arp_packet arp;
	struct eth_hdr eth;

	require(len + tx_frame_payload_len(f) <= sizeof frame && f->npayload <= TX_PAYLOAD_MAX);
	memcpy(frame, f->head + f->head_at, len);
	for (unsigned i = 0; i < f->npayload; i++) {
		memcpy(frame + len, f->payload[i].iov_base, f->payload[i].iov_len);
		len += f->payload[i].iov_len;
	}
	require(eth_parse(&eth, frame, len) && macaddr_equal(&eth.src, &our_mac));
	if (eth.ethertype == ETH_TYPE_ARP)
		require(arp_parse(&arp, frame + ETH_HDR_LEN, len - ETH_HDR_LEN));
	else
		check_packet(frame + ETH_HDR_LEN, len - ETH_HDR_LEN);
	return len % 13 ? 0 : -11; /* now and then the link is full: -EAGAIN */
}

static void rx(struct stack *s, const struct macaddr *dst, uint16_t type, const uint8_t *data,
	size_t len, nsec now)
{
	uint8_t *frame = malloc(ETH_HDR_LEN + len);
	struct rx_frame f = {.data = frame, .len = ETH_HDR_LEN + len, .arrival = now};

	eth_emit(frame, &(struct eth_hdr){.dst = *dst, .src = {{2, 9}}, .ethertype = type});
	memcpy(frame + ETH_HDR_LEN, data, len);
	stack_input(s, &f, now);
	free(frame);
}

static void rx_arp(struct stack *s, struct program *p, nsec now)
{
	struct arp_packet packet = {.op = operand(p) & 1 ? ARP_REPLY : ARP_REQUEST};
	uint8_t bytes[ARP_LEN];

	packet.sender_mac = any_mac(p);
	packet.sender_ip = any_ip(p);
	packet.target_ip = any_ip(p);
	arp_emit(bytes, &packet);
	rx(s, &our_mac, ETH_TYPE_ARP, bytes, sizeof bytes, now);
}

/* A header from operands; `fragment` makes it part of one of four datagrams. */
static struct ipv4_hdr any_header(struct program *p, bool fragment)
{
	static const uint8_t protocols[] = {IP_PROTO_ICMP, IP_PROTO_UDP, IP_PROTO_TCP, 132};
	struct ipv4_hdr h = {.ttl = 64, .dst = our_ip()};

	h.src = any_ip(p);
	h.protocol = protocols[operand(p) % 4];
	if (!fragment)
		return h;
	uint8_t which = operand(p);
	h.id = which & 3;
	h.mf = which & 4;
	h.tos = which >> 3 & 3;
	h.frag_offset = (uint16_t)(operand16(p) % 8192 * 8);
	return h;
}

static void rx_ip(
	struct stack *s, struct ipv4_hdr h, const uint8_t *l4, size_t len, uint8_t how, nsec now)
{
	uint8_t packet[IPV4_HDR_LEN + PACKET_MAX];

	h.total_len = (uint16_t)(IPV4_HDR_LEN + len);
	ipv4_emit(packet, &h);
	memcpy(packet + IPV4_HDR_LEN, l4, len);
	rx(s, how & 1 ? &eth_broadcast : &our_mac, ETH_TYPE_IPV4, packet, IPV4_HDR_LEN + len, now);
}

static void rx_fragment(struct stack *s, struct program *p, nsec now)
{
	struct ipv4_hdr h = any_header(p, true);
	uint8_t how = operand(p), l4[PACKET_MAX];
	size_t len = operand16(p) % (PACKET_MAX / 2);

	if (how & 2)
		len = len / 8 * 8;
	memset(l4, operand(p), len);
	rx_ip(s, h, l4, len, how, now);
}

/* An ICMP message with a right checksum, whose body quotes a packet that might be ours. */
static void rx_icmp(struct stack *s, struct program *p, nsec now)
{
	struct ipv4_hdr h = any_header(p, false), quoted = any_header(p, true);
	struct icmp_msg m = {
		.type = operand(p) % 16, .code = operand(p) % 20, .rest = operand16(p)};
	uint8_t l4[ICMP_HDR_LEN + 2 * PACKET_MAX / 4] = {0}, how = operand(p);

	h.protocol = IP_PROTO_ICMP;
	quoted.dst = any_ip(p);
	quoted.total_len = operand16(p);
	ipv4_emit(l4 + ICMP_HDR_LEN, &quoted);
	m.body = l4 + ICMP_HDR_LEN;
	m.body_len = operand16(p) % (sizeof l4 - ICMP_HDR_LEN);
	icmp_emit(l4, &m);
	rx_ip(s, h, l4, ICMP_HDR_LEN + m.body_len, how, now);
}

static void send_ip(struct stack *s, struct program *p, nsec now)
{
	static uint8_t payload[65536];
	struct ip_meta m = {.src = our_ip(), .protocol = 132};
	size_t head = operand(p) % 60;
	struct tx_frame f;

	m.dst = any_ip(p);
	m.df = operand(p) & 1;
	tx_frame_init(&f);
	memset(tx_frame_push(&f, head), 0, head);
	f.npayload = operand(p) % 3;
	for (unsigned i = 0; i < f.npayload; i++)
		f.payload[i] = (struct iovec){payload, operand16(p)};
	ip_output(s, &f, &m, now);
}

static struct stack *make_stack(struct program *p, nsec now)
{
	static const enum probe_timing timings[] = {PROBE_NONE, PROBE_FAST, PROBE_RFC, PROBE_NONE};
	struct stack_config config = {.mac = our_mac,
		.mtu = MTU,
		.gateway = ipaddr_v4(0x0a000001),
		.partial_csum_ok = true};
	struct stack_ops ops = {.emit = check_frame};
	struct ipnet address = {our_ip(), 120};
	struct stack *s = stack_new(&config, &ops, NULL, now);

	require(s != NULL);
	stack_claim(s, &address, timings[operand(p) % 4], now);
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const verbs[])(struct stack *, struct program *, nsec) = {
		rx_arp, rx_fragment, rx_icmp, send_ip};
	struct program p = {data, size};
	nsec now = 1 * SEC;
	struct stack *s = make_stack(&p, now);

	while (p.left > 0) {
		uint8_t verb = operand(&p);

		if (verb & 0x80)
			now += (nsec)operand16(&p) * MSEC;
		verbs[verb % ARRAY_LEN(verbs)](s, &p, now);
		if (verb & 0x40)
			stack_poll(s, now);
		require(stack_memory(s) <= REASM_MEM_MAX + LOOP_BYTES_MAX + QUEUES_MAX);
	}
	for (int i = 0; i < 200; i++) {
		now += SEC;
		stack_poll(s, now);
	}
	require(stack_memory(s) == 0);
	stack_free(s);
	return 0;
}
