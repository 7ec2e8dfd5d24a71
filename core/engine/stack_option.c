/*
 * The table below says which of the stack's options a program's is, and in what unit the program
 * counts. What is not in it is answered from the slot alone (SO_LINGER is looked at when the
 * program closes).
 */
#include "core/engine/stack_option.h"

static const struct {
	bool known;
	enum tcp_option option;
	nsec unit;    /* of a time; 0: not one */
	uint8_t half; /* bytes as getsockopt shows them, doubled */
} translation[IPC_OPT_COUNT] = {
	[IPC_OPT_REUSEADDR] = {.known = true, .option = TCP_OPT_REUSEADDR},
	[IPC_OPT_REUSEPORT] = {.known = true, .option = TCP_OPT_REUSEPORT},
	[IPC_OPT_KEEPALIVE] = {.known = true, .option = TCP_OPT_KEEPALIVE},
	[IPC_OPT_SNDBUF] = {.known = true, .option = TCP_OPT_SNDBUF, .half = 1},
	[IPC_OPT_RCVBUF] = {.known = true, .option = TCP_OPT_RCVBUF, .half = 1},
	[IPC_OPT_NODELAY] = {.known = true, .option = TCP_OPT_NODELAY},
	[IPC_OPT_CORK] = {.known = true, .option = TCP_OPT_CORK},
	[IPC_OPT_KEEPIDLE] = {.known = true, .option = TCP_OPT_KEEPIDLE, .unit = SEC},
	[IPC_OPT_KEEPINTVL] = {.known = true, .option = TCP_OPT_KEEPINTVL, .unit = SEC},
	[IPC_OPT_KEEPCNT] = {.known = true, .option = TCP_OPT_KEEPCNT},
	[IPC_OPT_SYNCNT] = {.known = true, .option = TCP_OPT_SYNCNT},
	[IPC_OPT_USER_TIMEOUT] = {.known = true, .option = TCP_OPT_USER_TIMEOUT, .unit = MSEC},
	[IPC_OPT_MAXSEG] = {.known = true, .option = TCP_OPT_MAXSEG},
	[IPC_OPT_QUICKACK] = {.known = true, .option = TCP_OPT_QUICKACK},
	[IPC_OPT_LINGER2] = {.known = true, .option = TCP_OPT_LINGER2, .unit = SEC},
	[IPC_OPT_DEFER_ACCEPT] = {.known = true, .option = TCP_OPT_DEFER_ACCEPT, .unit = SEC},
	[IPC_OPT_TOS] = {.known = true, .option = TCP_OPT_TOS},
	[IPC_OPT_V6ONLY] = {.known = true, .option = TCP_OPT_V6ONLY},
	[IPC_OPT_TTL] = {.known = true, .option = TCP_OPT_TTL},
};

/* In the stack's unit; TCP_LINGER2 -1 means "not at all". */
static int64_t translate(enum ipc_option o, int64_t value)
{
	if (translation[o].half)
		return value / 2;
	if (!translation[o].unit)
		return value;
	return value < 0 ? 0 : value * translation[o].unit;
}

bool stack_option(enum ipc_option o, int64_t value, enum tcp_option *option, int64_t *translated)
{
	if (!translation[o].known)
		return false;
	*option = translation[o].option;
	*translated = translate(o, value);
	return true;
}
