/*
 * Datagram sockets: the calls that are about the socket and not about a datagram.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/stack/state.h"

static const struct {
	int64_t initial, min, max;
} limits[DGRAM_OPT_COUNT] = {
	[DGRAM_OPT_REUSEADDR] = {0, 0, 1},
	[DGRAM_OPT_REUSEPORT] = {0, 0, 1},
	[DGRAM_OPT_BROADCAST] = {0, 0, 1},
	[DGRAM_OPT_RCVBUF] = {DGRAM_RCVBUF_DEFAULT, DGRAM_RCVBUF_MIN, 1 << 30},
	[DGRAM_OPT_NO_CHECK] = {0, 0, 1},
	[DGRAM_OPT_TOS] = {0, 0, 255},
	[DGRAM_OPT_TTL] = {IP_TTL_DEFAULT, 1, 255},
	[DGRAM_OPT_MTU_DISCOVER] = {DGRAM_PMTU_WANT, DGRAM_PMTU_DONT, DGRAM_PMTU_PROBE},
	[DGRAM_OPT_RECVERR] = {0, 0, 1},
	[DGRAM_OPT_MULTICAST_TTL] = {1, 0, 255},
	[DGRAM_OPT_MULTICAST_LOOP] = {1, 0, 1},
	[DGRAM_OPT_MULTICAST_ALL] = {1, 0, 1},
	[DGRAM_OPT_ICMP_FILTER] = {0, 0, UINT32_MAX},
};

void dgram_init(struct stack *s)
{
	struct dgram_table *t = &s->dgram;

	for (unsigned i = 0; i < DGRAM_BUCKETS; i++)
		list_init(&t->bucket[i]);
	list_init(&t->raw);
	list_init(&t->all);
	list_init(&t->events);
}

static void dgram_free(struct dgram *d)
{
	dgram_queue_flush(d);
	list_remove(&d->port_link);
	list_remove(&d->event_link);
	list_remove(&d->all_link);
	d->stack->dgram.nsocks--;
	free(d);
}

void dgram_flush(struct stack *s)
{
	LIST_FOR_EACH (link, &s->dgram.all)
		dgram_free(LIST_ENTRY(link, struct dgram, all_link));
}

struct dgram *dgram_new(struct stack *s, enum dgram_kind kind, void *user)
{
	if (s->config.max_socks && s->dgram.nsocks >= s->config.max_socks)
		return NULL;
	struct dgram *d = calloc(1, sizeof *d);
	if (!d)
		return NULL;
	d->stack = s;
	d->user = user;
	d->kind = (uint8_t)kind;
	d->serial = s->dgram.serial++;
	for (unsigned o = 0; o < DGRAM_OPT_COUNT; o++)
		d->option[o] = limits[o].initial;
	list_init(&d->event_link);
	list_init(&d->port_link);
	list_init(&d->queue);
	list_init(&d->errors);
	list_append(&s->dgram.all, &d->all_link);
	if (kind == DGRAM_RAW)
		list_append(&s->dgram.raw, &d->port_link);
	s->dgram.nsocks++;
	return d;
}

void *dgram_user(const struct dgram *d)
{
	return d->user;
}

void dgram_close(struct dgram *d, nsec now)
{
	while (d->ngroups > 0)
		dgram_leave(d, &d->group[0], now);
	dgram_free(d);
}

void dgram_event(struct dgram *d, enum dgram_event event)
{
	d->events |= (uint8_t)event;
	if (list_empty(&d->event_link))
		list_append(&d->stack->dgram.events, &d->event_link);
}

struct dgram *dgram_next_event(struct stack *s, unsigned *events)
{
	struct list *first = list_first(&s->dgram.events);

	if (!first)
		return NULL;
	struct dgram *d = LIST_ENTRY(first, struct dgram, event_link);
	list_remove(first);
	*events = d->events;
	d->events = 0;
	return d;
}

int dgram_bind(struct dgram *d, const struct endpoint *local)
{
	const struct stack *s = d->stack;
	bool group = ip_is_group(s, &local->addr);

	if (d->bound)
		return -EINVAL;
	if (!ipaddr_is_any(&local->addr) && !ipaddr_is_loopback(&local->addr) &&
		!ipaddr_equal(&local->addr, &s->address.addr) && (!group || d->kind == DGRAM_PING))
		return -EADDRNOTAVAIL;
	int err = dgram_port_bind(d, local);
	if (err)
		return err;
	d->named_port = local->port != 0;
	d->named_addr = !ipaddr_is_any(&local->addr);
	return 0;
}

int dgram_connect(struct dgram *d, const struct endpoint *remote)
{
	struct ipaddr source;
	int err = ip_route_check(d->stack, &remote->addr, &source);

	if (err)
		return err;
	if (!ipaddr_is_multicast(&remote->addr) && ip_is_group(d->stack, &remote->addr) &&
		!d->option[DGRAM_OPT_BROADCAST])
		return -EACCES;
	if (!d->bound && dgram_port_bind(d, &(struct endpoint){d->local.addr, 0}) < 0)
		return -EAGAIN;
	if (!d->named_addr)
		d->local.addr = source;
	d->remote = *remote;
	if (d->kind != DGRAM_UDP)
		d->remote.port = 0;
	d->connected = true;
	d->pmtu = 0;
	return 0;
}

void dgram_disconnect(struct dgram *d)
{
	d->connected = false;
	d->remote = (struct endpoint){0};
	d->pending = 0;
	d->pmtu = 0;
	if (!d->named_addr)
		d->local.addr = (struct ipaddr){0};
	if (!d->named_port)
		dgram_port_release(d);
}

const struct endpoint *dgram_local(const struct dgram *d)
{
	return &d->local;
}

const struct endpoint *dgram_remote(const struct dgram *d)
{
	return &d->remote;
}

bool dgram_is_connected(const struct dgram *d)
{
	return d->connected;
}

int dgram_set_option(struct dgram *d, enum dgram_option option, int64_t value)
{
	if ((unsigned)option >= DGRAM_OPT_COUNT || value < limits[option].min ||
		value > limits[option].max)
		return -EINVAL;
	d->option[option] = value;
	/* Linux throws the queue away with the option. */
	while (option == DGRAM_OPT_RECVERR && !value && d->nerrors > 0)
		dgram_pop_error(d);
	return 0;
}

int64_t dgram_get_option(const struct dgram *d, enum dgram_option option)
{
	return d->option[option];
}

int dgram_path_mtu(const struct dgram *d)
{
	if (!d->connected)
		return -ENOTCONN;
	return d->pmtu ? d->pmtu : d->stack->config.mtu;
}

int dgram_join(struct dgram *d, const struct ipaddr *group, nsec now)
{
	if (!ipaddr_is_v4(group) || !ipaddr_is_multicast(group))
		return -EINVAL;
	if (dgram_is_member(d, group))
		return -EADDRINUSE;
	if (d->ngroups == DGRAM_GROUPS_MAX)
		return -ENOBUFS;
	int err = igmp_join(d->stack, group, now);
	if (!err)
		d->group[d->ngroups++] = *group;
	return err;
}

int dgram_leave(struct dgram *d, const struct ipaddr *group, nsec now)
{
	for (unsigned i = 0; i < d->ngroups; i++) {
		struct ipaddr left = d->group[i];
		if (!ipaddr_equal(&left, group))
			continue;
		d->group[i] = d->group[--d->ngroups];
		igmp_leave(d->stack, &left, now);
		return 0;
	}
	return -EADDRNOTAVAIL;
}
