#include "preload/dgram_msg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "core/base/bytes.h"
#include "core/base/time.h"
#include "preload/dgram.h"
#include "preload/instance.h"
#include "preload/usermem.h"

enum { CONTROL_MAX = 512 }; /* of a sendmsg; the kernel's own limit is net.core.optmem_max */

void cmsg_put(struct cmsg_room *room, int level, int type, const void *data, size_t len)
{
	struct cmsghdr c = {.cmsg_len = CMSG_LEN(len), .cmsg_level = level, .cmsg_type = type};

	if (room->len + CMSG_SPACE(len) > CMSG_ROOM)
		return;
	memset(room->bytes + room->len, 0, CMSG_SPACE(len));
	memcpy(room->bytes + room->len, &c, sizeof c);
	memcpy(room->bytes + room->len + CMSG_LEN(0), data, len);
	room->len += CMSG_SPACE(len);
}

void cmsg_timestamp(struct cmsg_room *room, const struct shim_sock *s, int64_t when)
{
	struct timespec ts = {.tv_sec = when / SEC, .tv_nsec = when % SEC};
	struct timeval tv = {.tv_sec = when / SEC, .tv_usec = when % SEC / USEC};

	if (dgram_option(s, IPC_DGRAM_OPT_TIMESTAMPNS))
		cmsg_put(room, SOL_SOCKET, SO_TIMESTAMPNS, &ts, sizeof ts);
	else if (dgram_option(s, IPC_DGRAM_OPT_TIMESTAMP))
		cmsg_put(room, SOL_SOCKET, SO_TIMESTAMP, &tv, sizeof tv);
}

static void put_pktinfo(struct cmsg_room *room, const struct shim_sock *s, const struct ipaddr *to)
{
	const struct ipc_table *t = s->instance >= 0 ? instance_table((unsigned)s->instance) : NULL;
	struct in_pktinfo v4 = {.ipi_ifindex = t ? (int)t->ifindex : 0};
	struct in6_pktinfo v6 = {.ipi6_ifindex = t ? t->ifindex : 0};

	v4.ipi_addr.s_addr = htonl(ipaddr_to_v4(to));
	v4.ipi_spec_dst = v4.ipi_addr;
	if (t && !ipaddr_equal(to, &t->address.addr))
		v4.ipi_spec_dst.s_addr = htonl(ipaddr_to_v4(&t->address.addr));
	memcpy(&v6.ipi6_addr, to->b, sizeof v6.ipi6_addr);
	if (s->family == AF_INET6)
		cmsg_put(room, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof v6);
	else
		cmsg_put(room, IPPROTO_IP, IP_PKTINFO, &v4, sizeof v4);
}

void cmsg_datagram(struct cmsg_room *room, const struct shim_sock *s, const struct ipc_dgram *h)
{
	bool v6 = s->family == AF_INET6;
	int ttl = h->ttl, tos = h->tos;
	uint8_t tos_byte = (uint8_t)h->tos;

	if (dgram_option(s, IPC_DGRAM_OPT_PKTINFO))
		put_pktinfo(room, s, &h->local);
	if (dgram_option(s, IPC_DGRAM_OPT_RECVTTL))
		cmsg_put(room, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_HOPLIMIT : IP_TTL, &ttl,
			sizeof ttl);
	if (!dgram_option(s, IPC_DGRAM_OPT_RECVTOS))
		return;
	if (v6)
		cmsg_put(room, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
	else
		cmsg_put(room, IPPROTO_IP, IP_TOS, &tos_byte, sizeof tos_byte);
}

int cmsg_give(const struct cmsg_room *room, struct msghdr *m)
{
	size_t len = MIN(room->len, m->msg_control ? (size_t)m->msg_controllen : 0);

	if (len < room->len)
		m->msg_flags |= MSG_CTRUNC;
	m->msg_controllen = len;
	return len > 0 ? user_write(m->msg_control, room->bytes, len) : 0;
}

/* An int, or for IP_TOS also a byte: ip(7). */
static int read_int(const uint8_t *data, size_t len, int16_t *out)
{
	int v;

	if (len == 1) {
		*out = data[0];
		return 0;
	}
	if (len < sizeof v)
		return -EINVAL;
	memcpy(&v, data, sizeof v);
	if (v < -1 || v > 255)
		return -EINVAL;
	*out = (int16_t)v;
	return 0;
}

static int check_source(const struct shim_sock *s, struct ipaddr source)
{
	const struct ipc_table *t = s->instance >= 0 ? instance_table((unsigned)s->instance) : NULL;

	return ipaddr_is_any(&source) || (t && ipaddr_equal(&source, &t->address.addr))
		       ? 0
		       : -EINVAL;
}

static int read_one(const struct cmsghdr *c, const uint8_t *data, size_t len,
	const struct shim_sock *s, struct ipc_dgram *h)
{
	struct in_pktinfo v4;
	struct in6_pktinfo v6;
	struct ipaddr source;
	bool ip = c->cmsg_level == IPPROTO_IP, ip6 = c->cmsg_level == IPPROTO_IPV6;

	if ((ip && c->cmsg_type == IP_TTL) || (ip6 && c->cmsg_type == IPV6_HOPLIMIT))
		return read_int(data, len, &h->ttl);
	if ((ip && c->cmsg_type == IP_TOS) || (ip6 && c->cmsg_type == IPV6_TCLASS))
		return read_int(data, len, &h->tos);
	if (ip && c->cmsg_type == IP_PKTINFO && len == sizeof v4) {
		memcpy(&v4, data, sizeof v4);
		return check_source(s, ipaddr_v4(ntohl(v4.ipi_spec_dst.s_addr)));
	}
	if (ip6 && c->cmsg_type == IPV6_PKTINFO && len == sizeof v6) {
		memcpy(&v6, data, sizeof v6);
		memcpy(source.b, &v6.ipi6_addr, sizeof source.b);
		return check_source(s, source);
	}
	/* Levels that are not IP's are not looked at, as in the kernel. */
	return ip || ip6 || c->cmsg_level == SOL_SOCKET ? -EINVAL : 0;
}

int cmsg_read(const struct msghdr *m, const struct shim_sock *s, struct ipc_dgram *h)
{
	uint8_t bytes[CONTROL_MAX];
	struct cmsghdr c;
	int r = 0;

	if (!m->msg_control || m->msg_controllen == 0)
		return 0;
	if (m->msg_controllen > sizeof bytes)
		return -ENOBUFS;
	if (user_read(bytes, m->msg_control, m->msg_controllen) < 0)
		return -EFAULT;
	for (size_t at = 0; r == 0 && at + sizeof c <= m->msg_controllen;
		at += CMSG_ALIGN(c.cmsg_len)) {
		memcpy(&c, bytes + at, sizeof c);
		if (c.cmsg_len < sizeof c || at + c.cmsg_len > m->msg_controllen)
			return -EINVAL;
		r = read_one(&c, bytes + at + CMSG_LEN(0), c.cmsg_len - CMSG_LEN(0), s, h);
	}
	return r;
}
