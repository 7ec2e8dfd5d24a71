/*
 * IPv4 in and out: what is taken, what is dropped and counted, routes, fragments, and packets to
 * ourselves.
 */
#include "tests/unit/rig.h"

static uint8_t pattern[70000];

static void fill_pattern(void)
{
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (uint8_t)(i * 31 + i / 256);
}

static struct rig *rig_with_neighbours(void)
{
	struct rig *t = rig_ready();

	fill_pattern();
	rig_knows_neighbours(t);
	return t;
}

static void expect_delivered(struct rig *t, const void *data, size_t len)
{
	assert_int_equal(t->nsegments, 1);
	assert_int_equal(t->segment_len, len);
	assert_memory_equal(t->segment, data, len);
	t->nsegments = 0;
}

/* --- frames --- */

TEST(a_frame_to_another_mac_is_dropped)
{
	struct rig *t = rig_ready();

	rx_ip(t, "data", 4, .eth_dst = MAC(9));
	assert_int_equal(t->nsegments, 0);
	assert_int_equal(counted(t, CNT_EthInNotForUs), 1);
	rig_end(t);
}

TEST(short_and_unknown_frames_are_counted)
{
	struct rig *t = rig_ready();
	struct rx_frame f = {.data = (const uint8_t *)"\2\0\0\0\0\2\2\0\0\0\0\11\x8", .len = 13};

	stack_input(t->s, &f, t->now);
	assert_int_equal(counted(t, CNT_EthInShort), 1);
	rx_frame(t, &t->s->config.mac, ETH_TYPE_IPV6, "x", 1, FRAME_CSUM_UNVERIFIED);
	assert_int_equal(counted(t, CNT_EthInUnknownType), 1);
	rig_end(t);
}

/* --- step 1: header --- */

TEST(a_segment_reaches_tcp_with_what_ip_knows_about_it)
{
	struct rig *t = rig_ready();

	rx_ip(t, "segment", 7, .h.tos = 0x2e, .h.ttl = 3, .h.df = true);
	expect_delivered(t, "segment", 7);
	assert_ip(&t->meta.src, PEER);
	assert_ip(&t->meta.dst, US);
	assert_int_equal(t->meta.tos, 0x2e);
	assert_int_equal(t->meta.ttl, 3);
	assert_true(t->meta.df);
	assert_false(t->meta.to_multicast);
	rig_end(t);
}

TEST(ethernet_padding_is_cut_off)
{
	struct rig *t = rig_ready();

	rx_ip(t, "x", 1, .padding = 25);
	expect_delivered(t, "x", 1);
	rig_end(t);
}

static void rx_bad_header(struct rig *t, unsigned at, uint8_t value, bool fix_checksum)
{
	struct ipv4_hdr h = {.src = PEER, .dst = US, .total_len = 40, .ttl = 64, .protocol = 6};
	uint8_t packet[40] = {0};

	ipv4_emit(packet, &h);
	packet[at] = value;
	if (fix_checksum) {
		put_be16(packet + 10, 0);
		put_be16(packet + 10, csum_finish(csum_add(0, packet, 20)));
	}
	rx_frame(t, &t->s->config.mac, ETH_TYPE_IPV4, packet, sizeof packet, FRAME_CSUM_UNVERIFIED);
	assert_int_equal(t->nsegments, 0);
	assert_int_equal(counted(t, CNT_IpInHdrErrors), 1);
	t->s->counters.v[CNT_IpInHdrErrors] = 0;
	expect_silence(t);
}

TEST(a_header_that_cannot_be_is_dropped_without_a_word)
{
	struct rig *t = rig_ready();

	rx_bad_header(t, 0, 0x65, true); /* version 6 */
	rx_bad_header(t, 0, 0x44, true); /* 16 bytes of header */
	rx_bad_header(t, 0, 0x4f, true); /* 60 bytes of header in a packet of 40 */
	rx_bad_header(t, 3, 41, true);   /* longer than the frame */
	rx_bad_header(t, 3, 19, true);   /* shorter than the header */
	rx_bad_header(t, 8, 63, false);  /* a TTL that the checksum does not know */
	rx_frame(t, &t->s->config.mac, ETH_TYPE_IPV4, pattern, 19, FRAME_CSUM_UNVERIFIED);
	assert_int_equal(counted(t, CNT_IpInHdrErrors), 1);
	rig_end(t);
}

