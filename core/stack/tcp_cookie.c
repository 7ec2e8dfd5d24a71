/*
 * SYN cookies (RFC 4987 §3.6): when a listener has as many half-open children as it may, a SYN is
 * answered without remembering it. What must be known later is in the initial sequence number we
 * choose and, if the peer sends timestamps, in the low bits of ours; the ACK that completes the
 * handshake brings both back.
 *
 *	ISN       5 bits of a 64 s clock, 3 bits of an MSS table, 24 bits of a keyed hash over
 *	          four-tuple, peer's ISN,
 *	          clock and MSS index
 *	tsval     low 6 bits: the peer's window scale (15: none) and whether it may SACK
 *
 * A cookie is good for up to two turns of the clock. Without timestamps there is no window scale
 * and no SACK.
 */
#include <string.h>

#include "core/stack/tcb.h"

#define COOKIE_TURN (64 * SEC)

enum { HASH_BITS = 24, MSS_BITS = 3, TURN_BITS = 5, TURNS_GOOD = 2, NO_WSCALE = 15, TS_BITS = 6 };

static const uint16_t mss_table[1 << MSS_BITS] = {216, 536, 1220, 1360, 1400, 1440, 1460, 8960};

static uint32_t turn_of(nsec now)
{
	return (uint32_t)(now / COOKIE_TURN) & ((1u << TURN_BITS) - 1);
}

static uint32_t cookie_hash(struct stack *s, const struct endpoint *local,
	const struct endpoint *remote, struct seq32 peer_isn, uint32_t head)
{
	uint8_t key[44];

	memcpy(key, local->addr.b, 16);
	memcpy(key + 16, remote->addr.b, 16);
	put_be16(key + 32, local->port);
	put_be16(key + 34, remote->port);
	put_be32(key + 36, peer_isn.v);
	put_be32(key + 40, head);
	return (uint32_t)stack_hash(s, HASH_COOKIE, key, sizeof key) & ((1u << HASH_BITS) - 1);
}

static uint32_t mss_index(uint16_t mss)
{
	uint32_t i = (1 << MSS_BITS) - 1;

	while (i > 0 && mss_table[i] > mss)
		i--;
	return i;
}

/* The value of our timestamp clock at most now whose low bits say `bits`. */
static uint32_t stamp(uint32_t clock, uint32_t bits)
{
	const uint32_t mask = (1u << TS_BITS) - 1;
	uint32_t value = (clock & ~mask) | bits;

	return (int32_t)(value - clock) > 0 ? value - (1u << TS_BITS) : value;
}

/* `child` is on the caller's stack only: it is the form in which the SYN's answer is worked out. */
void tcp_cookie_answer(struct tcp *l, const struct segment *g, nsec now)
{
	struct stack *s = l->stack;
	struct tcp t = {.stack = s, .cc = l->cc, .pmtu = s->config.mtu, .state = TCPS_SYN_RECEIVED};
	struct tcp_hdr h = {.flags = TH_SYN | TH_ACK};

	memcpy(t.option, l->option, sizeof t.option);
	t.local = (struct endpoint){g->ip->dst, g->h.dst_port};
	t.remote = (struct endpoint){g->ip->src, g->h.src_port};
	tcp_init_send(&t, now);
	tcp_take_syn(&t, g, now);
	if (!t.use_ts)
		t.use_wscale = t.use_sack = false;
	uint32_t head = turn_of(now) << MSS_BITS | mss_index(t.snd.peer_mss);
	h.seq = seq(head << HASH_BITS | cookie_hash(s, &t.local, &t.remote, g->seq, head));
	h.ack = t.rcv.nxt;
	h.window = (uint16_t)MIN(t.rcv.limit, 65535u);
	tcp_syn_options(&t, &h, now);
	if (t.use_ts)
		h.tsval = stamp(h.tsval,
			(t.use_wscale ? t.snd.wscale : NO_WSCALE) | (uint32_t)t.use_sack << 4);
	tcp_send_stateless(s, &t.local, &t.remote, &h, now);
	s->tcp.cookies_until = now + (TURNS_GOOD + 1) * COOKIE_TURN;
	COUNT(s, TcpExtSyncookiesSent);
}

/* The head of a good cookie, or -1. */
static int check(struct stack *s, const struct segment *g, nsec now)
{
	struct endpoint local = {g->ip->dst, g->h.dst_port}, remote = {g->ip->src, g->h.src_port};
	uint32_t cookie = g->h.ack.v - 1, head = cookie >> HASH_BITS;
	uint32_t age = (turn_of(now) - (head >> MSS_BITS)) & ((1u << TURN_BITS) - 1);

	if (age >= TURNS_GOOD ||
		(cookie & ((1u << HASH_BITS) - 1)) !=
			cookie_hash(s, &local, &remote, seq_add(g->seq, -1u), head))
		return -1;
	return (int)head;
}

/* The SYN as it must have been. */
static struct segment rebuild_syn(const struct segment *g, int head)
{
	struct segment syn = *g;
	bool ts = g->h.opts & TO_TIMESTAMP;
	uint32_t bits = g->h.tsecr & ((1u << TS_BITS) - 1);

	syn.seq = syn.h.seq = seq_add(g->seq, -1u);
	syn.h.opts = TO_MSS | (ts ? TO_TIMESTAMP : 0);
	syn.h.mss = mss_table[head & ((1 << MSS_BITS) - 1)];
	if (ts && (bits & 0xf) != NO_WSCALE) {
		syn.h.opts |= TO_WSCALE;
		syn.h.wscale = bits & 0xf;
	}
	if (ts && (bits & 0x10))
		syn.h.opts |= TO_SACK_OK;
	return syn;
}

struct tcp *tcp_cookie_accept(struct tcp *l, const struct segment *g, nsec now)
{
	struct stack *s = l->stack;
	int head = now < s->tcp.cookies_until ? check(s, g, now) : -1;

	if (head < 0) {
		if (now < s->tcp.cookies_until)
			COUNT(s, TcpExtSyncookiesFailed);
		return NULL;
	}
	struct segment syn = rebuild_syn(g, head);
	struct tcp *t = tcp_listen_child(l, &syn, now);
	if (!t)
		return NULL;
	t->snd.iss = t->snd.una = t->snd.nxt = t->snd.small = seq_add(g->h.ack, -1u);
	t->snd.una_data = g->h.ack;
	t->rcv.adv = seq_add(t->rcv.nxt, MIN(t->rcv.limit, 65535u));
	tcp_set_state(t, TCPS_SYN_RECEIVED, now);
	if (!tcp_sent_append(t, 0, true, false, now)) {
		tcp_finish(t, 0, now);
		return NULL;
	}
	tcp_arm_rexmit(t, now); /* should the accept queue be full */
	COUNT(s, TcpExtSyncookiesRecv);
	return t;
}
