#include "core/ipc/dgram.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/bytes.h"

static const char mark[] = "/dgram/";
enum { MARK_LEN = sizeof mark - 1 };

socklen_t ipc_dgram_name(
	struct sockaddr_un *out, const struct settings *s, uid_t uid, const char *instance)
{
	char *name = out->sun_path + 1; /* the NUL in front makes it abstract */
	size_t room = sizeof out->sun_path - 1;

	memset(out, 0, sizeof *out);
	out->sun_family = AF_UNIX;
	/* The longest possible name has 101 bytes, so this never truncates. */
	int n = snprintf(name, room, "teecee/%u/%s/%s%s%.*s", (unsigned)uid, s->iface, s->ip_spec,
		mark, IPC_INSTANCE_LEN, instance);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

bool ipc_is_dgram_name(const char *path, size_t len)
{
	size_t tail = MARK_LEN + IPC_INSTANCE_LEN;

	return len > tail && memcmp(path + len - tail, mark, MARK_LEN) == 0;
}

struct ipc_dgram ipc_dgram(
	const char instance[static IPC_INSTANCE_LEN], enum ipc_dgram_op op, size_t data_len)
{
	struct ipc_dgram h = {
		.version = IPC_VERSION,
		.op = (uint16_t)op,
		.len = (uint32_t)(sizeof h + data_len),
		.ttl = -1,
		.tos = -1,
	};

	memcpy(h.instance, instance, IPC_INSTANCE_LEN);
	return h;
}

bool ipc_dgram_check(
	const struct ipc_dgram *h, size_t len, const char instance[static IPC_INSTANCE_LEN])
{
	return len >= sizeof *h && memcmp(h->instance, instance, IPC_INSTANCE_LEN) == 0 &&
	       h->version == IPC_VERSION && h->len == len;
}

/* Initial values, ranges and roundings of Linux 6.x, read off a new UDP socket. */
enum {
	BUF_INITIAL = 212992,
	BUF_MAX = 8 << 20,
	SNDBUF_MIN = 4608,
	RCVBUF_MIN = 2304,
	NO_MIN = INT_MIN,
	NO_MAX = INT_MAX,
	ICMP_FILTER_NAME = 1, /* <linux/icmp.h>, at level SOL_RAW */
	SOL_RAW_LEVEL = 255,
};

#define BOOL .min = NO_MIN, .max = NO_MAX, .is_bool = true
#define IP_BOOL(o, i) {#o, IPPROTO_IP, o, i, BOOL}
#define SO_BOOL(o) {#o, SOL_SOCKET, o, 0, BOOL}

const struct ipc_option_info ipc_dgram_option_info[IPC_DGRAM_OPT_COUNT] = {
	[IPC_DGRAM_OPT_REUSEADDR] = SO_BOOL(SO_REUSEADDR),
	[IPC_DGRAM_OPT_REUSEPORT] = SO_BOOL(SO_REUSEPORT),
	[IPC_DGRAM_OPT_BROADCAST] = SO_BOOL(SO_BROADCAST),
	[IPC_DGRAM_OPT_SNDBUF] = {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, BUF_INITIAL, NO_MIN, NO_MAX,
		false},
	[IPC_DGRAM_OPT_RCVBUF] = {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, BUF_INITIAL, NO_MIN, NO_MAX,
		false},
	[IPC_DGRAM_OPT_NO_CHECK] = SO_BOOL(SO_NO_CHECK),
	[IPC_DGRAM_OPT_TIMESTAMP] = SO_BOOL(SO_TIMESTAMP),
	[IPC_DGRAM_OPT_TIMESTAMPNS] = SO_BOOL(SO_TIMESTAMPNS),
	[IPC_DGRAM_OPT_TOS] = {"IP_TOS", IPPROTO_IP, IP_TOS, 0, NO_MIN, NO_MAX, false},
	[IPC_DGRAM_OPT_TTL] = {"IP_TTL", IPPROTO_IP, IP_TTL, 64, -1, 255, false},
	[IPC_DGRAM_OPT_MTU_DISCOVER] = {"IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER,
		IP_PMTUDISC_WANT, IP_PMTUDISC_DONT, IP_PMTUDISC_PROBE, false},
	[IPC_DGRAM_OPT_RECVERR] = IP_BOOL(IP_RECVERR, 0),
	[IPC_DGRAM_OPT_PKTINFO] = IP_BOOL(IP_PKTINFO, 0),
	[IPC_DGRAM_OPT_RECVTTL] = IP_BOOL(IP_RECVTTL, 0),
	[IPC_DGRAM_OPT_RECVTOS] = IP_BOOL(IP_RECVTOS, 0),
	[IPC_DGRAM_OPT_MULTICAST_TTL] = {"IP_MULTICAST_TTL", IPPROTO_IP, IP_MULTICAST_TTL, 1, -1,
		255, false},
	[IPC_DGRAM_OPT_MULTICAST_LOOP] = IP_BOOL(IP_MULTICAST_LOOP, 1),
	[IPC_DGRAM_OPT_MULTICAST_ALL] = IP_BOOL(IP_MULTICAST_ALL, 1),
	[IPC_DGRAM_OPT_ICMP_FILTER] = {"ICMP_FILTER", SOL_RAW_LEVEL, ICMP_FILTER_NAME, 0, NO_MIN,
		NO_MAX, false},
	[IPC_DGRAM_OPT_RETOPTS] = IP_BOOL(IP_RETOPTS, 0),
	[IPC_DGRAM_OPT_V6ONLY] = {"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, 0, BOOL},
};

/* What an AF_INET6 socket calls them; one path for both families. */
static const struct {
	int name;
	enum ipc_dgram_option option;
} v6_name[] = {
	{IPV6_TCLASS, IPC_DGRAM_OPT_TOS},
	{IPV6_UNICAST_HOPS, IPC_DGRAM_OPT_TTL},
	{IPV6_MTU_DISCOVER, IPC_DGRAM_OPT_MTU_DISCOVER},
	{IPV6_RECVERR, IPC_DGRAM_OPT_RECVERR},
	{IPV6_RECVPKTINFO, IPC_DGRAM_OPT_PKTINFO},
	{IPV6_RECVHOPLIMIT, IPC_DGRAM_OPT_RECVTTL},
	{IPV6_RECVTCLASS, IPC_DGRAM_OPT_RECVTOS},
	{IPV6_MULTICAST_HOPS, IPC_DGRAM_OPT_MULTICAST_TTL},
	{IPV6_MULTICAST_LOOP, IPC_DGRAM_OPT_MULTICAST_LOOP},
};

int ipc_dgram_option_find(int level, int optname)
{
	for (int o = 0; o < IPC_DGRAM_OPT_COUNT; o++) {
		if (ipc_dgram_option_info[o].level == level &&
			ipc_dgram_option_info[o].optname == optname)
			return o;
	}
	for (size_t i = 0; level == IPPROTO_IPV6 && i < ARRAY_LEN(v6_name); i++) {
		if (v6_name[i].name == optname)
			return (int)v6_name[i].option;
	}
	return -1;
}

/* A size that the kernel doubles for its own overhead; a negative one counts as huge there. */
static int64_t buffer_size(int v, int64_t min)
{
	int64_t wanted = v < 0 ? BUF_MAX : 2 * (int64_t)v;

	return MAX(MIN(wanted, BUF_MAX), min);
}

static int64_t adjusted(enum ipc_dgram_option o, int v)
{
	switch (o) {
	case IPC_DGRAM_OPT_SNDBUF:
		return buffer_size(v, SNDBUF_MIN);
	case IPC_DGRAM_OPT_RCVBUF:
		return buffer_size(v, RCVBUF_MIN);
	case IPC_DGRAM_OPT_TOS:
		return v & 0xff;
	case IPC_DGRAM_OPT_TTL:
	case IPC_DGRAM_OPT_MULTICAST_TTL:
		return v < 0 ? ipc_dgram_option_info[o].initial : v;
	case IPC_DGRAM_OPT_ICMP_FILTER:
		return (uint32_t)v;
	default:
		return ipc_dgram_option_info[o].is_bool ? v != 0 : v;
	}
}

/* The IP level takes a single byte for an int. */
int ipc_dgram_option_decode(enum ipc_dgram_option o, const void *value, size_t len, int64_t *out)
{
	const struct ipc_option_info *info = &ipc_dgram_option_info[o];
	int v;

	if (len >= sizeof v)
		memcpy(&v, value, sizeof v);
	else if (info->level == IPPROTO_IP && len > 0)
		v = *(const uint8_t *)value;
	else
		return -EINVAL;
	if (v < info->min || v > info->max || (o == IPC_DGRAM_OPT_TTL && v == 0))
		return -EINVAL;
	*out = adjusted(o, v);
	return 0;
}

size_t ipc_dgram_option_encode(enum ipc_dgram_option o, int64_t value, void *out, size_t len)
{
	int v = (int)value;
	bool ip_level = ipc_dgram_option_info[o].level == IPPROTO_IP;

	if (ip_level && len > 0 && len < sizeof v && v >= 0 && v <= 255) {
		*(uint8_t *)out = (uint8_t)v;
		return 1;
	}
	len = MIN(len, sizeof v);
	memcpy(out, &v, len);
	return len;
}
