/*
 * Reassembly (RFC 791, RFC 815) and what must not be put together.
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

/* Bytes [at, at + n) of datagram `id`; the last fragment if `n` reaches `total`. */
static void rx_fragment_of(struct rig *t, uint16_t id, size_t at, size_t n, size_t total)
{
	rx_ip(t, pattern + at, n, .h.id = id, .h.frag_offset = (uint16_t)at,
		.h.mf = at + n < total);
}

static void rx_fragment(struct rig *t, size_t at, size_t n, size_t total)
{
	rx_fragment_of(t, 7, at, n, total);
}

static void expect_whole(struct rig *t, size_t len)
{
	assert_int_equal(t->nsegments, 1);
	assert_int_equal(t->segment_len, len);
	assert_memory_equal(t->segment, pattern, len);
	assert_int_equal(stack_memory(t->s), 0);
	t->nsegments = 0;
}

TEST(fragments_in_order_become_one_packet)
{
	struct rig *t = rig_with_neighbours();

	rx_fragment(t, 0, 1480, 3000);
	rx_fragment(t, 1480, 1480, 3000);
	assert_int_equal(t->nsegments, 0);
	assert_true(stack_memory(t->s) > 2960);
	rx_fragment(t, 2960, 40, 3000);
	expect_whole(t, 3000);
	assert_ip(&t->meta.src, PEER);
	assert_int_equal(t->segment_csum, FRAME_CSUM_UNVERIFIED);
	assert_int_equal(counted(t, CNT_IpReasmReqds), 3);
	assert_int_equal(counted(t, CNT_IpReasmOKs), 1);
	rig_end(t);
}

