/*
 * ICMP in both directions (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3.2).
 */
#include "tests/unit/rig.h"

static uint8_t pattern[65536];

static struct rig *rig_with_neighbours(void)
{
	struct rig *t = rig_ready();

	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (uint8_t)(i * 31 + i / 256);
	rig_knows_neighbours(t);
	return t;
}

static size_t message(
	uint8_t *out, uint8_t type, uint8_t code, uint32_t rest, const void *body, size_t len)
{
	struct icmp_msg m = {
		.type = type, .code = code, .rest = rest, .body = body, .body_len = len};

	icmp_emit(out, &m);
	memcpy(out + ICMP_HDR_LEN, body, len);
	return ICMP_HDR_LEN + len;
}

#define rx_icmp(t, type, code, rest, body, body_len, ...)                                          \
	do {                                                                                       \
		uint8_t icmp_bytes[4096];                                                          \
		size_t icmp_len = message(icmp_bytes, type, code, rest, body, body_len);           \
		rx_ip(t, icmp_bytes, icmp_len, .h.protocol = IP_PROTO_ICMP, ##__VA_ARGS__);        \
	} while (0)

/* --- echo --- */

TEST(an_echo_request_is_answered_with_its_own_data)
{
	struct rig *t = rig_with_neighbours();
	struct ipv4_hdr h;

	rx_icmp(t, ICMP_TYPE_ECHO, 0, 0x12340001, pattern, 57, .h.tos = 0x10);
	struct icmp_msg m = expect_icmp(t, MAC(9), ICMP_TYPE_ECHO_REPLY, 0, &h);
	assert_int_equal(m.rest, 0x12340001);
	assert_int_equal(m.body_len, 57);
	assert_memory_equal(m.body, pattern, 57);
	assert_ip(&h.src, US);
	assert_ip(&h.dst, PEER);
	assert_int_equal(h.tos, 0x10);
	assert_int_equal(counted(t, CNT_IcmpInEchos), 1);
	assert_int_equal(counted(t, CNT_IcmpOutEchoReps), 1);
	rig_end(t);
}

TEST(an_echo_to_a_group_is_not_answered)
{
	struct rig *t = rig_with_neighbours();

	rx_icmp(t, ICMP_TYPE_ECHO, 0, 1, "x", 1, .h.dst = HOST(255), .eth_dst = eth_broadcast);
	rx_icmp(t, ICMP_TYPE_ECHO, 0, 1, "x", 1, .h.dst = V4(224, 0, 0, 1));
	rx_icmp(t, ICMP_TYPE_ECHO, 0, 1, "x", 1, .eth_dst = eth_broadcast);
	expect_silence(t);
	rig_end(t);
}

TEST(a_wrong_checksum_is_counted_and_not_answered)
{
	struct rig *t = rig_with_neighbours();
	uint8_t bytes[16];

	message(bytes, ICMP_TYPE_ECHO, 0, 1, "8 bytes.", 8);
	bytes[9] ^= 1;
	rx_ip(t, bytes, 16, .h.protocol = IP_PROTO_ICMP);
	rx_ip(t, bytes, 7, .h.protocol = IP_PROTO_ICMP);
	assert_int_equal(counted(t, CNT_IcmpInErrors), 2);
	expect_silence(t);
	rig_end(t);
}

TEST(a_large_echo_comes_in_fragments_and_is_answered_in_fragments)
{
	struct rig *t = rig_with_neighbours();
	static uint8_t request[4008], reply[4008];
	struct icmp_msg m;

	message(request, ICMP_TYPE_ECHO, 0, 0xabcd0002, pattern, 4000);
	for (size_t at = 0; at < 4008; at += 1480)
		rx_ip(t, request + at, MIN(1480, 4008 - at), .h.protocol = IP_PROTO_ICMP, .h.id = 5,
			.h.frag_offset = (uint16_t)at, .h.mf = at + 1480 < 4008);
	for (size_t at = 0; at < 4008; at += 1480) {
		struct ipv4_hdr h;
		const uint8_t *data = expect_ip(t, MAC(9), &h);
		assert_int_equal(h.frag_offset, at);
		memcpy(reply + at, data, h.total_len - h.hdr_len);
	}
	assert_true(icmp_parse(&m, reply, 4008));
	assert_int_equal(m.type, ICMP_TYPE_ECHO_REPLY);
	assert_int_equal(m.rest, 0xabcd0002);
	assert_memory_equal(m.body, pattern, 4000);
	rig_end(t);
}

TEST(an_echo_to_ourselves_is_answered_to_ourselves)
{
	struct rig *t = rig_ready();
	struct ip_meta m = {.src = US, .dst = US, .protocol = IP_PROTO_ICMP};
	uint8_t bytes[12];
	struct tx_frame f;

	tx_frame_init(&f);
	f.npayload = 1;
	f.payload[0] = (struct iovec){bytes, message(bytes, ICMP_TYPE_ECHO, 0, 1, "self", 4)};
	ip_output(t->s, &f, &m, t->now);
	stack_poll(t->s, t->now);
	assert_int_equal(counted(t, CNT_IcmpOutEchoReps), 1);
	assert_int_equal(counted(t, CNT_IcmpInMsgs), 2);
	expect_silence(t);
	rig_end(t);
}

/* --- errors about our packets --- */

/* A segment of ours to FAR as a router quotes it: 8 bytes behind a header with a changed TTL and checksum. */
static size_t quote(uint8_t *out, struct ipaddr src, uint8_t protocol, size_t l4_len)
{
	struct ipv4_hdr h = {.src = src,
		.dst = FAR,
		.total_len = 1500,
		.df = true,
		.ttl = 64,
		.protocol = protocol};

	ipv4_emit(out, &h);
	out[8] = 1;
	memcpy(out + IPV4_HDR_LEN, pattern, l4_len);
	return IPV4_HDR_LEN + l4_len;
}

static void rx_error(struct rig *t, uint8_t type, uint8_t code, uint32_t rest)
{
	uint8_t quoted[28];

	rx_icmp(t, type, code, rest, quoted, quote(quoted, US, IP_PROTO_TCP, 8), .h.src = FAR);
}

TEST(an_error_about_a_segment_of_ours_reaches_tcp_with_the_quote)
{
	struct rig *t = rig_with_neighbours();
	uint8_t quoted[28];
	uint8_t bytes[36];

	quote(quoted, US, IP_PROTO_TCP, 8);
	message(bytes, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0, quoted, 28);
	rx_ip(t, bytes, 36, .h.protocol = IP_PROTO_ICMP, .h.src = FAR);
	assert_int_equal(t->nerrors, 1);
	assert_ip(&t->error[0].local, US);
	assert_ip(&t->error[0].remote, FAR);
	assert_int_equal(t->error[0].protocol, IP_PROTO_TCP);
	assert_int_equal(t->error[0].quoted_len, 8);
	assert_int_equal(t->error[0].error, ECONNREFUSED);
	assert_true(t->error[0].hard);
	assert_int_equal(counted(t, CNT_IcmpInDestUnreachs), 1);
	rig_end(t);
}

TEST(each_error_means_what_linux_makes_of_it)
{
	static const struct {
		uint8_t type, code;
		int error;
		bool hard;
	} cases[] = {{3, 0, ENETUNREACH, false}, {3, 1, EHOSTUNREACH, false},
		{3, 2, ENOPROTOOPT, true}, {3, 13, EHOSTUNREACH, true},
		{11, 0, EHOSTUNREACH, false}, {12, 0, EPROTO, false}};
	struct rig *t = rig_with_neighbours();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		rx_error(t, cases[i].type, cases[i].code, 0x12345678);
		assert_int_equal(t->nerrors, i + 1);
		assert_int_equal(t->error[i].error, cases[i].error);
		assert_int_equal(t->error[i].hard, cases[i].hard);
		assert_int_equal(t->error[i].mtu, 0);
	}
	rig_end(t);
}

