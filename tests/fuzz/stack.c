/*
 * Arbitrary frames into a whole stack: one that listens, has a connection under way and reassembles. The input is a
 * sequence of records: one byte of delay in milliseconds, one of flags, two of length, then a frame. Flag 1 makes
 * the addresses ours, flag 2 makes it a TCP segment to one of our ports, flag 4 puts the checksums right: most
 * noise would otherwise end at the first check. With flag 8 the frame stays for a while and the next one comes right
 * behind it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/stack/stack.h"
#include "core/stack/tcp.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	FLAG_ADDRESS = 1,
	FLAG_TCP = 2,
	FLAG_CHECKSUM = 4,
	FLAG_STAYS = 8,
	STAYING = 4,
	FRAME_MAX = 2048,
	MEMORY_MAX = 64 << 20,
	RECORD_HEAD = 4,
	PORT = 80,
};

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t our_ip[4] = {10, 0, 0, 1}, peer_ip[4] = {10, 0, 0, 2};

static int drop_frame(void *ctx, const struct tx_frame *f, nsec now)
{
	if (tx_frame_head_len(f) > TX_HEAD_ROOM || f->npayload > TX_PAYLOAD_MAX)
		abort();
	return 0;
}

static struct stack *make_stack(nsec now)
{
	struct stack_config config = {
		.mac = {{2, 0, 0, 0, 0, 1}}, .mtu = 1500, .tcp_mem_max = MEMORY_MAX};
	struct stack_ops ops = {.emit = drop_frame};
	struct ipnet address = {.addr = ipaddr_v4(0x0a000001), .len = 120};
	struct endpoint remote = {.addr = ipaddr_v4(0x0a000002), .port = PORT};
	struct endpoint local = {.addr = ipaddr_v4(0x0a000001), .port = PORT};
	struct stack *s = stack_new(&config, &ops, NULL, now);
	struct tcp *listener, *client;

	if (!s)
		abort();
	stack_claim(s, &address, PROBE_NONE, now);
	listener = tcp_new(s, NULL);
	client = tcp_new(s, NULL);
	if (!listener || !client || tcp_bind(listener, &local) || tcp_listen(listener, 16, now))
		abort();
	local.port = PORT + 1;
	if (tcp_bind(client, &local) || tcp_connect(client, &remote, now))
		abort();
	stack_poll(s, now);
	return s;
}

static void put_right(uint8_t *frame, size_t len)
{
	uint8_t *ip = frame + ETH_HDR_LEN, *l4 = ip + IPV4_HDR_LEN;
	struct ipaddr src = ipaddr_v4(get_be32(ip + 12)), dst = ipaddr_v4(get_be32(ip + 16));
	size_t l4_len = len - ETH_HDR_LEN - IPV4_HDR_LEN;

	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_finish(csum_add(0, ip, IPV4_HDR_LEN)));
	if (ip[9] != IP_PROTO_TCP || l4_len < 20)
		return;
	put_be16(l4 + 16, 0);
	put_be16(l4 + 16,
		csum_finish(csum_add(
			csum_pseudo(&src, &dst, IP_PROTO_TCP, (uint32_t)l4_len), l4, l4_len)));
}

static void dress(uint8_t *frame, size_t len, uint8_t flags)
{
	uint8_t *ip = frame + ETH_HDR_LEN, *l4 = ip + IPV4_HDR_LEN;

	if (len < ETH_HDR_LEN + IPV4_HDR_LEN + 20)
		return;
	if (flags & FLAG_ADDRESS) {
		memcpy(frame, our_mac, 6);
		memcpy(frame + 6, peer_mac, 6);
		memcpy(ip + 12, peer_ip, 4);
		memcpy(ip + 16, our_ip, 4);
	}
	if (flags & FLAG_TCP) {
		put_be16(frame + 12, ETH_TYPE_IPV4);
		ip[0] = 0x45;
		put_be16(ip + 2, (uint16_t)(len - ETH_HDR_LEN));
		put_be16(ip + 6, 0);
		ip[9] = IP_PROTO_TCP;
		put_be16(l4, l4[1] & 1 ? PORT : 1024);
		put_be16(l4 + 2, l4[3] & 1 ? PORT + 1 : PORT);
	}
	if (flags & FLAG_CHECKSUM)
		put_right(frame, len);
}

static void act(struct stack *s, nsec now)
{
	struct tcp *t, *child;
	struct iovec iov[2];
	unsigned events;

	stack_poll(s, now);
	while ((t = stack_next_event(s, &events))) {
		while (tcp_state(t) == TCPS_LISTEN && (child = tcp_accept(t)))
			tcp_set_user(child, child);
		if (tcp_recv_peek(t, iov))
			tcp_recv_consume(t, iov[0].iov_len, now);
		if (tcp_user(t) && (events & (TCP_EV_EOF | TCP_EV_CLOSED)))
			tcp_close(t, now);
	}
	if (stack_memory(s) > MEMORY_MAX + (8 << 20))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	nsec now = 1 * SEC;
	struct stack *s = make_stack(now);
	static uint8_t frames[STAYING][FRAME_MAX];

	for (unsigned turn = 0; size >= RECORD_HEAD; turn = (turn + 1) % STAYING) {
		size_t len = MIN((size_t)get_be16(data + 2) % FRAME_MAX, size - RECORD_HEAD);
		uint8_t *frame = frames[turn], flags = data[1];
		struct rx_frame f = {.data = frame, .len = len, .arrival = now};

		f.stays = flags & FLAG_STAYS ? STAYING - 1 : 0;
		now += data[0] * MSEC;
		memcpy(frame, data + RECORD_HEAD, len);
		dress(frame, len, flags);
		data += RECORD_HEAD + len;
		size -= RECORD_HEAD + len;
		stack_input(s, &f, now);
		if (!(flags & FLAG_STAYS)) {
			stack_input_end(s, now);
			act(s, now);
		}
	}
	stack_input_end(s, now);
	for (int i = 0; i < 64 && stack_deadline(s) != NSEC_NEVER; i++) {
		now = nsec_max(now, stack_deadline(s));
		act(s, now);
	}
	stack_free(s);
	return 0;
}
