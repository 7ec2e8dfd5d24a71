/*
 * UDP sockets: ports, who gets a datagram, what leaves (RFC 768, udp(7), ip(7)).
 */
#include "tests/unit/dgram_rig.h"

static uint8_t pattern[65536];

/* --- sending --- */

TEST(a_datagram_leaves_at_once_from_a_port_of_our_own)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp(t);
	struct ipv4_hdr h;

	assert_int_equal(send_to(t, d, EP(PEER, 53), "query", 5), 0);
	struct udp_hdr u = expect_udp(t, MAC(9), &h, "query", 5);
	assert_int_equal(u.dst_port, 53);
	assert_int_equal(u.src_port, dgram_local(d)->port);
	assert_in_range(u.src_port, TCP_PORT_EPHEMERAL_MIN, TCP_PORT_EPHEMERAL_MAX);
	assert_int_not_equal(u.csum, 0);
	assert_ip(&h.src, US);
	assert_true(h.df);
	assert_int_equal(h.ttl, 64);
	assert_int_equal(counted(t, CNT_UdpOutDatagrams), 1);
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(an_empty_datagram_is_one)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp_bound(t, ANY, 7);
	struct ipv4_hdr h;

	assert_int_equal(send_to(t, d, EP(PEER, 9), "", 0), 0);
	expect_udp(t, MAC(9), &h, "", 0);
	rx_udp(t, 9, 7, "");
	expect_recv(d, 9, "");
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(options_are_in_the_header)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp(t);
	struct ipv4_hdr h;

	assert_int_equal(dgram_set_option(d, DGRAM_OPT_TTL, 3), 0);
	assert_int_equal(dgram_set_option(d, DGRAM_OPT_TTL, 256), -EINVAL);
	assert_int_equal(dgram_set_option(d, DGRAM_OPT_TOS, 0x28), 0);
	assert_int_equal(dgram_set_option(d, DGRAM_OPT_NO_CHECK, 1), 0);
	assert_int_equal(dgram_set_option(d, DGRAM_OPT_MTU_DISCOVER, DGRAM_PMTU_DONT), 0);
	send_to(t, d, EP(PEER, 9), "x", 1);
	struct udp_hdr u = expect_udp(t, MAC(9), &h, "x", 1);
	assert_int_equal(h.ttl, 3);
	assert_int_equal(h.tos, 0x28);
	assert_int_equal(u.csum, 0);
	assert_false(h.df);
	struct dgram_out out = {.to = EP(PEER, 9), .ttl = 9, .tos = 4};
	assert_int_equal(dgram_send(d, &out, t->now), 0);
	expect_udp(t, MAC(9), &h, "", 0);
	assert_int_equal(h.ttl, 9);
	assert_int_equal(h.tos, 4);
	dgram_close(d, t->now);
	rig_end(t);
}

/* The next frames are the fragments of one datagram of `pattern` with a right checksum. */
static void expect_fragments(struct rig *t, size_t len)
{
	static uint8_t whole[65535];
	struct ipv4_hdr h = {.mf = true};
	size_t at = 0;

	while (h.mf) {
		const uint8_t *part = expect_ip(t, MAC(9), &h);
		assert_int_equal(h.frag_offset, at);
		assert_false(h.df);
		memcpy(whole + at, part, (size_t)(h.total_len - h.hdr_len));
		at += h.total_len - h.hdr_len;
	}
	assert_int_equal(at, UDP_HDR_LEN + len);
	assert_memory_equal(whole + UDP_HDR_LEN, pattern, len);
	csum_acc sum = csum_pseudo(&h.src, &h.dst, IP_PROTO_UDP, (uint32_t)at);
	assert_int_equal(csum_fold(csum_add(sum, whole, at)), 0xffff);
}

TEST(two_pieces_with_an_odd_seam_have_a_right_checksum)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp(t);
	struct ipv4_hdr h;
	struct dgram_out out = {.to = EP(PEER, 9), .ttl = -1, .tos = -1, .npieces = 2};

	for (size_t a = 0; a <= 9; a++) {
		out.data[0] = (struct iovec){pattern, a};
		out.data[1] = (struct iovec){pattern + a, 9 - a};
		assert_int_equal(dgram_send(d, &out, t->now), 0);
		expect_udp(t, MAC(9), &h, pattern, 9);
		/* Of fragments the sum is made here, not by the link. */
		out.data[1].iov_len = 1600 - a;
		assert_int_equal(dgram_send(d, &out, t->now), 0);
		expect_fragments(t, 1600);
	}
	dgram_close(d, t->now);
	rig_end(t);
}


