/*
 * Software segmentation. Frames are judged by code of this file that shares nothing with the parts
 * under test: its own checksum, its own offsets.
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
#include "core/link/segment.h"
#include "core/wire/tcphdr.h"

enum { ETH = 14, IP = 20, PAYLOAD_MAX = 65000, TIMESTAMPS = 12 };

static const uint8_t addrs[8] = {10, 77, 0, 129, 10, 77, 0, 2};
static uint8_t payload[PAYLOAD_MAX];

struct super {
	size_t len;   /* payload bytes */
	size_t split; /* where the second piece of payload begins; 0: one piece */
	uint16_t gso;
	uint8_t flags;
	uint16_t urgent;
	size_t options; /* TCP option bytes */
	uint16_t ip_id;
	uint32_t seq;
};

/* The plain algorithm of RFC 1071, a word at a time: 0 when data includes a right checksum. */
static uint16_t plain_sum(const uint8_t *data, size_t len, uint32_t start)
{
	uint32_t sum = start;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t pseudo(const uint8_t *ip, size_t l4_len)
{
	uint32_t sum = ip[9] + (uint32_t)l4_len;

	for (int i = 12; i < 20; i += 2)
		sum += get_be16(ip + i);
	return sum;
}

static void put_headers(struct tx_frame *f, const struct super *p)
{
	uint8_t *tcp = tx_frame_push(f, 20 + p->options);
	memset(tcp, 0, 20 + p->options);
	put_be16(tcp, 40000);
	put_be16(tcp + 2, 80);
	put_be32(tcp + 4, p->seq);
	put_be32(tcp + 8, 0x01020304);
	tcp[12] = (uint8_t)((20 + p->options) / 4 << 4);
	tcp[13] = p->flags;
	put_be16(tcp + 14, 512);
	put_be16(tcp + 18, p->urgent);
	memset(tcp + 20, 0x5a, p->options);
	uint8_t *ip = tx_frame_push(f, IP);
	memset(ip, 0, IP);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(IP + 20 + p->options + p->len));
	put_be16(ip + 4, p->ip_id);
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, addrs, sizeof addrs);
	put_be16(ip + 10, plain_sum(ip, IP, 0));
	put_be16(tcp + 16, (uint16_t)~plain_sum(NULL, 0, pseudo(ip, 20 + p->options + p->len)));
	uint8_t *eth = tx_frame_push(f, ETH);
	memset(eth, 0x02, 12);
	put_be16(eth + 12, 0x0800);
}

static struct tx_frame make(const struct super *p)
{
	struct tx_frame f;

	tx_frame_init(&f);
	put_headers(&f, p);
	f.l4_from_end = (uint16_t)(20 + p->options);
	f.csum_offset = 16;
	f.csum = FRAME_CSUM_PARTIAL;
	f.gso_size = p->gso;
	f.payload[0] = (struct iovec){payload, p->split ? p->split : p->len};
	f.payload[1] = (struct iovec){payload + p->split, p->len - p->split};
	f.npayload = p->split ? 2 : p->len ? 1 : 0;
	return f;
}

/*
 * One frame of the wire: everything that must hold whatever its place. Returns its payload length.
 */
static size_t judge(
	const struct super *p, const uint8_t *frame, size_t len, size_t done, unsigned nth)
{
	const uint8_t *ip = frame + ETH, *tcp = ip + IP;
	size_t head = ETH + IP + 20 + p->options, n = len - head;

	assert_true(len >= head);
	assert_int_equal(get_be16(frame + 12), 0x0800);
	assert_int_equal(get_be16(ip + 2), len - ETH);
	assert_int_equal(get_be16(ip + 4), (uint16_t)(p->ip_id + nth));
	assert_int_equal(plain_sum(ip, IP, 0), 0);
	assert_int_equal(plain_sum(tcp, len - ETH - IP, pseudo(ip, len - ETH - IP)), 0);
	assert_int_equal(get_be32(tcp + 4), (uint32_t)(p->seq + done));
	assert_int_equal(get_be32(tcp + 8), 0x01020304);
	assert_int_equal(get_be16(tcp + 14), 512);
	for (size_t i = 0; i < p->options; i++)
		assert_int_equal(tcp[20 + i], 0x5a);
	assert_memory_equal(tcp + 20 + p->options, payload + done, n);
	return n;
}

