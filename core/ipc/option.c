#include "core/ipc/option.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/bytes.h"

/*
 * Initial values, ranges and roundings are those of Linux 6.x, read off a new TCP socket; only the
 * upper bound of the buffers is ours: the kernel's net.core.[rw]mem_max do not limit memory that is
 * not the kernel's.
 */
enum {
	BUF_MAX = 8 << 20,     /* twice 4 MiB, the default of wmem_max since Linux 6.18 */
	SNDBUF_MIN = 4608,     /* SOCK_MIN_SNDBUF */
	RCVBUF_MIN = 2304,     /* SOCK_MIN_RCVBUF */
	FIN_TIMEOUT_MAX = 120, /* seconds: TCP_FIN_TIMEOUT_MAX */
	FIN_TIMEOUT = 60,
	RTO_MAX = 120, /* seconds: TCP_RTO_MAX */
	ECN_MASK = 3,  /* the two low bits of TOS belong to TCP */
};

/* "cubic" as ipc_congestion_pack has it. */
#define CUBIC INT64_C(0x6369627563)

#define NO_MIN INT_MIN
#define NO_MAX INT_MAX
#define BOOL .min = NO_MIN, .max = NO_MAX, .is_bool = true

const struct ipc_option_info ipc_option_info[IPC_OPT_COUNT] = {
	[IPC_OPT_REUSEADDR] = {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 0, BOOL},
	[IPC_OPT_REUSEPORT] = {"SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, 0, BOOL},
	[IPC_OPT_KEEPALIVE] = {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 0, BOOL},
	[IPC_OPT_LINGER] = {"SO_LINGER", SOL_SOCKET, SO_LINGER, -1, -1, INT_MAX, false},
	[IPC_OPT_SNDBUF] = {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 16384, NO_MIN, NO_MAX, false},
	[IPC_OPT_RCVBUF] = {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 131072, NO_MIN, NO_MAX, false},
	[IPC_OPT_OOBINLINE] = {"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 0, BOOL},
	[IPC_OPT_NODELAY] = {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 0, BOOL},
	[IPC_OPT_CORK] = {"TCP_CORK", IPPROTO_TCP, TCP_CORK, 0, BOOL},
	[IPC_OPT_KEEPIDLE] = {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 7200, 1, 32767, false},
	[IPC_OPT_KEEPINTVL] = {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 75, 1, 32767, false},
	[IPC_OPT_KEEPCNT] = {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 9, 1, 127, false},
	[IPC_OPT_SYNCNT] = {"TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT, 6, 1, 127, false},
	[IPC_OPT_USER_TIMEOUT] = {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 0, INT_MAX,
		false},
	[IPC_OPT_MAXSEG] = {"TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG, 536, 0, 32767, false},
	[IPC_OPT_QUICKACK] = {"TCP_QUICKACK", IPPROTO_TCP, TCP_QUICKACK, 1, BOOL},
	[IPC_OPT_LINGER2] = {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2, FIN_TIMEOUT, NO_MIN, NO_MAX,
		false},
	[IPC_OPT_DEFER_ACCEPT] = {"TCP_DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, NO_MIN,
		NO_MAX, false},
	[IPC_OPT_TOS] = {"IP_TOS", IPPROTO_IP, IP_TOS, 0, NO_MIN, NO_MAX, false},
	[IPC_OPT_TTL] = {"IP_TTL", IPPROTO_IP, IP_TTL, 64, -1, 255, false},
	[IPC_OPT_V6ONLY] = {"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, 0, BOOL},
	[IPC_OPT_CONGESTION] = {.name = "TCP_CONGESTION", .initial = CUBIC},
	[IPC_OPT_FLUSH] = {.name = "flush"},
	[IPC_OPT_BACKLOG] = {.name = "backlog"},
};

int ipc_option_find(int level, int optname)
{
	for (int o = 0; o < IPC_OPT_PLAIN; o++) {
		if (ipc_option_info[o].level == level && ipc_option_info[o].optname == optname)
			return o;
	}
	/* What an AF_INET6 socket calls them; one path for both families. */
	if (level == IPPROTO_IPV6 && optname == IPV6_TCLASS)
		return IPC_OPT_TOS;
	if (level == IPPROTO_IPV6 && optname == IPV6_UNICAST_HOPS)
		return IPC_OPT_TTL;
	return -1;
}

int64_t ipc_congestion_pack(const char *name, size_t len)
{
	/* The stack's; an option must be refused before any engine is asked. */
	static const char *const known[] = {"cubic", "reno"};
	int64_t value = 0;

	len = strnlen(name, len);
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (len != strlen(known[i]) || memcmp(name, known[i], len) != 0)
			continue;
		for (size_t at = len; at-- > 0;)
			value = value << 8 | (uint8_t)name[at];
		return value;
	}
	return -1;
}

void ipc_congestion_unpack(int64_t value, char name[static 9])
{
	for (int i = 0; i < 8; i++)
		name[i] = (char)(value >> 8 * i & 0xff);
	name[8] = '\0';
}

/*
 * The kernel stores a number of SYN-ACK retransmissions and shows the time they take: 1, 3, 7, 15 …
 * seconds.
 */
static int64_t defer_accept_rounded(int64_t seconds)
{
	int64_t timeout = 1, period = 1;

	if (seconds <= 0)
		return 0;
	for (int retries = 1; seconds > period && retries < 255; retries++) {
		timeout = MIN(timeout * 2, RTO_MAX);
		period += timeout;
	}
	return period;
}

/* A size that the kernel would double for its own overhead; a negative one counts as huge there. */
static int64_t buffer_size(int v, int64_t min)
{
	int64_t wanted = v < 0 ? BUF_MAX : 2 * (int64_t)v;

	return MAX(MIN(wanted, BUF_MAX), min);
}

static int decode_linger(const void *value, size_t len, int64_t *out)
{
	struct linger l;

	if (len < sizeof l)
		return -EINVAL;
	memcpy(&l, value, sizeof l);
	*out = !l.l_onoff ? -1 : l.l_linger < 0 ? INT_MAX : l.l_linger;
	return 0;
}

/* Only the IP level takes a single byte for an int. */
static int decode_int(int level, const void *value, size_t len, int *out)
{
	uint8_t byte;

	if (len >= sizeof *out) {
		memcpy(out, value, sizeof *out);
		return 0;
	}
	if (level != IPPROTO_IP || len == 0)
		return -EINVAL;
	memcpy(&byte, value, 1);
	*out = byte;
	return 0;
}

/* What the kernel makes of a value in range. */
static int64_t adjusted(enum ipc_option o, int v)
{
	switch (o) {
	case IPC_OPT_SNDBUF:
		return buffer_size(v, SNDBUF_MIN);
	case IPC_OPT_RCVBUF:
		return buffer_size(v, RCVBUF_MIN);
	case IPC_OPT_LINGER2:
		return v < 0 ? -1 : v == 0 ? FIN_TIMEOUT : MIN(v, FIN_TIMEOUT_MAX);
	case IPC_OPT_DEFER_ACCEPT:
		return defer_accept_rounded(v);
	case IPC_OPT_TOS:
		return v & (0xff & ~ECN_MASK);
	case IPC_OPT_TTL:
		return v < 0 ? ipc_option_info[o].initial : v;
	default:
		return ipc_option_info[o].is_bool ? v != 0 : v;
	}
}

int ipc_option_decode(enum ipc_option o, const void *value, size_t len, int64_t *out)
{
	const struct ipc_option_info *info = &ipc_option_info[o];
	enum { MAXSEG_MIN = 88 }; /* TCP_MIN_MSS; 0 stands for "unset" */
	int v;

	if (o == IPC_OPT_LINGER)
		return decode_linger(value, len, out);
	int r = decode_int(info->level, value, len, &v);
	if (r < 0)
		return r;
	bool out_of_range = v < info->min || v > info->max;
	if (out_of_range || (o == IPC_OPT_TTL && v == 0) ||
		(o == IPC_OPT_MAXSEG && v && v < MAXSEG_MIN))
		return -EINVAL;
	*out = adjusted(o, v);
	return 0;
}

size_t ipc_option_encode(enum ipc_option o, int64_t value, void *out, size_t len)
{
	if (o == IPC_OPT_LINGER) {
		struct linger l = {.l_onoff = value >= 0, .l_linger = value >= 0 ? (int)value : 0};
		len = MIN(len, sizeof l);
		memcpy(out, &l, len);
		return len;
	}
	int v = (int)value;
	bool ip_level = ipc_option_info[o].level == IPPROTO_IP;
	if (ip_level && len > 0 && len < sizeof v && v >= 0 && v <= 255) {
		*(uint8_t *)out = (uint8_t)v;
		return 1;
	}
	len = MIN(len, sizeof v);
	memcpy(out, &v, len);
	return len;
}
