/*
 * A lookup's life: the pair's end arrives by the control channel; its question is read when it is
 * there; c-ares asks (lookup_sock.c); its callback writes the answer into the pair; the lookup is
 * freed at the turn's end, when no pointer of the loop's can lead to it any more. A program that
 * closes its end ends its lookup.
 *
 * c-ares does the retries, servers, search list, truncation and parsing. What it would read from the
 * engine's own files and environment comes with the question instead, so every option is set. Its
 * sorting is off: it asks the kernel for source addresses; with one IPv4 address there is nothing to
 * choose but IPv4 before IPv6 (RFC 6724 rule 1), which the shim does.
 */
#include "core/engine/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/engine/lookup_sock.h"
#include "core/host/host.h"

enum {
	LOOKUPS_MAX = 8192, /* each has a channel of c-ares's, about 60 KiB while it lasts */
	DOMAINS_MAX = 32, /* of a search list; glibc takes 6 from RES_OPTIONS, any from the file */
	EDNS_PAYLOAD = 1232, /* fits every path without fragments (DNS flag day 2020) */
};

struct lookup {
	struct source src; /* the pair's end */
	struct list link;  /* resolver.lookups, then resolver.done */
	struct engine *e;
	struct lookup_socks socks;
	nsec due; /* c-ares's next timeout */
	bool asked, done;
	struct ipc_lookup question;
};

struct resolver {
	struct list lookups, done;
	unsigned count;
	struct ipc_answer *answer; /* room for the biggest */
	bool library;              /* c-ares was initialised */
};

static void finish(struct lookup *l)
{
	if (l->done)
		return;
	l->done = true;
	list_remove(&l->link);
	list_append(&l->e->resolver->done, &l->link);
	if (l->src.fd >= 0)
		close(l->src.fd);
	l->src.fd = -1;
}

/* The room was empty, and the biggest answer fits its send buffer. */
static void answer(struct lookup *l)
{
	const struct ipc_answer *a = l->e->resolver->answer;

	if (l->src.fd >= 0)
		send(l->src.fd, a, a->h.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	finish(l);
}

/* c-ares's word in those of h_errno, as glibc's resolver would see the same server. */
static int to_h_errno(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return 0;
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return HOST_NOT_FOUND;
	case ARES_ENODATA:
		return NO_DATA;
	case ARES_EFORMERR:
	case ARES_EBADQUERY:
	case ARES_EBADFAMILY:
	case ARES_EBADRESP:
		return NO_RECOVERY;
	default:
		return TRY_AGAIN;
	}
}

/* Servers that would not, and not servers that are silent: glibc tells the two apart. */
static bool is_refusal(int status)
{
	return status == ARES_ECONNREFUSED || status == ARES_EREFUSED || status == ARES_ESERVFAIL ||
	       status == ARES_ENOTIMP;
}

static void begin(struct lookup *l, int status)
{
	struct ipc_answer *a = l->e->resolver->answer;

	ipc_answer_begin(a, to_h_errno(status));
	a->refused = is_refusal(status);
}

static void fail(struct lookup *l, int status)
{
	begin(l, status);
	answer(l);
}

static void add_addresses(struct ipc_answer *a, const struct ares_addrinfo *result)
{
	for (const struct ares_addrinfo_node *n = result->nodes; n; n = n->ai_next) {
		const struct sockaddr_in *four = (const void *)n->ai_addr;
		const struct sockaddr_in6 *six = (const void *)n->ai_addr;
		struct ipaddr addr;

		if (n->ai_family == AF_INET)
			addr = ipaddr_v4(ntohl(four->sin_addr.s_addr));
		else if (n->ai_family == AF_INET6)
			memcpy(&addr, &six->sin6_addr, sizeof(addr));
		else
			continue;
		ipc_answer_add_addr(a, &addr);
	}
}

