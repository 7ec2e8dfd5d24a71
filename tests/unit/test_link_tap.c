/*
 * The TAP link. Its other end is the kernel's side of the same device, where a packet link stands:
 * what one sends the other receives.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/host/host.h"
#include "core/link/iface.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"
#include "tests/unit/link_contract.h"
#include "tests/unit/own_net.h"

enum { MSS = 1460, SUPER_LEN = 44 * MSS + 7, PIECES = 45 };

struct ends {
	struct link *tap, *kernel; /* own_a and own_b */
};

static void shell(const char *command)
{
	assert_int_equal(system(command), 0);
}

/* Attaching to the device plugs the cable in; a moment later its queue is open. */
static void wait_until_it_carries(struct ends *e)
{
	nsec limit = host_clock() + WAIT_MS * MSEC;
	struct rx_frame f;

	do {
		assert_true(host_clock() < limit);
		send_body(e->kernel, &own_a, &own_b, 99);
	} while (next_frame(e->tap, &f, 20) == 0);
	while (next_frame(e->tap, &f, 0) != 0)
		;
}

static struct ends open_ends(void)
{
	char error[LINK_ERROR_LEN] = "";
	struct ends e = {.tap = link_tap_open("ta", &own_a, error)};

	if (e.tap)
		e.kernel = link_packet_open("ta", &own_b, error);
	if (!e.kernel)
		fail_msg("%s", error);
	wait_until_it_carries(&e);
	return e;
}

static void close_ends(struct ends *e)
{
	e->tap->ops->close(e->tap);
	e->kernel->ops->close(e->kernel);
}

/* The next IPv4 frame: the kernel itself has something to say now and then. */
static void take_ipv4(struct link *l, struct rx_frame *f)
{
	nsec limit = host_clock() + WAIT_MS * MSEC;

	while (host_clock() < limit)
		if (l->ops->recv(l, f, 7) == 1 && get_be16(f->data + 12) == ETH_TYPE_IPV4)
			return;
	fail_msg("no frame has come");
}

static void frames_pass_both_ways(void **state)
{
	struct ends e = open_ends();
	struct link_stats before, st;
	struct rx_frame f;

	e.tap->ops->stats(e.tap, &before);
	for (size_t len = 46; len <= 1500; len += 101) {
		assert_int_equal(send_body(e.kernel, &own_a, &own_b, len), 0);
		assert_int_equal(next_frame(e.tap, &f, WAIT_MS), ETH_HDR_LEN + len);
		assert_memory_equal(f.data + ETH_HDR_LEN, body, len);
		assert_int_equal(send_body(e.tap, &own_b, &own_a, len), 0);
		assert_int_equal(next_frame(e.kernel, &f, WAIT_MS), ETH_HDR_LEN + len);
		assert_memory_equal(f.data + ETH_HDR_LEN, body, len);
	}
	e.tap->ops->stats(e.tap, &st);
	assert_int_equal(st.tx_frames, 15);
	assert_true(st.rx_frames - before.rx_frames >= 15);
	assert_int_equal(st.rx_dropped, before.rx_dropped);
	close_ends(&e);
}

static void what_is_not_for_us_is_passed_over(void **state)
{
	struct ends e = open_ends();
	struct rx_frame f;

	assert_int_equal(send_body(e.kernel, &nic_b, &own_b, 60), 0);
	assert_int_equal(send_body(e.kernel, &own_b, &own_a, 61), 0);
	assert_int_equal(send_body(e.kernel, &eth_broadcast, &own_a, 62), 0);
	assert_int_equal(send_body(e.kernel, &eth_broadcast, &own_b, 63), 0);
	assert_int_equal(next_frame(e.tap, &f, WAIT_MS), ETH_HDR_LEN + 63);
	close_ends(&e);
}

static void a_super_segment_passes_whole_to_the_kernel(void **state)
{
	struct ends e = open_ends();
	struct link_stats st;
	struct tx_frame f;
	struct rx_frame in;

	make_super_segment(&f, SUPER_LEN, MSS);
	assert_int_equal(e.tap->ops->send(e.tap, &f, 0), 0);
	take_ipv4(e.kernel, &in);
	assert_int_equal(in.len, SUPER_HEAD + SUPER_LEN);
	assert_int_equal(in.gso_size, MSS);
	assert_int_equal(in.csum, FRAME_CSUM_VERIFIED);
	e.tap->ops->stats(e.tap, &st);
	assert_int_equal(st.tx_frames, PIECES);
	assert_int_equal(st.tx_bytes, PIECES * SUPER_HEAD + SUPER_LEN);
	close_ends(&e);
}

static void a_super_segment_passes_whole_from_the_kernel(void **state)
{
	struct ends e = open_ends();
	struct tx_frame f;
	struct rx_frame in;

	make_super_segment(&f, SUPER_LEN, MSS);
	memcpy(f.head + f.head_at, own_a.b, 6);
	memcpy(f.head + f.head_at + 6, own_b.b, 6);
	assert_int_equal(e.kernel->ops->send(e.kernel, &f, 0), 0);
	take_ipv4(e.tap, &in);
	assert_int_equal(in.len, SUPER_HEAD + SUPER_LEN);
	assert_memory_equal(in.data + SUPER_HEAD, body, SUPER_LEN);
	assert_int_equal(in.gso_size, MSS);
	assert_int_equal(in.csum, FRAME_CSUM_VERIFIED);
	assert_int_equal(in.arrival, 7);
	assert_int_equal((uintptr_t)(in.data + ETH_HDR_LEN) % 4, 0);
	close_ends(&e);
}

