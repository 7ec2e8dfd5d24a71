/*
 * The tables: connections by four-tuple (keyed hash, so that nobody can aim at one bucket), local
 * ports, and the ephemeral ports of RFC 6056.
 *
 * A port entry exists while a socket uses the port. Whoever bound it by name is checked against all
 * others there; a port picked by connect is shared by connections to different peers, as long as
 * the four-tuple is free: that is what lets one client hold more connections than there are ports.
 */
#include "core/stack/tcp_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/tcb.h"

enum { CONN_BUCKETS_MIN = 64, PORT_BUCKETS = 1024 };

struct tcp_port {
	struct list link;
	struct list socks;
	uint16_t number;
};

/*
 * Ports go on with the clock: a stack with the secret of the one before it (equal seeds, the same
 * address) does not meet what that one's peers still remember.
 */
int tcp_table_init(struct stack *s, nsec now)
{
	struct tcp_table *tt = &s->tcp;

	list_init(&tt->due);
	list_init(&tt->events);
	list_init(&tt->all);
	list_init(&tt->dead);
	list_init(&tt->time_wait);
	list_init(&tt->spare);
	tt->port_counter = (uint32_t)(now / (100 * MSEC));
	tt->nbuckets = CONN_BUCKETS_MIN;
	tt->conn = malloc(tt->nbuckets * sizeof *tt->conn);
	tt->port = malloc(PORT_BUCKETS * sizeof *tt->port);
	if (!tt->conn || !tt->port) {
		free(tt->conn);
		free(tt->port);
		return -ENOMEM;
	}
	for (size_t i = 0; i < tt->nbuckets; i++)
		list_init(&tt->conn[i]);
	for (size_t i = 0; i < PORT_BUCKETS; i++)
		list_init(&tt->port[i]);
	return 0;
}

static size_t conn_hash(
	const struct stack *s, const struct endpoint *local, const struct endpoint *remote)
{
	uint8_t key[36];

	memcpy(key, local->addr.b, 16);
	memcpy(key + 16, remote->addr.b, 16);
	put_be16(key + 32, local->port);
	put_be16(key + 34, remote->port);
	return stack_hash(s, HASH_CONN, key, sizeof key);
}

struct tcp *tcp_table_find(
	struct stack *s, const struct endpoint *local, const struct endpoint *remote)
{
	struct list *bucket = &s->tcp.conn[conn_hash(s, local, remote) & (s->tcp.nbuckets - 1)];

	LIST_FOR_EACH (link, bucket) {
		struct tcp *t = LIST_ENTRY(link, struct tcp, conn_link);
		if (t->local.port == local->port && endpoint_equal(&t->remote, remote) &&
			ipaddr_equal(&t->local.addr, &local->addr))
			return t;
	}
	return NULL;
}

/* Doubling keeps the buckets short; failing to is only slower. */
static void conn_grow(struct stack *s)
{
	struct tcp_table *tt = &s->tcp;
	size_t n = tt->nbuckets * 2;
	struct list *bigger = malloc(n * sizeof *bigger);

	if (!bigger)
		return;
	for (size_t i = 0; i < n; i++)
		list_init(&bigger[i]);
	for (size_t i = 0; i < tt->nbuckets; i++) {
		LIST_FOR_EACH (link, &tt->conn[i]) {
			struct tcp *t = LIST_ENTRY(link, struct tcp, conn_link);
			list_remove(link);
			list_append(&bigger[conn_hash(s, &t->local, &t->remote) & (n - 1)], link);
		}
	}
	free(tt->conn);
	tt->conn = bigger;
	tt->nbuckets = n;
}

int tcp_table_insert(struct tcp *t)
{
	struct stack *s = t->stack;
	struct tcp_table *tt = &s->tcp;

	if (tcp_table_find(s, &t->local, &t->remote))
		return -EADDRINUSE;
	if (tt->nconn >= tt->nbuckets)
		conn_grow(s);
	list_append(
		&tt->conn[conn_hash(s, &t->local, &t->remote) & (tt->nbuckets - 1)], &t->conn_link);
	tt->nconn++;
	t->hashed = true;
	return 0;
}

