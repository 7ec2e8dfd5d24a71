#include "preload/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "core/base/bytes.h"
#include "preload/usermem.h"

enum { SIN6_LEN_RFC2133 = 24 }; /* without sin6_scope_id; the kernel accepts that */

int address_read(uint16_t family, const struct sockaddr *user, socklen_t len, struct endpoint *out)
{
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_storage room;
	} a;
	socklen_t least = family == AF_INET ? sizeof a.in : SIN6_LEN_RFC2133;

	if ((int)len < 0 || len > sizeof a)
		return -EINVAL;
	memset(&a, 0, sizeof a);
	int r = user_read(&a, user, len);
	if (r < 0)
		return r;
	if (len < sizeof a.any.sa_family)
		return -EINVAL;
	if (a.any.sa_family == AF_UNSPEC && family == AF_INET && len >= least)
		*out = (struct endpoint){
			ipaddr_v4(ntohl(a.in.sin_addr.s_addr)), ntohs(a.in.sin_port)};
	if (a.any.sa_family == AF_UNSPEC)
		return ADDRESS_UNSPEC;
	if (len < least)
		return -EINVAL;
	if (a.any.sa_family != family)
		return -EAFNOSUPPORT;
	if (family == AF_INET) {
		*out = (struct endpoint){
			ipaddr_v4(ntohl(a.in.sin_addr.s_addr)), ntohs(a.in.sin_port)};
	} else {
		memcpy(out->addr.b, &a.in6.sin6_addr, sizeof out->addr.b);
		out->port = ntohs(a.in6.sin6_port);
	}
	return 0;
}

static int give_v6(const struct endpoint *e, struct sockaddr *user, socklen_t *user_len)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};

	/* Not yet bound is `::`, whatever the notation of ours. */
	if (!ipaddr_is_any(&e->addr))
		memcpy(&a.sin6_addr, e->addr.b, sizeof a.sin6_addr);
	return user_give_address(user, user_len, &a, sizeof a);
}

int address_give(
	uint16_t family, const struct endpoint *e, struct sockaddr *user, socklen_t *user_len)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(e->port)};

	if (family == AF_INET6)
		return give_v6(e, user, user_len);
	if (!ipaddr_is_any(&e->addr))
		a.sin_addr.s_addr = htonl(ipaddr_to_v4(&e->addr));
	return user_give_address(user, user_len, &a, sizeof a);
}