TEST(options_are_skipped)
{
	struct rig *t = rig_ready();
	uint8_t packet[] = {0x46, 0, 0, 26, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 9, 10, 0, 0, 2, 1, 1,
		1, 0, 'h', 'i'};

	put_be16(packet + 10, csum_finish(csum_add(0, packet, 24)));
	rx_frame(t, &t->s->config.mac, ETH_TYPE_IPV4, packet, sizeof packet, FRAME_CSUM_UNVERIFIED);
	expect_delivered(t, "hi", 2);
	rig_end(t);
}

/* --- steps 2 and 3: addresses --- */

TEST(an_impossible_source_is_dropped)
{
	static const struct ipaddr bad[] = {V4_INIT(224, 0, 0, 5), V4_INIT(255, 255, 255, 255),
		V4_INIT(10, 0, 0, 255), V4_INIT(127, 0, 0, 1), V4_INIT(0, 0, 0, 0),
		V4_INIT(10, 0, 0, 2)};
	struct rig *t = rig_ready();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		rx_ip(t, "x", 1, .h.src = bad[i]);
		assert_int_equal(counted(t, CNT_IpInAddrErrors), i + 1);
	}
	assert_int_equal(t->nsegments, 0);
	expect_silence(t);
	rig_end(t);
}

TEST(a_packet_to_another_address_is_dropped_without_a_word)
{
	struct rig *t = rig_with_neighbours();

	rx_ip(t, "x", 1, .h.dst = HOST(3));
	rx_ip(t, "x", 1, .h.dst = FAR, .h.protocol = IP_PROTO_UDP);
	rx_ip(t, "x", 1, .h.dst = HOST(3), .h.protocol = 99);
	rx_ip(t, "x", 1, .h.dst = V4(127, 0, 0, 1));
	assert_int_equal(t->nsegments, 0);
	assert_int_equal(counted(t, CNT_IpInAddrErrors), 4);
	expect_silence(t);
	rig_end(t);
}

TEST(what_comes_to_a_group_says_so)
{
	struct rig *t = rig_ready();
	static const struct ipaddr groups[] = {
		V4_INIT(224, 0, 0, 1), V4_INIT(255, 255, 255, 255), V4_INIT(10, 0, 0, 255)};

	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		rx_ip(t, "x", 1, .h.dst = groups[i], .eth_dst = eth_broadcast);
		expect_delivered(t, "x", 1);
		assert_true(t->meta.to_multicast);
	}
	rx_ip(t, "x", 1, .eth_dst = eth_broadcast); /* our own address in a broadcast frame */
	expect_delivered(t, "x", 1);
	assert_true(t->meta.to_multicast);
	rig_end(t);
}

TEST(nothing_is_taken_before_the_address_is_ours)
{
	struct rig *t = rig_unclaimed();
	struct ipnet net = rig_net();

	rx_ip(t, "x", 1);
	stack_claim(t->s, &net, PROBE_FAST, t->now);
	forget_tx(t);
	rx_ip(t, "x", 1);
	assert_int_equal(t->nsegments, 0);
	assert_int_equal(output(t, PEER, "x", 1), -ENETDOWN);
	expect_silence(t);
	rig_end(t);
}

/* --- step 5: delivery --- */

TEST(an_unknown_protocol_is_refused_by_icmp)
{
	struct rig *t = rig_with_neighbours();
	struct ipv4_hdr h;

	rx_ip(t, pattern, 100, .h.protocol = 132);
	struct icmp_msg m = expect_icmp(t, MAC(9), ICMP_TYPE_UNREACHABLE, ICMP_CODE_PROTOCOL, &h);
	assert_int_equal(m.body_len, 120);
	assert_memory_equal(m.body + 20, pattern, 100);
	rx_ip(t, pattern, 100, .h.protocol = 132, .eth_dst = eth_broadcast);
	rx_ip(t, pattern, 100, .h.protocol = 103, .h.dst = V4(224, 0, 0, 1));
	expect_silence(t);
	assert_int_equal(counted(t, CNT_IpInUnknownProtos), 3);
	rig_end(t);
}