void tcp_table_remove(struct tcp *t)
{
	if (!t->hashed)
		return;
	list_remove(&t->conn_link);
	t->stack->tcp.nconn--;
	t->hashed = false;
}

static struct list *port_bucket(struct stack *s, uint16_t number)
{
	return &s->tcp.port[number & (PORT_BUCKETS - 1)];
}

static struct tcp_port *port_find(struct stack *s, uint16_t number)
{
	LIST_FOR_EACH (link, port_bucket(s, number)) {
		struct tcp_port *p = LIST_ENTRY(link, struct tcp_port, link);
		if (p->number == number)
			return p;
	}
	return NULL;
}

static int port_attach(struct tcp *t, uint16_t number)
{
	struct tcp_port *p = port_find(t->stack, number);

	if (!p) {
		p = malloc(sizeof *p);
		if (!p)
			return -ENOMEM;
		p->number = number;
		list_init(&p->socks);
		list_append(port_bucket(t->stack, number), &p->link);
	}
	list_append(&p->socks, &t->port_link);
	t->port = p;
	t->local.port = number;
	return 0;
}

void tcp_port_release(struct tcp *t)
{
	struct tcp_port *p = t->port;

	if (!p)
		return;
	list_remove(&t->port_link);
	t->port = NULL;
	t->bound = false;
	if (list_empty(&p->socks)) {
		list_remove(&p->link);
		free(p);
	}
}

/*
 * Whether `local`, the address of t, also stands for `a`: it is the same, or unspecified: 0.0.0.0 for
 * IPv4 addresses, `::` for all, or with V6ONLY for those that are not IPv4.
 */
static bool takes(const struct tcp *t, const struct ipaddr *local, const struct ipaddr *a)
{
	if (!ipaddr_is_any(local))
		return ipaddr_equal(local, a);
	if (ipaddr_is_v4(local))
		return ipaddr_is_v4(a);
	return !ipaddr_is_v4(a) || !t->option[TCP_OPT_V6ONLY];
}

/*
 * Linux's rule (bind(2), socket(7)): overlapping addresses clash unless both said SO_REUSEADDR and
 * nobody listens, or both SO_REUSEPORT.
 */
static bool binds_clash(const struct tcp *t, const struct ipaddr *addr, const struct tcp *other)
{
	if (other->listener || (!other->owned && other->state == TCPS_CLOSED))
		return false;
	if (!takes(t, addr, &other->local.addr) && !takes(other, &other->local.addr, addr))
		return false;
	if (t->option[TCP_OPT_REUSEPORT] && other->option[TCP_OPT_REUSEPORT] &&
		other->state != TCPS_TIME_WAIT)
		return false;
	return !(t->option[TCP_OPT_REUSEADDR] && other->option[TCP_OPT_REUSEADDR] &&
		 other->state != TCPS_LISTEN);
}

static bool port_is_free(struct tcp *t, const struct ipaddr *addr, uint16_t number)
{
	struct tcp_port *p = port_find(t->stack, number);

	if (!p)
		return true;
	LIST_FOR_EACH (link, &p->socks) {
		const struct tcp *other = LIST_ENTRY(link, struct tcp, port_link);
		if (other != t && binds_clash(t, addr, other))
			return false;
	}
	return true;
}

int tcp_port_bind(struct tcp *t, const struct endpoint *local)
{
	enum { RANGE = TCP_PORT_EPHEMERAL_MAX - TCP_PORT_EPHEMERAL_MIN + 1 };

	if (local->port)
		return port_is_free(t, &local->addr, local->port) ? port_attach(t, local->port)
								  : -EADDRINUSE;
	uint32_t from = (uint32_t)(stack_random(t->stack) % RANGE);
	for (uint32_t i = 0; i < RANGE; i++) {
		uint16_t number = (uint16_t)(TCP_PORT_EPHEMERAL_MIN + (from + i) % RANGE);
		if (port_is_free(t, &local->addr, number))
			return port_attach(t, number);
	}
	return -EADDRINUSE;
}

