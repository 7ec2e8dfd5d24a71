/* settings_load: what each TEECEE_* variable takes, what it refuses, and that the refusal names it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/ipc/settings.h"

static struct settings s;
static char error[SETTINGS_ERROR_LEN];

static int load(const char *entry)
{
	char text[512];
	char *environment[] = {"PATH=/bin", text, NULL};

	snprintf(text, sizeof text, "%s", entry);
	return settings_load(&s, environment, error);
}

static void defaults_are_those_of_the_manual(void **state)
{
	assert_int_equal(load("HOME=/"), 0);
	assert_string_equal(s.iface, "");
	assert_string_equal(s.ip_spec, "auto");
	assert_true(s.ip_auto);
	assert_false(s.has_gateway);
	assert_int_equal(s.mac_mode, MAC_OWN);
	assert_int_equal(s.link, LINK_AUTO);
	assert_int_equal(s.mtu, 0);
	assert_false(s.probe_rfc);
	assert_int_equal(s.idle_s, 30);
	assert_int_equal(s.busy_poll_us, 50);
	assert_int_equal(s.mem, 1 << 30);
	assert_false(s.has_seed);
	assert_int_equal(s.nbypass, 0);
	assert_string_equal(s.engine, "");
}

static void an_empty_variable_is_an_unset_one(void **state)
{
	assert_int_equal(load("TEECEE_IP="), 0);
	assert_true(s.ip_auto);
}

static void no_environment_at_all_is_fine(void **state)
{
	assert_int_equal(settings_load(&s, NULL, error), 0);
	assert_int_equal(s.idle_s, 30);
}

static void the_first_of_two_entries_counts_as_in_getenv(void **state)
{
	char *environment[] = {"TEECEE_MTU=1400", "TEECEE_MTU=1300", NULL};

	assert_int_equal(settings_load(&s, environment, error), 0);
	assert_int_equal(s.mtu, 1400);
}

static void values_arrive(void **state)
{
	assert_int_equal(load("TEECEE_IFACE=va.100"), 0);
	assert_string_equal(s.iface, "va.100");
	assert_int_equal(load("TEECEE_IP=010.77.0.129/24"), -EINVAL);
	assert_int_equal(load("TEECEE_IP=10.77.0.129/24"), 0);
	assert_string_equal(s.ip_spec, "10.77.0.129/24");
	assert_false(s.ip_auto);
	assert_int_equal(s.ip.len, 120);
	assert_int_equal(ipaddr_to_v4(&s.ip.addr), 0x0a4d0081);
	assert_int_equal(load("TEECEE_GATEWAY=10.0.0.1"), 0);
	assert_true(s.has_gateway);
	assert_int_equal(load("TEECEE_MAC=nic"), 0);
	assert_int_equal(s.mac_mode, MAC_NIC);
	assert_int_equal(load("TEECEE_MAC=02:00:00:00:00:0a"), 0);
	assert_int_equal(s.mac_mode, MAC_GIVEN);
	assert_int_equal(s.mac.b[5], 10);
	assert_int_equal(load("TEECEE_LINK=pcap"), 0);
	assert_int_equal(s.link, LINK_PCAP);
	assert_int_equal(load("TEECEE_PROBE=rfc"), 0);
	assert_true(s.probe_rfc);
	assert_int_equal(load("TEECEE_IDLE=0"), 0);
	assert_int_equal(s.idle_s, 0);
	assert_int_equal(load("TEECEE_SEED=18446744073709551615"), 0);
	assert_true(s.has_seed && s.seed == UINT64_MAX);
	assert_int_equal(load("TEECEE_ENGINE=/opt/engine"), 0);
	assert_string_equal(s.engine, "/opt/engine");
}

static void name_servers_have_port_53_unless_said(void **state)
{
	struct ipaddr first = ipaddr_v4(0x0a000001);

	assert_int_equal(load("TEECEE_DNS=10.0.0.1,192.0.2.1:5353"), 0);
	assert_int_equal(s.ndns, 2);
	assert_true(ipaddr_equal(&s.dns[0].addr, &first));
	assert_int_equal(s.dns[0].port, 53);
	assert_int_equal(s.dns[1].port, 5353);
	assert_int_equal(load("TEECEE_DNS=10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4"), 0);
	assert_int_equal(s.ndns, SETTINGS_DNS_MAX);
}

static void the_subnet_ends_are_free_in_a_31(void **state)
{
	assert_int_equal(load("TEECEE_IP=10.0.0.0/31"), 0);
	assert_int_equal(load("TEECEE_IP=10.0.0.1/31"), 0);
	assert_int_equal(load("TEECEE_IP=10.0.0.0/32"), 0);
}

static void malformed_values_are_refused_by_name(void **state)
{
	static const char *const bad[] = {
		"TEECEE_IFACE=a-name-far-too-long",
		"TEECEE_IFACE=a/b",
		"TEECEE_IFACE=a b",
		"TEECEE_IP=banana",
		"TEECEE_IP=10.0.0.1",
		"TEECEE_IP=10.0.0.1/33",
		"TEECEE_IP=10.0.0.1/-1",
		"TEECEE_IP=10.0.0.1/",
		"TEECEE_IP=10.0.0.0/24",
		"TEECEE_IP=10.0.0.255/24",
		"TEECEE_IP=127.0.0.9/8",
		"TEECEE_IP=224.0.0.9/8",
		"TEECEE_IP=0.0.0.0/8",
		"TEECEE_IP=10.0.0.1/0",
		"TEECEE_IP=fe80::1/64",
		"TEECEE_IP=dhcp",
		"TEECEE_IP=250.0.0.1/8",
		"TEECEE_GATEWAY=10.0.0",
		"TEECEE_GATEWAY=::1",
		"TEECEE_GATEWAY=127.0.0.1",
		"TEECEE_MAC=mine",
		"TEECEE_MAC=02:00:00:00:00",
		"TEECEE_MAC=03:00:00:00:00:01",
		"TEECEE_MAC=00:00:00:00:00:00",
		"TEECEE_DNS=dns.example",
		"TEECEE_DNS=10.0.0.1,",
		"TEECEE_DNS=10.0.0.1:0",
		"TEECEE_DNS=10.0.0.1:65536",
		"TEECEE_DNS=0.0.0.0",
		"TEECEE_DNS=10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5",
		"TEECEE_LINK=wifi",
		"TEECEE_MTU=575",
		"TEECEE_MTU=65536",
		"TEECEE_MTU=1500x",
		"TEECEE_MTU= 1500",
		"TEECEE_MTU=-1",
		"TEECEE_PROBE=slow",
		"TEECEE_IDLE=86401",
		"TEECEE_IDLE=ever",
		"TEECEE_BUSY_POLL=1001",
		"TEECEE_CC=bbr",
		"TEECEE_CC=CUBIC",
		"TEECEE_MEM=1023KiB",
		"TEECEE_MEM=much",
		"TEECEE_SEED=18446744073709551616",
		"TEECEE_SEED=0x10",
		"TEECEE_BYPASS=10.0.0.0/8,",
		"TEECEE_BYPASS=,",
		"TEECEE_BYPASS=10.0.0.0/8;10.1.0.0/16",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (load(bad[i]) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
		if (strncmp(error, bad[i], strlen(bad[i])) != 0 || !strstr(error, ": should be "))
			fail_msg("%s said: %s", bad[i], error);
		assert_null(strchr(error, '\n'));
	}
}

static void bypass_matches_its_prefixes_only(void **state)
{
	struct ipaddr a;

	assert_int_equal(load("TEECEE_BYPASS=10.0.0.0/8,192.0.2.7,2001:db8::/32"), 0);
	assert_int_equal(s.nbypass, 3);
	static const struct {
		const char *address;
		bool bypassed;
	} cases[] = {
		{"10.255.0.1", true},
		{"11.0.0.1", false},
		{"192.0.2.7", true},
		{"192.0.2.8", false},
		{"2001:db8::1", true},
		{"2001:db9::1", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(ipaddr_parse(&a, cases[i].address));
		assert_int_equal(settings_is_bypassed(&s, &a), cases[i].bypassed);
	}
}

static void bypass_takes_32_and_not_33(void **state)
{
	char text[512] = "TEECEE_BYPASS=10.0.0.1";

	for (int i = 1; i < SETTINGS_BYPASS_MAX; i++)
		strcat(text, ",10.0.0.1");
	assert_int_equal(load(text), 0);
	assert_int_equal(s.nbypass, SETTINGS_BYPASS_MAX);
	strcat(text, ",10.0.0.1");
	assert_int_equal(load(text), -EINVAL);
}

static void an_error_never_overflows(void **state)
{
	char text[600] = "TEECEE_MTU=";

	memset(text + 11, 'x', 500);
	assert_int_equal(load(text), -EINVAL);
	assert_in_range(strlen(error), 20, SETTINGS_ERROR_LEN - 1);
}

static void resolve_leaves_a_given_interface_alone(void **state)
{
	assert_int_equal(load("TEECEE_IFACE=va"), 0);
	assert_int_equal(settings_resolve(&s, error), 0);
	assert_string_equal(s.iface, "va");
}

/* The machine may have a default route or not; both answers are checked. */
static void resolve_finds_the_default_route_or_says_so(void **state)
{
	assert_int_equal(load("HOME=/"), 0);
	int r = settings_resolve(&s, error);
	if (r == 0) {
		assert_int_not_equal(if_nametoindex(s.iface), 0);
	} else {
		assert_int_equal(r, -ENETUNREACH);
		assert_non_null(strstr(error, "TEECEE_IFACE"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(an_empty_variable_is_an_unset_one),
		cmocka_unit_test(no_environment_at_all_is_fine),
		cmocka_unit_test(the_first_of_two_entries_counts_as_in_getenv),
		cmocka_unit_test(values_arrive),
		cmocka_unit_test(name_servers_have_port_53_unless_said),
		cmocka_unit_test(the_subnet_ends_are_free_in_a_31),
		cmocka_unit_test(malformed_values_are_refused_by_name),
		cmocka_unit_test(bypass_matches_its_prefixes_only),
		cmocka_unit_test(bypass_takes_32_and_not_33),
		cmocka_unit_test(an_error_never_overflows),
		cmocka_unit_test(resolve_leaves_a_given_interface_alone),
		cmocka_unit_test(resolve_finds_the_default_route_or_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
