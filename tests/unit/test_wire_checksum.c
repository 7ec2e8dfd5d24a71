/*
 * The Internet checksum against RFC 1071's words, captured packets, and the slow obvious sum.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/wire/checksum.h"

#define TEST(name) static void name(void **state)

static uint16_t slow_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t slow_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = slow_fold(sum + (i % 2 ? p[i] : (uint32_t)p[i] << 8));
	return (uint16_t)sum;
}

TEST(the_example_of_rfc_1071_adds_up)
{
	const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	assert_int_equal(csum_fold(csum_add(0, bytes, 8)), 0xddf2);
	assert_int_equal(csum_finish(csum_add(0, bytes, 8)), 0x220d);
}

TEST(a_captured_header_sums_to_all_ones)
{
	const uint8_t header[] = {0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0,
		0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7};

	assert_int_equal(csum_fold(csum_add(0, header, sizeof header)), 0xffff);
}

TEST(every_length_and_alignment_agrees_with_the_obvious_sum)
{
	static uint8_t bytes[400];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 167 + 13);
	for (size_t at = 0; at < 9; at++) {
		for (size_t len = 0; len <= 300; len++)
			assert_int_equal(
				csum_fold(csum_add(0, bytes + at, len)), slow_sum(bytes + at, len));
	}
}

TEST(carries_come_back_at_every_width)
{
	static uint8_t ones[65536];

	memset(ones, 0xff, sizeof ones);
	for (size_t len = 0; len <= 65536; len += len < 200 ? 1 : 997)
		assert_int_equal(csum_fold(csum_add(0, ones, len)), slow_sum(ones, len));
	csum_acc acc = csum_add(csum_add(0, ones, 65536), ones, 65536);
	assert_int_equal(csum_fold(acc), 0xffff);
	assert_int_equal(csum_fold(csum_add(UINT64_MAX, "\0\1", 2)), 1);
}

TEST(pieces_add_up_to_the_whole)
{
	uint8_t bytes[101];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 91 + 7);
	for (size_t cut = 0; cut <= 100; cut += 2) {
		csum_acc acc = csum_add(csum_add(0, bytes, cut), bytes + cut, sizeof bytes - cut);
		assert_int_equal(csum_fold(acc), slow_sum(bytes, sizeof bytes));
	}
}

TEST(the_pseudo_header_of_ipv4_is_rfc_9293s)
{
	const uint8_t words[] = {192, 168, 0, 31, 192, 168, 0, 30, 0, 6, 0x12, 0x34};
	struct ipaddr src = ipaddr_v4(0xc0a8001f), dst = ipaddr_v4(0xc0a8001e);

	assert_int_equal(
		csum_fold(csum_pseudo(&src, &dst, 6, 0x1234)), slow_sum(words, sizeof words));
}

TEST(the_pseudo_header_of_ipv6_is_rfc_8200s)
{
	uint8_t words[40] = {
		0x20, 1, 0x0d, 0xb8, [15] = 1, 0xfe, 0x80, [31] = 2, 0, 1, 0x12, 0x34, 0, 0, 0, 17};
	struct ipaddr src, dst;

	memcpy(src.b, words, 16);
	memcpy(dst.b, words + 16, 16);
	assert_int_equal(csum_fold(csum_pseudo(&src, &dst, 17, 0x11234)), slow_sum(words, 40));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_1071_adds_up),
		cmocka_unit_test(a_captured_header_sums_to_all_ones),
		cmocka_unit_test(every_length_and_alignment_agrees_with_the_obvious_sum),
		cmocka_unit_test(carries_come_back_at_every_width),
		cmocka_unit_test(pieces_add_up_to_the_whole),
		cmocka_unit_test(the_pseudo_header_of_ipv4_is_rfc_9293s),
		cmocka_unit_test(the_pseudo_header_of_ipv6_is_rfc_8200s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
