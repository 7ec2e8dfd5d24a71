/*
 * The way down of a datagram. Checksums are complete when it leaves here, since what is too long for
 * the path leaves as fragments and no link could complete them.
 *
 * A neighbour that does not answer is no error of the call, as on Linux: it comes back as an ICMP
 * error that we send to ourselves (icmp_neighbour_failed).
 */
#include <errno.h>
#include <string.h>

#include "core/stack/state.h"
#include "core/wire/checksum.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/udphdr.h"

/* A datagram on its way: where to, how, and in what. */
struct sending {
	struct endpoint to;
	struct ip_meta meta;
	struct tx_frame frame;
	size_t len; /* of the data */
};

static int destination(const struct dgram *d, const struct dgram_out *out, struct endpoint *to)
{
	if (!out->to && !d->connected)
		return -EDESTADDRREQ;
	*to = out->to ? *out->to : d->remote;
	if (d->kind == DGRAM_UDP && to->port == 0)
		return -EINVAL;
	bool broadcast = !ipaddr_is_multicast(&to->addr) && ip_is_group(d->stack, &to->addr);
	return broadcast && !d->option[DGRAM_OPT_BROADCAST] ? -EACCES : 0;
}

static uint8_t time_to_live(const struct dgram *d, const struct dgram_out *out, bool multicast)
{
	if (out->ttl > 0)
		return (uint8_t)out->ttl;
	return (uint8_t)d->option[multicast ? DGRAM_OPT_MULTICAST_TTL : DGRAM_OPT_TTL];
}

/* Source, groups, TTL, TOS: 0 or -ENETUNREACH. */
static int prepare(const struct dgram *d, const struct dgram_out *out, struct sending *x)
{
	const struct stack *s = d->stack;
	bool multicast = ipaddr_is_multicast(&x->to.addr);
	struct ip_meta *m = &x->meta;

	m->dst = x->to.addr;
	m->protocol = d->kind == DGRAM_UDP ? IP_PROTO_UDP : IP_PROTO_ICMP;
	m->tos = (uint8_t)(out->tos >= 0 ? out->tos : d->option[DGRAM_OPT_TOS]);
	m->ttl = time_to_live(d, out, multicast);
	if (multicast)
		m->loop_back = d->option[DGRAM_OPT_MULTICAST_LOOP] &&
			       igmp_is_member(s, &x->to.addr);
	else
		m->loop_back = ip_is_group(s, &x->to.addr);
	return ip_route_check(s, &x->to.addr, &m->src);
}

/* Whether DF is set; false: the packet, `len` bytes long, must not leave. */
static bool decide_df(struct dgram *d, struct sending *x, size_t len)
{
	bool to_self = ipaddr_equal(&x->to.addr, &d->stack->address.addr);
	bool to_peer = d->connected && ipaddr_equal(&x->to.addr, &d->remote.addr);
	size_t link = to_self ? UINT16_MAX : d->stack->config.mtu;
	size_t path = to_peer && d->pmtu ? d->pmtu : link;

	switch ((enum dgram_pmtu)d->option[DGRAM_OPT_MTU_DISCOVER]) {
	case DGRAM_PMTU_DONT:
		return true;
	case DGRAM_PMTU_WANT:
		x->meta.df = len <= path;
		return true;
	case DGRAM_PMTU_DO:
		x->meta.df = true;
		return len <= path;
	case DGRAM_PMTU_PROBE:
		x->meta.df = true;
		return len <= link;
	}
	return true;
}

/* -EMSGSIZE, and with IP_RECVERR what the limit is (ip(7)). */
static int too_long(struct dgram *d, const struct sending *x, nsec now)
{
	struct dgram_error e = {
		.error = EMSGSIZE,
		.local = true,
		.info = d->pmtu ? d->pmtu : d->stack->config.mtu,
		.to = x->to,
		.arrival = now,
	};

	if (d->option[DGRAM_OPT_RECVERR]) {
		dgram_report(d, &e);
		dgram_take_error(d); /* this call tells it */
	}
	return -EMSGSIZE;
}

static csum_acc sum_data(csum_acc acc, const struct tx_frame *f)
{
	uint8_t seam[2];
	const struct iovec *a = &f->payload[0], *b = &f->payload[1];

	if (f->npayload == 0)
		return acc;
	if (f->npayload == 1 || a->iov_len % 2 == 0) {
		acc = csum_add(acc, a->iov_base, a->iov_len);
		return f->npayload > 1 ? csum_add(acc, b->iov_base, b->iov_len) : acc;
	}
	/* Only the last piece of a sum may be odd: the word across the seam goes by itself. */
	seam[0] = ((const uint8_t *)a->iov_base)[a->iov_len - 1];
	seam[1] = *(const uint8_t *)b->iov_base;
	acc = csum_add(acc, a->iov_base, a->iov_len - 1);
	acc = csum_add(acc, seam, sizeof seam);
	return csum_add(acc, (const uint8_t *)b->iov_base + 1, b->iov_len - 1);
}

