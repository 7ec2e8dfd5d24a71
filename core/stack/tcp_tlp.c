/*
 * Tail loss probes (RFC 8985 §7). When the last segments of a burst are lost nothing comes back
 * that could tell, and only the RTO would: the probe timeout, about two round trips, sends one
 * segment instead, whose SACK lets RACK see the loss. The probe is new data if there is some, else
 * the last segment again.
 *
 * The timer is REXMIT's: it stands for the PTO (t->tlp.armed) or for the RTO, never for both.
 */
#include "core/stack/tcb.h"

/* RFC 8985 §7.2. NSEC_NEVER: the RTO is the right timer now. */
nsec tcp_probe_timeout(const struct tcp *t)
{
	if (t->recovery != RECOVERY_OPEN || t->tlp.outstanding || !t->use_sack || t->srtt == 0 ||
		t->sacked_bytes > 0 || !tcp_is_synchronized(t) || t->retries > 0)
		return NSEC_NEVER;
	nsec timeout = 2 * t->srtt + TCP_TLP_SLACK;
	if (seq_diff(t->snd.nxt, t->snd.una) <= (int32_t)t->snd.mss)
		timeout += TCP_TLP_ACK_DELAY; /* a lone segment's ACK may be delayed */
	return nsec_min(timeout, t->rto);
}

/* The last range that nobody reported, at most one segment of it. */
static struct txseg *last_segment(struct tcp *t)
{
	struct txseg *x = LIST_ENTRY(t->sent.prev, struct txseg, link);
	uint32_t len = x->end.v - x->start.v - x->fin;

	if (x->sacked || x->lost)
		return NULL;
	if (len > t->snd.mss && tcp_sent_split(t, x, seq_add(x->end, -(t->snd.mss + x->fin))))
		x = LIST_ENTRY(t->sent.prev, struct txseg, link);
	return x;
}

void tcp_probe(struct tcp *t, nsec now)
{
	struct txseg *x = NULL;

	t->tlp.outstanding = true;
	t->tlp.resent = !tcp_output_one(t, now);
	if (t->tlp.resent) {
		x = last_segment(t);
		if (x)
			tcp_output_again(t, x, now);
	}
	t->tlp.end = t->snd.nxt;
	COUNT(t->stack, TcpExtLossProbes);
	tcp_arm_rexmit(t, now);
}

/*
 * RFC 8985 §7.4: did the probe repair a loss that nothing else has seen? Then the window pays for
 * it.
 */
void tcp_probe_ack(struct tcp *t, const struct ack_result *r, nsec now)
{
	if (!t->tlp.outstanding)
		return;
	if (!t->tlp.resent) {
		t->tlp.outstanding = seq_lt(t->snd.una, t->tlp.end);
		return;
	}
	if (r->dsack) { /* both copies arrived */
		t->tlp.outstanding = false;
		return;
	}
	if (!seq_gt(t->snd.una, t->tlp.end))
		return;
	t->tlp.outstanding = false;
	COUNT(t->stack, TcpExtLossProbeRecovery);
	if (t->recovery == RECOVERY_OPEN) {
		t->cong.ssthresh = t->cc->ssthresh(t, now);
		t->cong.cwnd = MIN(t->cong.cwnd, t->cong.ssthresh);
	}
}
