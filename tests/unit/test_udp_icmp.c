/*
 * What ICMP means to datagram sockets: errors (udp(7), ip(7)), ping sockets (icmp(7)), raw sockets.
 */
#include "tests/unit/dgram_rig.h"

static struct dgram *connected(struct rig *t)
{
	struct dgram *d = udp(t);

	assert_int_equal(dgram_connect(d, EP(PEER, 9)), 0);
	return d;
}

TEST(port_unreachable_is_told_once_to_a_connected_socket)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = connected(t);
	struct dgram_error e;
	unsigned events;

	send_to(t, d, NULL, "x", 1);
	rx_error(t, PEER, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0);
	forget_tx(t);
	assert_ptr_equal(dgram_next_event(t->s, &events), d);
	assert_int_equal(events, DGRAM_EV_ERROR);
	assert_int_equal(send_to(t, d, NULL, "x", 1), -ECONNREFUSED);
	expect_silence(t);
	assert_int_equal(dgram_take_error(d), 0);
	assert_int_equal(send_to(t, d, NULL, "x", 1), 0);
	assert_false(dgram_peek_error(d, &e));
	forget_tx(t);
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(soft_errors_and_unconnected_sockets_hear_nothing_without_recverr)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = connected(t), *u = udp(t);

	send_to(t, d, NULL, "x", 1);
	rx_error(t, GATEWAY, ICMP_TYPE_UNREACHABLE, ICMP_CODE_HOST, 0);
	rx_error(t, GATEWAY, ICMP_TYPE_TIME_EXCEEDED, 0, 0);
	assert_int_equal(dgram_take_error(d), 0);
	send_to(t, u, EP(PEER, 9), "x", 1);
	rx_error(t, PEER, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0);
	assert_int_equal(dgram_take_error(u), 0);
	forget_tx(t);
	dgram_close(d, t->now);
	dgram_close(u, t->now);
	rig_end(t);
}

TEST(with_recverr_every_error_is_queued_with_its_story)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp(t);
	struct dgram_error e;

	dgram_set_option(d, DGRAM_OPT_RECVERR, 1);
	send_to(t, d, EP(FAR, 33434), "probe", 5);
	rx_error(t, HOST(77), ICMP_TYPE_TIME_EXCEEDED, 0, 0);
	forget_tx(t);
	assert_int_equal(dgram_take_error(d), EHOSTUNREACH);
	assert_true(dgram_peek_error(d, &e));
	assert_int_equal(e.error, EHOSTUNREACH);
	assert_int_equal(e.type, ICMP_TYPE_TIME_EXCEEDED);
	assert_ip(&e.offender, HOST(77));
	assert_ip(&e.to.addr, FAR);
	assert_int_equal(e.to.port, 33434);
	assert_false(e.local);
	assert_int_equal(e.len, 5);
	assert_memory_equal(e.data, "probe", 5);
	dgram_pop_error(d);
	assert_false(dgram_peek_error(d, &e));
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(an_error_about_nothing_of_ours_is_counted)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = connected(t);

	send_to(t, d, NULL, "x", 1);
	dgram_close(d, t->now);
	rx_error(t, PEER, ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, 0);
	assert_int_equal(counted(t, CNT_IcmpInErrors), 1);
	forget_tx(t);
	rig_end(t);
}

TEST(a_smaller_path_mtu_is_believed)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = connected(t);
	struct ipv4_hdr h;
	char big[1400] = "";

	assert_int_equal(dgram_path_mtu(d), RIG_MTU);
	send_to(t, d, NULL, big, sizeof big);
	rx_error(t, GATEWAY, ICMP_TYPE_UNREACHABLE, ICMP_CODE_FRAG_NEEDED, 1280);
	forget_tx(t);
	assert_int_equal(dgram_path_mtu(d), 1280);
	assert_int_equal(dgram_take_error(d), EMSGSIZE);
	assert_int_equal(send_to(t, d, NULL, big, sizeof big), 0);
	expect_udp(t, MAC(9), &h, big, sizeof big);
	assert_false(h.df);
	dgram_set_option(d, DGRAM_OPT_MTU_DISCOVER, DGRAM_PMTU_DO);
	assert_int_equal(send_to(t, d, NULL, big, sizeof big), -EMSGSIZE);
	dgram_set_option(d, DGRAM_OPT_MTU_DISCOVER, DGRAM_PMTU_PROBE);
	assert_int_equal(send_to(t, d, NULL, big, sizeof big), 0);
	expect_udp(t, MAC(9), &h, big, sizeof big);
	assert_true(h.df);
	dgram_close(d, t->now);
	rig_end(t);
}

/* An echo message as the program writes it or the wire carries it. */
static size_t echo(uint8_t *out, uint8_t type, uint32_t id_and_seq, const char *text)
{
	struct icmp_msg m = {.type = type,
		.rest = id_and_seq,
		.body = (const uint8_t *)text,
		.body_len = strlen(text)};

	icmp_emit(out, &m);
	memcpy(out + ICMP_HDR_LEN, text, strlen(text));
	return ICMP_HDR_LEN + strlen(text);
}

