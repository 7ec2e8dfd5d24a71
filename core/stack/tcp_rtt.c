/*
 * Round-trip times and the retransmission timeout (RFC 6298 §2), and the timestamp clock (RFC 7323
 * §5.4). Departure: the minimum RTO is 200 ms and is added to srtt, as Linux does, so that a
 * delayed ACK of 40 ms never meets it.
 */
#include "core/stack/tcb.h"

void tcp_rtt_sample(struct tcp *t, nsec rtt)
{
	rtt = nsec_max(rtt, 1 * USEC);
	if (t->srtt == 0) {
		t->srtt = rtt;
		t->rttvar = rtt / 2;
	} else {
		nsec error = rtt > t->srtt ? rtt - t->srtt : t->srtt - rtt;
		t->rttvar += (error - t->rttvar) / 4;
		t->srtt += (rtt - t->srtt) / 8;
	}
	if (t->min_rtt == 0 || rtt < t->min_rtt)
		t->min_rtt = rtt;
	t->rto = nsec_min(t->srtt + nsec_max(4 * t->rttvar, TCP_RTO_MIN), TCP_RTO_MAX);
}

/*
 * A millisecond clock with an offset per connection, so that it tells nothing about the host's
 * uptime.
 */
uint32_t tcp_ts_now(const struct tcp *t, nsec now)
{
	return (uint32_t)(now / MSEC) + t->ts_offset;
}