static size_t udp_datagram(uint8_t *out, uint16_t csum_xor)
{
	struct udp_hdr h = {.src_port = 5000, .dst_port = 53, .len = 12};

	memcpy(out + 8, "ping", 4);
	udp_hdr_emit(out, &h);
	struct ipaddr src = PEER, dst = US;
	csum_acc acc = csum_add(csum_pseudo(&src, &dst, IP_PROTO_UDP, 12), out, 12);
	put_be16(out + UDP_CSUM_OFFSET, csum_finish(acc) ^ csum_xor);
	return 12;
}

static void rx_udp(struct rig *t, uint16_t csum_xor)
{
	uint8_t datagram[12];

	rx_ip(t, datagram, udp_datagram(datagram, csum_xor), .h.protocol = IP_PROTO_UDP);
}

TEST(udp_to_us_is_answered_by_port_unreachable)
{
	struct rig *t = rig_with_neighbours();
	struct ipv4_hdr h;

	rx_udp(t, 0);
	struct icmp_msg m = expect_icmp(t, MAC(9), ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, &h);
	assert_ip(&h.dst, PEER);
	assert_ip(&h.src, US);
	assert_int_equal(m.body_len, 32);
	assert_int_equal(get_be16(m.body + 22), 53);
	assert_int_equal(counted(t, CNT_UdpNoPorts), 1);
	rig_end(t);
}

TEST(udp_with_a_wrong_checksum_is_dropped)
{
	struct rig *t = rig_with_neighbours();

	rx_udp(t, 0x100);
	assert_int_equal(counted(t, CNT_UdpInErrors), 1);
	rx_ip(t, "\0\1\0\2\0\7\0\0", 8, .h.protocol = IP_PROTO_UDP);  /* a length below 8 */
	rx_ip(t, "\0\1\0\2\0\x9\0\0", 8, .h.protocol = IP_PROTO_UDP); /* one more than there is */
	rx_ip(t, "\0\1\0\2\0\7\0", 7, .h.protocol = IP_PROTO_UDP);
	assert_int_equal(counted(t, CNT_UdpInErrors), 4);
	expect_silence(t);
	rig_end(t);
}

TEST(udp_without_a_checksum_is_taken)
{
	struct rig *t = rig_with_neighbours();
	struct ipv4_hdr h;

	rx_ip(t, "\0\1\0\2\0\x8\0\0", 8, .h.protocol = IP_PROTO_UDP);
	expect_icmp(t, MAC(9), ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, &h);
	rig_end(t);
}

TEST(a_partial_checksum_is_right_only_where_the_owner_says_so)
{
	struct rig *t = rig_ready();
	struct ip_meta m = {.src = PEER, .dst = US, .protocol = IP_PROTO_UDP};
	struct rx_frame f = {.csum = FRAME_CSUM_UNVERIFIED};
	uint8_t data[12];

	udp_datagram(data, 0);
	assert_true(ip_l4_checksum_ok(t->s, &m, data, 12, UDP_CSUM_OFFSET, &f));
	put_be16(data + UDP_CSUM_OFFSET, csum_fold(csum_pseudo(&m.src, &m.dst, IP_PROTO_UDP, 12)));
	assert_false(ip_l4_checksum_ok(t->s, &m, data, 12, UDP_CSUM_OFFSET, &f));
	t->s->config.partial_csum_ok = true;
	assert_true(ip_l4_checksum_ok(t->s, &m, data, 12, UDP_CSUM_OFFSET, &f));
	data[UDP_CSUM_OFFSET] ^= 1;
	assert_false(ip_l4_checksum_ok(t->s, &m, data, 12, UDP_CSUM_OFFSET, &f));
	f.csum = FRAME_CSUM_VERIFIED;
	assert_true(ip_l4_checksum_ok(t->s, &m, data, 12, UDP_CSUM_OFFSET, &f));
	rig_end(t);
}