static uint8_t expected_flags(const struct super *p, size_t done, size_t n)
{
	uint8_t flags = p->flags;

	if (done > 0)
		flags &= (uint8_t)~TH_CWR;
	if (done + n < p->len)
		flags &= (uint8_t) ~(TH_FIN | TH_PSH);
	if (p->urgent <= done)
		flags &= (uint8_t)~TH_URG;
	return flags;
}

/* Cuts it and judges every frame; the number of frames. */
static unsigned cut(const struct super *p)
{
	struct tx_frame f = make(p);
	struct segmenter s;
	size_t len,
		done = 0,
		room = ETH + IP + 20 + p->options + (p->gso && p->len > p->gso ? p->gso : p->len);
	uint8_t *frame = malloc(
		room); /* exactly what the contract asks for: the sanitizer sees one byte more */
	unsigned nth = 0;

	assert_int_equal(segment_begin(&s, &f), 0);
	assert_int_equal(segment_frame_max(&s), room);
	size_t promised = segment_count(&s);
	while ((len = segment_next(&s, frame))) {
		size_t n = judge(p, frame, len, done, nth);
		assert_int_equal(frame[ETH + IP + 13], expected_flags(p, done, n));
		if (p->urgent > done && (p->flags & TH_URG))
			assert_int_equal(get_be16(frame + ETH + IP + 18), p->urgent - done);
		done += n;
		nth++;
		assert_true(done == p->len || n == p->gso);
	}
	assert_int_equal(done, p->len);
	assert_int_equal(nth, promised);
	assert_int_equal(segment_next(&s, frame), 0);
	free(frame);
	return nth;
}

static void every_length_around_the_segment_size_is_cut_right(void **state)
{
	for (size_t gso = 1; gso <= 64; gso++)
		for (size_t len = 0; len <= 4 * gso + 1; len++)
			assert_int_equal(
				cut(&(struct super){
					.len = len, .gso = (uint16_t)gso, .flags = TH_ACK}),
				len ? (len + gso - 1) / gso : 1);
}

static void payload_in_two_pieces_may_be_split_at_any_byte(void **state)
{
	for (size_t split = 1; split < 400; split++)
		cut(&(struct super){.len = 400,
			.split = split,
			.gso = 97,
			.flags = TH_ACK,
			.options = TIMESTAMPS});
}

static void a_full_super_segment_becomes_45_frames(void **state)
{
	struct super p = {
		.len = 44 * 1448 + 1, .gso = 1448, .flags = TH_ACK | TH_PSH, .options = TIMESTAMPS};

	assert_int_equal(cut(&p), 45);
}

static void sequence_numbers_and_ip_ids_wrap(void **state)
{
	cut(&(struct super){
		.len = 10000, .gso = 1460, .flags = TH_ACK, .seq = 0xfffff000, .ip_id = 0xfffe});
}

static void all_flag_combinations_land_on_the_right_frames(void **state)
{
	for (unsigned flags = 0; flags < 256; flags++)
		cut(&(struct super){
			.len = 5000, .gso = 1000, .flags = (uint8_t)flags, .urgent = 2500});
}

static void urgent_pointer_counts_from_each_frame(void **state)
{
	for (uint16_t urgent = 0; urgent < 60; urgent++)
		cut(&(struct super){
			.len = 50, .gso = 7, .flags = TH_ACK | TH_URG, .urgent = urgent});
}

static void checksums_hold_for_every_payload_pattern(void **state)
{
	static const uint8_t pattern[] = {0x00, 0xff, 0x80, 0x01, 0x7f};

	for (unsigned i = 0; i < ARRAY_LEN(pattern); i++) {
		memset(payload, pattern[i], sizeof payload);
		for (size_t len = 3000; len < 3010; len++)
			cut(&(struct super){.len = len,
				.gso = 1448,
				.flags = TH_ACK,
				.seq = 0xffffffff,
				.ip_id = 0xffff});
	}
}