/* Whether `c` came before: A and AAAA both tell the chain. */
static bool is_repeated(const struct ares_addrinfo *result, const struct ares_addrinfo_cname *c)
{
	for (const struct ares_addrinfo_cname *p = result->cnames; p != c; p = p->next) {
		if (p->alias && c->alias && strcasecmp(p->alias, c->alias) == 0)
			return true;
	}
	return false;
}

/* The canonical name is where the chain of CNAMEs ends; the names on the way are aliases. */
static void add_names(struct ipc_answer *a, const struct ares_addrinfo *result)
{
	const char *canonical = result->name;

	for (const struct ares_addrinfo_cname *c = result->cnames; c; c = c->next)
		canonical = c->name && !is_repeated(result, c) ? c->name : canonical;
	if (canonical)
		ipc_answer_add_name(a, canonical);
	for (const struct ares_addrinfo_cname *c = result->cnames; c; c = c->next) {
		if (c->alias && !is_repeated(result, c))
			ipc_answer_add_name(a, c->alias);
	}
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *result)
{
	struct lookup *l = arg;
	struct ipc_answer *a = l->e->resolver->answer;

	if (status == ARES_EDESTRUCTION)
		return;
	if (status != ARES_SUCCESS || !result) {
		fail(l, status);
		return;
	}
	ipc_answer_begin(a, 0);
	add_addresses(a, result);
	add_names(a, result);
	ares_freeaddrinfo(result);
	answer(l);
}

static void add_host(struct ipc_answer *a, const struct hostent *host)
{
	if (host->h_name)
		ipc_answer_add_name(a, host->h_name);
	for (char **alias = host->h_aliases; host->h_name && alias && *alias; alias++) {
		if (strcasecmp(*alias, host->h_name) != 0)
			ipc_answer_add_name(a, *alias);
	}
}

static void on_pointer(void *arg, int status, int timeouts, unsigned char *message, int len)
{
	struct lookup *l = arg;
	struct hostent *host = NULL;

	if (status == ARES_EDESTRUCTION)
		return;
	if (status == ARES_SUCCESS)
		status = ares_parse_ptr_reply(
			message, len, &l->question.addr, sizeof(l->question.addr), AF_INET6, &host);
	begin(l, status);
	if (host) {
		add_host(l->e->resolver->answer, host);
		ares_free_hostent(host);
	}
	answer(l);
}

static void on_message(void *arg, int status, int timeouts, unsigned char *message, int len)
{
	struct lookup *l = arg;

	if (status == ARES_EDESTRUCTION)
		return;
	begin(l, status);
	if (message && len > 0)
		ipc_answer_add_bytes(l->e->resolver->answer, message, (size_t)len);
	answer(l);
}

/*
 * The name under which the address has its PTR record (RFC 1035 §3.5, RFC 3596 §2.5). c-ares's own
 * ares_gethostbyaddr turns every failure into "not found".
 */
static void pointer_name(const struct ipaddr *a, char *out, size_t size)
{
	uint32_t v4 = ipaddr_is_v4(a) ? ipaddr_to_v4(a) : 0;
	size_t used = 0;

	if (ipaddr_is_v4(a)) {
		snprintf(out, size, "%u.%u.%u.%u.in-addr.arpa", v4 & 255, v4 >> 8 & 255,
			v4 >> 16 & 255, v4 >> 24);
		return;
	}
	for (int i = (int)sizeof(a->b) - 1; i >= 0; i--)
		used += (size_t)snprintf(
			out + used, size - used, "%x.%x.", a->b[i] & 15u, a->b[i] >> 4u);
	snprintf(out + used, size - used, "ip6.arpa");
}

