/*
 * The pcap link: the contract of all links, and what is its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/wire/eth.h"
#include "tests/unit/link_contract.h"

static void a_super_segment_leaves_as_frames_of_the_mtu(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct link_stats st;
	struct tx_frame f;
	struct rx_frame in;
	size_t got = 0;

	make_super_segment(&f, 44 * 1460 + 7, 1460);
	assert_int_equal(a->ops->send(a, &f, 0), 0);
	a->ops->stats(a, &st);
	assert_int_equal(st.tx_frames, 45);
	assert_int_equal(send_body(a, &own_b, &own_a, 60), 0);
	for (;;) {
		int n = b->ops->recv(b, &in, 0);
		assert_true(n >= 0);
		if (n == 1 && get_be16(in.data + 12) == ETHERTYPE_TEST)
			break;
		if (n == 0 || get_be16(in.data + 12) != ETH_TYPE_IPV4)
			continue;
		assert_in_range(in.len, ETH_HDR_LEN + 41, ETH_HDR_LEN + 1500);
		assert_int_equal(get_be32(in.data + ETH_HDR_LEN + 24), got);
		assert_memory_equal(
			in.data + ETH_HDR_LEN + 40, body + got, in.len - ETH_HDR_LEN - 40);
		got += in.len - ETH_HDR_LEN - 40;
	}
	assert_int_equal(got, 44 * 1460 + 7);
	a->ops->close(a);
	b->ops->close(b);
}

static void checksums_of_a_virtual_interface_may_be_partial(void **state)
{
	struct link *a = open_or_fail("va", &own_a);

	assert_true(a->info.partial_csum_ok);
	a->ops->close(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_super_segment_leaves_as_frames_of_the_mtu),
		cmocka_unit_test(checksums_of_a_virtual_interface_may_be_partial),
	};
	int failed = link_contract_run(link_pcap_open);

	return cmocka_run_group_tests(tests, NULL, NULL) || failed;
}
