/*
 * ARP, the neighbour cache and address conflict detection, as RFC 826, RFC 1122 §2.3.2 and RFC 5227
 * tell them.
 */
#include <stdio.h>

#include "tests/unit/rig.h"

static void claim(struct rig *t, enum probe_timing timing)
{
	struct ipnet net = rig_net();

	stack_claim(t->s, &net, timing, t->now);
}

static void expect_packet(struct rig *t, struct macaddr to, const char *text)
{
	struct ipv4_hdr h;
	const uint8_t *data = expect_ip(t, to, &h);

	assert_int_equal(h.total_len - h.hdr_len, strlen(text));
	assert_memory_equal(data, text, strlen(text));
}

/* --- answering --- */

TEST(a_request_for_our_address_is_answered_unicast)
{
	struct rig *t = rig_ready();

	rx_arp(t, .op = ARP_REQUEST);
	expect_arp(t, MAC(9), ARP_REPLY, US, MAC(9), PEER);
	assert_int_equal(counted(t, CNT_ArpInRequests), 1);
	rig_end(t);
}

TEST(a_probe_for_our_address_is_answered_and_not_learned_from)
{
	struct rig *t = rig_ready();

	stack_set_gateway(t->s, &NOBODY);
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = NOBODY);
	expect_arp(t, MAC(9), ARP_REPLY, US, MAC(9), NOBODY);
	assert_int_equal(t->s->neigh.count, 0);
	rig_end(t);
}

TEST(a_request_for_another_address_is_neither_answered_nor_learned_from)
{
	struct rig *t = rig_ready();

	rx_arp(t, .op = ARP_REQUEST, .target_ip = HOST(77));
	expect_silence(t);
	assert_int_equal(t->s->neigh.count, 0);
	rig_end(t);
}

TEST(nothing_is_answered_before_the_address_is_ours)
{
	struct rig *t = rig_unclaimed();

	rx_arp(t, .op = ARP_REQUEST);
	expect_silence(t);
	claim(t, PROBE_FAST);
	expect_probe(t);
	rx_arp(t, .op = ARP_REQUEST);
	expect_silence(t);
	assert_int_equal(stack_address_state(t->s, NULL), ADDRESS_PROBING);
	rig_end(t);
}

TEST(nonsense_is_counted_and_dropped)
{
	struct rig *t = rig_ready();
	uint8_t bytes[ARP_LEN];

	rx_arp(t, .op = 3);
	rx_arp(t, .op = ARP_REPLY, .sender_ip = NOBODY);
	rx_arp(t, .op = ARP_REQUEST, .sender_mac = eth_broadcast);
	rx_arp_packet(
		t, &(struct arp_packet){.op = ARP_REQUEST, .sender_ip = PEER, .target_ip = US});
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = V4(224, 0, 0, 1));
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = V4(127, 0, 0, 1));
	arp_emit(bytes, &(struct arp_packet){.op = ARP_REQUEST,
				.sender_mac = MAC(9),
				.sender_ip = PEER,
				.target_ip = US});
	rx_frame(t, &eth_broadcast, ETH_TYPE_ARP, bytes, ARP_LEN - 1, FRAME_CSUM_UNVERIFIED);
	assert_int_equal(counted(t, CNT_ArpInBad), 7);
	expect_silence(t);
	rig_end(t);
}

/* --- the cache --- */

TEST(a_packet_to_a_stranger_asks_and_leaves_when_the_answer_comes)
{
	struct rig *t = rig_ready();

	assert_int_equal(output(t, PEER, "hello", 5), 0);
	expect_request(t, PEER);
	assert_true(stack_memory(t->s) > 0);
	rx_arp(t, .op = ARP_REPLY);
	expect_packet(t, MAC(9), "hello");
	assert_int_equal(output(t, PEER, "again", 5), 0);
	expect_packet(t, MAC(9), "again");
	rig_end(t);
}

TEST(a_requester_is_learned_and_needs_not_be_asked)
{
	struct rig *t = rig_ready();

	rx_arp(t, .op = ARP_REQUEST);
	expect_arp(t, MAC(9), ARP_REPLY, US, MAC(9), PEER);
	assert_int_equal(output(t, PEER, "x", 1), 0);
	expect_packet(t, MAC(9), "x");
	rig_end(t);
}

