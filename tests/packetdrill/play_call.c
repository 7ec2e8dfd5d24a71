/*
 * Calls, options and assertions of a script. One listener and one connection are enough for all of
 * them; what a call without either is about is a new socket.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "tests/packetdrill/play.h"

static char zeros[1 << 20];

static const struct {
	const char *name;
	int value;
} errnos[] = {
	{"EAGAIN", EAGAIN},
	{"EINPROGRESS", EINPROGRESS},
	{"EALREADY", EALREADY},
	{"EISCONN", EISCONN},
	{"ENOTCONN", ENOTCONN},
	{"ECONNREFUSED", ECONNREFUSED},
	{"ECONNRESET", ECONNRESET},
	{"EPIPE", EPIPE},
	{"ETIMEDOUT", ETIMEDOUT},
	{"EHOSTUNREACH", EHOSTUNREACH},
	{"ENETUNREACH", ENETUNREACH},
	{"EINVAL", EINVAL},
};

static struct psock *sock(struct play *p)
{
	if (!p->sock)
		p->sock = psock_new(&p->world);
	if (!p->sock)
		play_fail(p, "no memory");
	p->sock->nonblocking = true;
	return p->sock;
}

static ssize_t call_connect(struct play *p, const char **at)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)(PLAY_PEER_PORT + p->current)),
		.sin_addr.s_addr = htonl(0xc0000201),
	};

	return psock_connect(sock(p), (struct sockaddr *)&to, sizeof to);
}

static ssize_t call_listen(struct play *p, const char **at)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PLAY_SERVER_PORT)};
	int backlog = (int)play_number(p, at);

	if (!p->listener) {
		p->listener = sock(p);
		p->sock = NULL;
		int err = psock_bind(p->listener, (struct sockaddr *)&any, sizeof any);
		if (err)
			return err;
	}
	return psock_listen(p->listener, backlog);
}

static ssize_t call_accept(struct play *p, const char **at)
{
	if (!p->listener)
		play_fail(p, "nobody listens");
	if (p->sock)
		play_fail(p, "the script already has a connection");
	return psock_accept(p->listener, &p->sock);
}

static ssize_t send_with(struct play *p, const char **at, int flags)
{
	int64_t n = play_number(p, at);

	if (n < 0 || (size_t)n > sizeof zeros)
		play_fail(p, "too much to write");
	return psock_send(sock(p), &(struct iovec){zeros, (size_t)n}, 1, flags);
}

static ssize_t call_write(struct play *p, const char **at)
{
	return send_with(p, at, 0);
}

static ssize_t call_write_more(struct play *p, const char **at)
{
	return send_with(p, at, MSG_MORE);
}

static ssize_t call_write_urgent(struct play *p, const char **at)
{
	return send_with(p, at, MSG_OOB);
}

/* connect and send in one (MSG_FASTOPEN). */
static ssize_t call_fastopen(struct play *p, const char **at)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)(PLAY_PEER_PORT + p->current)),
		.sin_addr.s_addr = htonl(0xc0000201),
	};
	struct iovec iov = {zeros, (size_t)play_number(p, at)};
	size_t copied;
	int r = psock_fastopen(sock(p), (struct sockaddr *)&to, sizeof to, &iov, 1, &copied);

	return r == -EINPROGRESS && copied ? (ssize_t)copied : r;
}

static ssize_t call_read(struct play *p, const char **at)
{
	static char sink[sizeof zeros];
	int64_t n = play_number(p, at);

	if (n < 0 || (size_t)n > sizeof sink)
		play_fail(p, "too much to read");
	memset(sink, 1, (size_t)n);
	ssize_t r = psock_recv(sock(p), &(struct iovec){sink, (size_t)n}, 1, 0);
	if (r > 0 && memcmp(sink, zeros, (size_t)r) != 0)
		play_fail(p, "what was read is not what was sent");
	return r;
}

static ssize_t call_close(struct play *p, const char **at)
{
	struct psock **which = play_word(at, "listener") ? &p->listener : &p->sock;

	if (!*which)
		play_fail(p, "there is nothing to close");
	psock_close(*which);
	*which = NULL;
	return 0;
}

