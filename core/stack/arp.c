/*
 * RFC 826. The order of a received packet:
 *
 *	1. nonsense is dropped (a group as sender, a reply from nobody);
 *	2. what touches the ownership of our address goes to acd.c and is never learned from;
 *	3. the sender of anything but a probe is merged into the cache: updated if known, added
 *	   only if the packet was for us, so that a LAN full of chatter does not fill the table;
 *	4. a request for our address is answered, unicast, always. Probes too: that is how others
 *	   notice us.
 */
#include "core/stack/arp.h"

#include "core/stack/state.h"
#include "core/wire/arp.h"
#include "core/wire/eth.h"

static void send_packet(
	struct stack *s, const struct macaddr *to, const struct arp_packet *p, nsec now)
{
	struct tx_frame f;

	tx_frame_init(&f);
	arp_emit(tx_frame_push(&f, ARP_LEN), p);
	eth_emit(tx_frame_push(&f, ETH_HDR_LEN),
		&(struct eth_hdr){.dst = *to, .src = s->config.mac, .ethertype = ETH_TYPE_ARP});
	stack_emit(s, &f, now);
}

void arp_request(struct stack *s, const struct ipaddr *sender, const struct ipaddr *target,
	const struct macaddr *to, nsec now)
{
	struct arp_packet p = {
		.op = ARP_REQUEST,
		.sender_mac = s->config.mac,
		.sender_ip = *sender,
		.target_ip = *target,
	};

	COUNT(s, ArpOutRequests);
	send_packet(s, to ? to : &eth_broadcast, &p, now);
}

static void answer(struct stack *s, const struct arp_packet *request, nsec now)
{
	struct arp_packet p = {
		.op = ARP_REPLY,
		.sender_mac = s->config.mac,
		.sender_ip = s->address.addr,
		.target_mac = request->sender_mac,
		.target_ip = request->sender_ip,
	};

	COUNT(s, ArpOutReplies);
	send_packet(s, &request->sender_mac, &p, now);
}

static bool is_plausible(const struct arp_packet *p)
{
	static const struct macaddr zero;
	const struct ipaddr *sender = &p->sender_ip;

	if (eth_is_multicast(&p->sender_mac) || macaddr_equal(&p->sender_mac, &zero))
		return false;
	if (ipaddr_is_multicast(sender) || ipaddr_is_broadcast(sender) ||
		ipaddr_is_loopback(sender))
		return false;
	return p->op == ARP_REQUEST || !ipaddr_is_any(sender);
}

void arp_input(struct stack *s, const uint8_t *data, size_t len, nsec now)
{
	struct arp_packet p;

	if (!arp_parse(&p, data, len) || !is_plausible(&p)) {
		COUNT(s, ArpInBad);
		return;
	}
	if (p.op == ARP_REPLY)
		COUNT(s, ArpInReplies);
	if (acd_input(s, &p, now))
		return;
	bool for_us = ipaddr_equal(&p.target_ip, &s->address.addr);
	if (!ipaddr_is_any(&p.sender_ip))
		neigh_learn(s, &p.sender_ip, &p.sender_mac, for_us, now);
	if (for_us && p.op == ARP_REQUEST) {
		COUNT(s, ArpInRequests);
		answer(s, &p, now);
	}
}
