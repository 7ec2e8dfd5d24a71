/*
 * The packet link: the contract of all links, and what is its own: super-segments pass whole, with
 * what the kernel knows of their checksums.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/host/host.h"
#include "core/link/ring.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"
#include "tests/unit/link_contract.h"

enum { MSS = 1460, SUPER_LEN = 44 * MSS + 7, PIECES = 45 };

/* The next IPv4 frame that waits; the test has seen to it that there is one. */
static void take_ipv4(struct link *l, struct rx_frame *f)
{
	nsec limit = host_clock() + WAIT_MS * MSEC;

	while (host_clock() < limit)
		if (l->ops->recv(l, f, 7) == 1 && get_be16(f->data + 12) == ETH_TYPE_IPV4)
			return;
	fail_msg("no frame has come");
}

static bool tcp_sum_is_right(const struct rx_frame *f)
{
	const uint8_t *ip = f->data + ETH_HDR_LEN;
	struct ipaddr src = ipaddr_v4(get_be32(ip + 12)), dst = ipaddr_v4(get_be32(ip + 16));
	uint32_t len = (uint32_t)get_be16(ip + 2) - IPV4_HDR_LEN;
	csum_acc sum = csum_pseudo(&src, &dst, IP_PROTO_TCP, len);

	return csum_fold(csum_add(sum, ip + IPV4_HDR_LEN, len)) == 0xffff;
}

static void shell(const char *command)
{
	assert_int_equal(system(command), 0);
}

static void a_super_segment_passes_whole(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct link_stats st;
	struct tx_frame f;
	struct rx_frame in;

	make_super_segment(&f, SUPER_LEN, MSS);
	assert_int_equal(a->ops->send(a, &f, 0), 0);
	take_ipv4(b, &in);
	assert_int_equal(in.len, SUPER_HEAD + SUPER_LEN);
	assert_memory_equal(in.data + SUPER_HEAD, body, SUPER_LEN);
	assert_int_equal(in.gso_size, MSS);
	assert_int_equal(in.csum, FRAME_CSUM_VERIFIED);
	assert_int_equal(in.arrival, 7);
	assert_int_equal((uintptr_t)(in.data + ETH_HDR_LEN) % 4, 0);
	a->ops->stats(a, &st);
	assert_int_equal(st.tx_frames, PIECES);
	assert_int_equal(st.tx_bytes, PIECES * SUPER_HEAD + SUPER_LEN);
	a->ops->close(a);
	b->ops->close(b);
}

static void the_largest_super_segment_passes_whole(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct tx_frame f;
	struct rx_frame in;

	assert_in_range(a->info.gso_max, 60000, 65535 - 40);
	size_t len = a->info.gso_max + TCP_HDR_MAX - TCP_HDR_LEN;
	uint8_t *all = calloc(1, len);
	make_super_segment(&f, 2 * MSS, MSS);
	f.payload[0] = (struct iovec){all, len};
	f.npayload = 1;
	uint8_t *ip = f.head + f.head_at + ETH_HDR_LEN;
	put_be16(ip + 2, (uint16_t)(IPV4_HDR_LEN + TCP_HDR_LEN + len));
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_finish(csum_add(0, ip, IPV4_HDR_LEN)));
	assert_int_equal(a->ops->send(a, &f, 0), 0);
	take_ipv4(b, &in);
	assert_int_equal(in.len, SUPER_HEAD + len);
	assert_int_equal(in.gso_size, MSS);
	free(all);
	a->ops->close(a);
	b->ops->close(b);
}

static bool is_filled(const struct rx_frame *f, uint8_t with)
{
	for (size_t i = SUPER_HEAD; i < f->len; i++)
		if (f->data[i] != with)
			return false;
	return true;
}

