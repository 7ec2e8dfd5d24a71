/* getaddrinfo and getnameinfo: glibc's for all but the names that only a server knows. */
#include "preload/names.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int eai(int status)
{
	switch (status) {
	case HOST_NOT_FOUND:
		return EAI_NONAME;
	case NO_DATA:
		return EAI_NODATA;
	case TRY_AGAIN:
		return EAI_AGAIN;
	case NETDB_INTERNAL:
		return EAI_SYSTEM;
	default:
		return EAI_FAIL;
	}
}

/* One entry: in one block, as glibc's freeaddrinfo takes them. NULL: no memory. */
static struct addrinfo *entry(
	const struct addrinfo *kind, int family, const struct ipaddr *addr, int flags)
{
	struct block {
		struct addrinfo info;
		union {
			struct sockaddr_in four;
			struct sockaddr_in6 six;
		} addr;
	} *b = calloc(1, sizeof *b);
	in_port_t port;

	if (!b)
		return NULL;
	port = ((const struct sockaddr_in *)(const void *)kind->ai_addr)->sin_port;
	b->info = (struct addrinfo){.ai_flags = flags,
		.ai_family = family,
		.ai_socktype = kind->ai_socktype,
		.ai_protocol = kind->ai_protocol,
		.ai_addr = (struct sockaddr *)&b->addr,
		.ai_addrlen = family == AF_INET ? sizeof b->addr.four : sizeof b->addr.six};
	if (family == AF_INET) {
		b->addr.four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		b->addr.four.sin_addr.s_addr = htonl(ipaddr_to_v4(addr));
	} else {
		b->addr.six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		memcpy(&b->addr.six.sin6_addr, addr, sizeof *addr);
	}
	return &b->info;
}

/* `kinds` are what the service and socket type make of one address: of each, for this address. */
static bool append(struct addrinfo ***end, const struct addrinfo *kinds, int family,
	const struct ipaddr *addr, int flags)
{
	for (const struct addrinfo *k = kinds; k; k = k->ai_next) {
		**end = entry(k, family, addr, flags);
		if (!**end)
			return false;
		*end = &(**end)->ai_next;
	}
	return true;
}

/* AI_V4MAPPED and AI_ALL of RFC 3493 §6.1: which addresses a program that wants `family` gets. */
static bool is_wanted(
	const struct ipc_answer *a, const struct addrinfo *hints, const struct ipaddr *addr)
{
	bool four = ipaddr_is_v4(addr);

	if (hints->ai_family == AF_UNSPEC || (hints->ai_family == AF_INET) == four)
		return true;
	if (hints->ai_family != AF_INET6 || !(hints->ai_flags & AI_V4MAPPED))
		return false;
	for (unsigned i = 0; i < a->naddrs && !(hints->ai_flags & AI_ALL); i++) {
		struct ipaddr other = ipc_answer_addr(a, i);
		if (!ipaddr_is_v4(&other))
			return false;
	}
	return true;
}

/* IPv4 first: what this stack can reach (RFC 6724 rule 1). Mapped for AF_INET6. */
static bool append_all(struct addrinfo ***end, const struct ipc_answer *a,
	const struct addrinfo *kinds, const struct addrinfo *hints)
{
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < a->naddrs; i++) {
			struct ipaddr addr = ipc_answer_addr(a, i);
			bool four = ipaddr_is_v4(&addr);
			int family = four && hints->ai_family != AF_INET6 ? AF_INET : AF_INET6;
			if (four != (pass == 0) || !is_wanted(a, hints, &addr))
				continue;
			if (!append(end, kinds, family, &addr, hints->ai_flags))
				return false;
		}
	}
	return true;
}

static int build(const struct ipc_answer *a, const char *node, const struct addrinfo *kinds,
	const struct addrinfo *hints, struct addrinfo **out)
{
	struct addrinfo *first = NULL, **end = &first;
	const char *canonical = a->nnames ? ipc_answer_name(a) : node;
	bool fits = append_all(&end, a, kinds, hints);

	if (fits && first && (hints->ai_flags & AI_CANONNAME))
		fits = (first->ai_canonname = strdup(canonical)) != NULL;
	if (fits && first) {
		*out = first;
		return 0;
	}
	if (first)
		freeaddrinfo(first);
	return fits ? EAI_NODATA : EAI_MEMORY;
}

/* Ports and socket types, by glibc: of an address that needs no question. */
static int find_kinds(const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	struct addrinfo one = {.ai_family = AF_INET,
		.ai_socktype = hints->ai_socktype,
		.ai_protocol = hints->ai_protocol,
		.ai_flags = AI_NUMERICHOST | (hints->ai_flags & AI_NUMERICSERV)};

	return names_glibc()->getaddrinfo("127.0.0.1", service, &one, out);
}

/*
 * These go through gethostbyname2_r in glibc, to which servers that refuse are no reason to try
 * again.
 */
static bool is_by_old_call(const struct addrinfo *hints)
{
	return hints->ai_family == AF_INET && !(hints->ai_flags & AI_CANONNAME);
}