/* --- output --- */

TEST(a_packet_with_df_has_no_identification_and_our_defaults)
{
	struct rig *t = rig_with_neighbours();
	struct ipv4_hdr h;

	assert_int_equal(output(t, PEER, "x", 1), 0);
	expect_ip(t, MAC(9), &h);
	assert_int_equal(h.id, 0);
	assert_true(h.df);
	assert_int_equal(h.ttl, 64);
	assert_ip(&h.src, US);
	rig_end(t);
}

TEST(without_a_gateway_another_net_is_unreachable)
{
	struct rig *t = rig_ready();
	struct ipaddr none = NOBODY, src;
	struct ipaddr far = FAR, v6 = {{0x20, 1, 0x0d, 0xb8, [15] = 1}},
		      loopback = V4(127, 0, 0, 1);

	assert_int_equal(ip_route_check(t->s, &far, &src), 0);
	assert_ip(&src, US);
	stack_set_gateway(t->s, &none);
	assert_int_equal(ip_route_check(t->s, &far, &src), -ENETUNREACH);
	assert_int_equal(output(t, FAR, "x", 1), -ENETUNREACH);
	assert_int_equal(counted(t, CNT_IpOutNoRoutes), 1);
	assert_int_equal(ip_route_check(t->s, &v6, &src), -ENETUNREACH);
	assert_int_equal(ip_route_check(t->s, &loopback, &src), 0);
	assert_true(ipaddr_equal(&src, &loopback));
	assert_int_equal(ip_route_check(t->s, &none, &src), -ENETUNREACH);
	rig_end(t);
}

TEST(nothing_leaves_from_an_address_we_do_not_hold)
{
	struct rig *t = rig_with_neighbours();
	struct ip_meta m = {.src = HOST(3), .dst = PEER, .protocol = IP_PROTO_TCP};
	struct tx_frame f;

	tx_frame_init(&f);
	assert_int_equal(ip_output(t->s, &f, &m, t->now), -EADDRNOTAVAIL);
	expect_silence(t);
	rig_end(t);
}

TEST(a_full_link_says_so_and_asks_to_be_polled_again)
{
	struct rig *t = rig_with_neighbours();

	t->emit_result = -EAGAIN;
	assert_int_equal(output(t, PEER, "x", 1), -EAGAIN);
	assert_int_equal(counted(t, CNT_IpOutBusy), 1);
	assert_true(stack_deadline(t->s) <= t->now + 1 * MSEC);
	t->emit_result = 0;
	advance(t, 1 * MSEC);
	assert_true(stack_deadline(t->s) == NSEC_NEVER);
	rig_end(t);
}

/* Sends `len` bytes of the pattern, the first 8 of them as the L4 header, the rest in two pieces. */
static int output_pieces(struct rig *t, size_t len, size_t cut, bool df)
{
	struct ip_meta m = {.src = US, .dst = PEER, .protocol = IP_PROTO_UDP, .df = df};
	struct tx_frame f;

	tx_frame_init(&f);
	memcpy(tx_frame_push(&f, 8), pattern, 8);
	f.npayload = 2;
	f.payload[0] = (struct iovec){pattern + 8, cut};
	f.payload[1] = (struct iovec){pattern + 8 + cut, len - 8 - cut};
	return ip_output(t->s, &f, &m, t->now);
}

static void expect_fragments(struct rig *t, size_t len, size_t most)
{
	uint16_t id = 0;

	for (size_t at = 0; at < len; at += most) {
		size_t n = MIN(len - at, most);
		struct ipv4_hdr h;
		const uint8_t *data = expect_ip(t, MAC(9), &h);

		id = at == 0 ? h.id : id;
		assert_int_equal(h.id, id);
		assert_int_equal(h.frag_offset, at);
		assert_int_equal(h.mf, at + n < len);
		assert_false(h.df);
		assert_int_equal(h.total_len - h.hdr_len, n);
		assert_memory_equal(data, pattern + at, n);
	}
	expect_silence(t);
}