/* Whatever comes between, small and big. */
static void a_frame_stays_as_long_as_it_says(void **state)
{
	enum { FRAMES = 64, BIG = 20 * MSS };
	static const char sizes[] = "sssssssssssBBBBBBBBBBBBBBBBBBBBBBBBBBBBsBsBsssBBBsssssssssBsBBsB";
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct rx_frame in[FRAMES];
	static uint8_t filled[BIG];
	bool some_stay = false;

	for (unsigned i = 0; i < FRAMES; i++) {
		size_t len = sizes[i] == 'B' ? BIG : 100;
		struct tx_frame f;
		memset(filled, (int)i, sizeof filled);
		make_super_segment(&f, len, MSS);
		f.payload[0] = (struct iovec){filled, len};
		f.npayload = 1;
		assert_int_equal(a->ops->send(a, &f, 0), 0);
	}
	for (unsigned i = 0; i < FRAMES; i++) {
		take_ipv4(b, &in[i]);
		assert_int_equal(in[i].len, SUPER_HEAD + (sizes[i] == 'B' ? BIG : 100));
		some_stay |= in[i].stays > 0;
		for (unsigned k = 0; k <= i; k++)
			assert_true(i - k > in[k].stays || is_filled(&in[k], (uint8_t)k));
	}
	assert_true(some_stay);
	a->ops->close(a);
	b->ops->close(b);
}

/* With the receiver's offloads off the kernel has to do what it was asked for. */
static void the_kernel_cuts_and_completes_what_the_wire_needs(void **state)
{
	struct tx_frame f;
	struct rx_frame in;

	shell("ethtool -K va tso off gso off tx off >/dev/null");
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	make_super_segment(&f, SUPER_LEN, MSS);
	assert_int_equal(a->ops->send(a, &f, 0), 0);
	for (size_t got = 0; got < SUPER_LEN; got += in.len - SUPER_HEAD) {
		take_ipv4(b, &in);
		assert_in_range(in.len, SUPER_HEAD + 1, SUPER_HEAD + MSS);
		assert_int_equal(get_be32(in.data + ETH_HDR_LEN + 24), got);
		assert_memory_equal(in.data + SUPER_HEAD, body + got, in.len - SUPER_HEAD);
		assert_int_equal(in.gso_size, 0);
		assert_int_equal(in.csum, FRAME_CSUM_UNVERIFIED);
		assert_true(tcp_sum_is_right(&in));
	}
	a->ops->close(a);
	b->ops->close(b);
	shell("ethtool -K va tso on gso on tx on >/dev/null");
}

static void a_small_segment_is_completed_by_the_kernel(void **state)
{
	struct tx_frame f;
	struct rx_frame in;

	shell("ethtool -K va tx off >/dev/null");
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	make_super_segment(&f, 100, 0);
	assert_int_equal(a->ops->send(a, &f, 0), 0);
	take_ipv4(b, &in);
	assert_int_equal(in.len, SUPER_HEAD + 100);
	assert_true(tcp_sum_is_right(&in));
	a->ops->close(a);
	b->ops->close(b);
	shell("ethtool -K va tso on gso on tx on >/dev/null");
}

