/*
 * The neighbour cache: RFC 826's table with the life of an entry from RFC 1122 §2.3.2.
 *
 *	(nothing)    a packet to it       ASKING
 *	ASKING       ARP from it          REACHABLE     what waited leaves
 *	REACHABLE    use after LIFETIME   REFRESHING    packets go on to the old MAC
 *	REFRESHING   ARP from it          REACHABLE
 *	both         ARP_TRIES in vain    FAILED        what waited is dropped, TCP is told
 *	FAILED       ARP_NEGATIVE         (nothing)
 *
 * An entry that nobody uses is not asked about: there is no timer in REACHABLE. Refreshing asks the
 * known MAC first, so that a LAN does not hear a broadcast a minute from each of us, then
 * everybody, because the address may have moved to another machine.
 *
 * Packets wait in copies, since their payload is a ring that moves on. When the neighbour stays
 * silent they are dropped; TCP is told which neighbour it was, others get an ICMP error for each.
 */
#include "core/stack/neigh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/arp.h"
#include "core/stack/state.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"

enum { UNICAST_TRIES = 2 };

/* A packet that waits; its payload in one piece behind it. */
struct waiting {
	struct list link;
	size_t size;
	struct tx_frame frame;
	uint8_t payload[];
};

static void waiting_free(struct stack *s, struct waiting *w)
{
	list_remove(&w->link);
	s->memory -= w->size;
	free(w);
}

static struct waiting *waiting_new(struct stack *s, const struct tx_frame *f)
{
	size_t len = tx_frame_payload_len(f), size = sizeof(struct waiting) + len;
	struct waiting *w = malloc(size);
	uint8_t *end;

	if (!w)
		return NULL;
	list_init(&w->link);
	w->size = size;
	w->frame = *f;
	w->frame.npayload = len > 0;
	w->frame.payload[0] = (struct iovec){w->payload, len};
	end = w->payload;
	for (unsigned i = 0; i < f->npayload; i++) {
		memcpy(end, f->payload[i].iov_base, f->payload[i].iov_len);
		end += f->payload[i].iov_len;
	}
	s->memory += size;
	return w;
}

static struct list *bucket_of(struct stack *s, const struct ipaddr *ip)
{
	return &s->neigh.bucket[(ip->b[14] * 31u + ip->b[15]) % NEIGH_BUCKETS];
}

static struct neigh *find(struct stack *s, const struct ipaddr *ip)
{
	LIST_FOR_EACH (l, bucket_of(s, ip)) {
		struct neigh *n = LIST_ENTRY(l, struct neigh, bucket);

		if (ipaddr_equal(&n->ip, ip))
			return n;
	}
	return NULL;
}

static void drop_oldest(struct neigh *n)
{
	struct waiting *w = LIST_ENTRY(list_first(&n->pending), struct waiting, link);

	n->pending_bytes -= (uint32_t)w->size;
	n->stack->neigh.pending_bytes -= w->size;
	waiting_free(n->stack, w);
}

static void drop_pending(struct neigh *n)
{
	while (!list_empty(&n->pending))
		drop_oldest(n);
}

static void neigh_free(struct neigh *n)
{
	struct stack *s = n->stack;

	drop_pending(n);
	timer_cancel(&s->timers, &n->timer);
	list_remove(&n->bucket);
	list_remove(&n->lru);
	s->neigh.count--;
	free(n);
}

/* Asks once more, and sets the timer that judges the answer. */
static void ask(struct neigh *n, nsec now)
{
	struct stack *s = n->stack;
	bool unicast = n->state == NEIGH_REFRESHING && n->tries < UNICAST_TRIES;
	bool first_packet_waits = n->state == NEIGH_ASKING && n->tries == 0;

	n->tries++;
	timer_arm(&s->timers, &n->timer, now + (first_packet_waits ? ARP_FAST_RETRY : ARP_RETRY));
	arp_request(s, &s->address.addr, &n->ip, unicast ? &n->mac : NULL, now);
}

static void report_pending(const struct neigh *n, nsec now)
{
	LIST_FOR_EACH (l, &n->pending)
		icmp_neighbour_failed(n->stack, &LIST_ENTRY(l, struct waiting, link)->frame, now);
}

/* The packets leave the entry before TCP hears of it: what it does then may reach this table. */
static void fail(struct neigh *n, nsec now)
{
	struct stack *s = n->stack;
	struct ip_error e = {
		.local = s->address.addr,
		.remote = n->ip,
		.protocol = IP_PROTO_TCP,
		.error = EHOSTUNREACH,
	};

	COUNT(s, ArpFailed);
	n->state = NEIGH_FAILED;
	timer_arm(&s->timers, &n->timer, now + ARP_NEGATIVE);
	report_pending(n, now);
	drop_pending(n);
	tcp_icmp_error(s, &e, now);
}