static ssize_t call_abort(struct play *p, const char **at)
{
	struct linger now = {1, 0};

	psock_set_option(sock(p), SOL_SOCKET, SO_LINGER, &now, sizeof now);
	return call_close(p, at);
}

static ssize_t call_shutdown(struct play *p, const char **at)
{
	static const char *const hows[] = {
		[SHUT_RD] = "rd", [SHUT_WR] = "wr", [SHUT_RDWR] = "rdwr"};

	for (int how = 0; how < (int)ARRAY_LEN(hows); how++) {
		if (play_word(at, hows[how]))
			return psock_shutdown(sock(p), how);
	}
	play_fail(p, "shutdown of what? '%s'", *at);
}

static ssize_t call_error(struct play *p, const char **at)
{
	int error;
	socklen_t len = sizeof error;

	psock_get_option(sock(p), SOL_SOCKET, SO_ERROR, &error, &len);
	return -error;
}

static ssize_t call_poll(struct play *p, const char **at)
{
	static const struct {
		const char *name;
		unsigned bit;
	} bits[] = {{"in", POLLIN}, {"out", POLLOUT}, {"hup", POLLHUP}, {"err", POLLERR},
		{"rdhup", POLLRDHUP}, {"pri", POLLPRI}};
	unsigned want = 0, got = psock_poll(sock(p)) & ~(POLLRDNORM | POLLWRNORM);

	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
			if (!play_word(at, bits[i].name))
				continue;
			want |= bits[i].bit;
			more = true;
		}
	}
	if (want != got)
		play_fail(p, "poll says %#x, expected is %#x", got, want);
	return 0;
}

static const struct {
	const char *name;
	ssize_t (*run)(struct play *p, const char **at);
} calls[] = {
	{"connect(", call_connect},
	{"listen(", call_listen},
	{"accept(", call_accept},
	{"write(", call_write},
	{"write_more(", call_write_more},
	{"write_urgent(", call_write_urgent},
	{"fastopen(", call_fastopen},
	{"read(", call_read},
	{"close(", call_close},
	{"abort(", call_abort},
	{"shutdown(", call_shutdown},
	{"error(", call_error},
	{"poll(", call_poll},
};

static int64_t expected(struct play *p, const char **at)
{
	for (size_t i = 0; i < ARRAY_LEN(errnos); i++) {
		if (play_word(at, errnos[i].name))
			return -errnos[i].value;
	}
	return play_number(p, at);
}

bool play_call(struct play *p, const char *at)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		if (!play_word(&at, calls[i].name))
			continue;
		ssize_t r = calls[i].run(p, &at);
		world_settle(&p->world);
		if (!play_word(&at, ")"))
			play_fail(p, "')' is missing at '%s'", at);
		int64_t want = play_word(&at, "=") ? expected(p, &at) : 0;
		if (r != want)
			play_fail(p, "it returned %zd%s%s", r, r < 0 ? ": " : "",
				r < 0 ? strerror((int)-r) : "");
		return true;
	}
	return false;
}

/* --- options --- */

static const struct {
	const char *name;
	enum tcp_option option;
	nsec unit;
} options[] = {
	{"nodelay", TCP_OPT_NODELAY, 1},
	{"cork", TCP_OPT_CORK, 1},
	{"keepalive", TCP_OPT_KEEPALIVE, 1},
	{"keepidle", TCP_OPT_KEEPIDLE, SEC},
	{"keepintvl", TCP_OPT_KEEPINTVL, SEC},
	{"keepcnt", TCP_OPT_KEEPCNT, 1},
	{"user_timeout", TCP_OPT_USER_TIMEOUT, MSEC},
	{"syncnt", TCP_OPT_SYNCNT, 1},
	{"maxseg", TCP_OPT_MAXSEG, 1},
	{"sndbuf", TCP_OPT_SNDBUF, 1},
	{"rcvbuf", TCP_OPT_RCVBUF, 1},
	{"quickack", TCP_OPT_QUICKACK, 1},
	{"linger2", TCP_OPT_LINGER2, SEC},
	{"defer_accept", TCP_OPT_DEFER_ACCEPT, SEC},
	{"timestamps", TCP_OPT_TIMESTAMPS, 1},
	{"ecn", TCP_OPT_ECN, 1},
	{"idle_restart", TCP_OPT_IDLE_RESTART, 1},
	{"fastopen", TCP_OPT_FASTOPEN, 1},
	{"fastopen_connect", TCP_OPT_FASTOPEN_CONNECT, 1},
	{"fastopen_no_cookie", TCP_OPT_FASTOPEN_NO_COOKIE, 1},
};