static void a_frame_above_the_mtu_is_refused_and_counted(void **state)
{
	struct ends e = open_ends();
	struct link_stats st;

	assert_int_equal(send_body(e.tap, &own_b, &own_a, 1501), -EMSGSIZE);
	e.tap->ops->stats(e.tap, &st);
	assert_int_equal(st.tx_frames, 0);
	assert_int_equal(st.tx_errors, 1);
	close_ends(&e);
}

/* Everything is either received or counted as lost. */
static void frames_lost_in_the_queue_are_counted(void **state)
{
	struct ends e = open_ends();
	uint64_t sent = 0, received = 0;
	struct link_stats before, st;
	struct rx_frame f;

	e.tap->ops->stats(e.tap, &before);
	st = before;
	while (st.rx_dropped == before.rx_dropped && sent < 100000) {
		for (int i = 0; i < 100; i++)
			sent += send_body(e.kernel, &own_a, &own_b, 60) == 0;
		e.tap->ops->stats(e.tap, &st);
	}
	assert_true(st.rx_dropped > before.rx_dropped);
	while (e.tap->ops->recv(e.tap, &f, 0) == 1)
		received += get_be16(f.data + 12) == ETHERTYPE_TEST;
	e.tap->ops->stats(e.tap, &st);
	assert_true(received + st.rx_dropped - before.rx_dropped >= sent);
	close_ends(&e);
}

static void a_device_that_is_down_is_a_pulled_cable(void **state)
{
	struct ends e = open_ends();
	struct rx_frame f;

	shell("ip link set ta down");
	assert_int_equal(send_body(e.tap, &own_b, &own_a, 60), -ENETDOWN);
	while (e.tap->ops->recv(e.tap, &f, 0) == 1)
		;
	assert_int_equal(e.tap->ops->recv(e.tap, &f, 0), 0);
	shell("ip link set ta up");
	e.kernel->ops->recv(e.kernel, &f, 0); /* takes the news off its socket */
	wait_until_it_carries(&e);
	close_ends(&e);
}

static void a_device_that_is_removed_is_enetdown(void **state)
{
	struct rx_frame f;
	int n;

	shell("ip tuntap add tb mode tap multi_queue && ip link set tb up");
	struct link *l = link_tap_open("tb", &own_a, (char[LINK_ERROR_LEN]){0});
	assert_non_null(l);
	shell("ip link del tb");
	while ((n = l->ops->recv(l, &f, 0)) > 0)
		;
	assert_int_equal(n, -ENETDOWN);
	assert_int_equal(send_body(l, &own_b, &own_a, 60), -ENETDOWN);
	l->ops->close(l);
}

static void assert_refused(const char *ifname, const struct macaddr *mac, int err, const char *says)
{
	char error[LINK_ERROR_LEN] = "";

	errno = 0;
	assert_null(link_tap_open(ifname, mac, error));
	assert_int_equal(errno, err);
	assert_string_equal(error, says);
}

static void opening_says_what_is_wrong(void **state)
{
	struct iface i;

	assert_refused("nowhere0", &own_a, ENODEV, "nowhere0: no such interface");
	assert_int_equal(iface_query("nowhere0", &i), -ENODEV); /* not made by asking */
	assert_refused("va", &own_a, EPROTONOSUPPORT, "va: not a TAP device");
	assert_refused("lo", &own_a, EPROTONOSUPPORT, "lo: not an Ethernet interface");
	assert_refused(
		"ta", &nic_b, EINVAL, "ta: its own MAC address is the kernel's, at the other end");
	shell("ip link set ta down");
	assert_refused("ta", &own_a, ENETDOWN, "ta: the interface is down (ip link set ta up)");
	shell("ip link set ta up");
	struct link *l = link_tap_open("ta", &own_a, (char[LINK_ERROR_LEN]){0});
	assert_refused("ta", &own_b, EBUSY, "ta: another program has the device open");
	l->ops->close(l);
}

static void the_automatic_link_is_tap_where_it_can_be(void **state)
{
	char error[LINK_ERROR_LEN];
	struct link *first = link_auto_open("ta", &own_a, error);

	assert_non_null(first);
	assert_string_equal(first->ops->name, "tap");
	assert_true(macaddr_equal(&first->info.nic_mac, &nic_b));
	assert_int_equal(first->info.mtu, 1500);
	struct link *second = link_auto_open("ta", &own_b, error);
	assert_non_null(second);
	assert_string_equal(second->ops->name, "packet");
	second->ops->close(second);
	first->ops->close(first);
}

static int make_net(void **state)
{
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 31 + i / 251);
	if (!own_net_make())
		return -1;
	return system("ip tuntap add ta mode tap && ip link set ta address 02:bb:00:00:00:01 up");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_pass_both_ways),
		cmocka_unit_test(what_is_not_for_us_is_passed_over),
		cmocka_unit_test(a_super_segment_passes_whole_to_the_kernel),
		cmocka_unit_test(a_super_segment_passes_whole_from_the_kernel),
		cmocka_unit_test(a_frame_above_the_mtu_is_refused_and_counted),
		cmocka_unit_test(frames_lost_in_the_queue_are_counted),
		cmocka_unit_test(a_device_that_is_down_is_a_pulled_cable),
		cmocka_unit_test(a_device_that_is_removed_is_enetdown),
		cmocka_unit_test(opening_says_what_is_wrong),
		cmocka_unit_test(the_automatic_link_is_tap_where_it_can_be),
	};

	return cmocka_run_group_tests(tests, make_net, NULL);
}
