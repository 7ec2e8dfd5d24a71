/*
 * curl FAKE_IP[/LEN] URL [IFACE]
 *
 * Fetches a page over our own TCP, from an address that the kernel does not own; prints it to
 * stdout. No LD_PRELOAD: this is the core API by itself, and the shortest whole program on it. What
 * to look at:
 *
 *	host_open             a stack of our own on IFACE, which begins to claim FAKE_IP
 *	tcp_new, tcp_connect  a socket of that stack; the connection begins once the address is ours
 *	host_turn             waits for the network and lets the stack work
 *	tcp_recv_peek         what has arrived, in order, where it lies
 *
 * FAKE_IP may be "auto". Only the URL's name, if it is one, is asked of the host's resolver. Exit
 * status 0: the whole page was printed. Else one line on stderr and 1, or 2 when called wrongly.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/host/host.h"

enum { HEADER_MAX = 16384, REQUEST_MAX = 2048, PATH_MAX_LEN = 1600, SILENCE_S = 30 };

struct url {
	char host[256], port[6];
	const char *path;
	struct endpoint server;
};

struct page {
	char header[HEADER_MAX + 1];
	size_t header_len;
	bool in_body;
	long long length, got; /* body bytes; length -1: until the server closes */
};

static int complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("curl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return 1;
}

static bool parse_url(struct url *u, const char *text)
{
	strcpy(u->port, "80");
	if (sscanf(text, "http://%255[^:/]", u->host) != 1)
		return false;
	const char *rest = text + strlen("http://") + strlen(u->host);
	if (*rest == ':') {
		size_t digits = strspn(++rest, "0123456789");
		if (digits == 0 || digits > 5)
			return false;
		snprintf(u->port, sizeof u->port, "%.*s", (int)digits, rest);
		rest += digits;
	}
	u->path = *rest ? rest : "/";
	return *u->path == '/' && strlen(u->path) <= PATH_MAX_LEN;
}

static bool resolve(struct url *u)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;

	int err = getaddrinfo(u->host, u->port, &hints, &found);
	if (err)
		return !complain("%s: %s", u->host, gai_strerror(err));
	const struct sockaddr_in *sin = (const void *)found->ai_addr;
	u->server.addr = ipaddr_v4(ntohl(sin->sin_addr.s_addr));
	u->server.port = ntohs(sin->sin_port);
	freeaddrinfo(found);
	return true;
}

/* Status line and header fields are complete: what do they say about the body? */
static bool begin_body(struct page *p)
{
	p->in_body = true;
	p->length = -1;
	if (strncmp(p->header, "HTTP/1.", 7) != 0)
		return !complain("this is not an HTTP server");
	for (char *line = strchr(p->header, '\n'); line; line = strchr(line + 1, '\n'))
		if (strncasecmp(line + 1, "Content-Length:", 15) == 0)
			p->length = atoll(line + 16);
	return true;
}

/* Takes header bytes up to and with the empty line: how many, or -1 when it makes no sense. */
static ssize_t take_header(struct page *p, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (p->header_len == HEADER_MAX)
			return -complain("the response header is too long");
		p->header[p->header_len++] = data[i];
		p->header[p->header_len] = '\0';
		if (p->header_len >= 4 && strcmp(p->header + p->header_len - 4, "\r\n\r\n") == 0)
			return begin_body(p) ? (ssize_t)i + 1 : -1;
	}
	return (ssize_t)n;
}

static bool take(struct page *p, const char *data, size_t n)
{
	if (!p->in_body) {
		ssize_t used = take_header(p, data, n);
		if (used < 0)
			return false;
		data += used;
		n -= (size_t)used;
	}
	if (p->length >= 0 && (long long)n > p->length - p->got)
		n = (size_t)(p->length - p->got);
	p->got += (long long)n;
	return fwrite(data, 1, n, stdout) == n || !complain("stdout: %s", strerror(errno));
}

static bool is_whole(const struct page *p)
{
	return p->in_body && p->got == p->length;
}