TEST(fragments_in_every_order_become_one_packet)
{
	static const unsigned order[6][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct rig *t = rig_with_neighbours();

	for (unsigned i = 0; i < 6; i++) {
		for (unsigned k = 0; k < 3; k++) {
			size_t at = order[i][k] * 800;
			rx_fragment_of(t, (uint16_t)(i + 1), at, MIN(800, 2001 - at), 2001);
		}
		expect_whole(t, 2001);
	}
	rig_end(t);
}

TEST(datagrams_of_different_id_source_and_protocol_are_not_mixed)
{
	struct rig *t = rig_with_neighbours();

	rx_fragment_of(t, 1, 0, 800, 1000);
	rx_fragment_of(t, 2, 800, 200, 1000);
	rx_ip(t, pattern + 800, 200, .h.id = 1, .h.frag_offset = 800, .h.src = HOST(8));
	rx_ip(t, pattern + 800, 200, .h.id = 1, .h.frag_offset = 800, .h.dst = HOST(255));
	rx_ip(t, pattern + 800, 200, .h.id = 1, .h.frag_offset = 800, .h.protocol = IP_PROTO_UDP);
	assert_int_equal(t->nsegments, 0);
	rx_fragment_of(t, 1, 800, 200, 1000);
	assert_int_equal(t->nsegments, 1);
	advance(t, 31 * SEC);
	rig_end(t);
}

TEST(the_largest_datagram_there_is_is_put_together)
{
	struct rig *t = rig_with_neighbours();

	for (size_t at = 0; at < 65515; at += 1480)
		rx_fragment(t, at, MIN(1480, 65515 - at), 65515);
	expect_whole(t, 65515);
	rig_end(t);
}

TEST(a_datagram_longer_than_a_packet_can_be_is_dropped)
{
	struct rig *t = rig_with_neighbours();

	rx_ip(t, pattern, 16, .h.id = 7, .h.frag_offset = 65504);
	assert_int_equal(counted(t, CNT_IpReasmFails), 1);
	advance(t, 31 * SEC);
	rig_end(t);
}

/* The first and the third of four are there. */
static struct rig *rig_half_way(void)
{
	struct rig *t = rig_with_neighbours();

	rx_fragment(t, 0, 800, 3200);
	rx_fragment(t, 1600, 800, 3200);
	return t;
}

/* The missing pieces complete nothing, nobody is told, and later the same id serves a new datagram. */
static void expect_dropped(struct rig *t)
{
	assert_int_equal(counted(t, CNT_IpReasmFails), 1);
	rx_fragment(t, 800, 800, 3200);
	rx_fragment(t, 2400, 800, 3200);
	assert_int_equal(t->nsegments, 0);
	advance(t, 31 * SEC);
	expect_silence(t);
	rx_fragment(t, 0, 800, 808);
	rx_fragment(t, 800, 8, 808);
	expect_whole(t, 808);
	rig_end(t);
}

TEST(any_overlap_drops_the_whole_datagram_and_what_else_comes_of_it)
{
	static const struct {
		size_t at, len;
	} overlaps[] = {
		{0, 808},    /* beyond the first */
		{792, 800},  /* into the first */
		{808, 800},  /* into the third */
		{800, 1600}, /* across the third */
		{8, 8},      /* inside of one */
		{2392, 808}, /* the last, into the third */
	};

	for (size_t i = 0; i < ARRAY_LEN(overlaps); i++) {
		struct rig *t = rig_half_way();

		rx_fragment(t, overlaps[i].at, overlaps[i].len, 3200);
		assert_int_equal(counted(t, CNT_IpReasmOverlaps), 1);
		expect_dropped(t);
	}
}

TEST(another_content_at_the_same_place_is_an_overlap)
{
	struct rig *t = rig_half_way();

	rx_ip(t, pattern + 1, 800, .h.id = 7, .h.mf = true);
	expect_dropped(t);
}

TEST(lengths_that_cannot_be_drop_the_whole_datagram)
{
	static const struct {
		size_t at, len, total;
	} impossible[] = {
		{800, 799, 3200}, /* not a multiple of 8, and not the last */
		{800, 0, 3200},   /* nothing in it */
		{800, 800, 1600}, /* the end lies before what is there */
	};

	for (size_t i = 0; i < ARRAY_LEN(impossible); i++) {
		struct rig *t = rig_half_way();

		rx_fragment(t, impossible[i].at, impossible[i].len, impossible[i].total);
		expect_dropped(t);
	}
}

TEST(a_fragment_beyond_the_end_drops_the_whole_datagram)
{
	struct rig *t = rig_half_way();

	rx_fragment(t, 2400, 400, 2800);
	rx_fragment(t, 2800, 400, 4000);
	expect_dropped(t);
}

TEST(a_second_end_drops_the_whole_datagram)
{
	struct rig *t = rig_half_way();

	rx_fragment(t, 2400, 400, 2800);
	rx_fragment(t, 2800, 400, 3200);
	expect_dropped(t);
}

TEST(an_end_before_the_end_drops_the_whole_datagram)
{
	struct rig *t = rig_half_way();

	rx_fragment(t, 2400, 400, 2800);
	rx_fragment(t, 800, 800, 1600);
	expect_dropped(t);
}

TEST(an_exact_copy_is_a_duplicate_and_ignored)
{
	struct rig *t = rig_with_neighbours();

	rx_fragment(t, 0, 800, 1000);
	rx_fragment(t, 0, 800, 1000);
	assert_int_equal(counted(t, CNT_IpReasmFails), 0);
	rx_fragment(t, 800, 200, 1000);
	expect_whole(t, 1000);
	rig_end(t);
}

TEST(an_incomplete_datagram_is_given_up_after_30_seconds_and_the_sender_told)
{
	struct rig *t = rig_with_neighbours();
	struct ipv4_hdr h;

	rx_fragment(t, 0, 1480, 3000);
	advance(t, 29 * SEC);
	expect_silence(t);
	advance(t, 2 * SEC);
	struct icmp_msg m =
		expect_icmp(t, MAC(9), ICMP_TYPE_TIME_EXCEEDED, ICMP_CODE_REASSEMBLY, &h);
	assert_int_equal(h.total_len, 576);
	assert_memory_equal(m.body + 20, pattern, m.body_len - 20);
	assert_int_equal(counted(t, CNT_IpReasmFails), 1);
	rig_end(t);
}

TEST(without_its_first_fragment_nobody_is_told)
{
	struct rig *t = rig_with_neighbours();

	rx_fragment(t, 1480, 1480, 3000);
	advance(t, 31 * SEC);
	expect_silence(t);
	assert_int_equal(counted(t, CNT_IpReasmFails), 1);
	rig_end(t);
}

TEST(what_came_by_broadcast_is_given_up_in_silence)
{
	struct rig *t = rig_with_neighbours();

	rx_ip(t, pattern, 800, .h.id = 7, .h.mf = true, .eth_dst = eth_broadcast);
	advance(t, 31 * SEC);
	expect_silence(t);
	rig_end(t);
}

TEST(congestion_experienced_by_one_fragment_is_experienced_by_all)
{
	struct rig *t = rig_with_neighbours();

	rx_ip(t, pattern, 800, .h.id = 7, .h.mf = true, .h.tos = 2);
	rx_ip(t, pattern + 800, 8, .h.id = 7, .h.frag_offset = 800, .h.tos = 3);
	expect_whole(t, 808);
	assert_int_equal(t->meta.tos, 3);
	rx_ip(t, pattern, 800, .h.id = 8, .h.mf = true, .h.tos = 0);
	rx_ip(t, pattern + 800, 8, .h.id = 8, .h.frag_offset = 800, .h.tos = 3);
	assert_int_equal(t->nsegments, 0);
	advance(t, 31 * SEC);
	rig_end(t);
}

TEST(memory_is_capped_and_the_oldest_leave)
{
	struct rig *t = rig_with_neighbours();

	for (unsigned id = 1; id <= 4000; id++) {
		rx_fragment_of(t, (uint16_t)id, 0, 60000, 65000);
		assert_true(stack_memory(t->s) <= REASM_MEM_MAX);
	}
	rx_fragment_of(t, 4000, 60000, 5000, 65000);
	assert_int_equal(t->nsegments, 1);
	rx_fragment_of(t, 1, 60000, 5000, 65000);
	assert_int_equal(t->nsegments, 1);
	advance(t, 31 * SEC);
	forget_tx(t);
	rig_end(t);
}

TEST(datagrams_and_their_fragments_are_capped_in_number)
{
	struct rig *t = rig_with_neighbours();

	for (unsigned id = 1; id <= REASM_DATAGRAMS_MAX + 10; id++)
		rx_fragment_of(t, (uint16_t)id, 8, 8, 65000);
	assert_int_equal(t->s->reasm.count, REASM_DATAGRAMS_MAX);
	assert_int_equal(counted(t, CNT_IpReasmFails), 10);
	for (size_t i = 0; i <= REASM_FRAGMENTS_MAX; i++)
		rx_fragment_of(t, 9999, 8 + 8 * i, 8, 65000);
	assert_int_equal(counted(t, CNT_IpReasmFails), 12);
	advance(t, 31 * SEC);
	assert_int_equal(t->s->reasm.count, 0);
	rig_end(t);
}

TEST(what_is_under_way_goes_with_the_stack)
{
	struct rig *t = rig_with_neighbours();

	rx_fragment(t, 0, 800, 1000); /* the sanitizer sees what stack_free forgets */
	forget_tx(t);
	rig_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_in_order_become_one_packet),
		cmocka_unit_test(fragments_in_every_order_become_one_packet),
		cmocka_unit_test(datagrams_of_different_id_source_and_protocol_are_not_mixed),
		cmocka_unit_test(the_largest_datagram_there_is_is_put_together),
		cmocka_unit_test(a_datagram_longer_than_a_packet_can_be_is_dropped),
		cmocka_unit_test(any_overlap_drops_the_whole_datagram_and_what_else_comes_of_it),
		cmocka_unit_test(another_content_at_the_same_place_is_an_overlap),
		cmocka_unit_test(lengths_that_cannot_be_drop_the_whole_datagram),
		cmocka_unit_test(a_fragment_beyond_the_end_drops_the_whole_datagram),
		cmocka_unit_test(a_second_end_drops_the_whole_datagram),
		cmocka_unit_test(an_end_before_the_end_drops_the_whole_datagram),
		cmocka_unit_test(an_exact_copy_is_a_duplicate_and_ignored),
		cmocka_unit_test(
			an_incomplete_datagram_is_given_up_after_30_seconds_and_the_sender_told),
		cmocka_unit_test(without_its_first_fragment_nobody_is_told),
		cmocka_unit_test(what_came_by_broadcast_is_given_up_in_silence),
		cmocka_unit_test(congestion_experienced_by_one_fragment_is_experienced_by_all),
		cmocka_unit_test(memory_is_capped_and_the_oldest_leave),
		cmocka_unit_test(datagrams_and_their_fragments_are_capped_in_number),
		cmocka_unit_test(what_is_under_way_goes_with_the_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
