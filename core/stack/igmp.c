/*
 * IGMP, the host's side. A group is reported when its first member joins, again a little later in
 * case that was lost, and whenever a router asks, after a random time up to what the query allows.
 *
 *	(nothing)  first join     MEMBER    report now, and once more within the interval
 *	MEMBER     query          MEMBER    report at a random time, unless one is due sooner
 *	MEMBER     last leave     LEAVING   version 3: the leave goes twice; version 2: once; 1: never
 *	LEAVING    join           MEMBER
 *	LEAVING    told           (nothing)
 *
 * Version 3 is spoken until an older querier is heard (RFC 3376 §7.2). In versions 1 and 2 another
 * host's report of the group makes ours unnecessary (RFC 2236 §3); in version 3 it does not.
 *
 * Departures: one report per group instead of one for all; no source filters, so a query with
 * sources is answered as one without. 224.0.0.1 is never reported (RFC 3376 §5).
 */
#include "core/stack/igmp.h"

#include <errno.h>
#include <stdlib.h>

#include "core/stack/state.h"
#include "core/wire/igmp.h"
#include "core/wire/ipv4.h"

enum { TOS_INTERNETWORK_CONTROL = 0xc0 }; /* RFC 3376 §4 */

struct group {
	struct list link;
	struct stack *stack;
	struct ipaddr addr;
	unsigned members; /* 0: LEAVING */
	unsigned changes; /* reports of the last change still to be sent */
	struct timer timer;
};

static const struct ipaddr all_systems = {{[10] = 0xff, 0xff, 224, 0, 0, 1}};
static const struct ipaddr all_routers = {{[10] = 0xff, 0xff, 224, 0, 0, 2}};
static const struct ipaddr v3_routers = {{[10] = 0xff, 0xff, 224, 0, 0, 22}};

void igmp_init(struct stack *s)
{
	list_init(&s->igmp.groups);
}

static void group_free(struct group *g)
{
	timer_cancel(&g->stack->timers, &g->timer);
	list_remove(&g->link);
	free(g);
}

void igmp_flush(struct stack *s)
{
	LIST_FOR_EACH (link, &s->igmp.groups)
		group_free(LIST_ENTRY(link, struct group, link));
}

static unsigned version(const struct stack *s, nsec now)
{
	return now < s->igmp.v1_until ? 1 : now < s->igmp.v2_until ? 2 : 3;
}

static void send_message(
	struct stack *s, const struct ipaddr *to, const uint8_t *data, size_t len, nsec now)
{
	struct ip_meta m = {
		.src = s->address.addr,
		.dst = *to,
		.protocol = IP_PROTO_IGMP,
		.tos = TOS_INTERNETWORK_CONTROL,
		.ttl = 1,
		.df = true,
		.router_alert = true,
	};
	struct tx_frame f;

	tx_frame_init(&f);
	f.payload[0] = (struct iovec){(void *)(uintptr_t)data, len};
	f.npayload = 1;
	COUNT(s, IgmpOutReports);
	ip_output(s, &f, &m, now);
}

static void send_report(const struct group *g, nsec now)
{
	uint8_t v3[IGMP_V3_REPORT_LEN], old[IGMP_LEN];
	unsigned v = version(g->stack, now);

	if (v == 3) {
		igmp_emit_v3(v3,
			g->members == 0 ? IGMP_TO_INCLUDE
			: g->changes    ? IGMP_TO_EXCLUDE
					: IGMP_IS_EXCLUDE,
			&g->addr);
		send_message(g->stack, &v3_routers, v3, sizeof v3, now);
	} else if (g->members > 0) {
		igmp_emit(old, v == 2 ? IGMP_V2_REPORT : IGMP_V1_REPORT, &g->addr);
		send_message(g->stack, &g->addr, old, sizeof old, now);
	} else if (v == 2) {
		igmp_emit(old, IGMP_V2_LEAVE, &g->addr);
		send_message(g->stack, &all_routers, old, sizeof old, now);
	}
}

