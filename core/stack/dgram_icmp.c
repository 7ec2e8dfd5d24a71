/*
 * What ICMP has for datagram sockets: replies to echo requests of ping sockets, copies of every
 * message for raw ones, and errors about datagrams that were sent from here.
 *
 * Which errors a program hears of is udp(7)'s: without IP_RECVERR only those that mean "this will
 * never work" (port, protocol, prohibited), and only on a connected socket, which is why an error
 * is looked up like a datagram from the peer; with IP_RECVERR all of them. "Fragmentation needed"
 * lowers what a connected socket believes of its path (RFC 1191).
 */
#include <errno.h>

#include "core/stack/state.h"
#include "core/stack/udp.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/udphdr.h"

enum { PMTU_MIN = 552 }; /* net.ipv4.route.min_pmtu: no router makes us send crumbs */

void ping_input(struct stack *s, const struct ip_meta *m, const uint8_t *data, size_t len, nsec now)
{
	struct endpoint local = {m->dst, get_be16(data + 4)};
	struct dgram_in in = {
		.from = {m->src, 0},
		.to = m->dst,
		.tos = m->tos,
		.ttl = m->ttl,
		.arrival = now,
		.data = data,
		.len = len,
	};
	struct dgram *d = m->to_multicast ? NULL : dgram_find(s, DGRAM_PING, &local, &in.from);

	if (d)
		dgram_deliver(d, &in);
}

static bool raw_wants(const struct dgram *d, const struct ip_meta *m, uint8_t type)
{
	if (d->connected && !ipaddr_equal(&d->remote.addr, &m->src))
		return false;
	if (!ipaddr_is_any(&d->local.addr) && !ipaddr_equal(&d->local.addr, &m->dst))
		return false;
	return type >= 32 || !(d->option[DGRAM_OPT_ICMP_FILTER] >> type & 1);
}

void raw_input(struct stack *s, const struct ip_meta *m, const uint8_t *packet, size_t hdr_len,
	size_t len, nsec now)
{
	struct dgram_in in = {
		.from = {m->src, 0},
		.to = m->dst,
		.tos = m->tos,
		.ttl = m->ttl,
		.arrival = now,
		.data = packet,
		.len = len,
	};

	if (m->protocol != IP_PROTO_ICMP || len <= hdr_len)
		return;
	LIST_FOR_EACH (link, &s->dgram.raw) {
		struct dgram *d = LIST_ENTRY(link, struct dgram, port_link);
		if (raw_wants(d, m, packet[hdr_len]))
			dgram_deliver(d, &in);
	}
}

static void lower_path_mtu(struct dgram *d, const struct ip_error *e)
{
	uint16_t mtu = MAX(e->mtu, (uint16_t)PMTU_MIN);

	if (d->connected && mtu < d->stack->config.mtu && (!d->pmtu || mtu < d->pmtu))
		d->pmtu = mtu;
}

static void tell(struct dgram *d, const struct ip_error *e, uint16_t port, size_t skip, nsec now)
{
	bool hard = e->hard || e->type == ICMP_TYPE_PARAMETER;
	size_t cut = MIN(skip, e->quoted_len);
	struct dgram_error report = {
		.error = e->error,
		.type = e->type,
		.code = e->code,
		.info = e->mtu,
		.offender = e->offender,
		.to = {e->remote, port},
		.arrival = now,
		.data = e->quoted + cut,
		.len = e->quoted_len - cut,
	};

	if (e->error == EMSGSIZE) {
		lower_path_mtu(d, e);
		hard = d->option[DGRAM_OPT_MTU_DISCOVER] != DGRAM_PMTU_DONT;
		if (!hard)
			return;
	}
	if (d->option[DGRAM_OPT_RECVERR] || (hard && d->connected))
		dgram_report(d, &report);
}

static bool about_udp(struct stack *s, const struct ip_error *e, nsec now)
{
	struct endpoint local = {e->local, get_be16(e->quoted)};
	struct endpoint remote = {e->remote, get_be16(e->quoted + 2)};
	struct dgram *d = dgram_find(s, DGRAM_UDP, &local, &remote);

	if (d)
		tell(d, e, remote.port, UDP_HDR_LEN, now);
	return d;
}

static bool about_icmp(struct stack *s, const struct ip_error *e, nsec now)
{
	struct endpoint local = {e->local, get_be16(e->quoted + 4)}, remote = {e->remote, 0};
	struct ip_meta answer = {.src = e->remote, .dst = e->local};
	struct dgram *d = NULL;
	bool any = false;

	if (e->quoted[0] == ICMP_TYPE_ECHO)
		d = dgram_find(s, DGRAM_PING, &local, &remote);
	if (d)
		tell(d, e, 0, 0, now);
	LIST_FOR_EACH (link, &s->dgram.raw) {
		struct dgram *raw = LIST_ENTRY(link, struct dgram, port_link);
		if (!raw_wants(raw, &answer, UINT8_MAX))
			continue;
		tell(raw, e, 0, 0, now);
		any = true;
	}
	return d || any;
}

bool dgram_icmp_error(struct stack *s, const struct ip_error *e, nsec now)
{
	if (e->quoted_len < UDP_HDR_LEN)
		return false;
	if (e->protocol == IP_PROTO_UDP)
		return about_udp(s, e, now);
	return e->protocol == IP_PROTO_ICMP && about_icmp(s, e, now);
}