TEST(a_packet_to_another_net_asks_for_the_gateway)
{
	struct rig *t = rig_ready();

	assert_int_equal(output(t, FAR, "x", 1), 0);
	expect_request(t, GATEWAY);
	rx_arp(t, .op = ARP_REPLY, .sender_ip = GATEWAY, .sender_mac = MAC(1));
	expect_packet(t, MAC(1), "x");
	rig_end(t);
}

static void write_number(char out[static 1001], unsigned n)
{
	snprintf(out, 1001, "%01000u", n);
}

TEST(packets_wait_in_order_and_the_oldest_of_too_many_bytes_are_dropped)
{
	struct rig *t = rig_ready();
	char text[1001];
	unsigned n = 0;

	for (; counted(t, CNT_ArpPendingDropped) < 2; n++) {
		write_number(text, n);
		assert_int_equal(output(t, PEER, text, 1000), 0);
	}
	assert_in_range((n - 2) * 1000, ARP_PENDING_MAX / 2, ARP_PENDING_MAX);
	expect_request(t, PEER);
	expect_silence(t);
	rx_arp(t, .op = ARP_REPLY);
	for (unsigned i = 2; i < n; i++) {
		write_number(text, i);
		expect_packet(t, MAC(9), text);
	}
	expect_silence(t);
	rig_end(t);
}

/* Hosts that do not exist cost little, however many are forged. */
TEST(what_waits_for_all_neighbours_is_bounded)
{
	struct rig *t = rig_ready();
	char text[1001];

	write_number(text, 0);
	for (unsigned round = 0; round < 100; round++)
		for (uint32_t host = 20; host < 220; host++)
			output(t, HOST(host), text, 1000);
	assert_true(stack_memory(t->s) < ARP_PENDING_TOTAL + (128u << 10));
	assert_true(stack_memory(t->s) > ARP_PENDING_TOTAL / 2);
	rig_free(t); /* with what waits */
}

TEST(what_waits_is_a_copy)
{
	struct rig *t = rig_ready();
	char ring[] = "first";

	assert_int_equal(output(t, PEER, ring, 5), 0);
	memcpy(ring, "later", 5);
	expect_request(t, PEER);
	rx_arp(t, .op = ARP_REPLY);
	expect_packet(t, MAC(9), "first");
	rig_end(t);
}

TEST(requests_are_repeated_after_200_ms_then_every_second_then_given_up)
{
	struct rig *t = rig_ready();

	assert_int_equal(output(t, PEER, "x", 1), 0);
	expect_request(t, PEER);
	advance(t, 199 * MSEC);
	expect_silence(t);
	advance(t, 2 * MSEC);
	expect_request(t, PEER);
	advance(t, 998 * MSEC);
	expect_silence(t);
	advance(t, 2 * MSEC);
	expect_request(t, PEER);
	advance(t, 1 * SEC);
	expect_request(t, PEER);
	assert_int_equal(t->nerrors, 0);
	advance(t, 1 * SEC);
	expect_silence(t);
	assert_int_equal(t->nerrors, 1);
	assert_ip(&t->error[0].remote, PEER);
	assert_ip(&t->error[0].local, US);
	assert_int_equal(t->error[0].error, EHOSTUNREACH);
	assert_null(t->error[0].quoted);
	assert_int_equal(counted(t, CNT_ArpFailed), 1);
	rig_end(t);
}

TEST(a_silent_gateway_is_reported_once_by_its_own_address)
{
	struct rig *t = rig_ready();

	output(t, FAR, "a", 1);
	output(t, V4(192, 0, 2, 8), "b", 1);
	advance(t, 4 * SEC);
	forget_tx(t);
	assert_int_equal(t->nerrors, 1);
	assert_ip(&t->error[0].remote, GATEWAY);
	rig_end(t);
}

TEST(a_failed_neighbour_refuses_for_a_second_and_is_then_asked_anew)
{
	struct rig *t = rig_ready();

	output(t, PEER, "x", 1);
	advance(t, 3300 * MSEC);
	forget_tx(t);
	assert_int_equal(output(t, PEER, "y", 1), -EHOSTUNREACH);
	expect_silence(t);
	advance(t, 1 * SEC);
	assert_int_equal(output(t, PEER, "z", 1), 0);
	expect_request(t, PEER);
	rx_arp(t, .op = ARP_REPLY);
	expect_packet(t, MAC(9), "z");
	rig_end(t);
}

