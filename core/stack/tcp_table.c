/*
 * Connections by four-tuple: a keyed hash, so that nobody can aim at one bucket.
 */
#include "core/stack/tcp_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/tcb.h"

enum { CONN_BUCKETS_MIN = 64 };

int tcp_table_init(struct stack *s, nsec now)
{
	struct tcp_table *tt = &s->tcp;

	list_init(&tt->due);
	list_init(&tt->events);
	list_init(&tt->all);
	list_init(&tt->dead);
	list_init(&tt->time_wait);
	list_init(&tt->spare);
	tt->nbuckets = CONN_BUCKETS_MIN;
	tt->conn = malloc(tt->nbuckets * sizeof *tt->conn);
	if (!tt->conn || tcp_ports_init(s, now)) {
		free(tt->conn);
		return -ENOMEM;
	}
	for (size_t i = 0; i < tt->nbuckets; i++)
		list_init(&tt->conn[i]);
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
