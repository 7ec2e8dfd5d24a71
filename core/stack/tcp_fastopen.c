/*
 * TCP Fast Open, both sides (RFC 7413).
 *
 * CLIENT. The first connection to a server asks for a cookie in its SYN (an empty option), later
 * ones send it back with data in the SYN. With TCP_OPT_FASTOPEN_CONNECT a tcp_connect that finds a
 * cookie sends nothing until the first data is there (fastopen.waits). What of the data the SYN-ACK
 * does not acknowledge goes again at once, without a congestion signal: it was the server's choice
 * (§4.2.2). A SYN that has to be repeated is a plain one: the option may be what a middlebox drops
 * (§4.1.3.1).
 *
 * SERVER. A SYN with a good cookie (or any SYN with data, if TCP_OPT_FASTOPEN_NO_COOKIE says that
 * none is needed) makes a child that is in the accept queue before its handshake ends: it may read
 * the SYN's data and answer. TCP_OPT_FASTOPEN bounds how many such children wait for their first
 * ACK (§5.1). The cookie is SipHash-2-4 of both addresses under the key, as Linux computes it, so
 * that several servers behind one address can share a key.
 *
 * Peers that know only the experimental option (254, RFC 6994) are spoken to in that form: a client
 * that asked in vain tries it once.
 */
#include <errno.h>
#include <string.h>

#include "core/stack/tcb.h"

enum { TCP_OPTION_SPACE = 40, COOKIE_LEN = 8 };

/* --- the client's memory --- */

static struct fastopen_peer *peer_find(struct stack *s, const struct ipaddr *addr)
{
	struct fastopen_cache *c = &s->tcp.fastopen;

	for (unsigned i = 0; i < FASTOPEN_CACHE_MAX; i++) {
		if (ipaddr_equal(&c->peer[i].addr, addr))
			return &c->peer[i];
	}
	return NULL;
}

static struct fastopen_peer *peer_make(struct stack *s, const struct ipaddr *addr)
{
	struct fastopen_cache *c = &s->tcp.fastopen;
	struct fastopen_peer *p = peer_find(s, addr);

	if (p)
		return p;
	p = &c->peer[c->next++ % FASTOPEN_CACHE_MAX];
	*p = (struct fastopen_peer){.addr = *addr};
	return p;
}

void tcp_fastopen_forget(struct stack *s)
{
	s->tcp.fastopen = (struct fastopen_cache){0};
}

/* --- the client --- */

void tcp_fastopen_connect(struct tcp *t)
{
	struct fastopen *f = &t->fastopen;
	const struct fastopen_peer *p = peer_find(t->stack, &t->remote.addr);

	if (!t->option[TCP_OPT_FASTOPEN_CONNECT])
		return;
	f->offers = f->asked = true;
	if (t->option[TCP_OPT_FASTOPEN_NO_COOKIE]) {
		f->waits = true;
		f->offers = f->asked = false;
	} else if (p && p->len > 0) {
		f->waits = true;
		f->exp = p->exp;
		f->len = p->len;
		memcpy(f->cookie, p->cookie, p->len);
	} else if (p) {
		f->exp = p->try_exp == 1;
	}
	if (p && p->mss)
		t->snd.peer_mss = p->mss;
}

bool tcp_fastopen_waits(const struct tcp *t)
{
	return t->fastopen.waits;
}

void tcp_fastopen_go(struct tcp *t)
{
	t->snd.syn_due = true;
	tcp_due(t);
}

uint32_t tcp_fastopen_room(const struct tcp *t)
{
	uint32_t mss = (uint32_t)t->pmtu - IP_TCP_HDR_LEN;
	const struct fastopen_peer *p = peer_find(t->stack, &t->remote.addr);

	if (p && p->mss)
		mss = MIN(mss, (uint32_t)p->mss);
	if (t->option[TCP_OPT_MAXSEG])
		mss = MIN(mss, (uint32_t)t->option[TCP_OPT_MAXSEG]);
	return mss > TCP_OPTION_SPACE ? mss - TCP_OPTION_SPACE : 0;
}

uint32_t tcp_fastopen_payload(struct tcp *t)
{
	if (t->state != TCPS_SYN_SENT || !t->fastopen.waits)
		return 0;
	uint32_t len = MIN(t->snd.queue.len, tcp_fastopen_room(t));
	t->fastopen.waits = false;
	t->fastopen.syn_data = len > 0;
	return len;
}