static int ask_engine(
	const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	bool mapped = hints->ai_family == AF_INET6 && (hints->ai_flags & AI_V4MAPPED);
	struct addrinfo *kinds;
	struct ipc_answer *a;
	int r = find_kinds(service, hints, &kinds);

	if (r)
		return r;
	r = names_forward(node, mapped ? AF_UNSPEC : hints->ai_family, &a);
	if (r == TRY_AGAIN && errno == ECONNREFUSED && is_by_old_call(hints))
		r = EAI_NONAME;
	else
		r = r ? eai(r) : build(a, node, kinds, hints, out);
	free(a);
	freeaddrinfo(kinds);
	return r;
}

/* Whether glibc's word is final: only "I do not know the name" leads to a server. */
static bool is_unknown(int r)
{
	return r == EAI_NONAME || r == EAI_NODATA || r == EAI_AGAIN || r == EAI_SYSTEM;
}

/*
 * AI_ADDRCONFIG is about the addresses of this stack: one of IPv4. What the host's interfaces have
 * is of no importance, so glibc is not to see it.
 */
static int settle_family(struct addrinfo *hints)
{
	if (!(hints->ai_flags & AI_ADDRCONFIG))
		return 0;
	if (hints->ai_family == AF_INET6)
		return EAI_NONAME;
	if (hints->ai_family == AF_UNSPEC)
		hints->ai_family = AF_INET;
	hints->ai_flags &= ~AI_ADDRCONFIG;
	return 0;
}

int names_getaddrinfo(
	const char *node, const char *service, const struct addrinfo *given, struct addrinfo **out)
{
	const struct names_glibc *glibc = names_glibc();
	struct addrinfo hints = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
	int saved_errno = errno, told;

	if (given)
		hints = (struct addrinfo){.ai_flags = given->ai_flags,
			.ai_family = given->ai_family,
			.ai_socktype = given->ai_socktype,
			.ai_protocol = given->ai_protocol};
	if (!node)
		return glibc->getaddrinfo(node, service, given, out);
	int r = settle_family(&hints);
	if (r)
		return r;
	struct addrinfo numeric = hints;
	numeric.ai_flags |= AI_NUMERICHOST;
	r = glibc->getaddrinfo(node, service, &numeric, out);
	if (r != EAI_NONAME || (hints.ai_flags & AI_NUMERICHOST))
		return r;
	if (glibc->dns_first) {
		told = ask_engine(node, service, &hints, out);
		if (!is_unknown(told))
			return told;
		r = glibc->getaddrinfo(node, service, &hints, out);
		r = r ? told : r;
	} else {
		r = glibc->getaddrinfo(node, service, &hints, out);
		if (is_unknown(r))
			r = ask_engine(node, service, &hints, out);
	}
	if (r != EAI_SYSTEM)
		errno = saved_errno;
	return r;
}

/* NI_NOFQDN: without the domain, if it is this host's. */
static void strip_domain(char *name)
{
	char own[NI_MAXHOST] = "";

	gethostname(own, sizeof own - 1);
	char *dot = strchr(name, '.'), *ours = strchr(own, '.');
	if (dot && ours && strcasecmp(dot, ours) == 0)
		*dot = '\0';
}

static int give_name(const struct ipc_answer *a, char *host, socklen_t len, int flags)
{
	char name[NI_MAXHOST];

	snprintf(name, sizeof name, "%.*s", (int)sizeof name - 1,
		a->nnames ? ipc_answer_name(a) : "");
	if (flags & NI_NOFQDN)
		strip_domain(name);
	if (strlen(name) >= len)
		return EAI_OVERFLOW;
	strcpy(host, name);
	return 0;
}

static const void *address_of(const struct sockaddr *addr)
{
	return addr->sa_family == AF_INET
		       ? (const void *)&((const struct sockaddr_in *)(const void *)addr)->sin_addr
		       : &((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr;
}

int names_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_len,
	char *service, socklen_t service_len, int flags)
{
	const struct names_glibc *glibc = names_glibc();
	struct ipc_answer *a;

	if (!host || host_len == 0 || (flags & NI_NUMERICHOST))
		return glibc->getnameinfo(addr, len, host, host_len, service, service_len, flags);
	int r = glibc->getnameinfo(
		addr, len, host, host_len, service, service_len, flags | NI_NAMEREQD);
	if (r != EAI_NONAME && r != EAI_AGAIN)
		return r;
	if (addr->sa_family != AF_INET && addr->sa_family != AF_INET6)
		return glibc->getnameinfo(addr, len, host, host_len, service, service_len, flags);
	int status = names_reverse(addr->sa_family, address_of(addr), &a);
	if (status == TRY_AGAIN || status == NETDB_INTERNAL)
		return eai(status);
	if (status && (flags & NI_NAMEREQD))
		return EAI_NONAME;
	if (status)
		return glibc->getnameinfo(
			addr, len, host, host_len, service, service_len, flags | NI_NUMERICHOST);
	r = give_name(a, host, host_len, flags);
	free(a);
	return r || !service || service_len == 0
		       ? r
		       : glibc->getnameinfo(addr, len, NULL, 0, service, service_len,
				 flags & ~(NI_NAMEREQD | NI_NOFQDN));
}