void play_set(struct play *p, const char *at)
{
	bool of_listener = play_word(&at, "listener");

	if (play_word(&at, "congestion")) {
		if (tcp_set_congestion(sock(p)->tcp, play_skip(at), p->world.now))
			play_fail(p, "no such controller");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (!play_word(&at, options[i].name))
			continue;
		struct psock *s = of_listener ? p->listener : sock(p);
		play_word(&at, "=");
		int64_t v = play_number(p, &at) * options[i].unit;
		if (!s || tcp_set_option(s->tcp, options[i].option, v, p->world.now))
			play_fail(p, "the option is refused");
		world_settle(&p->world);
		return;
	}
	play_fail(p, "no option is called '%s'", at);
}

/* --- assertions --- */

static int64_t in_segments(uint32_t bytes, const struct tcp_stats *s)
{
	return s->snd_mss ? bytes / s->snd_mss : 0;
}

static bool value_of_stats(struct play *p, const char **at, int64_t *out)
{
	struct tcp_stats s;

	tcp_get_stats(sock(p)->tcp, &s);
	const struct {
		const char *name;
		int64_t value;
	} values[] = {
		{"cwnd", in_segments(s.cwnd, &s)},
		{"ssthresh", in_segments(s.ssthresh, &s)},
		{"cwnd_bytes", s.cwnd},
		{"unacked", s.unacked},
		{"sacked", s.sacked},
		{"lost", s.lost},
		{"retrans", s.retrans},
		{"total_retrans", s.total_retrans},
		{"delivered", s.delivered},
		{"mss", s.snd_mss},
		{"rcv_mss", s.rcv_mss},
		{"rtt", s.rtt_us / 1000},
		{"rto", s.rto_us / 1000},
		{"backoff", s.backoff},
		{"probes", s.probes},
		{"recovery", s.in_recovery},
		{"cwr", s.in_cwr},
		{"loss", s.in_loss},
		{"ecn", s.opt_ecn},
		{"sack", s.opt_sack},
		{"timestamps", s.opt_timestamps},
		{"syn_data", s.opt_syn_data},
		{"pmtu", s.pmtu},
		{"queued", (int64_t)tcp_send_queued(sock(p)->tcp)},
		{"readable", (int64_t)tcp_recv_queued(sock(p)->tcp)},
		{"memory", (int64_t)stack_memory(p->world.stack)},
		{"sockets", (int64_t)stack_socket_count(p->world.stack)},
	};
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		if (play_word(at, values[i].name)) {
			*out = values[i].value;
			return true;
		}
	}
	return false;
}

static bool value_of_counter(struct play *p, const char **at, int64_t *out)
{
	for (int i = 0; i < CNT_COUNT; i++) {
		if (play_word(at, counter_info[i].name)) {
			*out = (int64_t)stack_counters(p->world.stack)->v[i];
			return true;
		}
	}
	return false;
}

static void assert_state(struct play *p, const char *at)
{
	const char *is = tcp_state_name[tcp_state(sock(p)->tcp)];

	if (strcmp(play_skip(at), is) != 0)
		play_fail(p, "the state is %s", is);
}

void play_assert(struct play *p, const char *at)
{
	int64_t v;

	if (play_word(&at, "state")) {
		play_word(&at, "==");
		assert_state(p, at);
		return;
	}
	if (!value_of_counter(p, &at, &v) && !value_of_stats(p, &at, &v))
		play_fail(p, "no value is called '%s'", at);
	bool holds;
	if (play_word(&at, "=="))
		holds = v == play_number(p, &at);
	else if (play_word(&at, ">="))
		holds = v >= play_number(p, &at);
	else if (play_word(&at, "<="))
		holds = v <= play_number(p, &at);
	else
		play_fail(p, "a comparison is missing at '%s'", at);
	if (!holds)
		play_fail(p, "it is %lld", (long long)v);
}
