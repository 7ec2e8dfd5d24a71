/*
 * ICMP for IPv4 (RFC 792, RFC 1122 §3.2.2, RFC 1812 §4.3.2).
 *
 * In: an echo request to our own address is answered. An error is believed only as far as its quote
 * goes: an IPv4 header with our address as its source and at least 8 bytes behind it; the transport
 * checks those against its connection (RFC 5927 §4), and an error about nothing of ours ends here.
 * Redirects are not followed (there is one gateway, and RFC 1122 §3.3.1.2's cache is how traffic
 * gets stolen); source quench is dead (RFC 6633).
 *
 * What comes in is also for the echo sockets of programs: replies and errors about their requests
 * (dgram_icmp.c).
 *
 * Out: never about an ICMP error, a group, a later fragment, or a source that is not one host
 * (§3.2.2), and at most 1 per ICMP_ERROR_INTERVAL after a burst. An error quotes as much as fits
 * 576 bytes (RFC 1812 §4.3.2.3).
 */
#include "core/stack/icmp.h"

#include <errno.h>
#include <string.h>

#include "core/stack/state.h"
#include "core/stack/udp.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"

enum {
	ERROR_PACKET_MAX = 576,
	QUOTED_L4_MIN = 8,
	TOS_INTERNETWORK_CONTROL = 0xc0, /* RFC 1812 §4.3.2.5 */
};

struct error_meaning {
	uint8_t error; /* errno */
	bool hard;
};

/* By the code of destination unreachable: what Linux's connect() reports for each. */
static const struct error_meaning unreachable[] = {
	[ICMP_CODE_NET] = {ENETUNREACH, false},
	[ICMP_CODE_HOST] = {EHOSTUNREACH, false},
	[ICMP_CODE_PROTOCOL] = {ENOPROTOOPT, true},
	[ICMP_CODE_PORT] = {ECONNREFUSED, true},
	[ICMP_CODE_FRAG_NEEDED] = {EMSGSIZE, false},
	[5] = {EOPNOTSUPP, false},    /* source route failed */
	[6] = {ENETUNREACH, true},    /* network unknown */
	[7] = {EHOSTDOWN, true},      /* host unknown */
	[8] = {ENONET, true},         /* source host isolated */
	[9] = {ENETUNREACH, true},    /* network prohibited */
	[10] = {EHOSTUNREACH, true},  /* host prohibited */
	[11] = {ENETUNREACH, false},  /* network unreachable for this TOS */
	[12] = {EHOSTUNREACH, false}, /* host unreachable for this TOS */
	[13] = {EHOSTUNREACH, true},  /* filtered */
	[14] = {EHOSTUNREACH, true},  /* precedence violation */
	[15] = {EHOSTUNREACH, true},  /* precedence cutoff */
};

static void send_message(
	struct stack *s, const struct ipaddr *to, uint8_t tos, const struct icmp_msg *msg, nsec now)
{
	struct ip_meta m = {
		.src = s->address.addr, .dst = *to, .protocol = IP_PROTO_ICMP, .tos = tos};
	struct tx_frame f;

	tx_frame_init(&f);
	icmp_emit(tx_frame_push(&f, ICMP_HDR_LEN), msg);
	f.payload[0] = (struct iovec){(void *)(uintptr_t)msg->body, msg->body_len};
	f.npayload = msg->body_len > 0;
	ip_output(s, &f, &m, now);
}

static void echo_input(
	struct stack *s, const struct ip_meta *m, const struct icmp_msg *request, nsec now)
{
	struct icmp_msg reply = *request;

	COUNT(s, IcmpInEchos);
	if (m->to_multicast) /* RFC 1122 §3.2.2.6 allows silence: a group's answers are an attack */
		return;
	reply.type = ICMP_TYPE_ECHO_REPLY;
	reply.code = 0;
	COUNT(s, IcmpOutEchoReps);
	send_message(s, &m->src, m->tos, &reply, now);
}

/* False for what says nothing about a connection. */
static bool find_meaning(const struct icmp_msg *msg, struct error_meaning *out)
{
	switch (msg->type) {
	case ICMP_TYPE_UNREACHABLE:
		if (msg->code >= ARRAY_LEN(unreachable))
			return false;
		*out = unreachable[msg->code];
		return true;
	case ICMP_TYPE_TIME_EXCEEDED:
		*out = (struct error_meaning){EHOSTUNREACH, false};
		return true;
	default:
		*out = (struct error_meaning){EPROTO, false};
		return true;
	}
}

static void error_input(
	struct stack *s, const struct ip_meta *m, const struct icmp_msg *msg, nsec now)
{
	struct error_meaning meaning;
	struct ipv4_hdr quoted;

