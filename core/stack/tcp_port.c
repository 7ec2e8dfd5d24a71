/*
 * Local ports: bind's rules as on Linux, the ephemeral ports of RFC 6056, and which listener gets a
 * SYN.
 *
 * A port's entry exists while a socket uses the port. It has two lists: those who asked for the port
 * (bind, or listen) and everybody else (accepted connections, and connects that were given it). The
 * first is short; the second may have a hundred thousand in it, most of them in TIME-WAIT, and only
 * a bind walks it.
 *
 * A connect is given a port that nobody has, as long as there is one (`taken`); then it shares one
 * with connections to other peers, as long as the four-tuple is free: that is what lets one client
 * hold more connections than there are ports.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/tcb.h"

enum {
	PORT_BUCKETS = 1024,
	WORD = 64, /* ports per word of `taken` */
	EPHEMERAL = TCP_PORT_EPHEMERAL_MAX - TCP_PORT_EPHEMERAL_MIN + 1,
};

struct tcp_port {
	struct list link;
	struct list named, given;
	uint16_t number;
};

/*
 * Ports go on with the clock: a stack with the secret of the one before it (equal seeds, the same
 * address) does not meet what that one's peers still remember.
 */
int tcp_ports_init(struct stack *s, nsec now)
{
	struct tcp_table *tt = &s->tcp;

	tt->port_counter = (uint32_t)(now / (100 * MSEC));
	tt->port = malloc(PORT_BUCKETS * sizeof *tt->port);
	if (!tt->port)
		return -ENOMEM;
	for (size_t i = 0; i < PORT_BUCKETS; i++)
		list_init(&tt->port[i]);
	return 0;
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

static struct tcp_port *port_make(struct stack *s, uint16_t number)
{
	struct tcp_port *p = malloc(sizeof *p);

	if (!p)
		return NULL;
	p->number = number;
	list_init(&p->named);
	list_init(&p->given);
	list_append(port_bucket(s, number), &p->link);
	s->tcp.taken[number / WORD] |= UINT64_C(1) << number % WORD;
	return p;
}

static int port_attach(struct tcp *t, uint16_t number, bool named)
{
	struct tcp_port *p = port_find(t->stack, number);

	if (!p)
		p = port_make(t->stack, number);
	if (!p)
		return -ENOMEM;
	list_append(named ? &p->named : &p->given, &t->port_link);
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
	if (!list_empty(&p->named) || !list_empty(&p->given))
		return;
	t->stack->tcp.taken[p->number / WORD] &= ~(UINT64_C(1) << p->number % WORD);
	list_remove(&p->link);
	free(p);
}

/* The first ephemeral port from the `offset`th on, around, that nobody has; 0: there is none. */
static uint16_t next_unused(const struct stack *s, uint32_t offset)
{
	uint32_t first = TCP_PORT_EPHEMERAL_MIN + offset % EPHEMERAL;

	for (uint32_t n = first, looked = 0; looked < EPHEMERAL;) {
		uint32_t in_word = MIN(WORD - n % WORD, TCP_PORT_EPHEMERAL_MAX + 1 - n);
		uint64_t unused = ~s->tcp.taken[n / WORD] >> n % WORD;
		unsigned skip = unused ? (unsigned)__builtin_ctzll(unused) : WORD;

		if (skip < in_word)
			return (uint16_t)(n + skip);
		looked += in_word;
		n += in_word;
		if (n > TCP_PORT_EPHEMERAL_MAX)
			n = TCP_PORT_EPHEMERAL_MIN;
	}
	return 0;
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

static bool none_clashes(const struct tcp *t, const struct ipaddr *addr, const struct list *socks)
{
	LIST_FOR_EACH (link, socks) {
		const struct tcp *other = LIST_ENTRY(link, struct tcp, port_link);
		if (other != t && binds_clash(t, addr, other))
			return false;
	}
	return true;
}

static bool port_is_free(struct tcp *t, const struct ipaddr *addr, uint16_t number)
{
	struct tcp_port *p = port_find(t->stack, number);

	return !p || (none_clashes(t, addr, &p->named) && none_clashes(t, addr, &p->given));
}

/* One that nobody has; else one that may be shared. 0: there is neither. */
static uint16_t pick_to_bind(struct tcp *t, const struct ipaddr *addr)
{
	uint32_t from = (uint32_t)(stack_random(t->stack) % EPHEMERAL);
	uint16_t number = next_unused(t->stack, from);

	for (uint32_t i = 0; number == 0 && i < EPHEMERAL; i++) {
		uint16_t next = (uint16_t)(TCP_PORT_EPHEMERAL_MIN + (from + i) % EPHEMERAL);
		if (port_is_free(t, addr, next))
			number = next;
	}
	return number;
}

int tcp_port_bind(struct tcp *t, const struct endpoint *local)
{
	uint16_t number = local->port;

	if (number == 0)
		number = pick_to_bind(t, &local->addr);
	else if (!port_is_free(t, &local->addr, number))
		number = 0;
	return number ? port_attach(t, number, true) : -EADDRINUSE;
}

bool tcp_port_may_listen(const struct tcp *t)
{
	LIST_FOR_EACH (link, &t->port->named) {
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
	return port_attach(child, listener->local.port, false);
}

/*
 * RFC 6056 §3.3.3, hash-based: unpredictable from outside, yet the same peer sees ports in
 * sequence, so TIME-WAIT is met last. A port that somebody named is not shared.
 */
int tcp_port_pick(struct tcp *t, const struct endpoint *remote)
{
	struct stack *s = t->stack;
	uint8_t key[34];

	memcpy(key, t->local.addr.b, 16);
	memcpy(key + 16, remote->addr.b, 16);
	put_be16(key + 32, remote->port);
	uint32_t from = (uint32_t)stack_hash(s, HASH_PORT, key, sizeof key) + s->tcp.port_counter++;
	uint16_t unused = next_unused(s, from);
	if (unused)
		return port_attach(t, unused, false);
	for (uint32_t i = 0; i < EPHEMERAL; i++) {
		uint16_t number = (uint16_t)(TCP_PORT_EPHEMERAL_MIN + (from + i) % EPHEMERAL);
		struct endpoint local = {t->local.addr, number};
		if (list_empty(&port_find(s, number)->named) && !tcp_table_find(s, &local, remote))
			return port_attach(t, number, false);
	}
	return -EADDRNOTAVAIL;
}

/*
 * With several listeners (SO_REUSEPORT) the four-tuple chooses; a named address is nearer than
 * "any".
 */
struct tcp *tcp_port_listener(
	struct stack *s, const struct endpoint *local, const struct endpoint *remote)
{
	struct tcp_port *p = port_find(s, local->port);
	struct tcp *best = NULL;
	uint64_t best_score = 0;

	if (!p)
		return NULL;
	LIST_FOR_EACH (link, &p->named) {
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
