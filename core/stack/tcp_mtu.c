/*
 * The path MTU where ICMP does not tell (RFC 2923 §2.1, RFC 4821, RFC 8899).
 *
 * A router that drops what is too large without a word is a black hole: the handshake passes, full segments never
 * do. So after three timeouts in a row of a segment larger than TCP_MTU_BASE the path is taken to have that MTU, after
 * two more half of it. If it was an outage instead, nothing is lost but a few percent of headers: from then on
 * the true size is searched upwards between what has been acknowledged (`low`) and what may be possible (`high`).
 *
 * The search: one segment of new data, larger than the others, sent when the window is large enough that its
 * loss would be noticed by SACK. Acknowledged, it raises `low` and with it the MSS; lost, it lowers `high`, goes again
 * in smaller pieces, and costs no window, for its loss says nothing about congestion (RFC 4821 §7.5). When the
 * two have met, the search rests for ten minutes.
 *
 * As with Linux's tcp_mtu_probing = 1 nothing of this begins before a black hole was seen. What ICMP says (tcp_icmp.c)
 * is the limit.
 */
#include "core/stack/tcb.h"

enum { CLOSE_ENOUGH = 8, TIMEOUTS = 3, TIMEOUTS_MORE = 5, SEGS_BEHIND = 10 };

static void set_mtu(struct tcp *t, uint16_t mtu)
{
	t->pmtu = mtu;
	tcp_update_mss(t);
}

static void settle(struct tcp *t, nsec now)
{
	t->mtu.probing = false;
	t->mtu.next_at = t->mtu.high - t->mtu.low < CLOSE_ENOUGH ? now + TCP_MTU_REST : now;
}

static void too_large(struct tcp *t, nsec now)
{
	t->mtu.high = t->mtu.probe - 1;
	settle(t, now);
}

void tcp_mtu_timeout(struct tcp *t, nsec now)
{
	struct list *first = list_first(&t->sent);
	uint16_t mtu = TCP_MTU_BASE;

	if (t->mtu.probing)
		too_large(t, now);
	if (!first || !tcp_is_synchronized(t) || (t->retries != TIMEOUTS && t->retries != TIMEOUTS_MORE))
		return;
	if (t->retries == TIMEOUTS_MORE && t->mtu.high > 0)
		mtu = MAX(t->pmtu / 2, TCP_MTU_MIN);
	const struct txseg *x = LIST_ENTRY(first, struct txseg, link);
	if (mtu >= t->pmtu || x->end.v - x->start.v + IP_TCP_HDR_LEN <= mtu)
		return;
	COUNT(t->stack, TcpExtMTUPFail);
	if (t->mtu.high == 0)
		t->mtu.limit = t->pmtu;
	t->mtu.low = mtu;
	t->mtu.high = t->mtu.limit;
	t->mtu.next_at = now;
	set_mtu(t, mtu);
}

void tcp_mtu_told(struct tcp *t, uint16_t mtu)
{
	t->mtu.probing = false;
	if (t->mtu.high > 0) {
		t->mtu.limit = t->mtu.high = mtu;
		t->mtu.low = MIN(t->mtu.low, mtu);
	}
	set_mtu(t, mtu);
}

static uint32_t payload_of(const struct tcp *t, uint16_t mtu)
{
	return t->snd.mss + mtu - t->pmtu;
}

uint32_t tcp_mtu_probe_len(struct tcp *t, nsec now)
{
	if (t->mtu.probing && seq_gt(t->snd.una, t->mtu.start))
		too_large(t, now); /* it was lost while something else was recovered */
	if (t->mtu.high == 0 || t->mtu.probing || now < t->mtu.next_at || t->snd.fin_sent ||
		t->recovery != RECOVERY_OPEN || !t->use_sack)
		return 0;
	if (t->mtu.high - t->mtu.low < CLOSE_ENOUGH) { /* rested: what was too large may pass now */
		t->mtu.high = t->mtu.limit;
		if (t->mtu.high - t->mtu.low < CLOSE_ENOUGH)
			return 0;
	}
	uint16_t mtu = (uint16_t)((t->mtu.low + t->mtu.high + 1) / 2);
	uint32_t len = payload_of(t, mtu), unsent = t->snd.queue.len - (t->snd.nxt.v - t->snd.una_data.v);
	uint32_t behind = SEGS_BEHIND * t->snd.mss;
	int32_t window = seq_diff(seq_add(t->snd.una, t->snd.wnd), t->snd.nxt);
	if (t->cong.cwnd < behind || unsent < len + behind || window < (int32_t)(len + behind) ||
		tcp_in_flight(t) + len > t->cong.cwnd)
		return 0;
	t->mtu.probe = mtu;
	return len;
}

void tcp_mtu_sent(struct tcp *t, struct seq32 start)
{
	t->mtu.probing = true;
	t->mtu.start = start;
}

bool tcp_mtu_is_probe(const struct tcp *t, const struct txseg *x)
{
	return t->mtu.probing && seq_eq(x->start, t->mtu.start) && !x->retransmitted;
}

void tcp_mtu_delivered(struct tcp *t, const struct txseg *x, nsec now)
{
	if (!tcp_mtu_is_probe(t, x))
		return;
	COUNT(t->stack, TcpExtMTUPSuccess);
	t->mtu.low = t->mtu.probe;
	settle(t, now);
	set_mtu(t, t->mtu.low);
}

bool tcp_mtu_lost(struct tcp *t, nsec now)
{
	uint32_t probe = 0;

	if (!t->mtu.probing)
		return false;
	LIST_FOR_EACH (link, &t->sent) {
		const struct txseg *x = LIST_ENTRY(link, struct txseg, link);
		if (x->lost && tcp_mtu_is_probe(t, x))
			probe = x->end.v - x->start.v;
	}
	if (probe == 0)
		return false;
	too_large(t, now);
	return t->lost_bytes - t->resent_bytes == probe;
}