TEST(a_large_datagram_leaves_in_fragments_unless_df_is_asked_for)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp(t);
	struct dgram_error e;
	struct ipv4_hdr h;

	assert_int_equal(send_to(t, d, EP(PEER, 9), pattern, 1472), 0);
	expect_udp(t, MAC(9), &h, pattern, 1472);
	assert_true(h.df);
	assert_int_equal(send_to(t, d, EP(PEER, 9), pattern, 1473), 0);
	expect_fragments(t, 1473);
	assert_int_equal(send_to(t, d, EP(PEER, 9), pattern, 65507), 0);
	expect_fragments(t, 65507);
	assert_int_equal(send_to(t, d, EP(PEER, 9), pattern, 65508), -EMSGSIZE);
	dgram_set_option(d, DGRAM_OPT_MTU_DISCOVER, DGRAM_PMTU_DO);
	assert_int_equal(send_to(t, d, EP(PEER, 9), pattern, 1473), -EMSGSIZE);
	assert_false(dgram_peek_error(d, &e));
	dgram_set_option(d, DGRAM_OPT_RECVERR, 1);
	assert_int_equal(send_to(t, d, EP(PEER, 9), pattern, 1473), -EMSGSIZE);
	assert_true(dgram_peek_error(d, &e));
	assert_true(e.local);
	assert_int_equal(e.info, RIG_MTU);
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(fragments_come_in_as_one_datagram)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp_bound(t, ANY, 7);
	struct dgram_in in;
	static uint8_t bytes[4008];
	struct udp_hdr u = {.src_port = 9, .dst_port = 7, .len = 4008};

	memcpy(bytes + 8, pattern, 4000);
	udp_hdr_emit(bytes, &u); /* checksum zero: the sender computed none */
	for (size_t at = 0; at < 4008; at += 1480)
		rx_ip(t, bytes + at, MIN(1480, 4008 - at), .h.protocol = IP_PROTO_UDP, .h.id = 5,
			.h.frag_offset = (uint16_t)at, .h.mf = at + 1480 < 4008);
	assert_true(dgram_peek(d, &in));
	assert_int_equal(in.len, 4000);
	assert_memory_equal(in.data, pattern, 4000);
	dgram_close(d, t->now);
	rig_end(t);
}

/* What a sender on this machine passes with UDP_SEGMENT, whole as it left its socket. */
static void rx_segmented(struct rig *t, uint16_t to, const char *text, uint16_t size)
{
	uint8_t frame[512];
	struct ipv4_hdr h = {.src = PEER, .dst = US, .ttl = 64, .protocol = IP_PROTO_UDP};
	struct rx_frame f = {
		.data = frame, .gso_size = size, .csum = FRAME_CSUM_VERIFIED, .arrival = t->now};
	size_t len = udp_bytes(frame + ETH_HDR_LEN + IPV4_HDR_LEN, PEER, 9, US, to, text);

	eth_emit(frame, &(struct eth_hdr){.dst = MAC(2), .src = MAC(9), .ethertype = ETH_TYPE_IPV4});
	h.total_len = (uint16_t)(IPV4_HDR_LEN + len);
	ipv4_emit(frame + ETH_HDR_LEN, &h);
	f.len = ETH_HDR_LEN + h.total_len;
	stack_input(t->s, &f, t->now);
}

TEST(segmented_datagrams_come_one_by_one)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp_bound(t, ANY, 7);
	struct ipv4_hdr h;

	rx_segmented(t, 7, "aaaabbbbcc", 4);
	expect_recv(d, 9, "aaaa");
	expect_recv(d, 9, "bbbb");
	expect_recv(d, 9, "cc");
	expect_nothing(d);
	rx_segmented(t, 7, "aaaabbbb", 4);
	expect_recv(d, 9, "aaaa");
	expect_recv(d, 9, "bbbb");
	expect_nothing(d);
	rx_segmented(t, 7, "abc", 4);
	expect_recv(d, 9, "abc");
	expect_nothing(d);
	rx_segmented(t, 8, "aaaabbbbcc", 4); /* nobody is there: one answer */
	expect_ip(t, MAC(9), &h);
	assert_int_equal(h.protocol, IP_PROTO_ICMP);
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(what_cannot_be_sent_says_why)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp(t);

	assert_int_equal(send_to(t, d, NULL, "x", 1), -EDESTADDRREQ);
	assert_int_equal(send_to(t, d, EP(PEER, 0), "x", 1), -EINVAL);
	assert_int_equal(send_to(t, d, EP(HOST(255), 9), "x", 1), -EACCES);
	assert_int_equal(send_to(t, d, EP(V4(255, 255, 255, 255), 9), "x", 1), -EACCES);
	stack_set_gateway(t->s, &ANY);
	assert_int_equal(send_to(t, d, EP(FAR, 9), "x", 1), -ENETUNREACH);
	assert_int_equal(dgram_connect(d, EP(FAR, 9)), -ENETUNREACH);
	assert_int_equal(dgram_connect(d, EP(HOST(255), 9)), -EACCES);
	t->emit_result = -EAGAIN;
	assert_int_equal(send_to(t, d, EP(PEER, 9), "x", 1), -EAGAIN);
	t->emit_result = 0;
	dgram_close(d, t->now);
	stack_poll(t->s, t->now + SEC);
	rig_end(t);
}