TEST(an_entry_in_use_is_refreshed_unicast_while_packets_go_on)
{
	struct rig *t = rig_ready();

	rig_knows_neighbours(t);
	advance(t, ARP_LIFETIME);
	expect_silence(t);
	assert_int_equal(output(t, PEER, "x", 1), 0);
	expect_arp(t, MAC(9), ARP_REQUEST, US, NO_MAC, PEER);
	expect_packet(t, MAC(9), "x");
	rx_arp(t, .op = ARP_REPLY);
	advance(t, 10 * SEC);
	assert_int_equal(output(t, PEER, "y", 1), 0);
	expect_packet(t, MAC(9), "y");
	rig_end(t);
}

TEST(an_unused_entry_is_left_in_peace)
{
	struct rig *t = rig_ready();

	rig_knows_neighbours(t);
	assert_true(stack_deadline(t->s) == NSEC_NEVER);
	advance(t, 3600 * SEC);
	expect_silence(t);
	rig_end(t);
}

TEST(a_refresh_that_finds_another_machine_moves_the_packets_there)
{
	struct rig *t = rig_ready();

	rig_knows_neighbours(t);
	advance(t, ARP_LIFETIME);
	output(t, PEER, "x", 1);
	advance(t, 2 * SEC + 1 * MSEC);
	expect_arp(t, MAC(9), ARP_REQUEST, US, NO_MAC, PEER);
	expect_packet(t, MAC(9), "x");
	expect_arp(t, MAC(9), ARP_REQUEST, US, NO_MAC, PEER);
	expect_request(t, PEER); /* the third goes to everybody */
	rx_arp(t, .op = ARP_REPLY, .sender_mac = MAC(33));
	output(t, PEER, "y", 1);
	expect_packet(t, MAC(33), "y");
	rig_end(t);
}

TEST(a_gratuitous_arp_updates_who_is_known_and_adds_nobody)
{
	struct rig *t = rig_ready();

	rig_knows_neighbours(t);
	rx_arp(t, .op = ARP_REQUEST, .sender_mac = MAC(44), .target_ip = PEER);
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = HOST(50), .target_ip = HOST(50));
	assert_int_equal(t->s->neigh.count, 2);
	output(t, PEER, "x", 1);
	expect_packet(t, MAC(44), "x");
	rig_end(t);
}

TEST(senders_outside_our_net_are_answered_but_not_kept)
{
	struct rig *t = rig_ready();

	rx_arp(t, .op = ARP_REQUEST, .sender_ip = FAR);
	expect_arp(t, MAC(9), ARP_REPLY, US, MAC(9), FAR);
	assert_int_equal(t->s->neigh.count, 0);
	rig_end(t);
}

TEST(a_full_table_forgets_the_least_recently_used)
{
	struct rig *t = rig_unclaimed();
	struct ipnet net = {US, 112};

	stack_claim(t->s, &net, PROBE_NONE, t->now);
	advance(t, 10 * SEC);
	forget_tx(t);
	rig_knows_neighbours(t);
	for (unsigned i = 0; i < ARP_ENTRIES_MAX - 1; i++) {
		rx_arp(t, .op = ARP_REPLY, .sender_ip = HOST(256 + i));
		output(t, GATEWAY, "x", 1);
		expect_packet(t, MAC(1), "x");
		t->ntx--, t->seen--;
		free(t->tx[t->ntx].data);
	}
	assert_int_equal(t->s->neigh.count, ARP_ENTRIES_MAX);
	output(t, PEER, "x", 1); /* PEER was the oldest */
	expect_request(t, PEER);
	rx_arp(t, .op = ARP_REPLY);
	expect_packet(t, MAC(9), "x");
	rig_end(t);
}

TEST(groups_have_their_mac_by_arithmetic)
{
	struct rig *t = rig_ready();

	output(t, V4(224, 138, 11, 12), "m", 1); /* the top bit does not fit */
	expect_packet(t, (struct macaddr){{1, 0, 0x5e, 0x0a, 0x0b, 0x0c}}, "m");
	output(t, HOST(255), "b", 1);
	expect_packet(t, eth_broadcast, "b");
	rig_end(t);
}

/* --- RFC 5227 --- */

