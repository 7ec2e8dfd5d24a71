/* The older calls of <netdb.h>: struct hostent in the caller's buffer. */
#include "preload/names.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A piece of the caller's buffer; NULL when it is used up. */
struct room {
	char *at;
	size_t left;
};

static void *take(struct room *r, size_t len, size_t align)
{
	size_t skip = (align - (uintptr_t)r->at % align) % align;

	if (r->left < skip + len)
		return NULL;
	char *p = r->at + skip;
	r->at = p + len;
	r->left -= skip + len;
	return p;
}

static char *take_name(struct room *r, const char *name)
{
	char *p = take(r, strlen(name) + 1, 1);

	return p ? strcpy(p, name) : NULL;
}

static bool fill_names(
	struct hostent *h, const struct ipc_answer *a, const char *asked, struct room *r)
{
	const char *name = a->nnames ? ipc_answer_name(a) : asked;
	unsigned aliases = a->nnames ? a->nnames - 1u : 0, n = 0;

	h->h_aliases = take(r, (aliases + 1) * sizeof(char *), sizeof(char *));
	h->h_name = take_name(r, name);
	if (!h->h_aliases || !h->h_name)
		return false;
	for (; n < aliases; n++) {
		name = ipc_answer_next_name(name);
		h->h_aliases[n] = take_name(r, name);
		if (!h->h_aliases[n])
			return false;
	}
	h->h_aliases[n] = NULL;
	return true;
}

/* The bytes of an address as `family` has them. */
static const uint8_t *address_bytes(const struct ipaddr *a, int family)
{
	return family == AF_INET ? a->b + 12 : a->b;
}

static bool fill_addresses(struct hostent *h, const struct ipc_answer *a, struct room *r)
{
	unsigned n = 0;

	h->h_addr_list = take(r, (a->naddrs + 1u) * sizeof(char *), sizeof(char *));
	if (!h->h_addr_list)
		return false;
	for (unsigned i = 0; i < a->naddrs; i++) {
		struct ipaddr addr = ipc_answer_addr(a, i);
		if (ipaddr_is_v4(&addr) != (h->h_addrtype == AF_INET))
			continue;
		h->h_addr_list[n] = take(r, (size_t)h->h_length, 4);
		if (!h->h_addr_list[n])
			return false;
		memcpy(h->h_addr_list[n++], address_bytes(&addr, h->h_addrtype),
			(size_t)h->h_length);
	}
	h->h_addr_list[n] = NULL;
	return true;
}

static bool fill_asked_address(struct hostent *h, const void *addr, struct room *r)
{
	h->h_addr_list = take(r, 2 * sizeof(char *), sizeof(char *));
	char *bytes = take(r, (size_t)h->h_length, 4);
	if (!h->h_addr_list || !bytes)
		return false;
	h->h_addr_list[0] = memcpy(bytes, addr, (size_t)h->h_length);
	h->h_addr_list[1] = NULL;
	return true;
}

static int too_small(int *h_error)
{
	*h_error = NETDB_INTERNAL;
	return ERANGE;
}

/*
 * A name that is not there is no error of the call, nor are servers that refuse; those that are
 * silent are one.
 */
static int not_found(int status, int *h_error)
{
	*h_error = status;
	if (status == HOST_NOT_FOUND || status == NO_DATA ||
		(status == TRY_AGAIN && errno == ECONNREFUSED))
		return 0;
	return status == NETDB_INTERNAL ? errno : EAGAIN;
}

static int finish(int r, struct hostent *host, struct hostent **out, int *h_error)
{
	*out = r == 0 ? host : NULL;
	if (r == 0)
		*h_error = NETDB_SUCCESS;
	return r;
}

int names_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buf,
	size_t len, struct hostent **out, int *h_error)
{
	struct room room = {buf, len};
	struct ipc_answer *a;
	int r = names_glibc()->gethostbyname2_r(name, family, host, buf, len, out, h_error);

	if (*out || r == ERANGE || (family != AF_INET && family != AF_INET6))
		return r;
	int status = names_forward(name, family, &a);
	if (status)
		return not_found(status, h_error);
	*host = (struct hostent){.h_addrtype = family, .h_length = family == AF_INET ? 4 : 16};
	bool fits = fill_names(host, a, name, &room) && fill_addresses(host, a, &room);
	free(a);
	return finish(fits ? 0 : too_small(h_error), host, out, h_error);
}

int names_gethostbyaddr_r(const void *addr, socklen_t addr_len, int family, struct hostent *host,
	char *buf, size_t len, struct hostent **out, int *h_error)
{
	struct room room = {buf, len};
	struct ipc_answer *a;
	int r = names_glibc()->gethostbyaddr_r(
		addr, addr_len, family, host, buf, len, out, h_error);
	bool right = (family == AF_INET && addr_len == 4) || (family == AF_INET6 && addr_len == 16);

	if (*out || r == ERANGE || !right)
		return r;
	int status = names_reverse(family, addr, &a);
	if (status)
		return not_found(status, h_error);
	*host = (struct hostent){.h_addrtype = family, .h_length = (int)addr_len};
	bool fits = fill_names(host, a, "", &room) && fill_asked_address(host, addr, &room);
	free(a);
	return finish(fits ? 0 : too_small(h_error), host, out, h_error);
}
