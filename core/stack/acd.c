/*
 * RFC 5227, address conflict detection.
 *
 * stack_claim sends ACD_PROBE_NUM probes ("who has A?", sender 0.0.0.0, so that nobody's cache is
 * polluted), and waits. Any ARP packet from another MAC with A as its sender, or a probe of another
 * host for A, means CONFLICT. Silence means READY: the address is announced ACD_ANNOUNCE_NUM times
 * and answered for (arp.c) as long as the stack lives.
 *
 * In READY a conflicting packet is answered by one announcement per ACD_DEFEND_INTERVAL, and the
 * address is kept: option (c) of §2.4, because giving up would break every connection that uses it.
 *
 * Departure: PROBE_FAST waits 50 ms where §1.1 has 1 to 2 s. A host on a wired LAN answers within a
 * millisecond; the full waits are PROBE_RFC.
 */
#include "core/stack/acd.h"

#include "core/stack/arp.h"
#include "core/stack/state.h"

static const struct ipaddr unspecified_v4 = {{[10] = 0xff, [11] = 0xff}};

static nsec random_between(struct stack *s, nsec low, nsec high)
{
	return low + (nsec)(stack_random(s) % (uint64_t)(high - low));
}

static void announce(struct stack *s, nsec now)
{
	arp_request(s, &s->address.addr, &s->address.addr, NULL, now);
}

static void announce_next(struct stack *s, nsec now)
{
	announce(s, now);
	if (++s->acd.announcements < ACD_ANNOUNCE_NUM)
		timer_arm(&s->timers, &s->acd.timer, now + ACD_ANNOUNCE_INTERVAL);
}

static void become_ready(struct stack *s, nsec now)
{
	s->acd.state = ADDRESS_READY;
	announce_next(s, now);
}

static nsec wait_after_probe(struct stack *s)
{
	if (s->acd.timing == PROBE_FAST)
		return ACD_FAST_INTERVAL;
	if (s->acd.probes < ACD_PROBE_NUM)
		return random_between(s, ACD_PROBE_MIN, ACD_PROBE_MAX);
	return ACD_ANNOUNCE_WAIT;
}

static void probe_next(struct stack *s, nsec now)
{
	if (s->acd.probes == ACD_PROBE_NUM) {
		become_ready(s, now);
		return;
	}
	s->acd.probes++;
	arp_request(s, &unspecified_v4, &s->address.addr, NULL, now);
	timer_arm(&s->timers, &s->acd.timer, now + wait_after_probe(s));
}

static void fire(struct timer *t, nsec now)
{
	struct stack *s = CONTAINER_OF(t, struct stack, acd.timer);

	if (s->acd.state == ADDRESS_PROBING)
		probe_next(s, now);
	else
		announce_next(s, now);
}

void acd_init(struct stack *s)
{
	s->acd.state = ADDRESS_NONE;
	timer_init(&s->acd.timer, fire);
}

void acd_claim(struct stack *s, enum probe_timing timing, nsec now)
{
	timer_cancel(&s->timers, &s->acd.timer);
	s->acd.state = ADDRESS_PROBING;
	s->acd.timing = timing;
	s->acd.probes = s->acd.announcements = 0;
	s->acd.has_defended = false;
	if (timing == PROBE_NONE)
		become_ready(s, now);
	else if (timing == PROBE_FAST)
		probe_next(s, now);
	else
		timer_arm(&s->timers, &s->acd.timer, now + random_between(s, 0, ACD_PROBE_WAIT));
}

/* §2.1.1: somebody uses the address, or wants it at the same time. */
static bool claims_our_candidate(const struct stack *s, const struct arp_packet *p)
{
	bool is_probe = p->op == ARP_REQUEST && ipaddr_is_any(&p->sender_ip);

	return ipaddr_equal(is_probe ? &p->target_ip : &p->sender_ip, &s->address.addr);
}

static void give_up(struct stack *s, const struct macaddr *holder)
{
	COUNT(s, ArpConflicts);
	s->acd.state = ADDRESS_CONFLICT;
	s->acd.holder = *holder;
	timer_cancel(&s->timers, &s->acd.timer);
}

static void defend(struct stack *s, nsec now)
{
	COUNT(s, ArpConflicts);
	if (s->acd.has_defended && now - s->acd.defended < ACD_DEFEND_INTERVAL)
		return;
	s->acd.has_defended = true;
	s->acd.defended = now;
	announce(s, now);
}

bool acd_input(struct stack *s, const struct arp_packet *p, nsec now)
{
	if (macaddr_equal(&p->sender_mac, &s->config.mac))
		return true;
	switch (s->acd.state) {
	case ADDRESS_PROBING:
		if (claims_our_candidate(s, p))
			give_up(s, &p->sender_mac);
		return true;
	case ADDRESS_READY:
		if (!ipaddr_equal(&p->sender_ip, &s->address.addr))
			return false;
		defend(s, now);
		return true;
	default:
		return true;
	}
}
