/*
 * Every wire parser on arbitrary bytes: nothing is read beyond the input, and what was parsed survives being
 * emitted and parsed again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/wire/arp.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"
#include "core/wire/udphdr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void try_eth(const uint8_t *data, size_t size)
{
	struct eth_hdr h;
	uint8_t out[ETH_HDR_LEN];

	if (!eth_parse(&h, data, size))
		return;
	eth_emit(out, &h);
	require(!memcmp(out, data, ETH_HDR_LEN));
}

static void try_arp(const uint8_t *data, size_t size)
{
	struct arp_packet p;
	uint8_t out[ARP_LEN];

	if (!arp_parse(&p, data, size))
		return;
	arp_emit(out, &p);
	require(!memcmp(out, data, ARP_LEN));
}

static void try_ipv4(const uint8_t *data, size_t size)
{
	struct ipv4_hdr h, again;
	uint8_t out[IPV4_HDR_LEN];

	if (ipv4_parse(&h, data, size) != IPV4_OK)
		return;
	require(h.hdr_len >= IPV4_HDR_LEN && h.hdr_len <= IPV4_HDR_MAX);
	require(h.total_len >= h.hdr_len && h.total_len <= size);
	/* Options are skipped, so the emitted header is complete only with a payload of none. */
	h.total_len = IPV4_HDR_LEN;
	ipv4_emit(out, &h);
	require(ipv4_parse(&again, out, sizeof(out)) == IPV4_OK);
	require(ipaddr_equal(&h.src, &again.src) && ipaddr_equal(&h.dst, &again.dst));
	require(h.id == again.id && h.df == again.df && h.mf == again.mf &&
		h.frag_offset == again.frag_offset);
	require(h.ttl == again.ttl && h.protocol == again.protocol && h.tos == again.tos);
}

static void require_same_tcp(const struct tcp_hdr *a, const struct tcp_hdr *b)
{
	require(a->src_port == b->src_port && a->dst_port == b->dst_port && a->flags == b->flags);
	require(seq_eq(a->seq, b->seq) && seq_eq(a->ack, b->ack));
	require(a->window == b->window && a->urgent == b->urgent);
	/* Without options that compete for room, all of them come back. */
	if (a->opts & (TO_SACK | TO_FASTOPEN))
		return;
	require(a->opts == b->opts);
	require(!(a->opts & TO_MSS) || a->mss == b->mss);
	require(!(a->opts & TO_WSCALE) || a->wscale == b->wscale);
	require(!(a->opts & TO_TIMESTAMP) || (a->tsval == b->tsval && a->tsecr == b->tsecr));
}

static void try_tcp(const uint8_t *data, size_t size)
{
	struct tcp_hdr h, again;
	uint8_t out[TCP_HDR_MAX];
	size_t len;

	if (!tcp_hdr_parse(&h, data, size))
		return;
	require(h.hdr_len >= TCP_HDR_LEN && h.hdr_len <= size && h.nsack <= TCP_SACK_MAX);
	len = tcp_hdr_emit(out, &h);
	require(len == tcp_hdr_size(&h) && len % 4 == 0 && len <= TCP_HDR_MAX);
	require(tcp_hdr_parse(&again, out, len));
	require_same_tcp(&h, &again);
}

static void try_rest(const uint8_t *data, size_t size)
{
	struct icmp_msg icmp;
	struct udp_hdr udp, again;
	uint8_t out[UDP_HDR_LEN];

	if (icmp_parse(&icmp, data, size))
		require(icmp.body == data + ICMP_HDR_LEN && icmp.body_len == size - ICMP_HDR_LEN);
	if (udp_hdr_parse(&udp, data, size)) {
		require(udp.len >= UDP_HDR_LEN && udp.len <= size);
		udp_hdr_emit(out, &udp);
		require(udp_hdr_parse(&again, out, udp.len == UDP_HDR_LEN ? UDP_HDR_LEN : 0) ||
			udp.len != UDP_HDR_LEN);
	}
	csum_fold(csum_add(0, data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_eth(data, size);
	try_arp(data, size);
	try_ipv4(data, size);
	try_tcp(data, size);
	try_rest(data, size);
	return 0;
}
