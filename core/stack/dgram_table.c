/*
 * Ports of datagram sockets, and who gets a datagram. UDP ports and ICMP identifiers are numbered
 * apart: a bucket may hold both, and `kind` is part of every comparison.
 *
 * Among the sockets of a port the one that says most about itself wins: connected to the sender (it
 * must be) before unconnected, bound to the address before "any". Among equals SO_REUSEPORT chooses
 * by the sender, so that one sender always meets the same socket; otherwise it is the newest.
 */
#include <errno.h>
#include <string.h>

#include "core/stack/state.h"

static struct list *bucket_of(struct stack *s, uint16_t port)
{
	return &s->dgram.bucket[port % DGRAM_BUCKETS];
}

/*
 * Linux's rule: overlapping addresses clash unless both said SO_REUSEADDR, or both SO_REUSEPORT.
 */
static bool binds_clash(const struct dgram *d, const struct ipaddr *addr, const struct dgram *other)
{
	if (!ipaddr_is_any(addr) && !ipaddr_is_any(&other->local.addr) &&
		!ipaddr_equal(addr, &other->local.addr))
		return false;
	return !(d->option[DGRAM_OPT_REUSEADDR] && other->option[DGRAM_OPT_REUSEADDR]) &&
	       !(d->option[DGRAM_OPT_REUSEPORT] && other->option[DGRAM_OPT_REUSEPORT]);
}

static bool port_is_free(const struct dgram *d, const struct ipaddr *addr, uint16_t port)
{
	LIST_FOR_EACH (link, bucket_of(d->stack, port)) {
		const struct dgram *other = LIST_ENTRY(link, struct dgram, port_link);
		if (other != d && other->kind == d->kind && other->local.port == port &&
			binds_clash(d, addr, other))
			return false;
	}
	return true;
}

/* A port that nobody has at all, even if it could be shared: port 0 asks for one's own. */
static uint16_t pick_port(const struct dgram *d)
{
	enum { RANGE = TCP_PORT_EPHEMERAL_MAX - TCP_PORT_EPHEMERAL_MIN + 1 };
	uint32_t from = (uint32_t)(stack_random(d->stack) % RANGE);

	for (uint32_t i = 0; i < RANGE; i++) {
		uint16_t port = (uint16_t)(TCP_PORT_EPHEMERAL_MIN + (from + i) % RANGE);
		bool taken = false;
		LIST_FOR_EACH (link, bucket_of(d->stack, port)) {
			const struct dgram *other = LIST_ENTRY(link, struct dgram, port_link);
			taken |= other->kind == d->kind && other->local.port == port;
		}
		if (!taken)
			return port;
	}
	return 0;
}

int dgram_port_bind(struct dgram *d, const struct endpoint *local)
{
	uint16_t port = local->port;

	if (d->kind == DGRAM_RAW) {
		d->local.addr = local->addr;
		return 0;
	}
	if (port == 0)
		port = pick_port(d);
	else if (!port_is_free(d, &local->addr, port))
		port = 0;
	if (port == 0)
		return -EADDRINUSE;
	d->local = (struct endpoint){local->addr, port};
	d->bound = true;
	list_prepend(bucket_of(d->stack, port), &d->port_link);
	return 0;
}

void dgram_port_release(struct dgram *d)
{
	if (d->kind == DGRAM_RAW || !d->bound)
		return;
	list_remove(&d->port_link);
	d->bound = d->named_port = false;
	d->local.port = 0;
}

/* 0: not for this socket; else the more, the better. */
static unsigned fit(const struct dgram *d, const struct ipaddr *to, const struct endpoint *remote)
{
	unsigned score = 1;

	if (!ipaddr_is_any(&d->local.addr)) {
		if (!ipaddr_equal(&d->local.addr, to))
			return 0;
		score += 1;
	}
	if (!d->connected)
		return score;
	return endpoint_equal(&d->remote, remote) ? score + 2 : 0;
}

static uint64_t share(const struct dgram *d, const struct endpoint *remote)
{
	uint8_t key[sizeof remote->addr.b + 2 + sizeof d->serial];

	if (!d->option[DGRAM_OPT_REUSEPORT])
		return 0;
	memcpy(key, remote->addr.b, sizeof remote->addr.b);
	put_be16(key + sizeof remote->addr.b, remote->port);
	put_be32(key + sizeof remote->addr.b + 2, d->serial);
	return stack_hash(d->stack, HASH_CONN, key, sizeof key);
}

struct dgram *dgram_find(struct stack *s, enum dgram_kind kind, const struct endpoint *local,
	const struct endpoint *remote)
{
	struct dgram *best = NULL;
	unsigned best_fit = 0;

	LIST_FOR_EACH (link, bucket_of(s, local->port)) {
		struct dgram *d = LIST_ENTRY(link, struct dgram, port_link);
		if (d->kind != kind || d->local.port != local->port)
			continue;
		unsigned f = fit(d, &local->addr, remote);
		if (f > best_fit ||
			(f && f == best_fit && share(d, remote) > share(best, remote))) {
			best = d;
			best_fit = f;
		}
	}
	return best;
}

struct dgram *dgram_find_udp(
	struct stack *s, const struct endpoint *local, const struct endpoint *remote)
{
	return dgram_find(s, DGRAM_UDP, local, remote);
}

bool dgram_is_member(const struct dgram *d, const struct ipaddr *group)
{
	for (unsigned i = 0; i < d->ngroups; i++) {
		if (ipaddr_equal(&d->group[i], group))
			return true;
	}
	return false;
}

struct dgram *dgram_find_next(struct stack *s, struct list **at, const struct endpoint *local,
	const struct endpoint *remote)
{
	struct list *bucket = bucket_of(s, local->port);
	bool multicast = ipaddr_is_multicast(&local->addr);

	for (*at = *at ? (*at)->next : bucket->next; *at != bucket; *at = (*at)->next) {
		struct dgram *d = LIST_ENTRY(*at, struct dgram, port_link);
		if (d->kind != DGRAM_UDP || d->local.port != local->port ||
			!fit(d, &local->addr, remote))
			continue;
		if (!multicast || d->option[DGRAM_OPT_MULTICAST_ALL] ||
			dgram_is_member(d, &local->addr))
			return d;
	}
	return NULL;
}