static bool attach(struct sock_filter *code, size_t n)
{
	struct sock_fprog program = {.len = (unsigned short)n, .filter = code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* From here on sendmsg, which a super-segment leaves by, is EINVAL; send is not. */
static bool refuse_sendmsg(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendmsg, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return attach(code, ARRAY_LEN(code));
}

/* From here on the kernel is one that never heard of PACKET_VNET_HDR. */
static bool refuse_vnet_hdr(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOL_PACKET, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_VNET_HDR, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return attach(code, ARRAY_LEN(code));
}

/* In a child, whose kernel refuses it: the exit status says what it got. */
static int open_without_vnet_hdr(link_open_fn *driver, const char *name, const char *says)
{
	char error[LINK_ERROR_LEN] = "";
	int status;

	pid_t child = fork();
	if (child == 0) {
		struct link *l = refuse_vnet_hdr() ? driver("va", &own_a, error) : NULL;
		const char *got = l ? l->ops->name : "none", *said = l ? l->info.note : error;
		if (strcmp(got, name) != 0 || strcmp(said, says) != 0)
			fprintf(stderr, "# %s: %s\n", got, said);
		_exit(strcmp(got, name) != 0 || strcmp(said, says) != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void where_the_kernel_is_too_old_the_automatic_link_is_pcap(void **state)
{
	struct link *best = link_auto_open("va", &own_a, (char[LINK_ERROR_LEN]){0});

	assert_string_equal(best->ops->name, "packet");
	assert_string_equal(best->info.note, "");
	best->ops->close(best);
	assert_int_equal(open_without_vnet_hdr(link_packet_open, "none",
				 "va: PACKET_VNET_HDR: Protocol not available"),
		0);
	assert_int_equal(
		open_without_vnet_hdr(link_auto_open, "pcap",
			"va: PACKET_VNET_HDR: Protocol not available: using libpcap, slower"),
		0);
}

static void the_automatic_link_says_what_is_wrong(void **state)
{
	char error[LINK_ERROR_LEN];

	assert_null(link_auto_open("nowhere0", &own_a, error));
	assert_int_equal(errno, ENODEV);
	assert_string_equal(error, "nowhere0: no such interface");
}

static void what_the_kernel_refuses_whole_is_cut_here(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct tx_frame f;
	struct rx_frame in;
	int status;

	make_super_segment(&f, SUPER_LEN, MSS);
	pid_t child = fork();
	if (child == 0) {
		bool sent = refuse_sendmsg() && a->ops->send(a, &f, 0) == 0 &&
			    a->ops->send(a, &f, 0) == 0;
		_exit(sent ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (size_t got = 0; got < 2 * SUPER_LEN; got += in.len - SUPER_HEAD) {
		take_ipv4(b, &in);
		assert_in_range(in.len, SUPER_HEAD + 1, SUPER_HEAD + MSS);
		assert_int_equal(get_be32(in.data + ETH_HDR_LEN + 24), got % SUPER_LEN);
		assert_true(tcp_sum_is_right(&in));
	}
	a->ops->close(a);
	b->ops->close(b);
}

/* The receiving kernel takes the tag off and puts it beside the frame, which then looks like any. */
static void tagged_frames_do_not_pass_for_ours(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	uint8_t tagged[4 + 60] = {0, 7, ETHERTYPE_TEST >> 8, ETHERTYPE_TEST & 0xff};
	struct eth_hdr eth = {.dst = own_b, .src = own_a, .ethertype = 0x8100};
	struct rx_frame in;
	struct tx_frame f;

	tx_frame_init(&f);
	eth_emit(tx_frame_push(&f, ETH_HDR_LEN), &eth);
	f.payload[0] = (struct iovec){tagged, sizeof tagged};
	f.npayload = 1;
	assert_int_equal(a->ops->send(a, &f, 0), 0);
	assert_int_equal(send_body(a, &own_b, &own_a, 99), 0);
	assert_int_equal(next_frame(b, &in, WAIT_MS), ETH_HDR_LEN + 99);
	a->ops->close(a);
	b->ops->close(b);
}

/* A token bucket holds back all but the first frame. */
static void a_full_queue_is_eagain_and_nothing_is_sent(void **state)
{
	struct link *a = open_or_fail("va", &own_a);
	struct link_stats before, after;
	struct tx_frame f;
	int err = 0;

	if (system("tc qdisc add dev va root tbf rate 8kbit burst 70000 limit 400000 "
		   "2>/dev/null") != 0) {
		a->ops->close(a);
		skip();
	}
	make_super_segment(&f, SUPER_LEN, MSS);
	for (int i = 0; i < 1000 && err == 0; i++) {
		a->ops->stats(a, &before);
		err = a->ops->send(a, &f, 0);
	}
	a->ops->stats(a, &after);
	assert_int_equal(err, -EAGAIN);
	assert_int_equal(after.tx_frames, before.tx_frames);
	assert_int_equal(after.tx_errors, 0);
	a->ops->close(a);
	shell("tc qdisc del dev va root");
}

static void checksums_need_no_guessing(void **state)
{
	struct link *a = open_or_fail("va", &own_a);

	assert_false(a->info.partial_csum_ok);
	assert_string_equal(a->ops->name, "packet");
	a->ops->close(a);
}

/* UDP from own_a to own_b: `len` bytes of `body` behind the IP header; `fragment` is the IP header's field. */
static int send_datagram(struct link *a, const struct macaddr *dst, uint16_t fragment, size_t len)
{
	struct eth_hdr eth = {.dst = *dst, .src = own_a, .ethertype = ETH_TYPE_IPV4};
	uint8_t ip[IPV4_HDR_LEN] = {0x45, [8] = 64, IP_PROTO_UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	struct tx_frame f;

	put_be16(ip + 2, (uint16_t)(IPV4_HDR_LEN + len));
	put_be16(ip + 6, fragment);
	put_be16(ip + 10, csum_finish(csum_add(0, ip, IPV4_HDR_LEN)));
	tx_frame_init(&f);
	memcpy(tx_frame_push(&f, IPV4_HDR_LEN), ip, sizeof ip);
	eth_emit(tx_frame_push(&f, ETH_HDR_LEN), &eth);
	f.payload[0] = (struct iovec){body, len};
	f.npayload = 1;
	return a->ops->send(a, &f, 0);
}

static void datagrams_of_all_kinds_arrive(void **state)
{
	static const struct macaddr all = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	static const struct {
		const struct macaddr *to;
		uint16_t fragment;
		size_t len;
	} kind[] = {
		{&own_b, 0, 8},
		{&own_b, 0x4000, 1480},
		{&own_b, 0x2000, 1480},
		{&own_b, 0x00b9, 100},
		{&all, 0, 300},
	};
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct rx_frame in;

	for (unsigned i = 0; i < ARRAY_LEN(kind); i++) {
		assert_int_equal(send_datagram(a, kind[i].to, kind[i].fragment, kind[i].len), 0);
		take_ipv4(b, &in);
		assert_int_equal(in.len, ETH_HDR_LEN + IPV4_HDR_LEN + kind[i].len);
		assert_memory_equal(in.data, kind[i].to->b, 6);
		assert_int_equal(get_be16(in.data + ETH_HDR_LEN + 6), kind[i].fragment);
		assert_memory_equal(in.data + ETH_HDR_LEN + IPV4_HDR_LEN, body, kind[i].len);
		assert_int_equal((uintptr_t)(in.data + ETH_HDR_LEN) % 4, 0);
		assert_int_equal(in.arrival, 7);
	}
	a->ops->close(a);
	b->ops->close(b);
}

/* As many as the ring has, unchanged and in order; the rest is counted. */
static void datagrams_that_nobody_takes_are_counted(void **state)
{
	enum { SENT = RING_SLOTS + 100 };
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct link_stats st;
	struct rx_frame in;
	unsigned got = 0;

	for (unsigned i = 0; i < SENT; i++)
		assert_int_equal(send_datagram(a, &own_b, 0, 8 + i), 0);
	while (b->ops->recv(b, &in, 0) == 1) {
		if (get_be16(in.data + 12) != ETH_TYPE_IPV4)
			continue;
		assert_int_equal(in.len, ETH_HDR_LEN + IPV4_HDR_LEN + 8 + got);
		got++;
	}
	assert_in_range(got, RING_SLOTS - 1, RING_SLOTS);
	b->ops->stats(b, &st);
	assert_int_equal(st.rx_dropped, SENT - got);
	a->ops->close(a);
	b->ops->close(b);
}

static void a_flood_of_datagrams_leaves_the_others_their_turn(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct rx_frame in;
	unsigned before = 0;

	for (unsigned i = 0; i < RING_SLOTS / 2; i++)
		assert_int_equal(send_datagram(a, &own_b, 0, 100), 0);
	assert_int_equal(send_body(a, &own_b, &own_a, 99), 0);
	while (b->ops->recv(b, &in, 0) == 1 && get_be16(in.data + 12) != ETHERTYPE_TEST)
		before++;
	assert_int_equal(get_be16(in.data + 12), ETHERTYPE_TEST);
	assert_in_range(before, 0, 100);
	for (; b->ops->recv(b, &in, 0) == 1; before++)
		;
	assert_true(before >= RING_SLOTS / 2);
	a->ops->close(a);
	b->ops->close(b);
}

static void datagrams_can_be_held_and_the_others_come(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct pollfd p = {.fd = b->ops->fd(b), .events = POLLIN};
	struct rx_frame in;

	while (b->ops->recv(b, &in, 0) == 1)
		;
	assert_true(b->ops->hold_datagrams(b, true));
	assert_int_equal(send_datagram(a, &own_b, 0, 100), 0);
	assert_int_equal(b->ops->recv(b, &in, 0), 0);
	assert_int_equal(send_body(a, &own_b, &own_a, 99), 0);
	assert_int_equal(next_frame(b, &in, WAIT_MS), ETH_HDR_LEN + 99);
	assert_int_equal(b->ops->recv(b, &in, 0), 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	assert_true(b->ops->hold_datagrams(b, false));
	assert_int_equal(poll(&p, 1, 0), 1);
	take_ipv4(b, &in);
	assert_int_equal(in.len, ETH_HDR_LEN + IPV4_HDR_LEN + 100);
	a->ops->close(a);
	b->ops->close(b);
}

/* Whoever waits on the fd is told once, and not for ever. */
static void an_interface_that_goes_down_is_an_error_once(void **state)
{
	struct link *a = open_or_fail("va", &own_a), *b = open_or_fail("vb", &own_b);
	struct pollfd p = {.fd = b->ops->fd(b), .events = POLLIN};
	struct rx_frame in;
	unsigned down = 0, calls = 0;

	while (b->ops->recv(b, &in, 0) == 1)
		;
	shell("ip link set vb down");
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	for (; poll(&p, 1, 0) == 1 && calls < 20; calls++)
		down += b->ops->recv(b, &in, 0) == -ENETDOWN;
	assert_in_range(down, 1, 2);
	assert_in_range(calls, 1, 10);
	shell("ip link set vb up");
	assert_int_equal(send_datagram(a, &own_b, 0, 100), 0);
	take_ipv4(b, &in);
	a->ops->close(a);
	b->ops->close(b);
}

/* The hardware's end of a TAP device, as a virtual machine has it. */
static int open_tap(const char *name)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(r.ifr_name, name);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	shell("ip link set tt up");
	return fd;
}

/* From there: UDP to own_b, `len` bytes of `body` behind the IP header. */
static void inject_datagram(int tap, size_t len, uint8_t gso_type, uint16_t gso_size)
{
	struct {
		struct virtio_net_hdr v;
		uint8_t data[ETH_HDR_LEN + IPV4_HDR_LEN + RING_FRAME_MAX];
	} __attribute__((packed)) f = {.v = {.gso_type = gso_type, .gso_size = gso_size}};
	uint8_t *ip = f.data + ETH_HDR_LEN, *udp = ip + IPV4_HDR_LEN;

	if (gso_type) {
		f.v.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		f.v.csum_start = ETH_HDR_LEN + IPV4_HDR_LEN;
		f.v.csum_offset = 6;
		f.v.hdr_len = ETH_HDR_LEN + IPV4_HDR_LEN + 8;
	}
	eth_emit(f.data, &(struct eth_hdr){.dst = own_b, .src = nic_a, .ethertype = ETH_TYPE_IPV4});
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(IPV4_HDR_LEN + len));
	ip[8] = 64;
	ip[9] = IP_PROTO_UDP;
	put_be32(ip + 12, 0x0a000002);
	put_be32(ip + 16, 0x0a000001);
	put_be16(ip + 10, csum_finish(csum_add(0, ip, IPV4_HDR_LEN)));
	memcpy(udp, body, len);
	put_be16(udp + 4, (uint16_t)len);
	size_t all = sizeof f.v + ETH_HDR_LEN + IPV4_HDR_LEN + len;
	assert_int_equal(write(tap, &f, all), all);
}

static unsigned datagrams_received(struct link *l, nsec now)
{
	struct rx_frame in;
	unsigned n = 0;

	while (l->ops->recv(l, &in, now) == 1)
		n += get_be16(in.data + 12) == ETH_TYPE_IPV4 && in.data[ETH_HDR_LEN + 9] == IP_PROTO_UDP;
	return n;
}

/*
 * UFO is what a virtio_net_hdr for packet sockets has no words for; a ring gives nothing after it. That costs
 * what comes in a tenth of a second, not all that ever comes.
 */
static void a_ring_that_sticks_is_given_up(void **state)
{
	enum { UFO = VIRTIO_NET_HDR_GSO_UDP };
	int tap = open_tap("tt");
	struct link *b = open_or_fail("tt", &own_b);
	nsec now = SEC;

	for (int i = 0; i < 5; i++)
		inject_datagram(tap, 100, 0, 0);
	assert_int_equal(datagrams_received(b, now), 5);
	inject_datagram(tap, 1528, UFO, 1480);
	inject_datagram(tap, 100, 0, 0);
	datagrams_received(b, now + 90 * MSEC);
	datagrams_received(b, now + 200 * MSEC);
	inject_datagram(tap, 100, 0, 0);
	datagrams_received(b, now + 310 * MSEC);
	for (int i = 0; i < 5; i++)
		inject_datagram(tap, 100, 0, 0);
	assert_int_equal(datagrams_received(b, now + SEC), 5);
	b->ops->close(b);
	close(tap);
}

/* From here on the kernel gives no ring. */
static bool refuse_ring(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOL_PACKET, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_RX_RING, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return attach(code, ARRAY_LEN(code));
}

static void without_a_ring_datagrams_come_like_all_others(void **state)
{
	struct link *a = open_or_fail("va", &own_a);
	char error[LINK_ERROR_LEN];
	int status, ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	pid_t child = fork();
	if (child == 0) {
		struct link *b = refuse_ring() ? link_packet_open("vb", &own_b, error) : NULL;
		struct rx_frame in;
		bool opened = b && write(ready[1], "x", 1) == 1;
		if (opened)
			take_ipv4(b, &in);
		_exit(opened && in.len == ETH_HDR_LEN + IPV4_HDR_LEN + 100 ? 0 : 1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	assert_int_equal(send_datagram(a, &own_b, 0, 100), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	a->ops->close(a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_super_segment_passes_whole),
		cmocka_unit_test(the_largest_super_segment_passes_whole),
		cmocka_unit_test(a_frame_stays_as_long_as_it_says),
		cmocka_unit_test(the_kernel_cuts_and_completes_what_the_wire_needs),
		cmocka_unit_test(a_small_segment_is_completed_by_the_kernel),
		cmocka_unit_test(what_the_kernel_refuses_whole_is_cut_here),
		cmocka_unit_test(where_the_kernel_is_too_old_the_automatic_link_is_pcap),
		cmocka_unit_test(the_automatic_link_says_what_is_wrong),
		cmocka_unit_test(tagged_frames_do_not_pass_for_ours),
		cmocka_unit_test(a_full_queue_is_eagain_and_nothing_is_sent),
		cmocka_unit_test(checksums_need_no_guessing),
		cmocka_unit_test(datagrams_of_all_kinds_arrive),
		cmocka_unit_test(datagrams_that_nobody_takes_are_counted),
		cmocka_unit_test(a_flood_of_datagrams_leaves_the_others_their_turn),
		cmocka_unit_test(datagrams_can_be_held_and_the_others_come),
		cmocka_unit_test(an_interface_that_goes_down_is_an_error_once),
		cmocka_unit_test(a_ring_that_sticks_is_given_up),
		cmocka_unit_test(without_a_ring_datagrams_come_like_all_others),
	};
	int failed = link_contract_run(link_packet_open);

	return cmocka_run_group_tests(tests, NULL, NULL) || failed;
}
