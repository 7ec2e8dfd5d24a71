/*
 * Ethernet, ARP, IPv4, UDP and ICMP: bytes to values, values to bytes, and what is refused. Input is
 * copied into memory of exactly its length, so that a sanitizer sees a read beyond it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/wire/arp.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/udphdr.h"

#define TEST(name) static void name(void **state)

static uint8_t *exactly(const void *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, data, len);
	return copy;
}

static const uint8_t who_has[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8,
	6, /* Ethernet */
	0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};

TEST(an_ethernet_header_goes_both_ways)
{
	struct eth_hdr h;
	uint8_t out[ETH_HDR_LEN];

	assert_true(eth_parse(&h, who_has, sizeof who_has));
	assert_int_equal(h.ethertype, ETH_TYPE_ARP);
	assert_true(macaddr_equal(&h.dst, &eth_broadcast));
	assert_true(eth_is_multicast(&h.dst));
	assert_false(eth_is_multicast(&h.src));
	eth_emit(out, &h);
	assert_memory_equal(out, who_has, ETH_HDR_LEN);
	assert_false(eth_parse(&h, who_has, ETH_HDR_LEN - 1));
}

TEST(an_arp_packet_goes_both_ways)
{
	const uint8_t *bytes = who_has + ETH_HDR_LEN;
	struct arp_packet p;
	uint8_t out[ARP_LEN];

	assert_true(arp_parse(&p, bytes, ARP_LEN));
	assert_int_equal(p.op, ARP_REQUEST);
	assert_int_equal(ipaddr_to_v4(&p.sender_ip), 0x0a000009);
	assert_int_equal(ipaddr_to_v4(&p.target_ip), 0x0a000002);
	arp_emit(out, &p);
	assert_memory_equal(out, bytes, ARP_LEN);
}

TEST(arp_for_other_hardware_protocols_or_operations_is_refused)
{
	struct arp_packet p;

	for (size_t at = 0; at < 8; at++) {
		uint8_t *bytes = exactly(who_has + ETH_HDR_LEN, ARP_LEN);
		bytes[at] += 5;
		assert_false(arp_parse(&p, bytes, ARP_LEN));
		free(bytes);
	}
	for (size_t len = 0; len < ARP_LEN; len++) {
		uint8_t *bytes = exactly(who_has + ETH_HDR_LEN, len);
		assert_false(arp_parse(&p, bytes, len));
		free(bytes);
	}
}

static const uint8_t packet[] = {0x45, 0x2e, 0, 24, 0xab, 0xcd, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0,
	0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7, 1, 2, 3, 4};

static uint8_t *packet_with(size_t at, uint8_t value)
{
	uint8_t *bytes = exactly(packet, sizeof packet);

	bytes[at] = value;
	size_t hdr_len = MIN((size_t)(bytes[0] & 15) * 4, sizeof packet);
	put_be16(bytes + 10, csum_finish(csum_add(0, bytes, hdr_len)));
	return bytes;
}

static void expect_parse(enum ipv4_parse_result result, size_t at, uint8_t value, size_t len)
{
	uint8_t *bytes = packet_with(at, value), *cut = exactly(bytes, len);
	struct ipv4_hdr h;

	assert_int_equal(ipv4_parse(&h, cut, len), result);
	free(cut);
	free(bytes);
}

TEST(an_ipv4_header_goes_both_ways)
{
	uint8_t *bytes = packet_with(0, 0x45), out[IPV4_HDR_LEN];
	struct ipv4_hdr h;

	assert_int_equal(ipv4_parse(&h, bytes, sizeof packet), IPV4_OK);
	assert_int_equal(h.hdr_len, 20);
	assert_int_equal(h.total_len, 24);
	assert_int_equal(h.tos, 0x2e);
	assert_int_equal(h.id, 0xabcd);
	assert_true(h.df);
	assert_false(h.mf);
	assert_int_equal(h.frag_offset, 0);
	assert_int_equal(h.ttl, 64);
	assert_int_equal(h.protocol, 17);
	assert_int_equal(ipaddr_to_v4(&h.src), 0xc0a80001);
	assert_int_equal(ipaddr_to_v4(&h.dst), 0xc0a800c7);
	ipv4_emit(out, &h);
	assert_memory_equal(out, bytes, IPV4_HDR_LEN);
	free(bytes);
}

TEST(fragment_fields_go_both_ways)
{
	struct ipv4_hdr h = {.total_len = 28, .mf = true, .frag_offset = 65528, .ttl = 1}, back;
	uint8_t bytes[28] = {0};

	ipv4_emit(bytes, &h);
	assert_int_equal(get_be16(bytes + 6), 0x3fff);
	assert_int_equal(ipv4_parse(&back, bytes, 28), IPV4_OK);
	assert_true(back.mf);
	assert_false(back.df);
	assert_int_equal(back.frag_offset, 65528);
}

