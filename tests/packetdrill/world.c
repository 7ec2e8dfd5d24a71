#include "tests/packetdrill/world.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/link/segment.h"
#include "core/wire/arp.h"
#include "core/wire/eth.h"
#include "tests/packetdrill/psock.h"

enum { MTU = 1500, PREFIX = 96 + 16, FRAME_MAX = 65536 + ETH_HDR_LEN };

static const struct macaddr our_mac = {{2, 0, 0, 0, 0, 1}}, their_mac = {{2, 0, 0, 0, 0, 2}};

/* The other host of our subnet: the last bit of the address turned. */
static struct ipaddr neighbour(const struct ipaddr *address)
{
	struct ipaddr other = *address;

	other.b[15] ^= 2;
	return other;
}

static int emit(void *ctx, const struct tx_frame *f, nsec now)
{
	struct world *w = ctx;
	struct segmenter seg;
	uint8_t frame[MTU + ETH_HDR_LEN];
	size_t len;

	if (segment_begin(&seg, f) || segment_frame_max(&seg) > sizeof frame)
		return -1;
	while ((len = segment_next(&seg, frame))) {
		if (get_be16(frame + 12) != ETH_TYPE_IPV4) {
			w->arp_asked = true;
			continue;
		}
		struct world_packet *p = malloc(sizeof *p + len);
		if (!p)
			return -1;
		p->at = now;
		p->len = len - ETH_HDR_LEN;
		memcpy(p->data, frame + ETH_HDR_LEN, p->len);
		list_init(&p->link);
		list_append(&w->sent, &p->link);
	}
	return 0;
}

static void input_frame(struct world *w, uint16_t ethertype, const void *payload, size_t len)
{
	static uint8_t frame[FRAME_MAX];
	struct eth_hdr eth = {.dst = our_mac, .src = their_mac, .ethertype = ethertype};
	struct rx_frame rx = {.data = frame, .len = ETH_HDR_LEN + len, .arrival = w->now};

	if (len > sizeof frame - ETH_HDR_LEN)
		return;
	eth_emit(frame, &eth);
	memcpy(frame + ETH_HDR_LEN, payload, len);
	stack_input(w->stack, &rx, w->now);
}

/* Tells the stack where its gateway is, asked or not. */
static void answer_arp(struct world *w)
{
	const struct ipaddr *address = &stack_address(w->stack)->addr;
	struct arp_packet a = {
		.op = ARP_REPLY,
		.sender_mac = their_mac,
		.sender_ip = neighbour(address),
		.target_mac = our_mac,
		.target_ip = *address,
	};
	uint8_t bytes[ARP_LEN];

	w->arp_asked = false;
	arp_emit(bytes, &a);
	input_frame(w, ETH_TYPE_ARP, bytes, sizeof bytes);
}

bool world_init(struct world *w, const struct ipaddr *address)
{
	static const struct stack_ops ops = {.emit = emit};
	struct stack_config config = {
		.mac = our_mac, .mtu = MTU, .gso_max = 65536, .gateway = neighbour(address)};
	struct ipnet net = {*address, PREFIX};

	*w = (struct world){.now = 1000 * SEC};
	list_init(&w->sent);
	w->stack = stack_new(&config, &ops, w, w->now);
	if (!w->stack)
		return false;
	stack_claim(w->stack, &net, PROBE_NONE, w->now);
	world_settle(w);
	return true;
}

void world_free(struct world *w)
{
	struct world_packet *p;

	stack_free(w->stack);
	while ((p = world_take(w)))
		free(p);
}

void world_settle(struct world *w)
{
	struct tcp *t;
	unsigned events;

	stack_poll(w->stack, w->now);
	while (w->arp_asked) {
		answer_arp(w);
		stack_poll(w->stack, w->now);
	}
	while ((t = stack_next_event(w->stack, &events)))
		psock_event(t, events, w->now);
	stack_poll(w->stack, w->now);
	if (w->changed)
		w->changed(w, w->ctx);
}

void world_input(struct world *w, const void *packet, size_t len)
{
	input_frame(w, ETH_TYPE_IPV4, packet, len);
	world_settle(w);
}

void world_advance(struct world *w, nsec until, bool until_sent)
{
	nsec next;

	while (!(until_sent && !list_empty(&w->sent)) &&
		(next = stack_deadline(w->stack)) <= until) {
		w->now = nsec_max(w->now, next);
		world_settle(w);
	}
	if (!(until_sent && !list_empty(&w->sent)))
		w->now = nsec_max(w->now, until);
}

struct world_packet *world_take(struct world *w)
{
	struct list *first = list_first(&w->sent);

	if (!first)
		return NULL;
	list_remove(first);
	return LIST_ENTRY(first, struct world_packet, link);
}