static void fire(struct timer *t, nsec now)
{
	struct neigh *n = CONTAINER_OF(t, struct neigh, timer);

	if (n->state == NEIGH_FAILED)
		neigh_free(n);
	else if (n->tries < ARP_TRIES)
		ask(n, now);
	else
		fail(n, now);
}

static struct neigh *neigh_new(struct stack *s, const struct ipaddr *ip)
{
	struct neigh_table *table = &s->neigh;

	if (table->count >= ARP_ENTRIES_MAX)
		neigh_free(LIST_ENTRY(list_first(&table->lru), struct neigh, lru));
	struct neigh *n = calloc(1, sizeof *n);
	if (!n)
		return NULL;
	n->stack = s;
	n->ip = *ip;
	n->state = NEIGH_ASKING;
	timer_init(&n->timer, fire);
	list_init(&n->pending);
	list_append(bucket_of(s, ip), &n->bucket);
	list_append(&table->lru, &n->lru);
	table->count++;
	return n;
}

void neigh_init(struct stack *s)
{
	for (unsigned i = 0; i < NEIGH_BUCKETS; i++)
		list_init(&s->neigh.bucket[i]);
	list_init(&s->neigh.lru);
	s->neigh.count = 0;
}

void neigh_flush(struct stack *s)
{
	LIST_FOR_EACH (l, &s->neigh.lru)
		neigh_free(LIST_ENTRY(l, struct neigh, lru));
}

static int wait_for_answer(struct neigh *n, const struct tx_frame *f)
{
	struct waiting *w = waiting_new(n->stack, f);

	if (!w)
		return -ENOBUFS;
	while (!list_empty(&n->pending) &&
		(n->pending_bytes + w->size > ARP_PENDING_MAX ||
			n->stack->neigh.pending_bytes + w->size > ARP_PENDING_TOTAL)) {
		COUNT(n->stack, ArpPendingDropped);
		drop_oldest(n);
	}
	list_append(&n->pending, &w->link);
	n->pending_bytes += (uint32_t)w->size;
	n->stack->neigh.pending_bytes += w->size;
	return 0;
}

int eth_output(struct stack *s, const struct macaddr *to, struct tx_frame *f, nsec now)
{
	struct eth_hdr eth = {.dst = *to, .src = s->config.mac, .ethertype = ETH_TYPE_IPV4};

	eth_emit(tx_frame_push(f, ETH_HDR_LEN), &eth);
	int rc = stack_emit(s, f, now);
	if (rc == -EAGAIN)
		COUNT(s, IpOutBusy);
	return rc;
}

int neigh_output(struct stack *s, const struct ipaddr *next_hop, struct tx_frame *f, nsec now)
{
	struct neigh *n = find(s, next_hop);
	int rc;

	if (!n) {
		n = neigh_new(s, next_hop);
		if (!n)
			return -ENOBUFS;
		rc = wait_for_answer(n, f);
		ask(n, now);
		return rc;
	}
	list_remove(&n->lru);
	list_append(&s->neigh.lru, &n->lru);
	if (n->state == NEIGH_FAILED) {
		icmp_neighbour_failed(s, f, now);
		return -EHOSTUNREACH;
	}
	if (n->state == NEIGH_ASKING)
		return wait_for_answer(n, f);
	if (n->state == NEIGH_REACHABLE && now - n->heard >= ARP_LIFETIME) {
		n->state = NEIGH_REFRESHING;
		n->tries = 0;
		ask(n, now);
	}
	return eth_output(s, &n->mac, f, now);
}

/* Only what we could ever send to. */
static bool is_next_hop(const struct stack *s, const struct ipaddr *ip)
{
	return ipnet_contains(&s->address, ip) || ipaddr_equal(ip, &s->gateway);
}

static void send_pending(struct neigh *n, nsec now)
{
	struct stack *s = n->stack;

	while (!list_empty(&n->pending)) {
		struct waiting *w = LIST_ENTRY(list_first(&n->pending), struct waiting, link);

		eth_output(s, &n->mac, &w->frame, now);
		drop_oldest(n);
	}
}

void neigh_learn(
	struct stack *s, const struct ipaddr *ip, const struct macaddr *mac, bool create, nsec now)
{
	struct neigh *n = find(s, ip);

	if (!n && create && is_next_hop(s, ip))
		n = neigh_new(s, ip);
	if (!n)
		return;
	n->mac = *mac;
	n->heard = now;
	n->tries = 0;
	n->state = NEIGH_REACHABLE;
	timer_cancel(&s->timers, &n->timer);
	send_pending(n, now);
}

void neigh_confirm(struct stack *s, const struct ipaddr *next_hop, nsec now)
{
	struct neigh *n = find(s, next_hop);

	if (!n || (n->state != NEIGH_REACHABLE && n->state != NEIGH_REFRESHING))
		return;
	n->heard = now;
	n->tries = 0;
	n->state = NEIGH_REACHABLE;
	timer_cancel(&s->timers, &n->timer);
}
