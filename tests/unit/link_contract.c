#include "tests/unit/link_contract.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/host/host.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"
#include "tests/unit/own_net.h"

const struct macaddr nic_a = {{0x02, 0xaa, 0, 0, 0, 1}}, nic_b = {{0x02, 0xbb, 0, 0, 0, 1}};
const struct macaddr own_a = {{0x02, 0xaa, 0, 0, 0, 2}}, own_b = {{0x02, 0xbb, 0, 0, 0, 2}};
static const struct macaddr group = {{0x01, 0x00, 0x5e, 0, 0, 1}};
uint8_t body[BODY_LEN];

static link_open_fn *open_link;

struct link *open_or_fail(const char *ifname, const struct macaddr *mac)
{
	char error[LINK_ERROR_LEN];
	struct link *l = open_link(ifname, mac, error);

	if (!l)
		fail_msg("%s", error);
	return l;
}

int send_body(struct link *l, const struct macaddr *dst, const struct macaddr *src, size_t len)
{
	struct eth_hdr eth = {.dst = *dst, .src = *src, .ethertype = ETHERTYPE_TEST};
	struct tx_frame f;

	tx_frame_init(&f);
	eth_emit(tx_frame_push(&f, ETH_HDR_LEN), &eth);
	f.payload[0] = (struct iovec){body, len};
	f.npayload = 1;
	return l->ops->send(l, &f, 0);
}

size_t next_frame(struct link *l, struct rx_frame *f, int wait_ms)
{
	struct pollfd p = {.fd = l->ops->fd(l), .events = POLLIN};
	nsec limit = host_clock() + wait_ms * MSEC;

	for (nsec now = host_clock(); now <= limit; now = host_clock()) {
		int n = l->ops->recv(l, f, now);
		assert_true(n >= 0);
		if (n == 1 && get_be16(f->data + 12) == ETHERTYPE_TEST)
			return f->len;
		if (n == 0)
			poll(&p, 1, (int)((limit - now) / MSEC));
	}
	return 0;
}

void make_super_segment(struct tx_frame *f, size_t len, uint16_t mss)
{
	/* clang-format off */
	uint8_t head[SUPER_HEAD] = {
		0x02, 0xbb, 0, 0, 0, 2, 0x02, 0xaa, 0, 0, 0, 2, 0x08, 0x00,
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, IP_PROTO_TCP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x18, 0, 0, 0, 0, 0, 0,
	};
	/* clang-format on */
	uint8_t *ip = head + ETH_HDR_LEN, *tcp = ip + IPV4_HDR_LEN;
	struct ipaddr src = ipaddr_v4(get_be32(ip + 12)), dst = ipaddr_v4(get_be32(ip + 16));

	put_be16(ip + 2, (uint16_t)(IPV4_HDR_LEN + TCP_HDR_LEN + len));
	put_be16(ip + 10, csum_finish(csum_add(0, ip, IPV4_HDR_LEN)));
	put_be16(tcp + TCP_CSUM_OFFSET,
		csum_fold(csum_pseudo(&src, &dst, IP_PROTO_TCP, (uint32_t)(TCP_HDR_LEN + len))));
	tx_frame_init(f);
	memcpy(tx_frame_push(f, sizeof head), head, sizeof head);
	f->l4_from_end = TCP_HDR_LEN;
	f->csum_offset = TCP_CSUM_OFFSET;
	f->csum = FRAME_CSUM_PARTIAL;
	f->gso_size = mss;
	f->payload[0] = (struct iovec){body, len / 2};
	f->payload[1] = (struct iovec){body + len / 2, len - len / 2};
	f->npayload = 2;
}

/*
 * Frames of one wire keep their order: when the mark has arrived, what did not come before it never
 * will.
 */
static void assert_only_the_mark_comes(
	struct link *to, struct link *from, const struct macaddr *dst)
{
	struct rx_frame f;

	assert_int_equal(send_body(from, dst, &own_a, 77), 0);
	assert_int_equal(next_frame(to, &f, WAIT_MS), ETH_HDR_LEN + 77);
}