static nsec random_within(struct stack *s, nsec most)
{
	return most > 0 ? (nsec)(stack_random(s) % (uint64_t)most) : 0;
}

static void fire(struct timer *t, nsec now)
{
	struct group *g = CONTAINER_OF(t, struct group, timer);
	struct stack *s = g->stack;
	nsec interval = version(s, now) == 3 ? IGMP_V3_INTERVAL : IGMP_V2_INTERVAL;

	/* Before the address is ours nothing is sent, and nothing forgotten. */
	if (s->acd.state != ADDRESS_READY) {
		timer_arm(&s->timers, t, now + IGMP_V3_INTERVAL);
		return;
	}
	send_report(g, now);
	if (g->changes > 0)
		g->changes--;
	if (g->members == 0 && version(s, now) < 3)
		g->changes = 0;
	if (g->changes > 0)
		timer_arm(&s->timers, t, now + random_within(s, interval));
	else if (g->members == 0)
		group_free(g);
}

static struct group *find(const struct stack *s, const struct ipaddr *addr)
{
	LIST_FOR_EACH (link, &s->igmp.groups) {
		struct group *g = LIST_ENTRY(link, struct group, link);
		if (ipaddr_equal(&g->addr, addr))
			return g;
	}
	return NULL;
}

bool igmp_is_member(const struct stack *s, const struct ipaddr *addr)
{
	const struct group *g = find(s, addr);

	return (g && g->members > 0) || ipaddr_equal(addr, &all_systems);
}

/* What changed is told at the next poll, and again. */
static void changed(struct group *g, nsec now)
{
	g->changes = IGMP_ROBUSTNESS;
	timer_arm(&g->stack->timers, &g->timer, now);
}

int igmp_join(struct stack *s, const struct ipaddr *addr, nsec now)
{
	struct group *g;

	if (ipaddr_equal(addr, &all_systems))
		return 0;
	g = find(s, addr);
	if (!g) {
		g = calloc(1, sizeof *g);
		if (!g)
			return -ENOMEM;
		g->stack = s;
		g->addr = *addr;
		timer_init(&g->timer, fire);
		list_append(&s->igmp.groups, &g->link);
	}
	if (g->members++ == 0)
		changed(g, now);
	return 0;
}

void igmp_leave(struct stack *s, const struct ipaddr *addr, nsec now)
{
	struct group *g = find(s, addr);

	if (g && g->members > 0 && --g->members == 0)
		changed(g, now);
}

static void query_input(struct stack *s, const struct igmp_msg *q, nsec now)
{
	COUNT(s, IgmpInQueries);
	if (q->version == 1)
		s->igmp.v1_until = now + IGMP_OLDER_QUERIER;
	else if (q->version == 2)
		s->igmp.v2_until = now + IGMP_OLDER_QUERIER;
	LIST_FOR_EACH (link, &s->igmp.groups) {
		struct group *g = LIST_ENTRY(link, struct group, link);
		nsec at = now + random_within(s, q->max_response);
		bool meant = ipaddr_is_any(&q->group) || ipaddr_equal(&q->group, &g->addr);
		if (meant && g->members > 0 && !(g->timer.armed && g->timer.deadline <= at))
			timer_arm(&s->timers, &g->timer, at);
	}
}

void igmp_input(struct stack *s, const uint8_t *data, size_t len, nsec now)
{
	struct igmp_msg m;

	if (!igmp_parse(&m, data, len)) {
		COUNT(s, IgmpInErrors);
		return;
	}
	if (m.type == IGMP_QUERY) {
		query_input(s, &m, now);
		return;
	}
	struct group *g = find(s, &m.group);
	if (g && g->members > 0 && g->changes == 0 && version(s, now) < 3)
		timer_cancel(&s->timers, &g->timer);
}
