/*
 * Multicast: membership, what the wire hears of it (RFC 2236, RFC 3376), and who gets what.
 */
#include "core/wire/igmp.h"
#include "tests/unit/dgram_rig.h"

static const struct macaddr group_mac = {{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}};

/* The next frame is an IGMP message with Router Alert, TTL 1 and a right checksum. */
static const uint8_t *expect_igmp(struct rig *t, struct macaddr to, uint8_t type, size_t len)
{
	struct ipv4_hdr h;
	const uint8_t *data = expect_ip(t, to, &h);

	assert_int_equal(h.protocol, IP_PROTO_IGMP);
	assert_int_equal(h.hdr_len, 24);
	assert_memory_equal(data - 4, "\x94\x04\0\0", 4);
	assert_int_equal(h.ttl, 1);
	assert_int_equal(h.total_len - h.hdr_len, len);
	assert_int_equal(csum_fold(csum_add(0, data, len)), 0xffff);
	assert_int_equal(data[0], type);
	return data;
}

static void expect_v3(struct rig *t, enum igmp_record record)
{
	const struct macaddr routers = {{0x01, 0x00, 0x5e, 0, 0, 22}};
	const uint8_t *data = expect_igmp(t, routers, IGMP_V3_REPORT, IGMP_V3_REPORT_LEN);

	assert_int_equal(data[8], record);
	assert_memory_equal(data + 12, "\xef\x01\x02\x03", 4);
}

/* `len` 8: version 1 (code 0) or 2, 12: version 3. */
static void rx_query(struct rig *t, struct ipaddr group, uint8_t code, size_t len)
{
	uint8_t bytes[12] = {IGMP_QUERY, code};

	put_be32(bytes + 4, ipaddr_to_v4(&group));
	put_be16(bytes + 2, csum_finish(csum_add(0, bytes, len)));
	rx_ip(t, bytes, len, .h.protocol = IP_PROTO_IGMP, .h.dst = V4(224, 0, 0, 1));
}

static struct dgram *member(struct rig *t, uint16_t port)
{
	struct dgram *d = udp(t);

	dgram_set_option(d, DGRAM_OPT_REUSEADDR, 1);
	assert_int_equal(dgram_bind(d, EP(ANY, port)), 0);
	assert_int_equal(dgram_join(d, &GROUP, t->now), 0);
	return d;
}

TEST(the_first_join_and_the_last_leave_are_reported_twice_each)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *a = member(t, 7), *b = member(t, 7);

	advance(t, 10 * SEC);
	expect_v3(t, IGMP_TO_EXCLUDE);
	expect_v3(t, IGMP_TO_EXCLUDE);
	expect_silence(t);
	assert_int_equal(dgram_leave(a, &GROUP, t->now), 0);
	assert_int_equal(dgram_leave(a, &GROUP, t->now), -EADDRNOTAVAIL);
	advance(t, 10 * SEC);
	expect_silence(t);
	dgram_close(b, t->now);
	advance(t, 10 * SEC);
	expect_v3(t, IGMP_TO_INCLUDE);
	expect_v3(t, IGMP_TO_INCLUDE);
	expect_silence(t);
	dgram_close(a, t->now);
	rig_end(t);
}

TEST(a_query_is_answered_within_its_time)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = member(t, 7);

	advance(t, 10 * SEC);
	forget_tx(t);
	rx_query(t, NOBODY, 20, 12);
	advance(t, 2 * SEC + MSEC);
	expect_v3(t, IGMP_IS_EXCLUDE);
	rx_query(t, V4(239, 9, 9, 9), 20, 12);
	advance(t, 10 * SEC);
	expect_silence(t);
	rx_query(t, GROUP, 20, 12);
	advance(t, 2 * SEC + MSEC);
	expect_v3(t, IGMP_IS_EXCLUDE);
	dgram_close(d, t->now);
	advance(t, 10 * SEC);
	forget_tx(t);
	rig_end(t);
}

TEST(an_older_querier_is_answered_in_its_language)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = member(t, 7);
	const struct macaddr routers = {{0x01, 0x00, 0x5e, 0, 0, 2}};
	uint8_t report[IGMP_LEN];

	advance(t, 10 * SEC);
	forget_tx(t);
	rx_query(t, NOBODY, 100, 8);
	advance(t, 10 * SEC + MSEC);
	expect_igmp(t, group_mac, IGMP_V2_REPORT, IGMP_LEN);
	/* Somebody else's report is enough. */
	rx_query(t, NOBODY, 100, 8);
	igmp_emit(report, IGMP_V2_REPORT, &GROUP);
	rx_ip(t, report, sizeof report, .h.protocol = IP_PROTO_IGMP, .h.dst = GROUP);
	advance(t, 20 * SEC);
	expect_silence(t);
	dgram_close(d, t->now);
	advance(t, 20 * SEC);
	expect_igmp(t, routers, IGMP_V2_LEAVE, IGMP_LEN);
	expect_silence(t);
	rig_end(t);
}

