/*
 * A program's option goes into its slot and, translated, to the stack.
 */
#include "core/engine/sock.h"
#include "core/engine/stack_option.h"

/* MSG_MORE is a cork that the program's next send without it takes off. */
static int apply_cork(struct engine *e, struct sock *s)
{
	const int64_t *option = s->slot->info.option;

	return tcp_set_option(s->tcp, TCP_OPT_CORK,
		option[IPC_OPT_CORK] || option[IPC_OPT_MORE], e->now);
}

/* Those that are not options of the stack. */
static int apply_other(struct engine *e, struct sock *s, enum ipc_option o, int64_t value)
{
	char name[9];

	switch (o) {
	case IPC_OPT_CORK:
	case IPC_OPT_MORE:
		return s->slot ? apply_cork(e, s) : 0;
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
	if (o == IPC_OPT_CORK || !stack_option(o, value, &option, &translated))
		return apply_other(e, s, o, value);
	return tcp_set_option(s->tcp, option, translated, e->now);
}

void option_apply_all(struct engine *e, struct sock *s, uint32_t set, const int64_t *value)
{
	for (unsigned o = 0; o < IPC_OPT_COUNT; o++) {
		if (set & 1u << o)
			option_apply(e, s, o, value[o]);
	}
}
