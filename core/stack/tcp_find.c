/*
 * For those who look at the stack from outside: one connection, or all.
 */
#include "core/stack/state.h"
#include "core/stack/tcb.h"

struct tcp *tcp_find(
	struct stack *s, const struct endpoint *local, const struct endpoint *remote)
{
	return tcp_table_find(s, local, remote);
}

void tcp_each(struct stack *s, void (*fn)(void *ctx, struct tcp *t), void *ctx)
{
	LIST_FOR_EACH (link, &s->tcp.all)
		fn(ctx, LIST_ENTRY(link, struct tcp, all_link));
}