TEST(a_fast_claim_probes_three_times_50_ms_apart_then_announces_twice)
{
	struct rig *t = rig_unclaimed();

	claim(t, PROBE_FAST);
	expect_probe(t);
	advance(t, 49 * MSEC);
	expect_silence(t);
	advance(t, 2 * MSEC);
	expect_probe(t);
	advance(t, 50 * MSEC);
	expect_probe(t);
	assert_int_equal(stack_address_state(t->s, NULL), ADDRESS_PROBING);
	advance(t, 50 * MSEC);
	assert_int_equal(stack_address_state(t->s, NULL), ADDRESS_READY);
	expect_announcement(t);
	advance(t, 2 * SEC);
	expect_announcement(t);
	advance(t, 60 * SEC);
	expect_silence(t);
	rig_end(t);
}

TEST(the_full_timing_takes_between_4_and_7_seconds)
{
	struct rig *t = rig_unclaimed();
	nsec begin = t->now;

	claim(t, PROBE_RFC);
	while (stack_address_state(t->s, NULL) == ADDRESS_PROBING && t->now < begin + 10 * SEC)
		advance(t, 10 * MSEC);
	assert_int_equal(stack_address_state(t->s, NULL), ADDRESS_READY);
	assert_in_range((t->now - begin) / MSEC, 4000, 7010);
	for (int i = 0; i < ACD_PROBE_NUM; i++)
		expect_probe(t);
	expect_announcement(t);
	rig_end(t);
}

TEST(a_believed_address_is_ready_at_once_and_announced)
{
	struct rig *t = rig_unclaimed();

	claim(t, PROBE_NONE);
	assert_int_equal(stack_address_state(t->s, NULL), ADDRESS_READY);
	expect_announcement(t);
	rig_end(t);
}

static void expect_conflict(struct rig *t, struct macaddr holder)
{
	struct macaddr mac;

	assert_int_equal(stack_address_state(t->s, &mac), ADDRESS_CONFLICT);
	assert_mac(&mac, holder);
	advance(t, 60 * SEC);
	expect_silence(t);
	assert_int_equal(output(t, PEER, "x", 1), -ENETDOWN);
}

TEST(a_reply_to_the_probe_is_a_conflict_and_names_the_holder)
{
	struct rig *t = rig_unclaimed();

	claim(t, PROBE_FAST);
	expect_probe(t);
	rx_arp(t, .op = ARP_REPLY, .sender_ip = US, .sender_mac = MAC(66), .target_ip = NOBODY);
	expect_conflict(t, MAC(66));
	rig_end(t);
}

TEST(any_request_from_the_address_while_probing_is_a_conflict)
{
	struct rig *t = rig_unclaimed();

	claim(t, PROBE_FAST);
	expect_probe(t);
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = US, .sender_mac = MAC(66), .target_ip = GATEWAY);
	expect_conflict(t, MAC(66));
	rig_end(t);
}

TEST(a_simultaneous_probe_of_another_host_is_a_conflict)
{
	struct rig *t = rig_unclaimed();

	claim(t, PROBE_FAST);
	expect_probe(t);
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = NOBODY, .sender_mac = MAC(66));
	expect_conflict(t, MAC(66));
	rig_end(t);
}

TEST(our_own_probe_and_probes_for_others_are_no_conflict)
{
	struct rig *t = rig_unclaimed();

	claim(t, PROBE_FAST);
	expect_probe(t);
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = NOBODY, .sender_mac = MAC(2));
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = NOBODY, .sender_mac = MAC(66), .target_ip = PEER);
	assert_int_equal(stack_address_state(t->s, NULL), ADDRESS_PROBING);
	rig_end(t);
}

TEST(another_address_may_be_claimed_after_a_conflict)
{
	struct rig *t = rig_unclaimed();
	struct ipnet other = {HOST(3), 120};

	claim(t, PROBE_FAST);
	expect_probe(t);
	rx_arp(t, .op = ARP_REPLY, .sender_ip = US, .sender_mac = MAC(66));
	stack_claim(t->s, &other, PROBE_FAST, t->now);
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = US, .sender_mac = MAC(66));
	advance(t, 200 * MSEC);
	assert_int_equal(stack_address_state(t->s, NULL), ADDRESS_READY);
	for (int i = 0; i < ACD_PROBE_NUM; i++)
		expect_arp(t, eth_broadcast, ARP_REQUEST, NOBODY, NO_MAC, HOST(3));
	expect_arp(t, eth_broadcast, ARP_REQUEST, HOST(3), NO_MAC, HOST(3));
	rig_end(t);
}