/* The server will send no more: was that all? */
static int finish(const struct page *p)
{
	if (!p->in_body)
		return complain("the server closed without an answer");
	if (p->length >= 0 && p->got < p->length)
		return complain("the page was cut off after %lld of %lld bytes", p->got, p->length);
	return fflush(stdout) == 0 ? 0 : complain("stdout: %s", strerror(errno));
}

static void send_request(struct tcp *t, const struct url *u, nsec now)
{
	char request[REQUEST_MAX];
	struct iovec room[2];
	size_t done = 0;
	int n = snprintf(request, sizeof request,
		"GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: teecee\r\n\r\n", u->path, u->host);

	unsigned pieces = (unsigned)tcp_send_room(t, (size_t)n, room);
	for (unsigned i = 0; i < pieces && done < (size_t)n; i++) {
		size_t part =
			(size_t)n - done < room[i].iov_len ? (size_t)n - done : room[i].iov_len;
		memcpy(room[i].iov_base, request + done, part);
		done += part;
	}
	tcp_send_commit(t, done, now);
}

/* Prints what has arrived: its size, or -1 when it made no sense. */
static ssize_t receive(struct tcp *t, struct page *p, nsec now)
{
	struct iovec in[2];
	size_t n = 0;
	int pieces = tcp_recv_peek(t, in);

	for (int i = 0; i < pieces; i++) {
		if (!take(p, in[i].iov_base, in[i].iov_len))
			return -1;
		n += in[i].iov_len;
	}
	if (n > 0)
		tcp_recv_consume(t, n, now);
	return (ssize_t)n;
}

static int transfer(struct host *h, struct tcp *t, struct page *p, nsec now)
{
	nsec heard = now;

	for (;;) {
		int err = host_turn(h, heard + SILENCE_S * SEC, &now);
		if (err)
			return complain("%s", strerror(-err));
		if (host_address_state(h) == ADDRESS_CONFLICT)
			return complain("%s", host_error(h));
		ssize_t n = receive(t, p, now);
		if (n < 0)
			return 1;
		heard = n > 0 ? now : heard;
		if (is_whole(p) || tcp_recv_eof(t))
			return finish(p);
		if (n == 0 && tcp_error(t))
			return complain("%s", strerror(tcp_error(t)));
		if (now - heard >= SILENCE_S * SEC)
			return complain("the server is silent");
	}
}

static int fetch(struct host *h, const struct url *u, nsec now)
{
	struct tcp *t = tcp_new(host_stack(h), NULL);
	struct page page = {0};

	if (!t)
		return complain("out of memory");
	int err = tcp_connect(t, &u->server, now);
	if (err)
		return complain("%s: %s", u->host, strerror(-err));
	send_request(t, u, now);
	int status = transfer(h, t, &page, now);
	tcp_close(t, host_clock());
	host_settle(h, host_clock() + SEC);
	return status;
}

int main(int argc, char **argv)
{
	struct host_config config = {.ifname = argc == 4 ? argv[3] : NULL, .probe = PROBE_FAST};
	char error[HOST_ERROR_LEN];
	struct url url;

	if (argc < 3 || argc > 4) {
		fprintf(stderr, "usage: curl FAKE_IP[/LEN] http://HOST[:PORT]/PATH [IFACE]\n");
		return 2;
	}
	config.ip_auto = strcmp(argv[1], "auto") == 0;
	if (!config.ip_auto && !ipnet_parse(&config.ip, argv[1]))
		return complain("%s: should be an IPv4 address or auto", argv[1]);
	if (!parse_url(&url, argv[2]))
		return complain("%s: should be http://HOST[:PORT]/PATH", argv[2]);
	if (!resolve(&url))
		return 1;
	nsec now = host_clock();
	struct host *h = host_open(&config, error, now);
	if (!h)
		return complain("%s", error);
	int status = fetch(h, &url, now);
	host_close(h, host_clock());
	return status;
}