static void frames_to_our_mac_arrive_whole(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct link_stats st;
	struct rx_frame f;

	for (size_t len = 46; len <= 1500; len += 101) {
		assert_int_equal(send_body(a, &own_b, &own_a, len), 0);
		assert_int_equal(next_frame(b, &f, WAIT_MS), ETH_HDR_LEN + len);
		assert_memory_equal(f.data, own_b.b, 6);
		assert_memory_equal(f.data + 6, own_a.b, 6);
		assert_memory_equal(f.data + ETH_HDR_LEN, body, len);
	}
	a->ops->stats(a, &st);
	assert_int_equal(st.tx_frames, 15);
	b->ops->stats(b, &st);
	assert_true(st.rx_frames >= 15);
	assert_int_equal(st.rx_dropped, 0);
	a->ops->close(a);
	b->ops->close(b);
}

static bool tells_of_a_frame(struct link *l)
{
	struct pollfd p = {.fd = l->ops->fd(l), .events = POLLIN};

	return (l->ops->deadline && l->ops->deadline(l) <= 0) || poll(&p, 1, WAIT_MS) == 1;
}

/* Whoever stops after any frame, as a budget makes one do, is told of the next. */
static void a_waiting_frame_is_told_of_after_every_other(void **state)
{
	enum { FRAMES = 40, BIG = 17 };
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct rx_frame f;

	for (size_t i = 0; i < FRAMES; i++)
		assert_int_equal(send_body(a, &own_b, &own_a, i == BIG ? 1500 : 100 + i), 0);
	for (size_t i = 0; i < FRAMES;) {
		assert_true(tells_of_a_frame(b));
		if (b->ops->recv(b, &f, 7) != 1 || get_be16(f.data + 12) != ETHERTYPE_TEST)
			continue;
		assert_int_equal(f.len, ETH_HDR_LEN + (i == BIG ? 1500 : 100 + i));
		i++;
	}
	a->ops->close(a);
	b->ops->close(b);
}

static void broadcast_and_multicast_arrive(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct rx_frame f;

	assert_int_equal(send_body(a, &eth_broadcast, &own_a, 60), 0);
	assert_int_equal(next_frame(b, &f, WAIT_MS), ETH_HDR_LEN + 60);
	assert_int_equal(send_body(a, &group, &own_a, 61), 0);
	assert_int_equal(next_frame(b, &f, WAIT_MS), ETH_HDR_LEN + 61);
	a->ops->close(a);
	b->ops->close(b);
}

static void frames_to_others_do_not_arrive(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);

	assert_int_equal(send_body(a, &nic_b, &own_a, 60), 0);
	assert_int_equal(send_body(a, &nic_a, &own_a, 60), 0);
	assert_only_the_mark_comes(b, a, &own_b);
	a->ops->close(a);
	b->ops->close(b);
}

static void our_own_frames_do_not_come_back(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);

	/* Sent here, and reflected by the other side as some switches do. */
	assert_int_equal(send_body(b, &eth_broadcast, &own_b, 60), 0);
	assert_int_equal(send_body(a, &eth_broadcast, &own_b, 60), 0);
	assert_only_the_mark_comes(b, a, &own_b);
	a->ops->close(a);
	b->ops->close(b);
}

static void with_the_nics_mac_its_frames_arrive(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &nic_b);
	struct rx_frame f;

	assert_int_equal(send_body(a, &nic_b, &own_a, 60), 0);
	assert_int_equal(next_frame(b, &f, WAIT_MS), ETH_HDR_LEN + 60);
	a->ops->close(a);
	b->ops->close(b);
}

static void a_frame_above_the_mtu_is_refused_and_counted(void **state)
{
	struct link *a = open_or_fail("va", &own_a);
	struct link_stats st;

	assert_int_equal(send_body(a, &own_b, &own_a, 1600), -EMSGSIZE);
	a->ops->stats(a, &st);
	assert_int_equal(st.tx_frames, 0);
	assert_int_equal(st.tx_errors, 1);
	a->ops->close(a);
}

