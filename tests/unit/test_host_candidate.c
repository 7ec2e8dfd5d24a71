/*
 * Automatic addresses and MACs: pure arithmetic.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/host/candidate.h"

static const struct macaddr nic = {{0x02, 0xaa, 0, 0, 0, 1}},
			    other_nic = {{0x02, 0xaa, 0, 0, 0, 2}};

static struct ipnet net_of(const char *text)
{
	struct ipnet net;

	assert_true(ipnet_parse(&net, text));
	return net;
}

static uint32_t first_candidate(const char *text, const struct macaddr *mac, uid_t uid)
{
	struct ipnet net = net_of(text), out;
	struct candidates c;

	candidates_init(&c, &net, mac, uid);
	assert_true(candidates_next(&c, &out));
	return ipaddr_to_v4(&out.addr);
}

/* Every candidate of a small subnet, each once and never an end of it. */
static void assert_covers(const char *text, uint32_t first, unsigned count)
{
	bool seen[256] = {false};
	struct ipnet net = net_of(text), out;
	struct candidates c;
	unsigned n = 0;

	for (uid_t uid = 0; uid < 100; uid++, n = 0) {
		candidates_init(&c, &net, &nic, uid);
		while (candidates_next(&c, &out)) {
			uint32_t at = ipaddr_to_v4(&out.addr) - first;
			assert_in_range(at, 0, count - 1);
			assert_int_equal(seen[at], uid % 2);
			seen[at] = !seen[at];
			assert_int_equal(out.len, net.len);
			n++;
		}
		assert_int_equal(n, count);
	}
}

static void small_subnets_are_covered_once(void **state)
{
	assert_covers("10.77.0.200/27", 0x0a4d00c1, 30);
	assert_covers("10.77.0.9/29", 0x0a4d0009, 6);
	assert_covers("10.77.0.1/30", 0x0a4d0001, 2);
	assert_covers("10.77.0.4/31", 0x0a4d0004, 2);
}

static void large_subnets_give_64_different_ones(void **state)
{
	static const char *const nets[] = {
		"10.77.3.1/24", "172.16.5.5/16", "10.0.0.1/8", "1.2.3.4/1"};

	for (unsigned i = 0; i < 4; i++) {
		uint32_t got[CANDIDATES_MAX];
		struct ipnet net = net_of(nets[i]), out;
		struct candidates c;

		candidates_init(&c, &net, &nic, 1000);
		for (unsigned n = 0; n < CANDIDATES_MAX; n++) {
			assert_true(candidates_next(&c, &out));
			got[n] = ipaddr_to_v4(&out.addr);
			assert_true(ipnet_contains(&net, &out.addr));
			assert_false(ipnet_is_broadcast(&net, &out.addr));
			for (unsigned before = 0; before < n; before++)
				assert_int_not_equal(got[before], got[n]);
		}
		assert_false(candidates_next(&c, &out));
	}
}

static void the_next_run_tries_the_same_first(void **state)
{
	assert_int_equal(first_candidate("10.77.0.1/16", &nic, 1000),
		first_candidate("10.77.0.1/16", &nic, 1000));
	assert_int_equal(first_candidate("10.77.0.1/16", &nic, 1000),
		first_candidate("10.77.9.9/16", &nic, 1000));
}

static void users_and_machines_try_different_ones(void **state)
{
	uint32_t mine = first_candidate("10.0.0.1/8", &nic, 1000);

	assert_int_not_equal(mine, first_candidate("10.0.0.1/8", &nic, 1001));
	assert_int_not_equal(mine, first_candidate("10.0.0.1/8", &other_nic, 1000));
}

static void macs_are_local_unicast_and_stable(void **state)
{
	for (uint32_t i = 1; i < 5000; i++) {
		struct ipaddr a = ipaddr_v4(0x0a000000 + i), b = ipaddr_v4(0x0a000000 + i + 1);
		struct macaddr m = candidate_mac(&a, &nic, 0), again = candidate_mac(&a, &nic, 0);
		struct macaddr next = candidate_mac(&b, &nic, 0), user = candidate_mac(&a, &nic, 1);
		assert_int_equal(m.b[0] & 0x03, 0x02);
		assert_true(macaddr_equal(&m, &again));
		assert_false(macaddr_equal(&m, &next));
		assert_false(macaddr_equal(&m, &user));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_subnets_are_covered_once),
		cmocka_unit_test(large_subnets_give_64_different_ones),
		cmocka_unit_test(the_next_run_tries_the_same_first),
		cmocka_unit_test(users_and_machines_try_different_ones),
		cmocka_unit_test(macs_are_local_unicast_and_stable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
