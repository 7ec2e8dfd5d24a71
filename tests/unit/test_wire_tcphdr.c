/*
 * The TCP header and its options: Linux's own SYN and SACK bytes, the limits of 40 bytes of options, and
 * options that lie about their length.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/wire/tcphdr.h"

#define TEST(name) static void name(void **state)

/* As Linux 6 sends it: mss 1460, sackOK, TS, nop, wscale 7. */
static const uint8_t linux_syn[] = {0xd4, 0x31, 0, 80, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0, 0xa0, 2,
	0xfa, 0xf0, 0, 0, 0, 0, 2, 4, 5, 0xb4, 4, 2, 8, 10, 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 0, 1,
	3, 3, 7};

/* An ACK with TS and two SACK blocks: nop nop TS nop nop SACK. */
static const uint8_t linux_sack[] = {0, 80, 0xd4, 0x31, 0, 0, 0, 1, 0, 0, 0, 2, 0xd0, 0x10, 1, 0xf6,
	0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 1, 1, 5, 18, 0, 0, 1, 0, 0, 0, 2, 0, 0xff,
	0xff, 0xff, 0xf0, 0, 0, 0, 16};

static void expect_same_bytes(const struct tcp_hdr *h, const uint8_t *bytes, size_t len)
{
	uint8_t out[TCP_HDR_MAX];

	assert_int_equal(tcp_hdr_size(h), len);
	assert_int_equal(tcp_hdr_emit(out, h), len);
	assert_memory_equal(out, bytes, len);
}

TEST(linuxs_syn_goes_both_ways)
{
	struct tcp_hdr h;

	assert_true(tcp_hdr_parse(&h, linux_syn, sizeof linux_syn));
	assert_int_equal(h.src_port, 54321);
	assert_int_equal(h.dst_port, 80);
	assert_int_equal(h.seq.v, 0xfffffffe);
	assert_int_equal(h.hdr_len, 40);
	assert_int_equal(h.flags, TH_SYN);
	assert_int_equal(h.window, 64240);
	assert_int_equal(h.opts, TO_MSS | TO_SACK_OK | TO_TIMESTAMP | TO_WSCALE);
	assert_int_equal(h.mss, 1460);
	assert_int_equal(h.wscale, 7);
	assert_int_equal(h.tsval, 0x11223344);
	expect_same_bytes(&h, linux_syn, sizeof linux_syn);
}

TEST(linuxs_sack_goes_both_ways)
{
	struct tcp_hdr h;

	assert_true(tcp_hdr_parse(&h, linux_sack, sizeof linux_sack));
	assert_int_equal(h.opts, TO_TIMESTAMP | TO_SACK);
	assert_int_equal(h.nsack, 2);
	assert_int_equal(h.sack[0].left.v, 0x100);
	assert_int_equal(h.sack[1].left.v, 0xfffffff0);
	assert_int_equal(h.sack[1].right.v, 16);
	expect_same_bytes(&h, linux_sack, sizeof linux_sack);
}

TEST(sack_permission_without_timestamps_is_padded_in_front)
{
	struct tcp_hdr h = {.opts = TO_SACK_OK | TO_MSS, .mss = 536};
	uint8_t out[TCP_HDR_MAX];

	assert_int_equal(tcp_hdr_emit(out, &h), 28);
	assert_memory_equal(out + 20, "\2\4\2\x18\1\1\4\2", 8);
}

TEST(blocks_that_do_not_fit_are_not_sent)
{
	struct tcp_hdr h = {.opts = TO_SACK, .nsack = 4}, back;
	uint8_t out[TCP_HDR_MAX];

	assert_int_equal(tcp_hdr_size(&h), 56);
	h.opts |= TO_TIMESTAMP;
	assert_int_equal(tcp_hdr_emit(out, &h), 60);
	assert_true(tcp_hdr_parse(&back, out, 60));
	assert_int_equal(back.nsack, 3);
	h.opts |= TO_FASTOPEN | TO_MSS | TO_WSCALE;
	h.fastopen_len = 16;
	assert_int_equal(tcp_hdr_emit(out, &h), 60);
	assert_true(tcp_hdr_parse(&back, out, 60));
	assert_int_equal(back.opts, TO_TIMESTAMP | TO_FASTOPEN | TO_MSS | TO_WSCALE);
}