static void frames_of_64_kib_are_received(void **state)
{
	assert_int_equal(system("ip link set va mtu 65535 && ip link set vb mtu 65535"), 0);
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct rx_frame f;

	assert_int_equal(b->info.mtu, 65535);
	assert_int_equal(send_body(a, &own_b, &own_a, sizeof body), 0);
	assert_int_equal(next_frame(b, &f, WAIT_MS), ETH_HDR_LEN + sizeof body);
	assert_memory_equal(f.data + ETH_HDR_LEN, body, sizeof body);
	a->ops->close(a);
	b->ops->close(b);
	assert_int_equal(system("ip link set va mtu 1500 && ip link set vb mtu 1500"), 0);
}

/*
 * Everything is either received or counted as lost; and there are always enough sent to lose some.
 */
static void frames_lost_in_the_ring_are_counted(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	uint64_t sent = 0, received = 0;
	struct link_stats st = {0};
	struct rx_frame f;

	while (st.rx_dropped == 0 && sent < 2000000) {
		for (int i = 0; i < 1000; i++)
			sent += send_body(a, &own_b, &own_a, 60) == 0;
		b->ops->stats(b, &st);
	}
	assert_true(st.rx_dropped > 0);
	while (b->ops->recv(b, &f, 0) == 1)
		received += get_be16(f.data + 12) == ETHERTYPE_TEST;
	b->ops->stats(b, &st);
	assert_true(received + st.rx_dropped >= sent);
	assert_true(received >= 1000);
	a->ops->close(a);
	b->ops->close(b);
}

static void an_interface_going_down_is_enetdown(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct pollfd p = {.fd = b->ops->fd(b), .events = POLLIN};
	struct rx_frame f;
	int n;

	assert_int_equal(system("ip link set vb down"), 0);
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	while ((n = b->ops->recv(b, &f, 0)) > 0)
		;
	assert_int_equal(n, -ENETDOWN);
	assert_int_equal(send_body(b, &own_a, &own_b, 60), -ENETDOWN);
	a->ops->close(a);
	b->ops->close(b);
	assert_int_equal(system("ip link set vb up"), 0);
	assert_true(own_net_carries());
}

static void opening_says_what_is_wrong(void **state)
{
	char error[LINK_ERROR_LEN];

	errno = 0;
	assert_null(open_link("nowhere0", &own_a, error));
	assert_int_equal(errno, ENODEV);
	assert_string_equal(error, "nowhere0: no such interface");
	assert_null(open_link("lo", &own_a, error));
	assert_int_equal(errno, EPROTONOSUPPORT);
	assert_string_equal(error, "lo: not an Ethernet interface");
	assert_int_equal(system("ip link set va down"), 0);
	assert_null(open_link("va", &own_a, error));
	assert_int_equal(errno, ENETDOWN);
	assert_string_equal(error, "va: the interface is down (ip link set va up)");
	assert_int_equal(system("ip link set va up"), 0);
	assert_true(own_net_carries());
}

static void the_interface_is_described(void **state)
{
	struct link *a = open_or_fail("va", &own_a);
	struct macaddr mac;

	assert_true(macaddr_equal(&a->info.nic_mac, &nic_a));
	assert_int_equal(a->info.mtu, 1500);
	assert_int_equal(link_interface_mac("vb", &mac), 0);
	assert_true(macaddr_equal(&mac, &nic_b));
	assert_int_equal(link_interface_mac("nowhere0", &mac), -ENODEV);
	a->ops->close(a);
}

int link_contract_run(link_open_fn *driver)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_to_our_mac_arrive_whole),
		cmocka_unit_test(a_waiting_frame_is_told_of_after_every_other),
		cmocka_unit_test(broadcast_and_multicast_arrive),
		cmocka_unit_test(frames_to_others_do_not_arrive),
		cmocka_unit_test(our_own_frames_do_not_come_back),
		cmocka_unit_test(with_the_nics_mac_its_frames_arrive),
		cmocka_unit_test(a_frame_above_the_mtu_is_refused_and_counted),
		cmocka_unit_test(frames_of_64_kib_are_received),
		cmocka_unit_test(frames_lost_in_the_ring_are_counted),
		cmocka_unit_test(the_interface_is_described),
		cmocka_unit_test(opening_says_what_is_wrong),
		cmocka_unit_test(an_interface_going_down_is_enetdown),
	};

	open_link = driver;
	for (size_t i = 0; i < sizeof body; i++)
		body[i] = (uint8_t)(i * 31 + i / 251);
	if (!own_net_make())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
