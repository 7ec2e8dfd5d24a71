/*
 * Reading captures: link types, cut frames, the comments of pcapng in pieces and in either byte
 * order, and the ladder as text.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "core/base/bytes.h"
#include "core/report/dissect.h"
#include "core/report/ladder.h"
#include "core/wire/pcapng_walk.h"
#include "tests/unit/report_rig.h"

#define TEST(name) static void name(void **state)

/* 10.0.0.1:1000 to 10.0.0.2:80, an ACK with 4 bytes; no checksums. */
static const uint8_t ipv4[] = {0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x03, 0xe8, 0,
	80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0, 0, 0, 0, 0, 'a', 'b', 'c', 'd'};

/* The same segment, [2001:db8::1] to [2001:db8::2], behind a hop-by-hop header. */
static const uint8_t ipv6[] = {0x60, 0, 0, 0, 0, 32, 0, 64, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 6, 0, 1, 4, 0, 0, 0, 0, 0x03, 0xe8, 0, 80, 0, 0,
	0, 1, 0, 0, 0, 2, 0x50, 0x10, 1, 0, 0, 0, 0, 0, 'a', 'b', 'c', 'd'};

static const uint8_t nothing[1];

struct framed {
	uint8_t bytes[160];
	size_t len;
};

static struct framed behind(const uint8_t *head, size_t hlen, const uint8_t *ip, size_t len)
{
	struct framed f = {.len = hlen + len};

	memcpy(f.bytes, head, hlen);
	memcpy(f.bytes + hlen, ip, len);
	return f;
}

static void expect_the_segment(int linktype, const struct framed *f, const char *source)
{
	char text[ENDPOINT_STRLEN];
	struct dissected d;

	assert_int_equal(dissect(&d, linktype, f->bytes, f->len, f->len), DISSECT_TCP);
	assert_string_equal(endpoint_format(&d.src, text), source);
	assert_int_equal(d.dst.port, 80);
	assert_int_equal(d.len, 4);
	assert_int_equal(d.tcp.ack.v, 2);
}

TEST(every_link_type_of_tcpdump_is_read)
{
	static const uint8_t eth[14] = {[12] = 8}, vlan[18] = {[12] = 0x81, [16] = 8}, sll[16] = {[14] = 8},
				     sll2[20] = {8}, loop[4] = {2};
	struct framed f = behind(eth, sizeof eth, ipv4, sizeof ipv4);

	expect_the_segment(DLT_EN10MB, &f, "10.0.0.1:1000");
	f = behind(vlan, sizeof vlan, ipv4, sizeof ipv4);
	expect_the_segment(DLT_EN10MB, &f, "10.0.0.1:1000");
	f = behind(sll, sizeof sll, ipv4, sizeof ipv4);
	expect_the_segment(DLT_LINUX_SLL, &f, "10.0.0.1:1000");
	f = behind(sll2, sizeof sll2, ipv4, sizeof ipv4);
	expect_the_segment(DLT_LINUX_SLL2, &f, "10.0.0.1:1000");
	f = behind(loop, sizeof loop, ipv4, sizeof ipv4);
	expect_the_segment(DLT_NULL, &f, "10.0.0.1:1000");
	f = behind(nothing, 0, ipv4, sizeof ipv4);
	expect_the_segment(DLT_RAW, &f, "10.0.0.1:1000");
	f = behind(nothing, 0, ipv6, sizeof ipv6);
	expect_the_segment(DLT_RAW, &f, "[2001:db8::1]:1000");
}

TEST(a_snap_length_leaves_the_payloads_length)
{
	struct dissected d;

	assert_int_equal(dissect(&d, DLT_RAW, ipv4, 40, sizeof ipv4), DISSECT_TCP);
	assert_int_equal(d.len, 4);
	assert_int_equal(dissect(&d, DLT_RAW, ipv4, 39, sizeof ipv4), DISSECT_BROKEN);
	assert_int_equal(dissect(&d, DLT_USB, ipv4, sizeof ipv4, sizeof ipv4), DISSECT_LINK);
}

TEST(padding_is_no_payload_and_a_length_of_0_is_a_super_segment)
{
	struct framed f = behind(nothing, 0, ipv4, sizeof ipv4);
	struct dissected d;

	assert_int_equal(dissect(&d, DLT_RAW, f.bytes, sizeof ipv4 + 6, sizeof ipv4 + 6), DISSECT_TCP);
	assert_int_equal(d.len, 4);
	put_be16(f.bytes + 2, 0);
	assert_int_equal(dissect(&d, DLT_RAW, f.bytes, sizeof ipv4, 40 + 70000), DISSECT_TCP);
	assert_int_equal(d.len, 70000);
}

TEST(later_fragments_and_other_protocols_are_not_tcp)
{
	struct framed f = behind(nothing, 0, ipv4, sizeof ipv4);
	struct dissected d;

	f.bytes[7] = 8;
	assert_int_equal(dissect(&d, DLT_RAW, f.bytes, f.len, f.len), DISSECT_OTHER);
	f.bytes[7] = 0;
	f.bytes[9] = 17;
	assert_int_equal(dissect(&d, DLT_RAW, f.bytes, f.len, f.len), DISSECT_OTHER);
}

struct heard {
	char text[8][80];
	enum pcapng_way way[8];
	unsigned n;
};

static void hear(void *ctx, const char *comment, enum pcapng_way way)
{
	struct heard *h = ctx;

	assert_true(h->n < ARRAY_LEN(h->text));
	snprintf(h->text[h->n], sizeof h->text[0], "%s", comment);
	h->way[h->n++] = way;
}