static void ask(struct lookup *l)
{
	struct ipc_lookup *q = &l->question;
	struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_CANONNAME | ARES_AI_NOSORT,
		.ai_family = q->family,
		.ai_socktype = SOCK_STREAM};
	ares_channel channel = l->socks.channel;

	switch (q->kind) {
	case IPC_LOOKUP_FORWARD:
		ares_getaddrinfo(channel, q->name, NULL, &hints, on_addresses, l);
		break;
	case IPC_LOOKUP_REVERSE:
		pointer_name(&q->addr, q->name, sizeof(q->name));
		ares_query(channel, q->name, ns_c_in, ns_t_ptr, on_pointer, l);
		break;
	case IPC_LOOKUP_QUERY:
		ares_query(channel, q->name, q->class, q->type, on_message, l);
		break;
	case IPC_LOOKUP_SEARCH:
		ares_search(channel, q->name, q->class, q->type, on_message, l);
		break;
	case IPC_LOOKUP_SEND:
		ares_send(channel, (unsigned char *)q->name, q->name_len, on_message, l);
		break;
	}
}

static int split_domains(struct ipc_lookup *q, char *domain[static DOMAINS_MAX])
{
	int n = 0;

	for (char *at = q->domains; *at && n < DOMAINS_MAX; at += strlen(at) + 1)
		domain[n++] = at;
	return n;
}

static int ares_flags(const struct ipc_lookup *q)
{
	int flags = ARES_FLAG_NOALIASES;

	flags |= q->flags & IPC_LOOKUP_USE_TCP ? ARES_FLAG_USEVC : 0;
	flags |= q->flags & IPC_LOOKUP_EDNS ? ARES_FLAG_EDNS : 0;
	flags |= q->flags & IPC_LOOKUP_IGNORE_TC ? ARES_FLAG_IGNTC : 0;
	return flags;
}

static int set_servers(struct lookup *l)
{
	struct ares_addr_port_node node[SETTINGS_DNS_MAX] = {0};
	const struct ipc_lookup *q = &l->question;

	for (unsigned i = 0; i < q->nservers; i++) {
		const struct endpoint *s = &q->server[i];
		bool four = ipaddr_is_v4(&s->addr);
		uint32_t v4 = four ? htonl(ipaddr_to_v4(&s->addr)) : 0;

		node[i].family = four ? AF_INET : AF_INET6;
		node[i].udp_port = node[i].tcp_port = s->port;
		if (four)
			memcpy(&node[i].addr.addr4, &v4, sizeof(v4));
		else
			memcpy(&node[i].addr.addr6, &s->addr, sizeof(s->addr));
		node[i].next = i + 1u < q->nservers ? &node[i + 1] : NULL;
	}
	return q->nservers ? ares_set_servers_ports(l->socks.channel, node) : ARES_ECONNREFUSED;
}

/* Everything is said: nothing is left that c-ares would look for in the engine's own files. */
static int open_channel(struct lookup *l)
{
	struct ipc_lookup *q = &l->question;
	char *domain[DOMAINS_MAX], lookups[] = "b";
	struct in_addr nowhere = {.s_addr = htonl(INADDR_LOOPBACK)};
	struct ares_options o = {
		.flags = ares_flags(q),
		.timeout = (int)q->timeout_ms,
		.tries = q->tries,
		.ndots = q->ndots,
		.servers = &nowhere,
		.nservers = 1,
		.domains = domain,
		.ndomains = split_domains(q, domain),
		.lookups = lookups,
		.sock_state_cb = lookup_socks_state,
		.sock_state_cb_data = &l->socks,
		.ednspsz = EDNS_PAYLOAD,
	};
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
		   ARES_OPT_SERVERS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
		   ARES_OPT_SORTLIST | ARES_OPT_EDNSPSZ;
	ares_channel channel;

	mask |= q->flags & IPC_LOOKUP_ROTATE ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE;
	int status = ares_init_options(&channel, &o, mask);
	if (status != ARES_SUCCESS)
		return status;
	lookup_socks_init(&l->socks, l->e, q);
	lookup_socks_use(&l->socks, channel);
	return set_servers(l);
}