TEST(each_fault_of_an_ipv4_header_has_its_name)
{
	uint8_t *bytes;
	struct ipv4_hdr h;

	expect_parse(IPV4_OK, 0, 0x45, 24);
	expect_parse(IPV4_OK, 0, 0x46, 24); /* 4 bytes of options, no payload */
	expect_parse(IPV4_SHORT, 0, 0x45, 19);
	expect_parse(IPV4_BAD_VERSION, 0, 0x55, 24);
	expect_parse(IPV4_BAD_LENGTH, 0, 0x44, 24);
	expect_parse(IPV4_BAD_LENGTH, 0, 0x47, 24);
	expect_parse(IPV4_BAD_LENGTH, 3, 25, 24);
	expect_parse(IPV4_BAD_LENGTH, 3, 19, 24);
	expect_parse(IPV4_BAD_LENGTH, 0, 0x45, 23);
	bytes = packet_with(0, 0x45);
	bytes[8]--;
	assert_int_equal(ipv4_parse(&h, bytes, sizeof packet), IPV4_BAD_CSUM);
	free(bytes);
}

TEST(padding_behind_a_packet_is_no_fault)
{
	uint8_t padded[60] = {0}, *bytes = packet_with(0, 0x45);
	struct ipv4_hdr h;

	memcpy(padded, bytes, sizeof packet);
	assert_int_equal(ipv4_parse(&h, padded, sizeof padded), IPV4_OK);
	assert_int_equal(h.total_len, 24);
	free(bytes);
}

TEST(a_quoted_header_may_be_cut_off_and_edited)
{
	uint8_t *bytes = packet_with(8, 1);
	struct ipv4_hdr h;

	bytes[10] ^= 0xff;
	bytes[2] = 5;
	assert_true(ipv4_parse_quoted(&h, bytes, 20));
	assert_int_equal(h.total_len, 0x518);
	assert_false(ipv4_parse_quoted(&h, bytes, 19));
	bytes[0] = 0x46;
	assert_false(ipv4_parse_quoted(&h, bytes, 20));
	bytes[0] = 0x44;
	assert_false(ipv4_parse_quoted(&h, bytes, 20));
	bytes[0] = 0x65;
	assert_false(ipv4_parse_quoted(&h, bytes, 20));
	free(bytes);
}

TEST(a_udp_header_goes_both_ways_and_its_length_must_fit)
{
	const uint8_t bytes[] = {0x13, 0x88, 0, 53, 0, 10, 0xbe, 0xef, 'h', 'i'};
	struct udp_hdr h;
	uint8_t out[UDP_HDR_LEN];

	assert_true(udp_hdr_parse(&h, bytes, 10));
	assert_int_equal(h.src_port, 5000);
	assert_int_equal(h.dst_port, 53);
	assert_int_equal(h.len, 10);
	assert_int_equal(h.csum, 0xbeef);
	udp_hdr_emit(out, &h);
	assert_memory_equal(out, bytes, UDP_HDR_LEN);
	assert_false(udp_hdr_parse(&h, bytes, 9));
	assert_false(udp_hdr_parse(&h, bytes, 7));
	assert_false(udp_hdr_parse(&h, (const uint8_t *)"\0\1\0\2\0\7\0\0", 8));
}

TEST(an_icmp_message_goes_both_ways_and_its_checksum_covers_the_body)
{
	struct icmp_msg m = {.type = ICMP_TYPE_ECHO,
				.rest = 0x00010002,
				.body = (const uint8_t *)"odd",
				.body_len = 3},
			back;
	uint8_t bytes[11];

	icmp_emit(bytes, &m);
	memcpy(bytes + ICMP_HDR_LEN, "odd", 3);
	assert_true(icmp_parse(&back, bytes, 11));
	assert_int_equal(back.type, ICMP_TYPE_ECHO);
	assert_int_equal(back.rest, 0x00010002);
	assert_int_equal(back.body_len, 3);
	assert_ptr_equal(back.body, bytes + 8);
	for (size_t i = 0; i < sizeof bytes; i++) {
		bytes[i] ^= 0x10;
		assert_false(icmp_parse(&back, bytes, 11));
		bytes[i] ^= 0x10;
	}
	assert_false(icmp_parse(&back, bytes, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ethernet_header_goes_both_ways),
		cmocka_unit_test(an_arp_packet_goes_both_ways),
		cmocka_unit_test(arp_for_other_hardware_protocols_or_operations_is_refused),
		cmocka_unit_test(an_ipv4_header_goes_both_ways),
		cmocka_unit_test(fragment_fields_go_both_ways),
		cmocka_unit_test(each_fault_of_an_ipv4_header_has_its_name),
		cmocka_unit_test(padding_behind_a_packet_is_no_fault),
		cmocka_unit_test(a_quoted_header_may_be_cut_off_and_edited),
		cmocka_unit_test(a_udp_header_goes_both_ways_and_its_length_must_fit),
		cmocka_unit_test(an_icmp_message_goes_both_ways_and_its_checksum_covers_the_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
