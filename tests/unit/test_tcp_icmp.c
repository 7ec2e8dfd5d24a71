/*
 * What ICMP and the neighbour table tell TCP: RFC 1122 §4.2.3.9, RFC 5927, RFC 1191; and the errors of connect.
 */
#include "tests/unit/tcp_rig.h"

enum { UNREACHABLE = ICMP_TYPE_UNREACHABLE };

TEST(syn_sent_port_unreachable_is_connection_refused)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx_icmp(t, UNREACHABLE, ICMP_CODE_PORT, L(0), 0);
	expect_error(t, ECONNREFUSED);
	expect_event(t, TCP_EV_CLOSED);
	rig_end(t);
}

TEST(syn_sent_host_and_network_unreachable_end_the_attempt)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx_icmp(t, UNREACHABLE, ICMP_CODE_HOST, L(0), 0);
	expect_error(t, EHOSTUNREACH);
	rig_end(t);
	t = rig_in_state(TCPS_SYN_SENT);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_NET, L(0), 0);
	expect_error(t, ENETUNREACH);
	rig_end(t);
}

TEST(syn_sent_an_error_about_another_segment_is_not_believed)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx_icmp(t, UNREACHABLE, ICMP_CODE_PORT, L(1), 0);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_PORT, L(-1), 0);
	expect_state(t, TCPS_SYN_SENT);
	rig_end(t);
}

/* RFC 5927 §5.2: also "hard" errors are soft for what is established. */
TEST(established_errors_end_nothing)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 100);
	expect_tx(t, .len = 100);
	for (uint8_t code = 0; code < 16; code++) {
		if (code != ICMP_CODE_FRAG_NEEDED)
			rx_icmp(t, UNREACHABLE, code, L(1), 0);
	}
	rx_icmp(t, ICMP_TYPE_TIME_EXCEEDED, 0, L(1), 0);
	rx_icmp(t, ICMP_TYPE_PARAMETER, 0, L(1), 0);
	expect_state(t, TCPS_ESTABLISHED);
	rx(t, .ack = L(101));
	rig_end(t);
}

TEST(established_an_error_names_the_reason_of_a_timeout)
{
	struct rig *t = rig_in_state(
		TCPS_ESTABLISHED, .no_sack = true, .option = {[TCP_OPT_USER_TIMEOUT] = 3 * SEC});

	app_send(t, 100);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_HOST, L(1), 0);
	advance(t, 4 * SEC);
	forget_tx(t);
	expect_error(t, EHOSTUNREACH);
	rig_end(t);
}

TEST(an_error_that_was_overcome_is_not_the_reason_later)
{
	struct rig *t = rig_in_state(
		TCPS_ESTABLISHED, .no_sack = true, .option = {[TCP_OPT_USER_TIMEOUT] = 3 * SEC});

	app_send(t, 100);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_HOST, L(1), 0);
	rx(t, .ack = L(101));
	app_send(t, 100);
	advance(t, 4 * SEC);
	forget_tx(t);
	expect_error(t, ETIMEDOUT);
	rig_end(t);
}

TEST(a_blind_error_is_ignored_and_counted)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED);

	app_send(t, 100);
	expect_tx(t, .len = 100);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_FRAG_NEEDED, L(0), 600);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_FRAG_NEEDED, L(101), 600);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_FRAG_NEEDED, L(0x40000000), 600);
	assert_int_equal(t->tcp->pmtu, RIG_MTU);
	assert_int_equal(counted(t, CNT_IcmpInErrors), 3);
	rx(t, .ack = L(101));
	rig_end(t);
}

TEST(time_wait_errors_mean_nothing)
{
	struct rig *t = rig_in_state(TCPS_TIME_WAIT);

	rx_icmp(t, UNREACHABLE, ICMP_CODE_PORT, L(1), 0);
	expect_state(t, TCPS_TIME_WAIT);
	rig_end(t);
}

/* --- the path MTU --- */

TEST(fragmentation_needed_lowers_the_mss_and_sends_again_at_once)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mss = 1460);
	uint32_t cwnd = t->tcp->cong.cwnd;

	app_send(t, 1460);
	expect_tx(t, .seq = L(1), .len = 1460);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_FRAG_NEEDED, L(1), 1000);
	expect_tx(t, .seq = L(1), .len = 960);
	expect_tx(t, .seq = L(961), .len = 500);
	assert_true(t->tcp->cong.cwnd >= cwnd); /* nothing is congested */
	app_send(t, 960);
	expect_tx(t, .seq = L(1461), .len = 960);
	rx(t, .ack = L(2421));
	rig_end(t);
}

TEST(fragmentation_needed_cuts_super_segments_smaller)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mss = 1460, .gso_max = 65536);

	app_send(t, 7300);
	expect_tx(t, .seq = L(1), .len = 7300, .gso_size = 1460);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_FRAG_NEEDED, L(1), 1000);
	expect_tx(t, .seq = L(1), .len = 7300, .gso_size = 960);
	rx(t, .ack = L(7301));
	rig_end(t);
}