static void note_timeout(struct lookup *l)
{
	struct timeval t;

	if (l->done)
		return;
	/* Rounded up, so that the timeout has come when the loop has waited for it. */
	l->due = ares_timeout(l->socks.channel, NULL, &t)
			 ? l->e->now + t.tv_sec * SEC + t.tv_usec * USEC + MSEC
			 : NSEC_NEVER;
}

/* The question is there, or the program has gone. */
static void pair_ready(struct engine *e, struct source *src, uint32_t events)
{
	struct lookup *l = CONTAINER_OF(src, struct lookup, src);

	if (l->done)
		return;
	ssize_t n = l->asked ? 0 : recv(src->fd, &l->question, sizeof(l->question), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || !ipc_lookup_check(&l->question, (size_t)n)) {
		e->counters.bad_requests += n > 0;
		finish(l);
		return;
	}
	l->asked = true;
	int status = open_channel(l);
	if (status != ARES_SUCCESS)
		fail(l, status);
	else
		ask(l);
	note_timeout(l);
}

static struct resolver *start(struct engine *e)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	list_init(&r->lookups);
	list_init(&r->done);
	r->answer = malloc(sizeof(*r->answer) + IPC_ANSWER_DATA_MAX);
	r->library = r->answer && ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS;
	if (r->library)
		return r;
	free(r->answer);
	free(r);
	return NULL;
}

void resolver_ask(struct engine *e, int fd)
{
	struct lookup *l = NULL;

	if (!e->resolver)
		e->resolver = start(e);
	if (fd >= 0 && e->resolver && e->resolver->count < LOOKUPS_MAX)
		l = calloc(1, sizeof(*l));
	if (!l) {
		if (fd >= 0)
			close(fd);
		return;
	}
	l->e = e;
	l->due = NSEC_NEVER;
	l->src = (struct source){.fd = fd, .class = SOURCE_DATA, .ready = pair_ready};
	list_append(&e->resolver->lookups, &l->link);
	e->resolver->count++;
	if (loop_add(e, &l->src, EPOLLIN | EPOLLRDHUP))
		finish(l);
	else
		pair_ready(e, &l->src, EPOLLIN);
}

bool resolver_run_events(struct engine *e)
{
	bool any = false;

	if (!e->resolver)
		return false;
	LIST_FOR_EACH (link, &e->resolver->lookups) {
		struct lookup *l = LIST_ENTRY(link, struct lookup, link);

		if (!l->asked || !lookup_socks_serve(&l->socks))
			continue;
		any = true;
		note_timeout(l);
	}
	return any;
}

static void lookup_free(struct resolver *r, struct lookup *l)
{
	if (l->socks.channel)
		ares_destroy(l->socks.channel);
	list_remove(&l->link);
	free(l);
	r->count--;
}

static void bury(struct resolver *r)
{
	for (struct list *link; (link = list_first(&r->done));)
		lookup_free(r, LIST_ENTRY(link, struct lookup, link));
}

void resolver_turn(struct engine *e)
{
	if (!e->resolver)
		return;
	LIST_FOR_EACH (link, &e->resolver->lookups) {
		struct lookup *l = LIST_ENTRY(link, struct lookup, link);

		if (l->due > e->now)
			continue;
		ares_process_fd(l->socks.channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
		note_timeout(l);
	}
	bury(e->resolver);
}

nsec resolver_deadline(const struct engine *e)
{
	nsec at = NSEC_NEVER;

	if (!e->resolver)
		return at;
	if (!list_empty(&e->resolver->done))
		return 0;
	LIST_FOR_EACH (link, &e->resolver->lookups)
		at = nsec_min(at, LIST_ENTRY(link, struct lookup, link)->due);
	return at;
}

void resolver_close(struct engine *e)
{
	struct resolver *r = e->resolver;

	if (!r)
		return;
	LIST_FOR_EACH (link, &r->lookups)
		finish(LIST_ENTRY(link, struct lookup, link));
	bury(r);
	if (r->library)
		ares_library_cleanup();
	free(r->answer);
	free(r);
	e->resolver = NULL;
}
