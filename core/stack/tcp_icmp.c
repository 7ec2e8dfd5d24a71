/*
 * ICMP errors about our segments (RFC 1122 §4.2.3.9, RFC 5927). An error must quote a sequence
 * number that is in flight. It ends a connection that is being opened; on an established one it is
 * only remembered, as the reason to name if the connection times out. "Fragmentation needed" lowers
 * the path MTU (RFC 1191).
 */
#include <errno.h>

#include "core/stack/tcb.h"

static void lower_path_mtu(struct tcp *t, uint16_t mtu, nsec now)
{
	/* An old router does not say (RFC 1191 §5): the smallest that is sure to help. */
	uint16_t pmtu =
		MAX(mtu ? mtu : (uint16_t)(TCP_MSS_DEFAULT + IP_TCP_HDR_LEN), (uint16_t)TCP_MTU_MIN);

	if (pmtu >= t->pmtu)
		return;
	tcp_mtu_told(t, pmtu);
	if (t->state == TCPS_SYN_SENT) { /* it had data (tcp_fastopen.c): again without */
		t->snd.syn_due = true;
		tcp_due(t);
		return;
	}
	tcp_recovery_too_big(t, now);
}

static void neighbour_failed(struct stack *s, const struct ip_error *e, nsec now)
{
	LIST_FOR_EACH (link, &s->tcp.all) {
		struct tcp *t = LIST_ENTRY(link, struct tcp, all_link);
		if (!t->hashed || !ip_goes_through(s, &t->remote.addr, &e->remote))
			continue;
		if (t->state == TCPS_SYN_SENT)
			tcp_finish(t, e->error, now);
		else
			t->soft_error = e->error;
	}
}

void tcp_icmp_error(struct stack *s, const struct ip_error *e, nsec now)
{
	if (!e->quoted) {
		neighbour_failed(s, e, now);
		return;
	}
	if (e->quoted_len < 8)
		return;
	struct endpoint local = {e->local, get_be16(e->quoted)};
	struct endpoint remote = {e->remote, get_be16(e->quoted + 2)};
	struct seq32 quoted = seq(get_be32(e->quoted + 4));
	struct tcp *t = tcp_table_find(s, &local, &remote);
	if (!t || t->state == TCPS_TIME_WAIT || seq_lt(quoted, t->snd.una) ||
		!seq_lt(quoted, t->snd.nxt)) {
		COUNT(s, IcmpInErrors);
		return;
	}
	if (e->error == EMSGSIZE)
		lower_path_mtu(t, e->mtu, now);
	else if (!tcp_is_synchronized(t)) /* the handshake of a Fast Open child too, as Linux */
		tcp_finish(t, e->error, now);
	else
		t->soft_error = e->error;
}
