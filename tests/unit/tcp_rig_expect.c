/*
 * What the rig expects, and what its program does.
 */
#include "tests/unit/tcp_rig.h"

/* --- expectations --- */

static void describe(const struct rig *t, const char *who, const struct sent *x)
{
	static const char letters[] = "FSRPAU";
	char flags[8] = "";
	unsigned n = 0;

	for (unsigned i = 0; letters[i]; i++) {
		if (x->h.flags >> i & 1)
			flags[n++] = letters[i];
	}
	print_error("%s %s seq L(%d) ack R(%d) len %u win %u nsack %u gso %u port %u\n", who, flags,
		seq_diff(x->h.seq, t->iss), seq_diff(x->h.ack, t->irs), x->len, x->h.window,
		x->h.nsack, x->gso_size, x->to_port);
	for (unsigned i = 0; i < x->h.nsack; i++)
		print_error("  sack R(%d) R(%d)\n", seq_diff(x->h.sack[i].left, t->irs),
			seq_diff(x->h.sack[i].right, t->irs));
}

static bool same_sack(struct rig *t, const struct sent *x, const struct seg *want)
{
	unsigned n = 0;

	while (n < TCP_SACK_MAX && want->sack[2 * n].of) {
		if (n >= x->h.nsack || !seq_eq(x->h.sack[n].left, rig_seq(t, want->sack[2 * n])) ||
			!seq_eq(x->h.sack[n].right, rig_seq(t, want->sack[2 * n + 1])))
			return false;
		n++;
	}
	if (n > 0 || want->nsack)
		return x->h.nsack == (want->nsack ? want->nsack - 1 : n);
	return true;
}

static bool same_options(struct rig *t, const struct sent *x, const struct seg *want)
{
	bool ts = x->h.opts & TO_TIMESTAMP;

	return (!want->mss || want->mss == x->h.mss) &&
	       (!want->wscale || ((x->h.opts & TO_WSCALE) && want->wscale - 1 == x->h.wscale)) &&
	       (!want->sack_ok || (x->h.opts & TO_SACK_OK)) &&
	       (!want->bare || x->h.opts == TO_MSS) && (!want->no_ts || !ts) && (!want->ts || ts) &&
	       (!want->tsval || want->tsval == x->h.tsval) &&
	       (!want->tsecr || want->tsecr == x->h.tsecr) && same_sack(t, x, want);
}

static bool same_segment(struct rig *t, const struct sent *x, const struct seg *want)
{
	unsigned flags = want->flags ? want->flags : TH_ACK;
	unsigned mask = want->psh ? 0xff : 0xff & ~(unsigned)TH_PSH;

	return ((x->h.flags ^ (flags | (want->psh ? TH_PSH : 0))) & mask) == 0 &&
	       x->len == want->len && (!want->seq.of || seq_eq(x->h.seq, rig_seq(t, want->seq))) &&
	       (!want->ack.of || seq_eq(x->h.ack, rig_seq(t, want->ack))) &&
	       (!want->window || want->window - 1 == x->h.window) &&
	       (!want->urgent || want->urgent == x->h.urgent) &&
	       (!want->gso_size || want->gso_size == x->gso_size) &&
	       (!want->port || want->port == x->to_port) &&
	       (!want->host || want->host == x->to_host) && same_options(t, x, want);
}

static bool same_data(const struct rig *t, const struct sent *x)
{
	uint32_t at = x->h.seq.v - t->iss.v - 1;

	for (uint32_t i = 0; i < x->len; i++) {
		if (x->data[i] != rig_pattern('L', at + i))
			return false;
	}
	return true;
}

const struct sent *expect_tx_at(struct rig *t, const struct seg *want, const char *file, int line)
{
	if (t->seen == t->ntx) {
		print_error("nothing was sent\n");
		_fail(file, line);
	}
	const struct sent *x = &t->tx[t->seen++];
	if (!same_segment(t, x, want) || !same_data(t, x)) {
		describe(t, "sent", x);
		_fail(file, line);
	}
	return x;
}

void expect_silence_at(struct rig *t, const char *file, int line)
{
	if (t->seen == t->ntx)
		return;
	for (unsigned i = t->seen; i < t->ntx; i++)
		describe(t, "not expected:", &t->tx[i]);
	_fail(file, line);
}

void forget_tx(struct rig *t)
{
	t->seen = t->ntx;
}

void clear_tx(struct rig *t)
{
	while (t->ntx > 0)
		free(t->tx[--t->ntx].data);
	t->seen = 0;
}

struct tcp *rig_conn(struct rig *t)
{
	struct endpoint local = us(OUR_PORT), remote = peer(9, PEER_PORT);

	return t->tcp ? t->tcp : tcp_table_find(t->s, &local, &remote);
}

void expect_state_at(struct rig *t, enum tcp_state want, const char *file, int line)
{
	const struct tcp *c = rig_conn(t);
	enum tcp_state is = c ? c->state : t->listener ? t->listener->state : TCPS_CLOSED;

	if (is == want)
		return;
	print_error("in %s, not %s\n", tcp_state_name[is], tcp_state_name[want]);
	_fail(file, line);
}

uint64_t counted(const struct rig *t, enum counter which)
{
	return stack_counters(t->s)->v[which];
}

/* --- the program --- */

size_t app_send(struct rig *t, size_t n)
{
	struct iovec iov[2];
	size_t total = 0;

	while (total < n) {
		int pieces = tcp_send_room(t->tcp, n - total, iov);
		size_t put = 0;
		for (int k = 0; k < pieces; k++) {
			uint8_t *to = iov[k].iov_base;
			size_t most = MIN(iov[k].iov_len, n - total - put);
			for (size_t i = 0; i < most; i++)
				to[i] = rig_pattern('L', t->written + put + i);
			put += most;
		}
		if (put == 0)
			break;
		tcp_send_commit(t->tcp, put, t->now);
		t->written += put;
		total += put;
	}
	rig_poll(t);
	return total;
}

size_t app_recv(struct rig *t, size_t n)
{
	struct iovec iov[2];
	int pieces = tcp_recv_peek(t->tcp, iov);
	size_t got = 0;

	for (int k = 0; k < pieces; k++) {
		const uint8_t *from = iov[k].iov_base;
		size_t most = MIN(iov[k].iov_len, n - got);
		for (size_t i = 0; i < most; i++)
			assert_int_equal(from[i], rig_pattern('R', t->read + got + i));
		got += most;
	}
	tcp_recv_consume(t->tcp, got, t->now);
	t->read += got;
	rig_poll(t);
	return got;
}

void app_option(struct rig *t, enum tcp_option option, int64_t value)
{
	assert_int_equal(tcp_set_option(t->tcp ? t->tcp : t->listener, option, value, t->now), 0);
	rig_poll(t);
}

void app_shutdown(struct rig *t)
{
	assert_int_equal(tcp_shutdown(t->tcp, t->now), 0);
	rig_poll(t);
}

void app_close(struct rig *t)
{
	tcp_close(t->tcp, t->now);
	t->tcp = NULL;
	rig_poll(t);
}

void app_abort(struct rig *t)
{
	tcp_abort(t->tcp, t->now);
	t->tcp = NULL;
	rig_poll(t);
}

void app_accept(struct rig *t)
{
	t->tcp = tcp_accept(t->listener);
	assert_non_null(t->tcp);
	rig_poll(t);
}
