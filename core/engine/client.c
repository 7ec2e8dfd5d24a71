/*
 * The control channel, one per process: who are you, are we of one mind (HELLO, answered as soon as
 * the address is ours), and then setsockopt messages that nobody waits for. A client owns nothing:
 * when its process ends, its connections are ended by their own sockets.
 */
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine/lend.h"
#include "core/engine/resolver.h"
#include "core/engine/snapshot.h"
#include "core/engine/sock.h"
#include "core/engine/watch.h"
#include "core/host/host.h"

enum { MESSAGES_PER_TURN = 256, ACCEPTS_PER_TURN = 256 };

struct client {
	struct source src;
	struct list link;
	bool foreign; /* of another uid: HELLO must show the token */
	bool welcome; /* WELCOME was sent */
	bool waiting; /* HELLO came, the address is not ours yet */
	struct ipc_hello hello;
	struct client_watch watch;
	struct lend_pool *pool; /* NULL: none */
};

static void client_free(struct engine *e, struct client *c)
{
	watch_leave(e, &c->watch);
	if (c->pool)
		lend_close(c->pool);
	close(c->src.fd);
	list_remove(&c->link);
	free(c);
	e->nclients--;
}

static void refuse(struct engine *e, struct client *c, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void send_refused(int fd, int error, const char *text)
{
	struct ipc_refused r = {.h = ipc_header(IPC_REFUSED, sizeof(r)), .error = error};

	snprintf(r.text, sizeof(r.text), "%s", text);
	send(fd, &r, sizeof(r), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Tells why and closes; `c` is gone after it. */
static void refuse(struct engine *e, struct client *c, int error, const char *format, ...)
{
	char text[IPC_TEXT_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	e->counters.clients_refused++;
	send_refused(c->src.fd, error, text);
	client_free(e, c);
}

static void welcome(struct engine *e, struct client *c)
{
	struct ipc_welcome w = {
		.h = ipc_header(IPC_WELCOME, sizeof(w)),
		.table_size = ipc_table_size(e->table->nsets),
		.address = *host_address(e->host),
		.mtu = host_link(e->host)->info.mtu,
	};
	int files[IPC_FDS_MAX] = {e->table_fd, e->corks_fd, -1};

	if (e->settings.mtu)
		w.mtu = (uint16_t)e->settings.mtu;
	memcpy(w.token, e->token, sizeof(w.token));
	memcpy(w.instance, e->instance, sizeof(w.instance));
	table_describe(e, w.mtu);
	c->waiting = false;
	c->welcome = true;
	if (c->hello.lends)
		c->pool = lend_open(e, &files[IPC_FD_POOL]);
	ssize_t sent = ipc_send_fds(c->src.fd, &w, sizeof(w), files,
		c->pool ? IPC_FDS_MAX : IPC_FD_POOL, MSG_DONTWAIT);
	if (c->pool)
		close(files[IPC_FD_POOL]);
	if (sent < 0)
		client_free(e, c);
}

static const char *mac_text(
	enum settings_mac mode, const struct macaddr *mac, char buf[static MACADDR_STRLEN])
{
	return mode == MAC_GIVEN ? macaddr_format(mac, buf) : mode == MAC_NIC ? "nic" : "own";
}

/* What a client asks of TEECEE_MAC; true when the engine has it, else `c` is gone. */
static bool agree_mac(struct engine *e, struct client *c)
{
	const struct ipc_hello *h = &c->hello;
	char a[MACADDR_STRLEN], b[MACADDR_STRLEN];
	unsigned mode = h->mac_mode ? h->mac_mode - 1u : e->settings.mac_mode;

	if (mode == e->settings.mac_mode &&
		(mode != MAC_GIVEN || !h->mac_mode || macaddr_equal(&h->mac, &e->settings.mac)))
		return true;
	refuse(e, c, ENETDOWN,
		"TEECEE_MAC=%s: the running engine of %s has %s; stop it or use that",
		mac_text(mode, &h->mac, a), e->settings.iface,
		mac_text(e->settings.mac_mode, &e->settings.mac, b));
	return false;
}

static bool agree_gateway(struct engine *e, struct client *c)
{
	const struct ipc_hello *h = &c->hello;
	char a[IPADDR_STRLEN], b[IPADDR_STRLEN];

	if (!h->has_gateway ||
		(e->settings.has_gateway && ipaddr_equal(&h->gateway, &e->settings.gateway)))
		return true;
	refuse(e, c, ENETDOWN,
		"TEECEE_GATEWAY=%s: the running engine of %s has %s; stop it or use that",
		ipaddr_format(&h->gateway, a), e->settings.iface,
		e->settings.has_gateway ? ipaddr_format(&e->settings.gateway, b)
					: "the default route's");
	return false;
}

static bool agree_link(struct engine *e, struct client *c)
{
	static const char *const name[] = {
		[LINK_AUTO] = "auto",
		[LINK_PACKET] = "packet",
		[LINK_PCAP] = "pcap",
		[LINK_TAP] = "tap",
	};
	const struct ipc_hello *h = &c->hello;
	unsigned asked = h->link ? h->link - 1u : e->settings.link;

	if (asked == e->settings.link)
		return true;
	refuse(e, c, ENETDOWN,
		"TEECEE_LINK=%s: the running engine of %s has %s; stop it or use that",
		asked < ARRAY_LEN(name) ? name[asked] : "?", e->settings.iface,
		name[e->settings.link]);
	return false;
}

static bool agree_mtu(struct engine *e, struct client *c)
{
	unsigned ours = e->settings.mtu ? e->settings.mtu : host_link(e->host)->info.mtu;

	if (!c->hello.mtu || c->hello.mtu == ours)
		return true;
	refuse(e, c, ENETDOWN,
		"TEECEE_MTU=%u: the running engine of %s has %u; stop it or use that", c->hello.mtu,
		e->settings.iface, ours);
	return false;
}

static void answer(struct engine *e, struct client *c)
{
	if (agree_mac(e, c) && agree_gateway(e, c) && agree_link(e, c) && agree_mtu(e, c))
		welcome(e, c);
}

/*
 * Whether it changes how fast bytes leave that were written before; TCP_NODELAY sends them too. They
 * are read first: the order of a program's calls is kept where it can be seen.
 */
static bool divides(const struct ipc_setopt *m)
{
	return m->option == IPC_OPT_CORK || m->option == IPC_OPT_FLUSH ||
	       (m->option == IPC_OPT_NODELAY && !m->value);
}

static void serve_setopt(struct engine *e, const struct ipc_setopt *m)
{
	struct sock *s = table_sock(e, m->cookie);

	if (!s || m->option >= IPC_OPT_COUNT) {
		e->counters.bad_control += m->option >= IPC_OPT_COUNT;
		return;
	}
	if (s->state == ST_STREAM && divides(m))
		conn_serve(e, s);
	option_apply(e, s, m->option, m->value);
}

static void hello(struct engine *e, struct client *c, const struct ipc_hello *h)
{
	if (c->foreign && sodium_memcmp(h->token, e->token, sizeof(e->token)) != 0) {
		refuse(e, c, EACCES, "the engine of %s belongs to user %u", e->settings.iface,
			(unsigned)e->uid);
		return;
	}
	if (host_address_state(e->host) == ADDRESS_CONFLICT) {
		refuse(e, c, EADDRINUSE, "%s", host_error(e->host));
		return;
	}
	c->hello = *h;
	c->waiting = true;
	if (host_address_state(e->host) == ADDRESS_READY)
		answer(e, c);
}

/* The answer to an ATTACH or a SNAPSHOT; a client that does not read it is no client. */
static bool send_result(struct engine *e, struct client *c, const struct ipc_result *r, int fd)
{
	bool sent = ipc_send_fd(c->src.fd, r, sizeof(*r), fd, MSG_DONTWAIT) == sizeof(*r);

	if (!sent)
		client_free(e, c);
	return sent;
}

static bool attach(struct engine *e, struct client *c, const struct ipc_attach *m, int fd)
{
	struct ipc_result r = {.h = ipc_header(IPC_RESULT, sizeof(r))};
	struct ipc_attach copy = *m;

	copy.text[sizeof(copy.text) - 1] = '\0';
	watch_attach(e, &c->watch, &copy, fd, &r);
	return send_result(e, c, &r, -1);
}

static bool snapshot(struct engine *e, struct client *c)
{
	struct ipc_result r = {.h = ipc_header(IPC_RESULT, sizeof(r))};
	int fd = snapshot_take(e);

	r.error = fd < 0 ? -fd : 0;
	bool sent = send_result(e, c, &r, fd);
	if (fd >= 0)
		close(fd);
	return sent;
}

/* One message, with its fd or -1, which is taken; false when `c` is gone. */
static bool serve_message(struct engine *e, struct client *c, const void *data, size_t len, int fd)
{
	bool gone = false;

	if (c->welcome && ipc_check(data, len, IPC_ATTACH, sizeof(struct ipc_attach)))
		return attach(e, c, data, fd);
	if (c->welcome && ipc_check(data, len, IPC_LOOKUP, sizeof(struct ipc_header))) {
		resolver_ask(e, fd);
		return true;
	}
	if (fd >= 0)
		close(fd);
	if (c->welcome && ipc_check(data, len, IPC_SNAPSHOT, sizeof(struct ipc_header)))
		return snapshot(e, c);

	if (!c->welcome && !c->waiting &&
		ipc_check(data, len, IPC_HELLO, sizeof(struct ipc_hello))) {
		unsigned before = e->nclients;

		hello(e, c, data);
		gone = e->nclients < before;
	} else if (c->welcome && ipc_check(data, len, IPC_SETOPT, sizeof(struct ipc_setopt))) {
		serve_setopt(e, data);
	} else if (c->welcome && ipc_check(data, len, IPC_STOP, sizeof(struct ipc_header))) {
		e->stopping = true;
	} else {
		e->counters.bad_control++;
		client_free(e, c);
		gone = true;
	}
	return !gone;
}

/* What ipc_recv_all said. False when `c` is gone; the fds of what it had sent besides are closed. */
static bool serve_messages(struct engine *e, struct client *c, struct ipc_incoming *in, int n)
{
	bool here = n > 0;

	if (!here)
		client_free(e, c);
	for (int i = 0; i < n; i++) {
		if (here && in[i].len > 0) {
			here = serve_message(e, c, in[i].data, in[i].len, in[i].fd);
			continue;
		}
		if (here)
			client_free(e, c);
		here = false;
		if (in[i].fd >= 0)
			close(in[i].fd);
	}
	return here;
}

static void client_ready(struct engine *e, struct source *src, uint32_t events)
{
	struct client *c = CONTAINER_OF(src, struct client, src);
	union {
		struct ipc_header h;
		struct ipc_hello hello;
		struct ipc_setopt setopt;
		struct ipc_attach attach;
	} m[IPC_INCOMING_MAX];
	struct ipc_incoming in[IPC_INCOMING_MAX];
	int n = IPC_INCOMING_MAX;

	/* Fewer than asked for: there are no more. */
	for (int turn = 0; turn < MESSAGES_PER_TURN && n == IPC_INCOMING_MAX; turn += n) {
		for (int i = 0; i < IPC_INCOMING_MAX; i++)
			in[i] = (struct ipc_incoming){.data = &m[i], .room = sizeof(m[i])};
		n = ipc_recv_all(src->fd, in, IPC_INCOMING_MAX, MSG_DONTWAIT);
		if (n == -EAGAIN || !serve_messages(e, c, in, n))
			return;
	}
}

static void newcomer(struct engine *e, int fd)
{
	struct client *c = calloc(1, sizeof(*c));
	uid_t uid;
	pid_t pid;

	if (!c || ipc_peer(fd, &uid, &pid) < 0) {
		close(fd);
		free(c);
		return;
	}
	c->src = (struct source){.fd = fd, .class = SOURCE_CONTROL, .ready = client_ready};
	c->foreign = uid != e->uid;
	watch_client_init(&c->watch);
	list_append(&e->clients, &c->link);
	e->nclients++;
	if (e->nclients + e->nsocks + ENGINE_FD_RESERVE > e->fd_limit)
		refuse(e, c, ENFILE, "the engine of %s has no descriptors left", e->settings.iface);
	else if (loop_add(e, &c->src, EPOLLIN))
		client_free(e, c);
}

void client_accept_ready(struct engine *e, struct source *src, uint32_t events)
{
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		newcomer(e, fd);
	}
}

void clients_answer(struct engine *e)
{
	LIST_FOR_EACH (link, &e->clients) {
		struct client *c = LIST_ENTRY(link, struct client, link);

		if (c->waiting)
			answer(e, c);
	}
}

void clients_refuse(struct engine *e, int error, const char *text)
{
	int fd;

	LIST_FOR_EACH (link, &e->clients) {
		struct client *c = LIST_ENTRY(link, struct client, link);

		if (!c->welcome)
			refuse(e, c, error, "%s", text);
	}
	/* Their HELLO may still be on its way; the answer is the same. */
	while ((fd = accept4(e->control.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		send_refused(fd, error, text);
		close(fd);
	}
}

void clients_close(struct engine *e)
{
	LIST_FOR_EACH (link, &e->clients)
		client_free(e, LIST_ENTRY(link, struct client, link));
}
