/*
 * Explicit congestion notification (RFC 3168): routers mark packets instead of dropping them.
 *
 * Negotiated in the SYNs (ECE and CWR in the SYN, ECE in the SYN-ACK). By default we accept it but
 * do not ask for it, as Linux: some paths still lose SYNs with these bits, so a SYN that is
 * repeated is without them (§6.1.1.1). Sender: new data carries ECT(0); never pure ACKs, SYNs,
 * retransmissions or window probes (§6.1.4, §6.1.5). An ECE reduces the window as a loss would,
 * once per round trip, with proportional rate reduction and nothing to retransmit (RECOVERY_CWR);
 * the next new data carries CWR. Receiver: after a CE mark every ACK carries ECE until a CWR
 * arrives; the first of them leaves at once.
 */
#include "core/stack/tcb.h"

enum { ECN_MASK = 3, ECN_ECT0 = 2, ECN_CE = 3 };

/* TCP_OPT_ECN, as net.ipv4.tcp_ecn. */
enum { ECN_OFF, ECN_ASK, ECN_ACCEPT };

void tcp_ecn_syn_flags(struct tcp *t, struct tcp_hdr *h, bool again)
{
	if (t->state == TCPS_SYN_RECEIVED)
		h->flags |= t->ecn.on ? TH_ECE : 0;
	else if (t->option[TCP_OPT_ECN] == ECN_ASK && !again)
		h->flags |= TH_ECE | TH_CWR;
	t->ecn.asked = h->flags & TH_CWR;
}

void tcp_ecn_take_syn(struct tcp *t, const struct segment *g)
{
	uint8_t flags = g->h.flags & (TH_ECE | TH_CWR);

	if (g->h.flags & TH_ACK)
		t->ecn.on = t->ecn.asked && flags == TH_ECE;
	else
		t->ecn.on = t->option[TCP_OPT_ECN] != ECN_OFF && flags == (TH_ECE | TH_CWR);
}

uint8_t tcp_ecn_tos(const struct tcp *t, const struct tcp_hdr *h, uint32_t len)
{
	bool new_data = len > 0 && !(h->flags & TH_SYN) && seq_ge(h->seq, t->snd.nxt);

	return t->ecn.on && new_data ? ECN_ECT0 : 0;
}

void tcp_ecn_flags(struct tcp *t, struct tcp_hdr *h, uint32_t len)
{
	if (!t->ecn.on)
		return;
	if (t->ecn.echo)
		h->flags |= TH_ECE;
	if (t->ecn.cwr_due && tcp_ecn_tos(t, h, len)) {
		h->flags |= TH_CWR;
		t->ecn.cwr_due = false;
	}
}

void tcp_ecn_data(struct tcp *t, const struct segment *g)
{
	if (!t->ecn.on)
		return;
	if (g->h.flags & TH_CWR)
		t->ecn.echo = false;
	if ((g->ip->tos & ECN_MASK) != ECN_CE)
		return;
	if (!t->ecn.echo)
		tcp_ack_at_once(t);
	t->ecn.echo = true;
	COUNT(t->stack, TcpExtCeMarks);
}

bool tcp_ecn_congested(struct tcp *t, const struct segment *g)
{
	if (!t->ecn.on || !(g->h.flags & TH_ECE) || (g->h.flags & TH_SYN))
		return false;
	t->ecn.cwr_due |= t->recovery == RECOVERY_OPEN;
	return t->recovery == RECOVERY_OPEN;
}