static void a_frame_without_gso_is_only_completed(void **state)
{
	for (size_t len = 0; len < 1500; len += 7)
		assert_int_equal(
			cut(&(struct super){
				.len = len, .flags = TH_ACK | TH_CWR | TH_FIN, .urgent = 0}),
			1);
}

static void a_complete_frame_is_not_touched(void **state)
{
	struct tx_frame f = make(&(struct super){.len = 100, .flags = TH_ACK});
	uint8_t out[200];
	struct segmenter s;

	f.csum = FRAME_CSUM_UNVERIFIED;
	assert_int_equal(segment_begin(&s, &f), 0);
	assert_int_equal(segment_next(&s, out), ETH + IP + 20 + 100);
	assert_memory_equal(out, f.head + f.head_at, ETH + IP + 20);
	assert_memory_equal(out + ETH + IP + 20, payload, 100);
}

/*
 * RFC 768: a computed zero is sent as all ones. Two bytes of payload are chosen so that the sum
 * comes out zero.
 */
static void a_udp_checksum_of_zero_is_sent_as_ffff(void **state)
{
	uint8_t body[2] = {0, 0}, out[ETH + IP + 10];
	struct tx_frame f;
	struct segmenter s;

	tx_frame_init(&f);
	uint8_t *udp = tx_frame_push(&f, 8);
	memcpy(udp, (uint8_t[8]){0x10, 0x00, 0x00, 0x35, 0x00, 0x0a, 0x11, 0x11}, 8);
	memset(tx_frame_push(&f, IP), 0, IP);
	memset(tx_frame_push(&f, ETH), 0, ETH);
	put_be16(body, plain_sum(udp, 8, 0));
	f.l4_from_end = 8;
	f.csum_offset = 6;
	f.csum = FRAME_CSUM_PARTIAL;
	f.payload[0] = (struct iovec){body, 2};
	f.npayload = 1;
	assert_int_equal(segment_begin(&s, &f), 0);
	assert_int_equal(segment_next(&s, out), sizeof out);
	assert_int_equal(get_be16(out + ETH + IP + 6), 0xffff);
}

static void what_is_not_tcp_over_ipv4_cannot_be_cut(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} spoil[] = {{12, 0x86}, {ETH, 0x65}, {ETH, 0x46}, {ETH + 9, 17}};
	struct segmenter s;

	for (unsigned i = 0; i < ARRAY_LEN(spoil); i++) {
		struct tx_frame f = make(&(struct super){.len = 100, .gso = 10, .flags = TH_ACK});
		f.head[f.head_at + spoil[i].at] = spoil[i].value;
		assert_int_equal(segment_begin(&s, &f), -EINVAL);
	}
}

static void offsets_outside_the_headers_are_refused(void **state)
{
	struct tx_frame f = make(&(struct super){.len = 100, .flags = TH_ACK});
	struct segmenter s;

	f.csum_offset = 19;
	assert_int_equal(segment_begin(&s, &f), -EINVAL);
	f.csum_offset = 16;
	f.l4_from_end = TX_HEAD_ROOM;
	assert_int_equal(segment_begin(&s, &f), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_around_the_segment_size_is_cut_right),
		cmocka_unit_test(payload_in_two_pieces_may_be_split_at_any_byte),
		cmocka_unit_test(a_full_super_segment_becomes_45_frames),
		cmocka_unit_test(sequence_numbers_and_ip_ids_wrap),
		cmocka_unit_test(all_flag_combinations_land_on_the_right_frames),
		cmocka_unit_test(urgent_pointer_counts_from_each_frame),
		cmocka_unit_test(checksums_hold_for_every_payload_pattern),
		cmocka_unit_test(a_frame_without_gso_is_only_completed),
		cmocka_unit_test(a_complete_frame_is_not_touched),
		cmocka_unit_test(a_udp_checksum_of_zero_is_sent_as_ffff),
		cmocka_unit_test(what_is_not_tcp_over_ipv4_cannot_be_cut),
		cmocka_unit_test(offsets_outside_the_headers_are_refused),
	};

	srand(1);
	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)rand();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
