/*
 * The calls about names that this library takes from libc, and nothing else; see names.h. The ones
 * that return static memory keep it here, one piece per call, as glibc does.
 */
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>

#include "preload/exports.h"
#include "preload/names.h"

#undef res_query
#undef res_search
#undef res_querydomain
#undef res_send
#undef res_nquery
#undef res_nsearch
#undef res_nquerydomain
#undef res_nsend

#define EXPORT __attribute__((visibility("default")))

enum { KEPT_LEN = 1024, NAME_LEN = 2 * MAXDNAME + 2 };

/* What a call without a buffer of the caller's returns, until the next such call. */
struct kept {
	char *buf;
	size_t len;
	struct hostent host;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool grow(struct kept *k)
{
	size_t len = k->len ? 2 * k->len : KEPT_LEN;
	char *buf = realloc(k->buf, len);

	if (!buf)
		return false;
	k->buf = buf;
	k->len = len;
	return true;
}

EXPORT int getaddrinfo(
	const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
	return names_getaddrinfo(node, service, hints, out);
}

EXPORT int getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_len,
	char *service, socklen_t service_len, int flags)
{
	return names_getnameinfo(addr, len, host, host_len, service, service_len, flags);
}

EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *host, char *buf,
	size_t len, struct hostent **out, int *h_error)
{
	return names_gethostbyname2_r(name, family, host, buf, len, out, h_error);
}

EXPORT int gethostbyname_r(const char *name, struct hostent *host, char *buf, size_t len,
	struct hostent **out, int *h_error)
{
	return names_gethostbyname2_r(name, AF_INET, host, buf, len, out, h_error);
}

EXPORT int gethostbyaddr_r(const void *addr, socklen_t addr_len, int family, struct hostent *host,
	char *buf, size_t len, struct hostent **out, int *h_error)
{
	return names_gethostbyaddr_r(addr, addr_len, family, host, buf, len, out, h_error);
}

static struct hostent *by_name(struct kept *k, const char *name, int family)
{
	struct hostent *found = NULL;
	int r = ERANGE, h_error = NETDB_INTERNAL;

	pthread_mutex_lock(&lock);
	while (r == ERANGE && grow(k))
		r = names_gethostbyname2_r(
			name, family, &k->host, k->buf, k->len, &found, &h_error);
	pthread_mutex_unlock(&lock);
	if (h_error != NETDB_SUCCESS)
		h_errno = h_error;
	return found;
}

EXPORT struct hostent *gethostbyname(const char *name)
{
	static struct kept kept;

	return by_name(&kept, name, AF_INET);
}

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	static struct kept kept;

	return by_name(&kept, name, family);
}

EXPORT struct hostent *gethostbyaddr(const void *addr, socklen_t len, int family)
{
	static struct kept kept;
	struct hostent *found = NULL;
	int r = ERANGE, h_error = NETDB_INTERNAL;

	pthread_mutex_lock(&lock);
	while (r == ERANGE && grow(&kept))
		r = names_gethostbyaddr_r(
			addr, len, family, &kept.host, kept.buf, kept.len, &found, &h_error);
	pthread_mutex_unlock(&lock);
	if (h_error != NETDB_SUCCESS)
		h_errno = h_error;
	return found;
}

EXPORT int res_nquery(
	res_state state, const char *name, int class, int type, unsigned char *out, int len)
{
	return names_message(state, IPC_LOOKUP_QUERY, name, class, type, out, len);
}

EXPORT int res_nsearch(
	res_state state, const char *name, int class, int type, unsigned char *out, int len)
{
	return names_message(state, IPC_LOOKUP_SEARCH, name, class, type, out, len);
}

EXPORT int res_nquerydomain(res_state state, const char *name, const char *domain, int class,
	int type, unsigned char *out, int len)
{
	char full[NAME_LEN];

	snprintf(full, sizeof full, "%.*s%s%.*s", MAXDNAME, name, domain ? "." : "", MAXDNAME,
		domain ? domain : "");
	return names_message(state, IPC_LOOKUP_QUERY, full, class, type, out, len);
}

EXPORT int res_nsend(
	res_state state, const unsigned char *query, int query_len, unsigned char *out, int len)
{
	return names_message_of(state, query, query_len, out, len);
}

EXPORT int res_query(const char *name, int class, int type, unsigned char *out, int len)
{
	return res_nquery(names_state(), name, class, type, out, len);
}

EXPORT int res_search(const char *name, int class, int type, unsigned char *out, int len)
{
	return res_nsearch(names_state(), name, class, type, out, len);
}

EXPORT int res_querydomain(
	const char *name, const char *domain, int class, int type, unsigned char *out, int len)
{
	return res_nquerydomain(names_state(), name, domain, class, type, out, len);
}

EXPORT int res_send(const unsigned char *query, int query_len, unsigned char *out, int len)
{
	return res_nsend(names_state(), query, query_len, out, len);
}

/* Their names before glibc 2.34, which older programs are bound to. */
EXPORT int __res_nquery(
	res_state state, const char *name, int class, int type, unsigned char *out, int len)
{
	return res_nquery(state, name, class, type, out, len);
}

EXPORT int __res_nsearch(
	res_state state, const char *name, int class, int type, unsigned char *out, int len)
{
	return res_nsearch(state, name, class, type, out, len);
}

EXPORT int __res_query(const char *name, int class, int type, unsigned char *out, int len)
{
	return res_query(name, class, type, out, len);
}

EXPORT int __res_search(const char *name, int class, int type, unsigned char *out, int len)
{
	return res_search(name, class, type, out, len);
}

EXPORT int __res_nsend(
	res_state state, const unsigned char *query, int query_len, unsigned char *out, int len)
{
	return res_nsend(state, query, query_len, out, len);
}

EXPORT int __res_send(const unsigned char *query, int query_len, unsigned char *out, int len)
{
	return res_send(query, query_len, out, len);
}

EXPORT int getaddrinfo_a(int mode, struct gaicb *list[], int n, struct sigevent *event)
{
	return names_getaddrinfo_a(mode, list, n, event);
}

EXPORT int gai_suspend(const struct gaicb *const list[], int n, const struct timespec *timeout)
{
	return names_gai_suspend(list, n, timeout);
}

EXPORT int gai_cancel(struct gaicb *request)
{
	return names_gai_cancel(request);
}