TEST(a_broadcast_leaves_with_leave_and_is_heard_here_too)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp_bound(t, ANY, 68);
	struct ipv4_hdr h;

	dgram_set_option(d, DGRAM_OPT_BROADCAST, 1);
	assert_int_equal(send_to(t, d, EP(HOST(255), 68), "all", 3), 0);
	expect_udp(t, eth_broadcast, &h, "all", 3);
	stack_poll(t->s, t->now);
	expect_recv(d, 68, "all");
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(our_own_address_loops_inside)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *a = udp_bound(t, ANY, 7), *b = udp_bound(t, ANY, 8);

	assert_int_equal(send_to(t, a, EP(US, 8), "hello", 5), 0);
	expect_silence(t);
	stack_poll(t->s, t->now);
	expect_recv(b, 7, "hello");
	dgram_close(a, t->now);
	dgram_close(b, t->now);
	rig_end(t);
}

/* --- receiving --- */

TEST(a_bound_socket_receives_and_tells_everything)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp_bound(t, ANY, 7);
	struct dgram_in in;
	uint8_t bytes[64];
	unsigned events;

	size_t len = udp_bytes(bytes, PEER, 1000, US, 7, "hello");
	rx_ip(t, bytes, len, .h.protocol = IP_PROTO_UDP, .h.tos = 0x10, .h.ttl = 33, .padding = 5);
	assert_ptr_equal(dgram_next_event(t->s, &events), d);
	assert_int_equal(events, DGRAM_EV_READ);
	assert_null(dgram_next_event(t->s, &events));
	assert_true(dgram_peek(d, &in));
	assert_ip(&in.from.addr, PEER);
	assert_ip(&in.to, US);
	assert_int_equal(in.tos, 0x10);
	assert_int_equal(in.ttl, 33);
	assert_int_equal(in.arrival, t->now);
	expect_recv(d, 1000, "hello");
	expect_nothing(d);
	assert_int_equal(counted(t, CNT_UdpInDatagrams), 1);
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(the_receive_buffer_is_a_bound_and_drops_are_counted)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp_bound(t, ANY, 7);
	unsigned got = 0;

	dgram_set_option(d, DGRAM_OPT_RCVBUF, 4096);
	for (int i = 0; i < 100; i++)
		rx_udp(t, 9, 7, "0123456789012345678901234567890123456789");
	for (struct dgram_in in; dgram_peek(d, &in); got++)
		dgram_pop(d);
	assert_in_range(got, 10, 40);
	assert_int_equal(dgram_drops(d), 100 - got);
	assert_int_equal(counted(t, CNT_UdpRcvbufErrors), 100 - got);
	rx_udp(t, 9, 7, "again");
	expect_recv(d, 9, "again");
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(malformed_datagrams_are_dropped)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp_bound(t, ANY, 7);
	uint8_t bytes[64];

	size_t len = udp_bytes(bytes, PEER, 9, US, 7, "hello");
	rx_ip(t, bytes, 7, .h.protocol = IP_PROTO_UDP);
	rx_ip(t, bytes, len - 1, .h.protocol = IP_PROTO_UDP);
	bytes[len - 1] ^= 1;
	rx_ip(t, bytes, len, .h.protocol = IP_PROTO_UDP);
	expect_nothing(d);
	expect_silence(t);
	assert_int_equal(counted(t, CNT_UdpInErrors), 3);
	assert_int_equal(counted(t, CNT_UdpInCsumErrors), 1);
	dgram_close(d, t->now);
	rig_end(t);
}

/* --- ports --- */

TEST(a_port_is_taken_once_unless_both_share)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *a = udp_bound(t, ANY, 7), *b = udp(t), *c = udp(t);

	assert_int_equal(dgram_bind(a, EP(ANY, 8)), -EINVAL);
	assert_int_equal(dgram_bind(b, EP(US, 7)), -EADDRINUSE);
	assert_int_equal(dgram_bind(b, EP(PEER, 8)), -EADDRNOTAVAIL);
	dgram_set_option(b, DGRAM_OPT_REUSEADDR, 1);
	assert_int_equal(dgram_bind(b, EP(ANY, 7)), -EADDRINUSE);
	dgram_set_option(a, DGRAM_OPT_REUSEADDR, 1);
	assert_int_equal(dgram_bind(b, EP(ANY, 7)), 0);
	rx_udp(t, 9, 7, "newest");
	expect_recv(b, 9, "newest");
	assert_int_equal(dgram_bind(c, EP(ANY, 0)), 0);
	assert_int_not_equal(dgram_local(c)->port, 0);
	dgram_close(a, t->now);
	dgram_close(b, t->now);
	dgram_close(c, t->now);
	assert_int_equal(dgram_bind(a = udp(t), EP(ANY, 7)), 0);
	dgram_close(a, t->now);
	rig_end(t);
}