void tcp_fastopen_syn_ack(struct tcp *t, const struct segment *g)
{
	struct fastopen *f = &t->fastopen;
	bool cookie = (g->h.opts & TO_FASTOPEN) && g->h.fastopen_len > 0;

	f->accepted = f->syn_data && seq_gt(g->h.ack, seq_add(t->snd.iss, 1)) &&
		      seq_eq(g->h.ack, t->snd.nxt);
	if (!t->option[TCP_OPT_FASTOPEN_CONNECT])
		return;
	struct fastopen_peer *p = peer_make(t->stack, &t->remote.addr);
	if (g->h.opts & TO_MSS)
		p->mss = g->h.mss;
	if (!f->asked)
		return; /* a cookie nobody asked for */
	if (cookie) {
		p->len = g->h.fastopen_len;
		p->exp = g->h.opts & TO_FASTOPEN_EXP;
		memcpy(p->cookie, g->h.fastopen, p->len);
	} else if (!f->syn_data && t->retries == 0 && p->len == 0) {
		p->try_exp = MAX(p->try_exp, f->exp ? 2 : 1);
	}
}

/* --- the server --- */

static void make_cookie(
	struct tcp *l, unsigned key, const struct segment *g, uint8_t out[COOKIE_LEN])
{
	const struct fastopen *f = &l->fastopen;
	const uint8_t *k = f->nkeys ? f->key[key] : l->stack->config.secret + FASTOPEN_KEY_LEN;
	uint8_t addrs[32];
	size_t n = ipaddr_is_v4(&g->ip->src) ? 4 : 16;

	memcpy(addrs, g->ip->src.b + 16 - n, n);
	memcpy(addrs + n, g->ip->dst.b + 16 - n, n);
	stack_siphash(out, k, addrs, 2 * n);
}

/* Which of the keys made the segment's cookie; -1: none. */
static int key_of_cookie(struct tcp *l, const struct segment *g)
{
	int nkeys = MAX(l->fastopen.nkeys, 1);
	uint8_t good[COOKIE_LEN];

	for (int i = 0; g->h.fastopen_len == COOKIE_LEN && i < nkeys; i++) {
		make_cookie(l, (unsigned)i, g, good);
		if (memcmp(good, g->h.fastopen, COOKIE_LEN) == 0)
			return i;
	}
	return -1;
}

/* Children that are open and have not shown yet that they are where they say (§5.1). */
static bool has_room(const struct tcp *l)
{
	int64_t n = 0;

	LIST_FOR_EACH (link, &l->accept_queue)
		n += LIST_ENTRY(link, struct tcp, child_link)->state == TCPS_SYN_RECEIVED;
	return n < l->option[TCP_OPT_FASTOPEN];
}

static void open_now(struct tcp *child, struct segment *g, nsec now)
{
	child->fastopen.passive = true;
	child->fastopen.accepted = g->len > 0;
	child->cc->init(child, now);
	child->rcv.tuned_at = now;
	g->syn = false;
	g->seq = child->rcv.nxt;
	tcp_text_input(child, g, now);
	tcp_listen_complete(child, now);
}

void tcp_fastopen_syn(struct tcp *child, struct segment *g, nsec now)
{
	struct tcp *l = child->listener;
	struct fastopen *f = &child->fastopen;
	bool option = g->h.opts & TO_FASTOPEN;

	if (l->option[TCP_OPT_FASTOPEN] == 0 || !(option || g->len > 0) || !has_room(l))
		return;
	int key = key_of_cookie(l, g);
	bool open = key >= 0 || l->option[TCP_OPT_FASTOPEN_NO_COOKIE];
	if (option && key != 0 && !(open && key < 0)) { /* asked for, wrong, or of the old key */
		f->offers = true;
		f->exp = g->h.opts & TO_FASTOPEN_EXP;
		f->len = COOKIE_LEN;
		make_cookie(l, 0, g, f->cookie);
	}
	if (open)
		open_now(child, g, now);
}

int tcp_fastopen_set_keys(struct tcp *t, const uint8_t *keys, unsigned n)
{
	if (n == 0 || n > ARRAY_LEN(t->fastopen.key))
		return -EINVAL;
	memcpy(t->fastopen.key, keys, (size_t)n * FASTOPEN_KEY_LEN);
	t->fastopen.nkeys = (uint8_t)n;
	return 0;
}

/* --- both --- */

void tcp_fastopen_option(struct tcp *t, struct tcp_hdr *h)
{
	struct fastopen *f = &t->fastopen;

	if (!f->offers)
		return;
	h->opts |= TO_FASTOPEN | (f->exp ? TO_FASTOPEN_EXP : 0);
	h->fastopen_len = f->len;
	memcpy(h->fastopen, f->cookie, f->len);
	if (t->state == TCPS_SYN_SENT)
		f->offers = false; /* what is repeated is plain */
}