TEST(what_exceeds_the_mtu_leaves_as_fragments)
{
	static const size_t lens[] = {1480, 1481, 2960, 2961, 5000, 65515};
	static const size_t cuts[] = {0, 1, 1472, 1473};
	struct rig *t = rig_with_neighbours();

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		for (size_t k = 0; k < ARRAY_LEN(cuts) && cuts[k] <= lens[i] - 8; k++) {
			assert_int_equal(output_pieces(t, lens[i], cuts[k], false), 0);
			if (lens[i] > 1480)
				expect_fragments(t, lens[i], 1480);
			forget_tx(t);
			while (t->ntx > 0)
				free(t->tx[--t->ntx].data);
			t->seen = 0;
		}
	}
	rig_end(t);
}

TEST(fragments_come_in_units_of_8_bytes_whatever_the_mtu)
{
	struct rig *t = rig_with_neighbours();

	t->s->config.mtu = 1499;
	assert_int_equal(output_pieces(t, 3000, 100, false), 0);
	expect_fragments(t, 3000, 1472);
	rig_end(t);
}

TEST(a_super_segment_leaves_whole_and_a_partial_checksum_cannot_be_cut)
{
	struct rig *t = rig_with_neighbours();
	struct ip_meta m = {.src = US, .dst = PEER, .protocol = IP_PROTO_TCP};
	struct ipv4_hdr h;
	struct tx_frame f;

	tx_frame_init(&f);
	f.csum = FRAME_CSUM_PARTIAL;
	f.npayload = 1;
	f.payload[0] = (struct iovec){pattern, 60000};
	assert_int_equal(ip_output(t->s, &f, &m, t->now), -EMSGSIZE);
	f.gso_size = 1460;
	assert_int_equal(ip_output(t->s, &f, &m, t->now), 0);
	expect_ip(t, MAC(9), &h);
	assert_int_equal(h.total_len, 60020);
	rig_end(t);
}

TEST(what_exceeds_the_mtu_and_has_df_is_refused)
{
	struct rig *t = rig_with_neighbours();

	assert_int_equal(output_pieces(t, 1481, 100, true), -EMSGSIZE);
	assert_int_equal(output_pieces(t, 65516, 100, false), -EMSGSIZE);
	expect_silence(t);
	rig_end(t);
}

TEST(identifications_differ_between_packets)
{
	struct rig *t = rig_with_neighbours();
	struct ipv4_hdr a, b;

	output_pieces(t, 100, 0, false);
	output_pieces(t, 100, 0, false);
	expect_ip(t, MAC(9), &a);
	expect_ip(t, MAC(9), &b);
	assert_int_not_equal(a.id, b.id);
	rig_end(t);
}

/* --- ourselves --- */

TEST(a_packet_to_ourselves_comes_back_with_the_next_poll)
{
	struct rig *t = rig_ready();

	assert_int_equal(output(t, US, "echo", 4), 0);
	assert_int_equal(t->nsegments, 0);
	assert_true(stack_memory(t->s) > 0);
	assert_true(stack_deadline(t->s) <= t->now);
	stack_poll(t->s, t->now);
	expect_delivered(t, "echo", 4);
	assert_ip(&t->meta.src, US);
	assert_int_equal(t->segment_csum, FRAME_CSUM_VERIFIED);
	expect_silence(t);
	rig_end(t);
}

TEST(a_super_segment_to_ourselves_stays_one)
{
	struct rig *t = rig_ready();
	struct ip_meta m = {.src = US, .dst = US, .protocol = IP_PROTO_TCP, .df = true};
	struct tx_frame f;

	fill_pattern();
	tx_frame_init(&f);
	memcpy(tx_frame_push(&f, 20), pattern, 20);
	f.gso_size = 1460;
	f.csum = FRAME_CSUM_PARTIAL;
	f.npayload = 2;
	f.payload[0] = (struct iovec){pattern + 20, 30000};
	f.payload[1] = (struct iovec){pattern + 30020, 35000};
	assert_int_equal(ip_output(t->s, &f, &m, t->now), 0);
	stack_poll(t->s, t->now);
	expect_delivered(t, pattern, 65020);
	assert_int_equal(t->segment_gso, 1460);
	rig_end(t);
}

