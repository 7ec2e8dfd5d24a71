/*
 * A program's option goes into its slot and, translated, to the stack.
 */
#include "core/engine/sock.h"
#include "core/engine/stack_option.h"

static bool has(const struct sock *s, enum tcp_option option)
{
	return tcp_get_option(s->tcp, option);
}

/* Also sends what Nagle's rule, or a cork, holds. */
static void undelay(struct engine *e, struct sock *s, unsigned bits)
{
	if ((bits & IPC_CORK_NODELAY) && !has(s, TCP_OPT_NODELAY))
		tcp_set_option(s->tcp, TCP_OPT_NODELAY, 1, e->now);
}

uint32_t option_cork_begin(struct engine *e, struct sock *s)
{
	uint32_t flushes;

	if (!s->slot)
		return 0;
	unsigned bits = ipc_cork_reading(ipc_table_cork(e->table, s->slot), &flushes);
	undelay(e, s, bits);
	/* What was read earlier in this turn, without a cork, has not been sent yet. */
	if ((bits & IPC_CORK_USED) && !has(s, TCP_OPT_CORK) && tcp_send_queued(s->tcp) > 0)
		tcp_set_option(s->tcp, TCP_OPT_CORK, 0, e->now);
	return flushes;
}

void option_cork(struct engine *e, struct sock *s)
{
	uint32_t flushes;

	if (!s->slot)
		return;
	unsigned bits = ipc_cork_look(ipc_table_cork(e->table, s->slot), &flushes);
	bool was = has(s, TCP_OPT_CORK), is = ipc_is_corked(bits);
	bool flush = is && flushes != s->flushes;
	if ((was && !is) || flush)
		tcp_set_option(s->tcp, TCP_OPT_CORK, 0, e->now);
	if (is && (flush || !was))
		tcp_set_option(s->tcp, TCP_OPT_CORK, 1, e->now);
	undelay(e, s, bits);
}

/* By a message: what was written before it has been read, but not sent yet. */
static int put(struct engine *e, struct sock *s, enum ipc_cork which, bool on)
{
	if (which == IPC_CORK_ON && on && !has(s, TCP_OPT_CORK))
		tcp_set_option(s->tcp, TCP_OPT_CORK, 0, e->now);
	if (s->slot)
		ipc_cork_put(ipc_table_cork(e->table, s->slot), s->cookie, which, on);
	option_cork(e, s);
	return 0;
}

/* Those that are not options of the stack. */
static int apply_other(struct engine *e, struct sock *s, enum ipc_option o, int64_t value)
{
	char name[9];

	switch (o) {
	case IPC_OPT_CORK:
		return put(e, s, IPC_CORK_ON, value);
	case IPC_OPT_NODELAY:
		put(e, s, IPC_CORK_NODELAY, value);
		return tcp_set_option(s->tcp, TCP_OPT_NODELAY, value, e->now);
	case IPC_OPT_FLUSH:
		option_cork(e, s);
		return 0;
	case IPC_OPT_BACKLOG:
		if (s->state != ST_LISTENING)
			return 0;
		s->backlog = (unsigned)value;
		sock_due(e, s);
		return tcp_listen(s->tcp, s->backlog, e->now);
	case IPC_OPT_CONGESTION:
		ipc_congestion_unpack(value, name);
		return tcp_set_congestion(s->tcp, name, e->now);
	default:
		return 0;
	}
}

int option_apply(struct engine *e, struct sock *s, enum ipc_option o, int64_t value)
{
	enum tcp_option option;
	int64_t translated;

	if (s->slot) {
		ipc_slot_begin(s->slot)->option[o] = value;
		ipc_slot_end(s->slot);
	}
	if (!s->tcp)
		return 0;
	if (o == IPC_OPT_CORK || o == IPC_OPT_NODELAY ||
		!stack_option(o, value, &option, &translated))
		return apply_other(e, s, o, value);
	return tcp_set_option(s->tcp, option, translated, e->now);
}

void option_apply_all(struct engine *e, struct sock *s, uint32_t set, const int64_t *value)
{
	/* These two are in the word since the slot was claimed, and may have changed there. */
	const uint32_t words = 1u << IPC_OPT_CORK | 1u << IPC_OPT_NODELAY;

	for (unsigned o = 0; o < IPC_OPT_COUNT; o++) {
		if (set & ~words & 1u << o)
			option_apply(e, s, o, value[o]);
	}
	option_cork(e, s);
}