TEST(fragmentation_needed_carries_the_next_hops_mtu)
{
	struct rig *t = rig_with_neighbours();

	rx_error(t, ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAG_NEEDED, 1400);
	assert_int_equal(t->nerrors, 1);
	assert_int_equal(t->error[0].error, EMSGSIZE);
	assert_int_equal(t->error[0].mtu, 1400);
	assert_false(t->error[0].hard);
	rig_end(t);
}

TEST(an_error_about_nothing_of_ours_goes_no_further)
{
	struct rig *t = rig_with_neighbours();
	uint8_t quoted[40];

	rx_icmp(t, 3, 1, 0, quoted, quote(quoted, HOST(3), IP_PROTO_TCP, 8)); /* not our address */
	rx_icmp(t, 3, 1, 0, quoted, quote(quoted, US, IP_PROTO_UDP, 8));      /* nobody asked */
	rx_icmp(t, 3, 1, 0, quoted, quote(quoted, US, IP_PROTO_TCP, 7)); /* too little quoted */
	rx_icmp(t, 3, 1, 0, quoted, 19);
	quote(quoted, US, IP_PROTO_TCP, 8);
	rx_icmp(t, 3, 16, 0, quoted, 28); /* no such code */
	rx_icmp(t, 3, 1, 0, quoted, 28, .eth_dst = eth_broadcast);
	quoted[0] = 0x65;
	rx_icmp(t, 3, 1, 0, quoted, 28); /* not IPv4 */
	quoted[0] = 0x4f;
	rx_icmp(t, 3, 1, 0, quoted, 28); /* 60 bytes of header, 28 there */
	quoted[0] = 0x45;
	quoted[7] = 1; /* a later fragment has no ports */
	rx_icmp(t, 3, 1, 0, quoted, 28);
	assert_int_equal(t->nerrors, 0);
	assert_int_equal(counted(t, CNT_IcmpInErrors), 9);
	expect_silence(t);
	rig_end(t);
}

/* --- errors about others' packets --- */