TEST(what_tcp_sends_to_ourselves_in_a_poll_arrives_in_the_same_poll)
{
	struct rig *t = rig_ready();
	struct tx_frame f;

	tx_frame_init(&f);
	f.npayload = 1;
	f.payload[0] = (struct iovec){pattern, 10};
	t->on_poll = &f;
	t->on_poll_meta = (struct ip_meta){.src = US, .dst = US, .protocol = IP_PROTO_TCP};
	stack_poll(t->s, t->now);
	expect_delivered(t, pattern, 10);
	rig_end(t);
}

TEST(the_queue_to_ourselves_is_bounded_and_empties)
{
	struct rig *t = rig_ready();
	unsigned sent = 0;

	while (sent < 1000 && output(t, US, pattern, 60000) == 0)
		sent++;
	assert_in_range(sent, LOOP_BYTES_MAX / 60020, LOOP_BYTES_MAX / 60020 + 1);
	assert_int_equal(output(t, US, "x", 1), -EAGAIN);
	stack_poll(t->s, t->now);
	assert_int_equal(t->nsegments, sent);
	assert_int_equal(output(t, US, "x", 1), 0);
	stack_poll(t->s, t->now);
	rig_end(t);
}

TEST(what_is_left_in_the_queue_goes_with_the_stack)
{
	struct rig *t = rig_ready();

	output(t, US, "x", 1);
	output(t, PEER, "x", 1);
	forget_tx(t);
	assert_true(stack_memory(t->s) > 0); /* the sanitizer sees what stack_free forgets */
	rig_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_to_another_mac_is_dropped),
		cmocka_unit_test(short_and_unknown_frames_are_counted),
		cmocka_unit_test(a_segment_reaches_tcp_with_what_ip_knows_about_it),
		cmocka_unit_test(ethernet_padding_is_cut_off),
		cmocka_unit_test(a_header_that_cannot_be_is_dropped_without_a_word),
		cmocka_unit_test(options_are_skipped),
		cmocka_unit_test(an_impossible_source_is_dropped),
		cmocka_unit_test(a_packet_to_another_address_is_dropped_without_a_word),
		cmocka_unit_test(what_comes_to_a_group_says_so),
		cmocka_unit_test(nothing_is_taken_before_the_address_is_ours),
		cmocka_unit_test(an_unknown_protocol_is_refused_by_icmp),
		cmocka_unit_test(udp_to_us_is_answered_by_port_unreachable),
		cmocka_unit_test(udp_with_a_wrong_checksum_is_dropped),
		cmocka_unit_test(udp_without_a_checksum_is_taken),
		cmocka_unit_test(a_partial_checksum_is_right_only_where_the_owner_says_so),
		cmocka_unit_test(a_packet_with_df_has_no_identification_and_our_defaults),
		cmocka_unit_test(without_a_gateway_another_net_is_unreachable),
		cmocka_unit_test(nothing_leaves_from_an_address_we_do_not_hold),
		cmocka_unit_test(a_full_link_says_so_and_asks_to_be_polled_again),
		cmocka_unit_test(what_exceeds_the_mtu_leaves_as_fragments),
		cmocka_unit_test(fragments_come_in_units_of_8_bytes_whatever_the_mtu),
		cmocka_unit_test(a_super_segment_leaves_whole_and_a_partial_checksum_cannot_be_cut),
		cmocka_unit_test(what_exceeds_the_mtu_and_has_df_is_refused),
		cmocka_unit_test(identifications_differ_between_packets),
		cmocka_unit_test(a_packet_to_ourselves_comes_back_with_the_next_poll),
		cmocka_unit_test(a_super_segment_to_ourselves_stays_one),
		cmocka_unit_test(what_tcp_sends_to_ourselves_in_a_poll_arrives_in_the_same_poll),
		cmocka_unit_test(the_queue_to_ourselves_is_bounded_and_empties),
		cmocka_unit_test(what_is_left_in_the_queue_goes_with_the_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