/* A datagram in one piece is summed up by the link, or by the NIC; fragments' sum is ours. */
static bool is_summed_by_link(const struct dgram *d, const struct sending *x)
{
	return IPV4_HDR_LEN + UDP_HDR_LEN + x->len <= d->stack->config.mtu;
}

static int build_udp(struct dgram *d, struct sending *x)
{
	struct udp_hdr h = {
		.src_port = d->local.port,
		.dst_port = x->to.port,
		.len = (uint16_t)(UDP_HDR_LEN + x->len),
	};
	uint8_t *head = tx_frame_push(&x->frame, UDP_HDR_LEN);

	udp_hdr_emit(head, &h);
	if (d->option[DGRAM_OPT_NO_CHECK])
		return 0;
	csum_acc acc = csum_pseudo(&x->meta.src, &x->meta.dst, IP_PROTO_UDP, h.len);
	if (is_summed_by_link(d, x)) {
		x->frame.l4_from_end = UDP_HDR_LEN;
		x->frame.csum_offset = UDP_CSUM_OFFSET;
		x->frame.csum = FRAME_CSUM_PARTIAL;
		h.csum = csum_fold(acc);
	} else {
		uint16_t sum = csum_finish(sum_data(csum_add(acc, head, UDP_HDR_LEN), &x->frame));
		h.csum = sum ? sum : 0xffff; /* RFC 768: zero means none */
	}
	udp_hdr_emit(head, &h);
	return 0;
}

static bool take_front(struct tx_frame *f, uint8_t *out, size_t n)
{
	for (size_t done = 0; done < n;) {
		struct iovec *p = &f->payload[0];
		if (f->npayload == 0)
			return false;
		size_t k = MIN(n - done, p->iov_len);
		memcpy(out + done, p->iov_base, k);
		p->iov_base = (uint8_t *)p->iov_base + k;
		p->iov_len -= k;
		done += k;
		if (p->iov_len == 0) {
			f->payload[0] = f->payload[1];
			f->npayload--;
		}
	}
	return true;
}

/* An echo request with the socket's identifier, whatever the program wrote there. */
static int build_ping(struct dgram *d, struct sending *x)
{
	uint8_t head[ICMP_HDR_LEN];

	if (!take_front(&x->frame, head, sizeof head) || head[0] != ICMP_TYPE_ECHO || head[1] != 0)
		return -EINVAL;
	put_be16(head + 2, 0);
	put_be16(head + 4, d->local.port);
	put_be16(head + 2, csum_finish(sum_data(csum_add(0, head, sizeof head), &x->frame)));
	memcpy(tx_frame_push(&x->frame, sizeof head), head, sizeof head);
	return 0;
}

static int build(struct dgram *d, struct sending *x)
{
	switch ((enum dgram_kind)d->kind) {
	case DGRAM_UDP:
		return build_udp(d, x);
	case DGRAM_PING:
		return build_ping(d, x);
	case DGRAM_RAW:
		break;
	}
	return 0;
}

/* The link's and the neighbour's mishaps are not the program's, except a full link. */
static int emit(struct dgram *d, struct sending *x, nsec now)
{
	int err = ip_output(d->stack, &x->frame, &x->meta, now);

	if (err && err != -EHOSTUNREACH)
		return err;
	if (d->kind == DGRAM_UDP)
		COUNT(d->stack, UdpOutDatagrams);
	return 0;
}

int dgram_send(struct dgram *d, const struct dgram_out *out, nsec now)
{
	size_t head = d->kind == DGRAM_UDP ? UDP_HDR_LEN : 0;
	struct sending x = {.len = 0};
	int err = -dgram_take_error(d);

	if (!err)
		err = destination(d, out, &x.to);
	if (!err)
		err = prepare(d, out, &x);
	if (err)
		return err;
	tx_frame_init(&x.frame);
	for (int i = 0; i < out->npieces; i++) {
		if (out->data[i].iov_len > 0)
			x.frame.payload[x.frame.npayload++] = out->data[i];
		x.len += out->data[i].iov_len;
	}
	if (x.len + head > UDP_DATA_MAX + UDP_HDR_LEN)
		return -EMSGSIZE;
	if (!decide_df(d, &x, IPV4_HDR_LEN + head + x.len))
		return too_long(d, &x, now);
	if (!d->bound && dgram_port_bind(d, &(struct endpoint){d->local.addr, 0}) < 0)
		return -ENOBUFS; /* no port left; Linux's EAGAIN would be taken for a full link */
	err = build(d, &x);
	return err ? err : emit(d, &x, now);
}
