/*
 * A program's option goes into its slot and, translated, to the stack.
 */
#include "core/engine/sock.h"
#include "core/engine/stack_option.h"

int option_apply(struct engine *e, struct sock *s, enum ipc_option o, int64_t value)
{
	enum tcp_option option;
	int64_t translated;

	if (s->slot) {
		ipc_slot_begin(s->slot)->option[o] = value;
		ipc_slot_end(s->slot);
	}
	if (!s->tcp || !stack_option(o, value, &option, &translated))
		return 0;
	return tcp_set_option(s->tcp, option, translated, e->now);
}

void option_apply_all(struct engine *e, struct sock *s, uint32_t set, const int64_t *value)
{
	for (unsigned o = 0; o < IPC_OPT_COUNT; o++) {
		if (set & 1u << o)
			option_apply(e, s, o, value[o]);
	}
}