static void send_port_unreachable(struct rig *t, struct ipaddr src, struct ipaddr dst,
	uint8_t protocol, uint8_t first_byte, uint16_t offset)
{
	uint8_t packet[28] = {[20] = first_byte};
	struct ipv4_hdr h = {.src = src,
		.dst = dst,
		.total_len = 28,
		.ttl = 64,
		.protocol = protocol,
		.frag_offset = offset};

	ipv4_emit(packet, &h);
	icmp_send_error(t->s, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, packet, 28, t->now);
}

TEST(no_error_is_sent_about_what_must_not_be_answered)
{
	struct rig *t = rig_with_neighbours();

	send_port_unreachable(t, PEER, V4(224, 0, 0, 1), IP_PROTO_UDP, 0, 0);
	send_port_unreachable(t, PEER, HOST(255), IP_PROTO_UDP, 0, 0);
	send_port_unreachable(t, PEER, US, IP_PROTO_UDP, 0, 8);
	send_port_unreachable(t, PEER, US, IP_PROTO_ICMP, ICMP_TYPE_UNREACHABLE, 0);
	send_port_unreachable(t, PEER, US, IP_PROTO_ICMP, 200, 0);
	send_port_unreachable(t, NOBODY, US, IP_PROTO_UDP, 0, 0);
	send_port_unreachable(t, HOST(255), US, IP_PROTO_UDP, 0, 0);
	send_port_unreachable(t, V4(127, 0, 0, 1), US, IP_PROTO_UDP, 0, 0);
	send_port_unreachable(t, V4(224, 0, 0, 9), US, IP_PROTO_UDP, 0, 0);
	expect_silence(t);
	send_port_unreachable(t, PEER, US, IP_PROTO_ICMP, ICMP_TYPE_ECHO, 0);
	assert_int_equal(t->ntx - t->seen, 1);
	forget_tx(t);
	rig_end(t);
}

TEST(an_error_quotes_no_more_than_576_bytes_hold_and_no_padding)
{
	struct rig *t = rig_with_neighbours();
	uint8_t padded[46] = {0};
	struct ipv4_hdr h;

	rx_ip(t, pattern, 1400, .h.protocol = 99);
	expect_icmp(t, MAC(9), ICMP_TYPE_UNREACHABLE, ICMP_CODE_PROTOCOL, &h);
	assert_int_equal(h.total_len, 576);
	assert_int_equal(h.tos, 0xc0);
	ipv4_emit(padded,
		&(struct ipv4_hdr){.src = PEER, .dst = US, .total_len = 22, .protocol = 99});
	icmp_send_error(
		t->s, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PROTOCOL, padded, sizeof padded, t->now);
	struct icmp_msg m = expect_icmp(t, MAC(9), ICMP_TYPE_UNREACHABLE, ICMP_CODE_PROTOCOL, &h);
	assert_int_equal(m.body_len, 22);
	rig_end(t);
}

TEST(errors_are_limited_to_a_burst_of_50_and_then_one_per_millisecond)
{
	struct rig *t = rig_with_neighbours();

	for (int i = 0; i < 60; i++)
		send_port_unreachable(t, PEER, US, IP_PROTO_UDP, 0, 0);
	assert_int_equal(t->ntx - t->seen, ICMP_ERROR_BURST);
	assert_int_equal(counted(t, CNT_IcmpOutRateLimited), 10);
	forget_tx(t);
	advance(t, 5 * MSEC);
	for (int i = 0; i < 10; i++)
		send_port_unreachable(t, PEER, US, IP_PROTO_UDP, 0, 0);
	assert_int_equal(t->ntx - t->seen, 5);
	forget_tx(t);
	advance(t, 10 * SEC);
	for (int i = 0; i < 60; i++)
		send_port_unreachable(t, PEER, US, IP_PROTO_UDP, 0, 0);
	assert_int_equal(t->ntx - t->seen, ICMP_ERROR_BURST);
	forget_tx(t);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_echo_request_is_answered_with_its_own_data),
		cmocka_unit_test(an_echo_to_a_group_is_not_answered),
		cmocka_unit_test(a_wrong_checksum_is_counted_and_not_answered),
		cmocka_unit_test(a_large_echo_comes_in_fragments_and_is_answered_in_fragments),
		cmocka_unit_test(an_echo_to_ourselves_is_answered_to_ourselves),
		cmocka_unit_test(an_error_about_a_segment_of_ours_reaches_tcp_with_the_quote),
		cmocka_unit_test(each_error_means_what_linux_makes_of_it),
		cmocka_unit_test(fragmentation_needed_carries_the_next_hops_mtu),
		cmocka_unit_test(an_error_about_nothing_of_ours_goes_no_further),
		cmocka_unit_test(no_error_is_sent_about_what_must_not_be_answered),
		cmocka_unit_test(an_error_quotes_no_more_than_576_bytes_hold_and_no_padding),
		cmocka_unit_test(errors_are_limited_to_a_burst_of_50_and_then_one_per_millisecond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