TEST(comments_are_heard_in_pieces_of_any_size)
{
	struct script s;

	script_begin(&s);
	SAY(&s, 0, .from = CLIENT, .seq = 1, .flags = TH_SYN, .comment = "one");
	SAY(&s, 0, .from = SERVER, .seq = 1, .flags = TH_ACK);
	SAY(&s, 0, .from = CLIENT, .seq = 2, .flags = TH_ACK, .len = 3, .comment = "three; 4");
	for (size_t piece = 1; piece < 64; piece++) {
		struct pcapng_walk w;
		struct heard h = {.n = 0};

		pcapng_walk_init(&w, hear, &h);
		for (size_t at = 0; at < s.len; at += piece)
			pcapng_walk_feed(&w, s.bytes + at, MIN(piece, s.len - at));
		assert_int_equal(h.n, 3);
		assert_string_equal(h.text[0], "one");
		assert_string_equal(h.text[1], "");
		assert_string_equal(h.text[2], "three; 4");
		assert_int_equal(h.way[1], PCAPNG_WAY_IN);
		assert_int_equal(h.way[2], PCAPNG_WAY_OUT);
	}
	script_end(&s);
}

/* Big-endian: a section, and a packet of one byte with two comments and flags. */
TEST(comments_are_heard_in_the_other_byte_order)
{
	static const uint8_t file[] = {0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, 255,
		255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 28, 0, 0, 0, 6, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 'x', 0, 0, 0, 0, 1, 0, 2, 'h', 'i', 0, 0, 0, 1, 0, 3, 'y',
		'o', 'u', 0, 0, 2, 0, 4, 0, 0, 0, 2, 0, 0, 0, 64};
	struct pcapng_walk w;
	struct heard h = {.n = 0};

	pcapng_walk_init(&w, hear, &h);
	pcapng_walk_feed(&w, file, sizeof file);
	assert_int_equal(h.n, 1);
	assert_string_equal(h.text[0], "hi; you");
	assert_int_equal(h.way[0], PCAPNG_WAY_OUT);
}

static char *draw(const struct script *s, const struct ladder_config *config, int expected)
{
	char message[SOURCE_ERROR_LEN], *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(ladder_draw(script_open(s, s->len), out, config, message), expected);
	fclose(out);
	return text;
}

TEST(the_ladder_has_a_line_per_segment)
{
	static const char expected[] =
		"#1 10.0.0.1:40000 -> 10.0.0.2:80\n"
		"1      0.000000 | SYN ------------------>|"
		" 0:1                              win 1000 mss 1460 wscale 2\n"
		"1      0.010000 |<-------------- SYN ACK |"
		" 0:1               ack 1          win 1000 mss 1460 wscale 2\n"
		"1      0.010100 | ACK ------------------>|"
		" 1                 ack 1          win 4000\n"
		"1      0.010100 |X------------- ACK 1000 |"
		" 1:1001            ack 1          win 4000  [lost (rule 1)]\n"
		"1      0.310100 |<~~~~~~~~~~~~~ ACK 1000 |"
		" 1:1001            ack 1          win 4000  [again after 300 ms]\n"
		"5 segments drawn; the capture has 5 packets: 5 of TCP in 1 connection\n";
	struct ladder_config config = {.name = "x", .filter = "", .packets_max = 100, .columns = 80, .ascii = true};
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	SAY(&s, 300 * MSEC, .from = SERVER, .seq = S(1), .ack = C(1), .flags = TH_ACK, .win = 1000, .len = 1000,
		.comment = "lost (rule 1)");
	SAY(&s, 0, .from = SERVER, .seq = S(1), .ack = C(1), .flags = TH_ACK, .win = 1000, .len = 1000);
	char *text = draw(&s, &config, 0);
	assert_string_equal(text, expected);
	free(text);
	config.connection = 2;
	text = draw(&s, &config, -EINVAL);
	assert_string_equal(text, "");
	free(text);
	config.connection = 0;
	config.packets_max = 2;
	text = draw(&s, &config, 1);
	assert_non_null(strstr(text, "2 segments drawn"));
	free(text);
	script_end(&s);
}

TEST(the_picture_is_xml_with_a_row_per_segment)
{
	struct ladder_config config = {.name = "<&\x01", .filter = "", .packets_max = 100, .svg = true};
	struct script s;

	script_begin(&s);
	script_handshake(&s);
	SAY(&s, 0, .from = SERVER, .seq = S(1), .ack = C(1), .flags = TH_ACK, .win = 1000, .len = 1000,
		.comment = "lost (rule 1); </svg>");
	char *text = draw(&s, &config, 0);
	assert_non_null(strstr(text, "<title>&lt;&amp;?</title>"));
	assert_non_null(strstr(text, "lost (rule 1); &lt;/svg&gt;"));
	assert_ptr_equal(strstr(text, "</svg>"), text + strlen(text) - strlen("</svg>\n"));
	unsigned rows = 0;
	for (const char *at = text; (at = strstr(at, "<g class=")); at++)
		rows++;
	assert_int_equal(rows, 4);
	free(text);
	script_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_link_type_of_tcpdump_is_read),
		cmocka_unit_test(a_snap_length_leaves_the_payloads_length),
		cmocka_unit_test(padding_is_no_payload_and_a_length_of_0_is_a_super_segment),
		cmocka_unit_test(later_fragments_and_other_protocols_are_not_tcp),
		cmocka_unit_test(comments_are_heard_in_pieces_of_any_size),
		cmocka_unit_test(comments_are_heard_in_the_other_byte_order),
		cmocka_unit_test(the_ladder_has_a_line_per_segment),
		cmocka_unit_test(the_picture_is_xml_with_a_row_per_segment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