bool tcp_port_may_listen(const struct tcp *t)
{
	LIST_FOR_EACH (link, &t->port->socks) {
		const struct tcp *other = LIST_ENTRY(link, struct tcp, port_link);
		bool overlap = takes(t, &t->local.addr, &other->local.addr) ||
			       takes(other, &other->local.addr, &t->local.addr);
		if (other != t && overlap && other->state == TCPS_LISTEN &&
			!(t->option[TCP_OPT_REUSEPORT] && other->option[TCP_OPT_REUSEPORT]))
			return false;
	}
	return true;
}

int tcp_port_inherit(struct tcp *child, const struct tcp *listener)
{
	return port_attach(child, listener->local.port);
}

/*
 * A port that somebody bound by name (or listens on) is not shared with a connect that did not ask
 * for it.
 */
static bool port_is_exclusive(struct stack *s, uint16_t number)
{
	struct tcp_port *p = port_find(s, number);

	if (!p)
		return false;
	LIST_FOR_EACH (link, &p->socks) {
		if (LIST_ENTRY(link, struct tcp, port_link)->bound)
			return true;
	}
	return false;
}

/*
 * RFC 6056 §3.3.3, hash-based: unpredictable from outside, yet the same peer sees ports in
 * sequence, so TIME-WAIT is met last.
 */
int tcp_port_pick(struct tcp *t, const struct endpoint *remote)
{
	enum { RANGE = TCP_PORT_EPHEMERAL_MAX - TCP_PORT_EPHEMERAL_MIN + 1 };
	struct stack *s = t->stack;
	uint8_t key[34];

	memcpy(key, t->local.addr.b, 16);
	memcpy(key + 16, remote->addr.b, 16);
	put_be16(key + 32, remote->port);
	uint32_t offset = (uint32_t)stack_hash(s, HASH_PORT, key, sizeof key);
	for (uint32_t i = 0; i < RANGE; i++) {
		uint16_t number = (uint16_t)(TCP_PORT_EPHEMERAL_MIN +
					     (offset + s->tcp.port_counter++) % RANGE);
		struct endpoint local = {t->local.addr, number};
		if (!port_is_exclusive(s, number) && !tcp_table_find(s, &local, remote))
			return port_attach(t, number);
	}
	return -EADDRNOTAVAIL;
}

/*
 * With several listeners (SO_REUSEPORT) the four-tuple chooses; a named address is nearer than
 * "any".
 */
struct tcp *tcp_table_find_listener(
	struct stack *s, const struct endpoint *local, const struct endpoint *remote)
{
	struct tcp_port *p = port_find(s, local->port);
	struct tcp *best = NULL;
	uint64_t best_score = 0;

	if (!p)
		return NULL;
	LIST_FOR_EACH (link, &p->socks) {
		struct tcp *l = LIST_ENTRY(link, struct tcp, port_link);
		if (l->state != TCPS_LISTEN)
			continue;
		bool any = ipaddr_is_any(&l->local.addr);
		if (!takes(l, &l->local.addr, &local->addr))
			continue;
		uint8_t key[26];
		memcpy(key, remote->addr.b, 16);
		put_be16(key + 16, remote->port);
		memcpy(key + 18, &l, sizeof l);
		uint64_t score = l->option[TCP_OPT_REUSEPORT]
					 ? stack_hash(s, HASH_CONN, key, sizeof key) >> 1
					 : 0;
		score |= any ? 0 : UINT64_C(1) << 63;
		if (!best || score > best_score) {
			best = l;
			best_score = score;
		}
	}
	return best;
}