TEST(a_ping_socket_has_an_identifier_and_gets_its_own_replies)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = dgram_new(t->s, DGRAM_PING, NULL), *other = dgram_new(t->s, DGRAM_PING, NULL);
	uint8_t bytes[64];
	struct dgram_in in;
	struct ipv4_hdr h;

	assert_int_equal(dgram_bind(d, EP(ANY, 0x1234)), 0);
	assert_int_equal(dgram_bind(other, EP(ANY, 0x1234)), -EADDRINUSE);
	size_t len = echo(bytes, ICMP_TYPE_ECHO, 0xdead0001, "ping!");
	assert_int_equal(send_to(t, d, EP(PEER, 0), bytes, len), 0);
	struct icmp_msg m = expect_icmp(t, MAC(9), ICMP_TYPE_ECHO, 0, &h);
	assert_int_equal(m.rest, 0x12340001);
	len = echo(bytes, ICMP_TYPE_ECHO_REPLY, 0x12350001, "other");
	rx_ip(t, bytes, len, .h.protocol = IP_PROTO_ICMP);
	expect_nothing(d);
	len = echo(bytes, ICMP_TYPE_ECHO_REPLY, 0x12340001, "ping!");
	rx_ip(t, bytes, len, .h.protocol = IP_PROTO_ICMP, .h.ttl = 55);
	assert_true(dgram_peek(d, &in));
	assert_int_equal(in.len, len);
	assert_int_equal(in.ttl, 55);
	assert_memory_equal(in.data, bytes, len);
	bytes[0] = ICMP_TYPE_ECHO_REPLY;
	assert_int_equal(send_to(t, d, EP(PEER, 0), bytes, len), -EINVAL);
	assert_int_equal(send_to(t, d, EP(PEER, 0), bytes, 7), -EINVAL);
	dgram_close(d, t->now);
	dgram_close(other, t->now);
	rig_end(t);
}

TEST(a_raw_socket_gets_every_message_with_its_header)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = dgram_new(t->s, DGRAM_RAW, NULL);
	uint8_t bytes[64];
	struct dgram_in in;
	struct ipv4_hdr h;

	size_t len = echo(bytes, ICMP_TYPE_ECHO_REPLY, 1, "hello");
	rx_ip(t, bytes, len, .h.protocol = IP_PROTO_ICMP, .padding = 3);
	assert_true(dgram_peek(d, &in));
	assert_int_equal(in.len, IPV4_HDR_LEN + len);
	assert_int_equal(ipv4_parse(&h, in.data, in.len), IPV4_OK);
	assert_memory_equal(in.data + IPV4_HDR_LEN, bytes, len);
	dgram_pop(d);
	dgram_set_option(d, DGRAM_OPT_ICMP_FILTER, 1 << ICMP_TYPE_ECHO_REPLY);
	rx_ip(t, bytes, len, .h.protocol = IP_PROTO_ICMP);
	expect_nothing(d);
	dgram_set_option(d, DGRAM_OPT_ICMP_FILTER, 0);
	assert_int_equal(dgram_connect(d, EP(GATEWAY, 0)), 0);
	rx_ip(t, bytes, len, .h.protocol = IP_PROTO_ICMP);
	expect_nothing(d);
	rx_udp(t, 1, 2, "not ICMP");
	expect_icmp(t, MAC(9), ICMP_TYPE_UNREACHABLE, ICMP_CODE_PORT, &h);
	expect_nothing(d);
	len = echo(bytes, ICMP_TYPE_ECHO, 5, "as it is");
	assert_int_equal(send_to(t, d, NULL, bytes, len), 0);
	assert_int_equal(expect_icmp(t, MAC(1), ICMP_TYPE_ECHO, 0, &h).rest, 5);
	dgram_close(d, t->now);
	rig_end(t);
}

TEST(a_neighbour_that_never_answers_is_an_icmp_error_from_ourselves)
{
	struct rig *t = rig_ready();
	struct dgram *raw = dgram_new(t->s, DGRAM_RAW, NULL), *d = udp(t);
	struct dgram_error e;
	struct dgram_in in;

	dgram_set_option(d, DGRAM_OPT_RECVERR, 1);
	assert_int_equal(send_to(t, d, EP(HOST(50), 9), "x", 1), 0);
	advance(t, 10 * SEC);
	forget_tx(t);
	assert_true(dgram_peek_error(d, &e));
	assert_int_equal(e.error, EHOSTUNREACH);
	assert_ip(&e.offender, US);
	assert_true(dgram_peek(raw, &in));
	assert_int_equal(in.data[IPV4_HDR_LEN], ICMP_TYPE_UNREACHABLE);
	assert_int_equal(in.data[IPV4_HDR_LEN + 1], ICMP_CODE_HOST);
	dgram_close(d, t->now);
	dgram_close(raw, t->now);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(port_unreachable_is_told_once_to_a_connected_socket),
		cmocka_unit_test(soft_errors_and_unconnected_sockets_hear_nothing_without_recverr),
		cmocka_unit_test(with_recverr_every_error_is_queued_with_its_story),
		cmocka_unit_test(an_error_about_nothing_of_ours_is_counted),
		cmocka_unit_test(a_smaller_path_mtu_is_believed),
		cmocka_unit_test(a_ping_socket_has_an_identifier_and_gets_its_own_replies),
		cmocka_unit_test(a_raw_socket_gets_every_message_with_its_header),
		cmocka_unit_test(a_neighbour_that_never_answers_is_an_icmp_error_from_ourselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