TEST(malformed_messages_are_counted)
{
	struct rig *t = rig_with_neighbours();
	uint8_t bytes[IGMP_LEN];

	igmp_emit(bytes, IGMP_QUERY, &NOBODY);
	rx_ip(t, bytes, 7, .h.protocol = IP_PROTO_IGMP, .h.dst = V4(224, 0, 0, 1));
	bytes[7] ^= 1;
	rx_ip(t, bytes, 8, .h.protocol = IP_PROTO_IGMP, .h.dst = V4(224, 0, 0, 1));
	assert_int_equal(counted(t, CNT_IgmpInErrors), 2);
	assert_int_equal(counted(t, CNT_IgmpInQueries), 0);
	rig_end(t);
}

TEST(what_is_sent_to_a_group_reaches_every_member_and_nobody_else)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *a = member(t, 7), *b = member(t, 7), *all = udp(t), *strict = udp(t);

	dgram_set_option(all, DGRAM_OPT_REUSEADDR, 1);
	dgram_set_option(strict, DGRAM_OPT_REUSEADDR, 1);
	dgram_set_option(strict, DGRAM_OPT_MULTICAST_ALL, 0);
	assert_int_equal(dgram_bind(all, EP(ANY, 7)), 0);
	assert_int_equal(dgram_bind(strict, EP(ANY, 7)), 0);
	rx_udp_from(t, PEER, 9, GROUP, 7, "group");
	expect_recv(a, 9, "group");
	expect_recv(b, 9, "group");
	expect_recv(all, 9, "group");
	expect_nothing(strict);
	rx_udp_from(t, PEER, 9, V4(239, 9, 9, 9), 7, "foreign");
	expect_nothing(all);
	assert_int_equal(counted(t, CNT_UdpNoPorts), 1);
	struct dgram *open[] = {a, b, all, strict};
	for (size_t i = 0; i < ARRAY_LEN(open); i++)
		dgram_close(open[i], t->now);
	advance(t, 10 * SEC);
	forget_tx(t);
	rig_end(t);
}

TEST(what_we_send_to_a_group_has_ttl_1_and_comes_back_to_members)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = member(t, 7), *sender = udp(t);
	struct ipv4_hdr h;

	advance(t, 10 * SEC);
	forget_tx(t);
	assert_int_equal(send_to(t, sender, EP(GROUP, 7), "hi", 2), 0);
	expect_udp(t, group_mac, &h, "hi", 2);
	assert_int_equal(h.ttl, 1);
	stack_poll(t->s, t->now);
	expect_recv(d, dgram_local(sender)->port, "hi");
	dgram_set_option(sender, DGRAM_OPT_MULTICAST_LOOP, 0);
	dgram_set_option(sender, DGRAM_OPT_MULTICAST_TTL, 5);
	send_to(t, sender, EP(GROUP, 7), "hi", 2);
	expect_udp(t, group_mac, &h, "hi", 2);
	assert_int_equal(h.ttl, 5);
	stack_poll(t->s, t->now);
	expect_nothing(d);
	dgram_close(d, t->now);
	dgram_close(sender, t->now);
	advance(t, 10 * SEC);
	forget_tx(t);
	rig_end(t);
}

TEST(a_socket_joins_groups_only_and_a_bounded_number)
{
	struct rig *t = rig_with_neighbours();
	struct dgram *d = udp(t);

	assert_int_equal(dgram_join(d, &PEER, t->now), -EINVAL);
	for (uint8_t i = 0; i < DGRAM_GROUPS_MAX; i++)
		assert_int_equal(dgram_join(d, &V4(239, 0, 0, i), t->now), 0);
	assert_int_equal(dgram_join(d, &V4(239, 0, 0, 0), t->now), -EADDRINUSE);
	assert_int_equal(dgram_join(d, &GROUP, t->now), -ENOBUFS);
	dgram_close(d, t->now);
	advance(t, 10 * SEC);
	assert_int_equal(counted(t, CNT_IgmpOutReports), 2 * DGRAM_GROUPS_MAX);
	forget_tx(t);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_join_and_the_last_leave_are_reported_twice_each),
		cmocka_unit_test(a_query_is_answered_within_its_time),
		cmocka_unit_test(an_older_querier_is_answered_in_its_language),
		cmocka_unit_test(malformed_messages_are_counted),
		cmocka_unit_test(what_is_sent_to_a_group_reaches_every_member_and_nobody_else),
		cmocka_unit_test(what_we_send_to_a_group_has_ttl_1_and_comes_back_to_members),
		cmocka_unit_test(a_socket_joins_groups_only_and_a_bounded_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
