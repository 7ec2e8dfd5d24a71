/*
 * Program to network: bytes move from the AF_UNIX queue straight into the stack's send ring, all of
 * them, and the last one stays in the queue as the residual byte.
 *
 * The queue begins with `held` bytes that were forwarded before. Two ways to take what follows
 * them:
 *
 *	small   one recvmsg(MSG_PEEK) of the held bytes (into scratch) and up to SMALL more (into
 *	        the ring), then a read that drops all but the last. What came back short was
 *	        everything there is.
 *	bulk    FIONREAD says how much there is; a recvmsg without MSG_PEEK reads all but the last
 *	        byte into the ring, and a peek fetches the last one. No byte is copied twice.
 *
 * CONSUMED WHEN REPLYING. A small read is not consumed at once: that wakes whoever waits on the
 * socket, also a program that waits for the reply, for nothing. It is consumed behind the reply's
 * delivery, or when the engine has nothing else to do, or before the next read of the socket; at the
 * latest after UNREAD_MAX, for the bytes count against the program's SO_SNDBUF.
 *
 * A read that was full makes the next one a bulk read; a bulk read of little makes the next a small
 * one.
 *
 * The kernel ends every read before an urgent byte that is not at the head of the queue, and held
 * bytes are before it; so it is met only after they have been consumed, which is safe exactly
 * because it follows them. It is looked for when EPOLLPRI was reported, and whenever nothing is held.
 *
 * A connection that was reset, or timed out, may have received more than its program has read yet:
 * until that is delivered the program's end stays open. What it writes meanwhile is thrown away, as
 * what it wrote a moment before; a program that waits for room, and would read afterwards, goes on.
 *
 * TOKENS. Where the program has lent memory instead of writing (core/ipc/lend.h), there are tokens in
 * the queue. How many are on the way says the socket's word, and it is asked after the queue: with
 * none, what was looked at has none. With some, the queue is looked at through the scratch buffer, piece
 * by piece, and what lies between tokens is copied once more. What has been taken is consumed like a
 * small read. While the word says LOW, the residual byte is left only if it is one of a token.
 *
 * If the ring is too small for what there is, it is filled by consuming and nothing is held: what
 * remains in the queue keeps the promise of the residual byte. The stack says TCP_EV_WRITE when
 * there is room again.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "core/engine/lend.h"
#include "core/engine/sock.h"

#define UNREAD_MAX (100 * USEC)

enum {
	SMALL = 4 << 10,
	TURN_MAX = 1 << 20, /* per sock and turn: others want to send too */
};

/* A receive of the held bytes and then into `room`, at most `len` of both; bytes or -1. */
static ssize_t receive(struct engine *e, const struct sock *s, const struct iovec *room, int nroom,
	size_t len, int flags)
{
	struct iovec io[3] = {{e->scratch, s->held}};
	struct msghdr m = {.msg_iov = io, .msg_iovlen = 1};
	size_t left = len - s->held;

	for (int i = 0; i < nroom && left > 0; i++) {
		io[m.msg_iovlen] = room[i];
		io[m.msg_iovlen].iov_len = MIN(room[i].iov_len, left);
		left -= io[m.msg_iovlen++].iov_len;
	}
	return recvmsg(s->src.fd, &m, flags | MSG_DONTWAIT);
}

/* Reads `n` bytes of the queue only to be rid of them. */
static void drop(struct engine *e, struct sock *s, size_t n)
{
	ssize_t got;

	while (n > 0) {
		got = recv(s->src.fd, e->scratch, MIN(n, sizeof(e->scratch)), MSG_DONTWAIT);
		if (got <= 0)
			return;
		n -= (size_t)got;
		s->held -= (uint32_t)got;
	}
}

static void put_off(struct engine *e, struct sock *s)
{
	s->unread_at = e->now;
	list_append(&e->unread, &s->unread_link);
}

/* The residual byte stays, unless it may be one of many, for which the program's buffer is too small now. */
static uint32_t residual(const struct engine *e, const struct sock *s)
{
	const ipc_cork_word *word = lend_word(e, s);

	return !s->token && word && (ipc_cork_get(word, s->cookie) & IPC_CORK_LOW) ? 0 : 1;
}

void pump_catch_up(struct engine *e, struct sock *s)
{
	if (list_empty(&s->unread_link))
		return;
	list_remove(&s->unread_link);
	drop(e, s, s->held - residual(e, s));
}

void pump_catch_up_all(struct engine *e)
{
	LIST_FOR_EACH (link, &e->unread)
		pump_catch_up(e, LIST_ENTRY(link, struct sock, unread_link));
}