TEST(a_new_claim_forgets_the_neighbours_and_what_waited_for_them)
{
	struct rig *t = rig_ready();
	struct ipnet other = {HOST(3), 120};

	output(t, PEER, "x", 1);
	expect_request(t, PEER);
	stack_claim(t->s, &other, PROBE_NONE, t->now);
	expect_arp(t, eth_broadcast, ARP_REQUEST, HOST(3), NO_MAC, HOST(3));
	assert_int_equal(stack_memory(t->s), 0);
	advance(t, 1 * SEC);
	expect_silence(t);
	rig_end(t);
}

TEST(an_address_is_defended_once_in_ten_seconds_and_kept)
{
	struct rig *t = rig_ready();

	rx_arp(t, .op = ARP_REQUEST, .sender_ip = US, .sender_mac = MAC(66));
	expect_announcement(t);
	advance(t, 9 * SEC);
	rx_arp(t, .op = ARP_REPLY, .sender_ip = US, .sender_mac = MAC(66));
	expect_silence(t);
	advance(t, 2 * SEC);
	rx_arp(t, .op = ARP_REQUEST, .sender_ip = US, .sender_mac = MAC(66), .target_ip = PEER);
	expect_announcement(t);
	assert_int_equal(counted(t, CNT_ArpConflicts), 3);
	assert_int_equal(stack_address_state(t->s, NULL), ADDRESS_READY);
	assert_int_equal(t->s->neigh.count, 0);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_for_our_address_is_answered_unicast),
		cmocka_unit_test(a_probe_for_our_address_is_answered_and_not_learned_from),
		cmocka_unit_test(
			a_request_for_another_address_is_neither_answered_nor_learned_from),
		cmocka_unit_test(nothing_is_answered_before_the_address_is_ours),
		cmocka_unit_test(nonsense_is_counted_and_dropped),
		cmocka_unit_test(a_packet_to_a_stranger_asks_and_leaves_when_the_answer_comes),
		cmocka_unit_test(a_requester_is_learned_and_needs_not_be_asked),
		cmocka_unit_test(a_packet_to_another_net_asks_for_the_gateway),
		cmocka_unit_test(packets_wait_in_order_and_the_oldest_of_too_many_bytes_are_dropped),
		cmocka_unit_test(what_waits_for_all_neighbours_is_bounded),
		cmocka_unit_test(what_waits_is_a_copy),
		cmocka_unit_test(
			requests_are_repeated_after_200_ms_then_every_second_then_given_up),
		cmocka_unit_test(a_silent_gateway_is_reported_once_by_its_own_address),
		cmocka_unit_test(a_failed_neighbour_refuses_for_a_second_and_is_then_asked_anew),
		cmocka_unit_test(an_entry_in_use_is_refreshed_unicast_while_packets_go_on),
		cmocka_unit_test(an_unused_entry_is_left_in_peace),
		cmocka_unit_test(a_refresh_that_finds_another_machine_moves_the_packets_there),
		cmocka_unit_test(a_gratuitous_arp_updates_who_is_known_and_adds_nobody),
		cmocka_unit_test(senders_outside_our_net_are_answered_but_not_kept),
		cmocka_unit_test(a_full_table_forgets_the_least_recently_used),
		cmocka_unit_test(groups_have_their_mac_by_arithmetic),
		cmocka_unit_test(a_fast_claim_probes_three_times_50_ms_apart_then_announces_twice),
		cmocka_unit_test(the_full_timing_takes_between_4_and_7_seconds),
		cmocka_unit_test(a_believed_address_is_ready_at_once_and_announced),
		cmocka_unit_test(a_reply_to_the_probe_is_a_conflict_and_names_the_holder),
		cmocka_unit_test(any_request_from_the_address_while_probing_is_a_conflict),
		cmocka_unit_test(a_simultaneous_probe_of_another_host_is_a_conflict),
		cmocka_unit_test(our_own_probe_and_probes_for_others_are_no_conflict),
		cmocka_unit_test(another_address_may_be_claimed_after_a_conflict),
		cmocka_unit_test(a_new_claim_forgets_the_neighbours_and_what_waited_for_them),
		cmocka_unit_test(an_address_is_defended_once_in_ten_seconds_and_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