TEST(an_old_router_that_names_no_mtu_gets_the_least)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mss = 1460);

	app_send(t, 1460);
	expect_tx(t, .seq = L(1), .len = 1460);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_FRAG_NEEDED, L(1), 0);
	expect_tx(t, .seq = L(1), .len = 536);
	expect_tx(t, .seq = L(537), .len = 536);
	expect_tx(t, .seq = L(1073), .len = 388);
	rig_end(t);
}

/* RFC 5927 §7.2: an attacker would like us to send one byte per packet. */
TEST(an_absurd_mtu_lowers_to_552_only)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mss = 1460);

	app_send(t, 1460);
	expect_tx(t, .len = 1460);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_FRAG_NEEDED, L(1), 68);
	assert_int_equal(t->tcp->pmtu, 552);
	forget_tx(t);
	rig_end(t);
}

TEST(a_larger_mtu_is_not_believed)
{
	struct rig *t = rig_in_state(TCPS_ESTABLISHED, .mss = 1460);

	app_send(t, 1460);
	expect_tx(t, .len = 1460);
	rx_icmp(t, UNREACHABLE, ICMP_CODE_FRAG_NEEDED, L(1), 9000);
	expect_silence(t);
	assert_int_equal(t->tcp->pmtu, RIG_MTU);
	rig_end(t);
}

TEST(a_syn_that_was_too_big_is_no_reason_to_give_up)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);

	rx_icmp(t, UNREACHABLE, ICMP_CODE_FRAG_NEEDED, L(0), 1000);
	expect_state(t, TCPS_SYN_SENT);
	rx(t, .flags = SYN | ACK, .ack = L(1), .mss = 1460);
	forget_tx(t);
	assert_int_equal(t->tcp->snd.mss, 960);
	rig_end(t);
}

/* --- connect --- */

TEST(nobody_answers_arp_is_host_unreachable)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT, .no_neighbours = true);

	advance(t, 4 * SEC);
	expect_silence(t);
	expect_error(t, EHOSTUNREACH);
	rig_end(t);
}

TEST(connect_says_at_once_what_cannot_be)
{
	struct rig *t = rig_in_state(TCPS_CLOSED);
	struct endpoint far = {ipaddr_v4(0xc0000201), 80}, group = {ipaddr_v4(0xe0000001), 80};
	struct endpoint subnet = {ipaddr_v4(0x0a0000ff), 80}, all = {ipaddr_v4(0xffffffff), 80};
	struct endpoint zero = peer(9, 1);

	zero.port = 0;
	assert_int_equal(tcp_connect(t->tcp, &far, t->now), -ENETUNREACH); /* no gateway */
	assert_int_equal(tcp_connect(t->tcp, &group, t->now), -ENETUNREACH);
	assert_int_equal(tcp_connect(t->tcp, &subnet, t->now), -EACCES);
	assert_int_equal(tcp_connect(t->tcp, &all, t->now), -EACCES);
	assert_int_equal(tcp_connect(t->tcp, &zero, t->now), -ECONNREFUSED);
	expect_state(t, TCPS_CLOSED);
	rig_end(t);
}

TEST(connect_twice_says_what_the_first_is_doing)
{
	struct rig *t = rig_in_state(TCPS_SYN_SENT);
	struct endpoint remote = peer(9, PEER_PORT);

	assert_int_equal(tcp_connect(t->tcp, &remote, t->now), -EALREADY);
	rx(t, .flags = SYN | ACK, .ack = L(1));
	expect_tx(t, .ack = R(1));
	assert_int_equal(tcp_connect(t->tcp, &remote, t->now), -EISCONN);
	rx(t, .flags = RST);
	assert_int_equal(tcp_connect(t->tcp, &remote, t->now), -EISCONN);
	rig_end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syn_sent_port_unreachable_is_connection_refused),
		cmocka_unit_test(syn_sent_host_and_network_unreachable_end_the_attempt),
		cmocka_unit_test(syn_sent_an_error_about_another_segment_is_not_believed),
		cmocka_unit_test(established_errors_end_nothing),
		cmocka_unit_test(established_an_error_names_the_reason_of_a_timeout),
		cmocka_unit_test(an_error_that_was_overcome_is_not_the_reason_later),
		cmocka_unit_test(a_blind_error_is_ignored_and_counted),
		cmocka_unit_test(time_wait_errors_mean_nothing),
		cmocka_unit_test(fragmentation_needed_lowers_the_mss_and_sends_again_at_once),
		cmocka_unit_test(fragmentation_needed_cuts_super_segments_smaller),
		cmocka_unit_test(an_old_router_that_names_no_mtu_gets_the_least),
		cmocka_unit_test(an_absurd_mtu_lowers_to_552_only),
		cmocka_unit_test(a_larger_mtu_is_not_believed),
		cmocka_unit_test(a_syn_that_was_too_big_is_no_reason_to_give_up),
		cmocka_unit_test(nobody_answers_arp_is_host_unreachable),
		cmocka_unit_test(connect_says_at_once_what_cannot_be),
		cmocka_unit_test(connect_twice_says_what_the_first_is_doing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
