#include "core/cli/socktext.h"

#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"

enum { TCP_NUMBER = 6 };

static const char *const state_name[SOCK_STATES] = {"UNKNOWN", "ESTAB", "SYN-SENT", "SYN-RECV",
	"FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "UNCONN", "CLOSE-WAIT", "LAST-ACK", "LISTEN",
	"CLOSING"};

bool sock_is_tcp(const struct ipc_snap_sock *s)
{
	return s->kind == TCP_NUMBER;
}

const char *sock_state(const struct ipc_snap_sock *s)
{
	return state_name[s->tcp_state < SOCK_STATES ? s->tcp_state : 0];
}

void sock_end(const struct endpoint *e, char out[static END_LEN])
{
	char addr[IPADDR_STRLEN];

	if (e->port && !ipaddr_is_any(&e->addr))
		endpoint_format(e, out);
	else if (e->port)
		snprintf(out, END_LEN, "*:%u", e->port);
	else
		snprintf(out, END_LEN, "%s:*",
			ipaddr_is_any(&e->addr) ? "*" : ipaddr_format(&e->addr, addr));
}

void sock_process(int32_t pid, char out[static COMM_LEN])
{
	char path[64];

	out[0] = '\0';
	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	FILE *f = pid ? fopen(path, "re") : NULL;
	if (!f)
		return;
	if (fgets(out, COMM_LEN, f))
		out[strcspn(out, "\n")] = '\0';
	fclose(f);
}

struct tcp_info sock_info(const struct ipc_snap_sock *s)
{
	struct tcp_info i = {0};

	memcpy(&i, s->tcp_info, MIN(s->tcp_info_len, sizeof i));
	return i;
}