TEST(a_fast_open_request_and_every_cookie_go_both_ways)
{
	struct tcp_hdr h = {.flags = TH_SYN, .opts = TO_MSS | TO_FASTOPEN}, back;
	uint8_t out[TCP_HDR_MAX];

	memcpy(h.fastopen, "0123456789abcdef", 16);
	for (h.fastopen_len = 0; h.fastopen_len <= 16; h.fastopen_len += h.fastopen_len ? 2 : 4) {
		size_t len = tcp_hdr_emit(out, &h);
		assert_int_equal(len % 4, 0);
		assert_true(tcp_hdr_parse(&back, out, len));
		assert_int_equal(back.opts, h.opts);
		assert_int_equal(back.fastopen_len, h.fastopen_len);
		assert_memory_equal(back.fastopen, h.fastopen, h.fastopen_len);
	}
}

/* A header with these options, in memory of exactly its length. */
static struct tcp_hdr parse_options(const void *options, size_t len)
{
	uint8_t *bytes = calloc(1, TCP_HDR_LEN + len);
	struct tcp_hdr h;

	assert_int_equal(len % 4, 0);
	bytes[12] = (uint8_t)((TCP_HDR_LEN + len) / 4 << 4);
	memcpy(bytes + TCP_HDR_LEN, options, len);
	assert_true(tcp_hdr_parse(&h, bytes, TCP_HDR_LEN + len));
	free(bytes);
	return h;
}

TEST(a_bad_length_ends_the_list_and_what_came_before_it_stands)
{
	static const char *const bad[] = {"\3\0\1\1", "\3\1\1\1", "\3\4\1\1", "\x63\11\1\1",
		"\x63\0\1\1", "\1\1\1\x63", "\4\3\1\1", "\5\2\1\1", "\5\3\1\1", "\x22\3\1\1",
		"\x22\4\1\1"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint8_t options[12] = {2, 4, 5, 0xb4, 0, 0, 0, 0, 1, 3, 3, 9};
		memcpy(options + 4, bad[i], 4);
		struct tcp_hdr h = parse_options(options, 12);
		assert_int_equal(h.opts & TO_MSS, TO_MSS);
		assert_int_equal(h.mss, 1460);
		assert_int_equal(h.opts & TO_WSCALE, 0);
	}
}

TEST(unknown_options_are_skipped_and_the_end_is_the_end)
{
	struct tcp_hdr h = parse_options("\x63\4zz\3\3\x05\1\0\2\4\1", 12);

	assert_int_equal(h.opts, TO_WSCALE);
	assert_int_equal(h.wscale, 5);
}

TEST(a_window_scale_above_14_counts_as_14)
{
	assert_int_equal(parse_options("\3\3\xff\1", 4).wscale, 14);
	assert_int_equal(parse_options("\3\3\x0f\1", 4).wscale, 14);
	assert_int_equal(parse_options("\3\3\x0e\1", 4).wscale, 14);
	assert_int_equal(parse_options("\3\3\x0d\1", 4).wscale, 13);
}

TEST(more_than_four_sack_blocks_do_not_exist)
{
	uint8_t options[40] = {1, 1, 5, 34};

	assert_int_equal(parse_options(options, 36).nsack, 4);
	options[3] = 42;
	assert_int_equal(parse_options(options, 40).nsack, 0);
}

TEST(a_header_that_does_not_fit_is_refused)
{
	uint8_t bytes[60] = {0};
	struct tcp_hdr h;

	for (unsigned words = 0; words < 16; words++) {
		bytes[12] = (uint8_t)(words << 4);
		for (size_t len = 0; len <= 60; len++) {
			uint8_t *cut = malloc(len ? len : 1);
			memcpy(cut, bytes, len);
			assert_int_equal(tcp_hdr_parse(&h, cut, len),
				words >= 5 && len >= 20 && words * 4 <= len);
			free(cut);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linuxs_syn_goes_both_ways),
		cmocka_unit_test(linuxs_sack_goes_both_ways),
		cmocka_unit_test(sack_permission_without_timestamps_is_padded_in_front),
		cmocka_unit_test(blocks_that_do_not_fit_are_not_sent),
		cmocka_unit_test(a_fast_open_request_and_every_cookie_go_both_ways),
		cmocka_unit_test(a_bad_length_ends_the_list_and_what_came_before_it_stands),
		cmocka_unit_test(unknown_options_are_skipped_and_the_end_is_the_end),
		cmocka_unit_test(a_window_scale_above_14_counts_as_14),
		cmocka_unit_test(more_than_four_sack_blocks_do_not_exist),
		cmocka_unit_test(a_header_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