	if (msg->type == ICMP_TYPE_UNREACHABLE)
		COUNT(s, IcmpInDestUnreachs);
	if (m->to_multicast || !find_meaning(msg, &meaning) ||
		!ipv4_parse_quoted(&quoted, msg->body, msg->body_len) ||
		msg->body_len < (size_t)quoted.hdr_len + QUOTED_L4_MIN || quoted.frag_offset > 0 ||
		!ipaddr_equal(&quoted.src, &s->address.addr)) {
		COUNT(s, IcmpInErrors);
		return;
	}
	struct ip_error e = {
		.local = quoted.src,
		.remote = quoted.dst,
		.protocol = quoted.protocol,
		.quoted = msg->body + quoted.hdr_len,
		.quoted_len = msg->body_len - quoted.hdr_len,
		.error = meaning.error,
		.hard = meaning.hard,
		.mtu = meaning.error == EMSGSIZE ? (uint16_t)msg->rest : 0,
		.type = msg->type,
		.code = msg->code,
		.offender = m->src,
	};
	if (quoted.protocol == IP_PROTO_TCP)
		tcp_icmp_error(s, &e, now);
	else if (!dgram_icmp_error(s, &e, now))
		COUNT(s, IcmpInErrors);
}

void icmp_input(struct stack *s, const struct ip_meta *m, const uint8_t *data, size_t len, nsec now)
{
	struct icmp_msg msg;

	COUNT(s, IcmpInMsgs);
	if (!icmp_parse(&msg, data, len)) {
		COUNT(s, IcmpInErrors);
		return;
	}
	switch (msg.type) {
	case ICMP_TYPE_ECHO:
		echo_input(s, m, &msg, now);
		break;
	case ICMP_TYPE_ECHO_REPLY:
		COUNT(s, IcmpInEchoReps);
		ping_input(s, m, data, len, now);
		break;
	case ICMP_TYPE_UNREACHABLE:
	case ICMP_TYPE_TIME_EXCEEDED:
	case ICMP_TYPE_PARAMETER:
		error_input(s, m, &msg, now);
		break;
	default: /* nobody here asked for it */
		break;
	}
}

/* RFC 1122 §3.2.2: what an error must never be sent about. */
static bool may_answer(
	const struct stack *s, const struct ipv4_hdr *h, const uint8_t *l4, size_t l4_len)
{
	const struct ipaddr *src = &h->src, *dst = &h->dst;

	if (h->frag_offset > 0)
		return false;
	if (ipaddr_is_any(src) || ipaddr_is_loopback(src) || ipaddr_is_multicast(src) ||
		ipaddr_is_broadcast(src) || ipnet_is_broadcast(&s->address, src))
		return false;
	if (ipaddr_is_multicast(dst) || ipaddr_is_broadcast(dst) ||
		ipnet_is_broadcast(&s->address, dst))
		return false;
	if (h->protocol != IP_PROTO_ICMP)
		return true;
	return l4_len > 0 && (l4[0] == ICMP_TYPE_ECHO || l4[0] == ICMP_TYPE_ECHO_REPLY);
}

/*
 * A bucket of ICMP_ERROR_BURST that fills by one per interval, kept as the instant at which it will
 * be full.
 */
static bool within_rate(struct stack *s, nsec now)
{
	nsec full = nsec_max(s->icmp.full_again, now) + ICMP_ERROR_INTERVAL;

	if (full - now > ICMP_ERROR_BURST * ICMP_ERROR_INTERVAL)
		return false;
	s->icmp.full_again = full;
	return true;
}

void icmp_send_error(
	struct stack *s, uint8_t type, uint8_t code, const uint8_t *packet, size_t len, nsec now)
{
	struct ipv4_hdr h;

	if (!ipv4_parse_quoted(&h, packet, len))
		return;
	len = MIN(len, h.total_len);
	if (!may_answer(s, &h, packet + h.hdr_len, len - h.hdr_len))
		return;
	if (!within_rate(s, now)) {
		COUNT(s, IcmpOutRateLimited);
		return;
	}
	struct icmp_msg msg = {
		.type = type,
		.code = code,
		.body = packet,
		.body_len = MIN(len, ERROR_PACKET_MAX - IPV4_HDR_LEN - ICMP_HDR_LEN),
	};
	if (type == ICMP_TYPE_UNREACHABLE)
		COUNT(s, IcmpOutDestUnreachs);
	send_message(s, &h.src, TOS_INTERNETWORK_CONTROL, &msg, now);
}

void icmp_neighbour_failed(struct stack *s, const struct tx_frame *f, nsec now)
{
	uint8_t packet[ERROR_PACKET_MAX - IPV4_HDR_LEN - ICMP_HDR_LEN];
	size_t len = MIN(tx_frame_head_len(f), sizeof packet);
	struct ipv4_hdr h;

	memcpy(packet, f->head + f->head_at, len);
	for (unsigned i = 0; i < f->npayload; i++) {
		size_t n = MIN(f->payload[i].iov_len, sizeof packet - len);
		memcpy(packet + len, f->payload[i].iov_base, n);
		len += n;
	}
	if (!ipv4_parse_quoted(&h, packet, len) || h.protocol == IP_PROTO_TCP ||
		!may_answer(s, &h, packet + h.hdr_len, len - h.hdr_len))
		return;
	struct icmp_msg msg = {
		.type = ICMP_TYPE_UNREACHABLE,
		.code = ICMP_CODE_HOST,
		.body = packet,
		.body_len = len,
	};
	send_message(s, &s->address.addr, TOS_INTERNETWORK_CONTROL, &msg, now);
}