TEST(reuseport_gives_a_sender_always_the_same_socket)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d[4];
	unsigned got[4] = {0}, used = 0;
	struct dgram_in in;

	for (int i = 0; i < 4; i++) {
		d[i] = udp(t);
		dgram_set_option(d[i], DGRAM_OPT_REUSEPORT, 1);
		assert_int_equal(dgram_bind(d[i], EP(ANY, 7)), 0);
	}
	for (uint16_t from = 1000; from < 1064; from++) {
		rx_udp(t, from, 7, "1");
		rx_udp(t, from, 7, "2");
	}
	for (int i = 0; i < 4; i++) {
		for (; dgram_peek(d[i], &in); got[i]++)
			dgram_pop(d[i]);
		assert_int_equal(got[i] % 2, 0);
		used += got[i] > 0;
		dgram_close(d[i], t->now);
	}
	assert_int_equal(used, 4);
	rig_end(t);
}

TEST(a_connected_socket_hears_its_peer_only_and_before_others)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *any = udp(t), *peer = udp(t);
	struct ipv4_hdr h;

	dgram_set_option(any, DGRAM_OPT_REUSEADDR, 1);
	dgram_set_option(peer, DGRAM_OPT_REUSEADDR, 1);
	assert_int_equal(dgram_bind(peer, EP(ANY, 7)), 0);
	assert_int_equal(dgram_bind(any, EP(ANY, 7)), 0);
	assert_int_equal(dgram_connect(peer, EP(PEER, 9)), 0);
	assert_ip(&dgram_local(peer)->addr, US);
	rx_udp(t, 9, 7, "peer");
	rx_udp(t, 10, 7, "other");
	expect_recv(peer, 9, "peer");
	expect_recv(any, 10, "other");
	assert_int_equal(send_to(t, peer, NULL, "x", 1), 0);
	assert_int_equal(expect_udp(t, MAC(9), &h, "x", 1).dst_port, 9);
	assert_int_equal(dgram_connect(peer, EP(PEER, 10)), 0);
	assert_int_equal(send_to(t, peer, NULL, "y", 1), 0);
	assert_int_equal(expect_udp(t, MAC(9), &h, "y", 1).dst_port, 10);
	dgram_close(any, t->now);
	dgram_close(peer, t->now);
	rig_end(t);
}

TEST(a_disconnect_keeps_what_was_bound_by_name)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *named = udp_bound(t, ANY, 7), *picked = udp(t);

	assert_int_equal(dgram_connect(named, EP(PEER, 9)), 0);
	assert_int_equal(dgram_connect(picked, EP(PEER, 9)), 0);
	dgram_disconnect(named);
	dgram_disconnect(picked);
	assert_int_equal(dgram_local(named)->port, 7);
	assert_true(ipaddr_is_any(&dgram_local(named)->addr));
	assert_int_equal(dgram_local(picked)->port, 0);
	assert_int_equal(send_to(t, named, NULL, "x", 1), -EDESTADDRREQ);
	rx_udp(t, 1234, 7, "anybody");
	expect_recv(named, 1234, "anybody");
	dgram_close(named, t->now);
	dgram_close(picked, t->now);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_leaves_at_once_from_a_port_of_our_own),
		cmocka_unit_test(an_empty_datagram_is_one),
		cmocka_unit_test(options_are_in_the_header),
		cmocka_unit_test(two_pieces_with_an_odd_seam_have_a_right_checksum),
		cmocka_unit_test(a_large_datagram_leaves_in_fragments_unless_df_is_asked_for),
		cmocka_unit_test(fragments_come_in_as_one_datagram),
		cmocka_unit_test(segmented_datagrams_come_one_by_one),
		cmocka_unit_test(what_cannot_be_sent_says_why),
		cmocka_unit_test(a_broadcast_leaves_with_leave_and_is_heard_here_too),
		cmocka_unit_test(our_own_address_loops_inside),
		cmocka_unit_test(a_bound_socket_receives_and_tells_everything),
		cmocka_unit_test(the_receive_buffer_is_a_bound_and_drops_are_counted),
		cmocka_unit_test(malformed_datagrams_are_dropped),
		cmocka_unit_test(a_port_is_taken_once_unless_both_share),
		cmocka_unit_test(reuseport_gives_a_sender_always_the_same_socket),
		cmocka_unit_test(a_connected_socket_hears_its_peer_only_and_before_others),
		cmocka_unit_test(a_disconnect_keeps_what_was_bound_by_name),
	};

	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (uint8_t)(i * 31 + i / 256);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