void pump_catch_up_late(struct engine *e)
{
	LIST_FOR_EACH (link, &e->unread) {
		struct sock *s = LIST_ENTRY(link, struct sock, unread_link);

		if (e->now - s->unread_at < UNREAD_MAX)
			break;
		pump_catch_up(e, s);
	}
}

static size_t room_len(const struct iovec *room, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += room[i].iov_len;
	return len;
}

/* The iovec's bytes from `skip` on. */
static struct iovec one_at(const struct iovec *room, size_t skip)
{
	const struct iovec *piece = skip < room[0].iov_len ? &room[0] : &room[1];

	skip -= piece == room ? 0 : room[0].iov_len;
	return (struct iovec){(char *)piece->iov_base + skip, piece->iov_len - skip};
}

enum outcome { DRAINED, MORE, FULL };

/* Bytes of the program that were looked at go into the ring, as many as there is room for. */
static size_t copy_in(struct engine *e, struct sock *s, const uint8_t *from, size_t len)
{
	struct iovec room[2];
	int n = tcp_send_room(s->tcp, len, room);
	size_t done = 0;

	for (int i = 0; i < n && done < len; i++) {
		size_t some = MIN(len - done, room[i].iov_len);

		memcpy(room[i].iov_base, from + done, some);
		done += some;
	}
	tcp_send_commit(s->tcp, done, e->now);
	s->token &= done == 0;
	return done;
}

/* The token, or the bytes up to the next one, at the head of what the program sent; 0: no room. */
static size_t take_piece(struct engine *e, struct sock *s, const uint8_t *from, size_t len)
{
	size_t bytes = lend_find(e, from, len);

	if (bytes > 0 || len < sizeof(struct ipc_lend_token))
		return copy_in(e, s, from, bytes > 0 ? bytes : len);
	switch (lend_take(e, s, from)) {
	case LEND_TAKEN:
		s->token = true;
		return sizeof(struct ipc_lend_token);
	case LEND_WRONG:
		e->counters.bad_requests++;
		tcp_reset(s->tcp, e->now);
		break;
	case LEND_LATER:
		break;
	}
	return 0;
}

/*
 * The queue may have tokens: it is looked at in the scratch buffer, and consumed later. A token is
 * there whole, unless the buffer's end has cut it.
 */
static enum outcome take_lent(struct engine *e, struct sock *s)
{
	const size_t room = sizeof(e->scratch), token = sizeof(struct ipc_lend_token);
	ssize_t got = recv(s->src.fd, e->scratch, room, MSG_PEEK | MSG_DONTWAIT);
	size_t end = got == (ssize_t)room ? room - token + 1 : (size_t)got;
	size_t n = 1;

	if (got <= (ssize_t)s->held)
		return DRAINED;
	table_note_unsent(s);
	while (n > 0 && s->held < end) {
		n = take_piece(e, s, e->scratch + s->held, (size_t)got - s->held);
		s->held += (uint32_t)n;
	}
	if (s->held > 1)
		put_off(e, s);
	if (n == 0)
		return FULL;
	if (end < (size_t)got)
		return MORE;
	if (lend_pending(e, s))
		lend_recount(e, s);
	return DRAINED;
}

static enum outcome take_small(struct engine *e, struct sock *s)
{
	struct iovec room[2];
	int n = tcp_send_room(s->tcp, SMALL, room);
	size_t want = s->held + MIN(room_len(room, n), (size_t)SMALL);
	ssize_t got;

	if (n == 0)
		return FULL;
	got = receive(e, s, room, n, want, MSG_PEEK);
	if (got <= (ssize_t)s->held) {
		tcp_send_commit(s->tcp, 0, e->now);
		return DRAINED;
	}
	if (lend_pending(e, s)) {
		tcp_send_commit(s->tcp, 0, e->now);
		return take_lent(e, s);
	}
	table_note_unsent(s);
	tcp_send_commit(s->tcp, (size_t)got - s->held, e->now);
	s->held = (uint32_t)got;
	s->token = false;
	if (s->held > 1)
		put_off(e, s);
	s->bulk = (size_t)got == want;
	return s->bulk ? MORE : DRAINED;
}

static bool is_at_mark(const struct sock *s)
{
	int mark = 0;

	return ioctl(s->src.fd, SIOCATMARK, &mark) == 0 && mark;
}

/* The urgent byte is at the head of the queue: forwarded as such, and left as the residual byte. */
static enum outcome take_urgent(struct engine *e, struct sock *s)
{
	struct iovec room[2];

