/*
 * listen FAKE_IP[/LEN] PORT COUNT [IFACE]
 *
 * A web server of one page, on an address that the kernel does not own: answers COUNT requests and
 * exits. Says on stdout when it is ready. Read examples/curl.c first; new here is how a program
 * with many sockets learns which of them have news: stack_next_event.
 *
 * Exit status 0 after COUNT requests. Else one line on stderr and 1, or 2 when called wrongly.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host/host.h"

enum { BACKLOG = 64, SETTLE_S = 5, PAGE_MAX = 512 };

struct server {
	struct host *h;
	struct tcp *listener;
	long left; /* requests still to answer */
};

/*
 * What a connection needs to remember: how much of the empty line that ends a request has been
 * seen.
 */
struct client {
	unsigned matched;
};

static int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("listen: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return 1;
}

static bool request_ends(struct client *c, const char *data, size_t n)
{
	static const char end[] = "\r\n\r\n";

	for (size_t i = 0; i < n && c->matched < 4; i++)
		c->matched = data[i] == end[c->matched] ? c->matched + 1 : data[i] == '\r';
	return c->matched == 4;
}

/* Queues the answer. A new connection has more room than this page needs; if not, it is let go. */
static bool answer(struct tcp *t, nsec now)
{
	char page[PAGE_MAX], reply[2 * PAGE_MAX], us[ENDPOINT_STRLEN], them[ENDPOINT_STRLEN];
	struct iovec room[2];

	int len = snprintf(page, sizeof page,
		"Hello %s,\nthis is %s, an address that no kernel owns.\n",
		endpoint_format(tcp_remote(t), them), endpoint_format(tcp_local(t), us));
	len = snprintf(reply, sizeof reply,
		"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", len,
		page);
	if (tcp_send_room(t, (size_t)len, room) == 0 || room[0].iov_len < (size_t)len)
		return false;
	memcpy(room[0].iov_base, reply, (size_t)len);
	tcp_send_commit(t, (size_t)len, now);
	return true;
}

static void let_go(struct tcp *t, nsec now)
{
	free(tcp_user(t));
	tcp_close(t, now);
}

static void serve(struct server *s, struct tcp *t, nsec now)
{
	struct client *c = tcp_user(t);
	struct iovec in[2];
	size_t n = 0;
	bool asked = false;
	int pieces = tcp_recv_peek(t, in);

	for (int i = 0; i < pieces; i++) {
		asked = request_ends(c, in[i].iov_base, in[i].iov_len);
		n += in[i].iov_len;
	}
	if (n > 0)
		tcp_recv_consume(t, n, now);
	if (asked)
		s->left -= answer(t, now);
	if (asked || tcp_recv_eof(t) || tcp_state(t) == TCPS_CLOSED)
		let_go(t, now);
}

static void welcome(struct server *s, nsec now)
{
	struct tcp *t;

	while ((t = tcp_accept(s->listener))) {
		struct client *c = calloc(1, sizeof *c);
		if (!c) {
			tcp_abort(t, now);
			continue;
		}
		tcp_set_user(t, c);
		serve(s, t, now); /* the request may be here already */
	}
}

static int run(struct server *s)
{
	struct tcp *t;
	unsigned events;
	nsec now;

	while (s->left > 0) {
		int err = host_turn(s->h, NSEC_NEVER, &now);
		if (err)
			return complain("%s", strerror(-err));
		if (host_address_state(s->h) == ADDRESS_CONFLICT)
			return complain("%s", host_error(s->h));
		while ((t = stack_next_event(host_stack(s->h), &events))) {
			if (t == s->listener)
				welcome(s, now);
			else
				serve(s, t, now);
		}
	}
	tcp_close(s->listener, now);
	host_settle(s->h, now + SETTLE_S * SEC);
	return 0;
}

/* The address is announced, and connections find a listener: only now is anybody told. */
static int become_ready(struct server *s, uint16_t port)
{
	struct endpoint local = {.addr = host_address(s->h)->addr, .port = port};
	char at[ENDPOINT_STRLEN], mac[MACADDR_STRLEN];
	nsec now;

	while (host_address_state(s->h) == ADDRESS_PROBING) {
		int err = host_turn(s->h, NSEC_NEVER, &now);
		if (err)
			return complain("%s", strerror(-err));
	}
	if (host_address_state(s->h) == ADDRESS_CONFLICT)
		return complain("%s", host_error(s->h));
	local.addr = host_address(s->h)->addr;
	s->listener = tcp_new(host_stack(s->h), NULL);
	int err = s->listener ? tcp_bind(s->listener, &local) : -ENOMEM;
	if (!err)
		err = tcp_listen(s->listener, BACKLOG, now);
	if (err)
		return complain("%s", strerror(-err));
	printf("listening on %s, MAC %s\n", endpoint_format(&local, at),
		macaddr_format(host_mac(s->h), mac));
	fflush(stdout);
	return 0;
}

static int with_address(const struct host_config *config, uint16_t port, long count)
{
	char error[HOST_ERROR_LEN];
	struct server s = {.h = host_open(config, error, host_clock()), .left = count};

	if (!s.h)
		return complain("%s", error);
	int status = become_ready(&s, port);
	if (status == 0)
		status = run(&s);
	host_close(s.h, host_clock());
	return status;
}

static bool parse_number(const char *text, long max, long *out)
{
	char *end;

	*out = strtol(text, &end, 10);
	return end != text && *end == '\0' && *out >= 1 && *out <= max;
}

int main(int argc, char **argv)
{
	struct host_config config = {.ifname = argc == 5 ? argv[4] : NULL, .probe = PROBE_FAST};
	long port, count;

	if (argc < 4 || argc > 5) {
		fprintf(stderr, "usage: listen FAKE_IP[/LEN] PORT COUNT [IFACE]\n");
		return 2;
	}
	config.ip_auto = strcmp(argv[1], "auto") == 0;
	if (!config.ip_auto && !ipnet_parse(&config.ip, argv[1]))
		return complain("%s: should be an IPv4 address or auto", argv[1]);
	if (!parse_number(argv[2], 65535, &port) || !parse_number(argv[3], 1000000, &count))
		return complain("PORT should be from 1 to 65535, COUNT from 1 to 1000000");
	return with_address(&config, (uint16_t)port, count);
}
