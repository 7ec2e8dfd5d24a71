/*
 * Options of a psock: numbers and ranges are core/ipc/option.c's, the way to the stack the engine's
 * (core/engine/options.c), so a script sees what a program under the shim sees.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "core/engine/stack_option.h"
#include "core/engine/tcp_info.h"
#include "core/stack/tcp_fastopen.h"
#include "tests/packetdrill/psock.h"

static int set_fastopen_key(struct psock *p, const void *value, socklen_t len)
{
	int err = len % FASTOPEN_KEY_LEN
			  ? -EINVAL
			  : tcp_fastopen_set_keys(p->tcp, value, len / FASTOPEN_KEY_LEN);
	p->tcp_keys_set |= err == 0;
	return err;
}

static int set_fastopen_connect(struct psock *p, int v)
{
	if (v < 0 || v > 1 || p->state != PSOCK_NEW)
		return -EINVAL;
	if (p->no_fastopen)
		return -EOPNOTSUPP;
	return tcp_set_option(p->tcp, TCP_OPT_FASTOPEN_CONNECT, v, p->world->now);
}

/* Options that programs under the shim cannot set (yet). */
static int set_unshared(struct psock *p, int level, int name, const void *value, socklen_t len)
{
	int v = 0;

	if (level == IPPROTO_TCP && name == TCP_FASTOPEN_KEY)
		return set_fastopen_key(p, value, len);
	if (len < sizeof v && (level != IPPROTO_IP || len == 0))
		return -EINVAL;
	memcpy(&v, value, MIN(len, sizeof v));
	if (level == IPPROTO_IP && name == IP_FREEBIND)
		return 0;
	if (level == IPPROTO_IP && name == IP_MTU_DISCOVER)
		return v >= IP_PMTUDISC_DONT && v <= IP_PMTUDISC_OMIT ? 0 : -ENOPROTOOPT;
	if (level != IPPROTO_TCP)
		return -ENOPROTOOPT;
	switch (name) {
	case TCP_INQ:
		p->inq = v != 0;
		return 0;
	case TCP_FASTOPEN:
		p->fastopen_set = true;
		return tcp_set_option(p->tcp, TCP_OPT_FASTOPEN, v, p->world->now);
	case TCP_FASTOPEN_CONNECT:
		return set_fastopen_connect(p, v);
	default:
		return -ENOPROTOOPT;
	}
}

int psock_set_option(struct psock *p, int level, int name, const void *value, socklen_t len)
{
	enum tcp_option to;
	int64_t v, translated;
	int o = ipc_option_find(level, name);

	if (o < 0)
		return set_unshared(p, level, name, value, len);
	int err = ipc_option_decode(o, value, len, &v);
	if (err)
		return err;
	p->option[o] = v;
	p->option_set |= 1u << o;
	if (!stack_option(o, v, &to, &translated))
		return 0;
	if (o == IPC_OPT_SNDBUF) /* scripts count with a kernel whose overhead is small */
		translated = v;
	return tcp_set_option(p->tcp, to, translated, p->world->now);
}

static int get_tcp_info(struct psock *p, void *value, socklen_t *len)
{
	struct tcp_stats stats;
	struct tcp_info info;

	tcp_get_stats(p->tcp, &stats);
	tcp_info_fill(&info, &stats, p->world->now);
	/*
	 * A newer header's struct is longer than ours; the rest of it reads as zero, as from an
	 * older kernel.
	 */
	memset(value, 0, *len);
	memcpy(value, &info, MIN(*len, sizeof info));
	return 0;
}

static int get_int(int v, void *value, socklen_t *len)
{
	*len = MIN(*len, (socklen_t)sizeof v);
	memcpy(value, &v, *len);
	return 0;
}

static int get_maxseg(struct psock *p, void *value, socklen_t *len)
{
	struct tcp_stats stats;

	tcp_get_stats(p->tcp, &stats);
	bool none = stats.state == TCPS_CLOSED || stats.state == TCPS_LISTEN;
	int64_t asked = p->option[IPC_OPT_MAXSEG];
	return get_int(none ? (int)asked : (int)stats.snd_mss, value, len);
}

static int get_tcp_level(struct psock *p, int name, void *value, socklen_t *len)
{
	switch (name) {
	case TCP_INFO:
		return get_tcp_info(p, value, len);
	case TCP_CC_INFO:
		*len = 0;
		return 0;
	case TCP_INQ:
		return get_int(p->inq, value, len);
	case TCP_MAXSEG:
		return get_maxseg(p, value, len);
	default:
		return -ENOPROTOOPT;
	}
}

static int get_socket_level(struct psock *p, int name, void *value, socklen_t *len)
{
	int error;

	switch (name) {
	case SO_ERROR:
		error = p->error;
		p->error = 0;
		return get_int(error, value, len);
	case SO_TYPE:
		return get_int(SOCK_STREAM, value, len);
	case SO_ACCEPTCONN:
		return get_int(p->state == PSOCK_LISTENING, value, len);
	case SO_MEMINFO:
		memset(value, 0, *len);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int psock_get_option(struct psock *p, int level, int name, void *value, socklen_t *len)
{
	int err = -ENOPROTOOPT;
	int o = ipc_option_find(level, name);

	if (level == IPPROTO_TCP)
		err = get_tcp_level(p, name, value, len);
	else if (level == SOL_SOCKET)
		err = get_socket_level(p, name, value, len);
	if (err != -ENOPROTOOPT || o < 0)
		return err;
	*len = (socklen_t)ipc_option_encode(o, p->option[o], value, *len);
	return 0;
}