	if (tcp_send_room(s->tcp, 1, room) == 0)
		return FULL;
	if (recv(s->src.fd, room[0].iov_base, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
		return DRAINED;
	tcp_send_commit(s->tcp, 1, e->now);
	tcp_send_urgent(s->tcp);
	s->token = false;
	s->held = 1;
	s->urgent = false;
	return MORE;
}

/* The residual byte of a bulk read: looked at, forwarded, left. */
static void take_last(struct engine *e, struct sock *s, struct iovec at)
{
	if (is_at_mark(s))
		return;
	if (recv(s->src.fd, at.iov_base, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
		tcp_send_commit(s->tcp, 1, e->now);
		s->held = 1;
	}
}

static enum outcome take_bulk(struct engine *e, struct sock *s)
{
	struct iovec room[2];
	int queued = 0, n;
	size_t fresh, space, want;
	ssize_t got;

	if (ioctl(s->src.fd, FIONREAD, &queued) < 0 || queued <= (int)s->held)
		return DRAINED;
	if (lend_pending(e, s))
		return take_lent(e, s);
	fresh = (size_t)queued - s->held;
	n = tcp_send_room(s->tcp, fresh, room);
	space = room_len(room, n);
	if (space == 0)
		return FULL;
	want = s->held + (space >= fresh ? fresh - 1 : space);
	table_note_unsent(s);
	s->token = false;
	got = want ? receive(e, s, room, n, want, 0) : 0;
	if (got < 0)
		return DRAINED;
	if (got < (ssize_t)s->held || (got == (ssize_t)s->held && want > s->held)) {
		s->held -= (uint32_t)got; /* the urgent mark is there */
		return got > 0 && s->held == 0 ? MORE : DRAINED;
	}
	fresh -= (size_t)got - s->held;
	if ((size_t)got > s->held)
		tcp_send_commit(s->tcp, (size_t)got - s->held, e->now);
	got -= s->held;
	s->held = 0;
	s->bulk = got >= SMALL;
	if (fresh == 1 && space > (size_t)got)
		take_last(e, s, one_at(room, (size_t)got));
	return fresh == 1 && s->held ? DRAINED : MORE;
}

/* Nothing came although EPOLLPRI was seen: the mark is right behind the held bytes, or passed. */
static enum outcome reach_mark(struct engine *e, struct sock *s)
{
	int queued = 0;

	if (ioctl(s->src.fd, FIONREAD, &queued) < 0 || queued <= (int)s->held) {
		s->urgent = false;
		return DRAINED;
	}
	list_remove(&s->unread_link);
	drop(e, s, s->held);
	return s->held ? DRAINED : MORE;
}

static enum outcome take(struct engine *e, struct sock *s)
{
	enum outcome o;

	pump_catch_up(e, s);
	if (s->held == 0 && is_at_mark(s))
		return take_urgent(e, s);
	if (lend_pending(e, s))
		o = take_lent(e, s);
	else
		o = s->bulk || s->held > 1 ? take_bulk(e, s) : take_small(e, s);
	return o == DRAINED && s->urgent ? reach_mark(e, s) : o;
}

/* All but the residual byte. */
static void throw_away(struct engine *e, struct sock *s)
{
	int queued = 0;

	list_remove(&s->unread_link);
	while (ioctl(s->src.fd, FIONREAD, &queued) == 0 && queued > (int)residual(e, s)) {
		s->held = (uint32_t)queued;
		drop(e, s, (size_t)queued - residual(e, s));
		if (s->held == (uint32_t)queued)
			break;
	}
	if (s->slot)
		lend_forget(e, lend_word(e, s), s->cookie);
}

bool pump_send(struct engine *e, struct sock *s)
{
	enum outcome o = MORE;
	size_t moved = 0;
	uint32_t flushes;

	if (!s->tcp || s->send == SEND_SHUT)
		return true;
	if (s->over && tcp_error(s->tcp)) {
		throw_away(e, s);
		return true;
	}
	flushes = option_cork_begin(e, s);
	while (o == MORE && moved < TURN_MAX) {
		size_t before = tcp_send_queued(s->tcp);

		o = take(e, s);
		moved += tcp_send_queued(s->tcp) - before;
	}
	if (s->held == 1 && !residual(e, s))
		drop(e, s, 1);
	option_cork(e, s);
	e->pumped += moved;
	if (moved > 0)
		loop_bytes_sent(e);
	if (o == DRAINED) {
		s->drained_in = e->turn;
		s->flushes = flushes;
	}
	sock_dirty(e, s);
	if (o == MORE)
		sock_due(e, s);
	return o == DRAINED;
}
