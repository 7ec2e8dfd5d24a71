/*
 * Which address to try when none is given, and which MAC to go with it: pure arithmetic on a keyed
 * hash, so that the same user on the same interface comes back to the same address, and two users
 * or two machines hardly ever try the same one first.
 */
#ifndef TEECEE_HOST_CANDIDATE_H
#define TEECEE_HOST_CANDIDATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/addr.h"

/* So many taken in a row: the subnet is full, or somebody answers for everything. */
enum { CANDIDATES_MAX = 64 };

struct candidates {
	struct ipnet net;
	/* The usable addresses: neither network nor broadcast (RFC 3021: /31 has neither). */
	uint32_t first, count;
	uint32_t start, step; /* step shares no factor with count: every address comes once */
	uint32_t given;
};

/* The candidates of an IPv4 `net`, for the user `uid` on the interface with the MAC `nic`. */
void candidates_init(
	struct candidates *c, const struct ipnet *net, const struct macaddr *nic, uid_t uid);

/* The next one, with the prefix of the net; false when CANDIDATES_MAX or all have been given. */
bool candidates_next(struct candidates *c, struct ipnet *out);

/* The locally administered unicast MAC of `address`, the same every time. */
struct macaddr candidate_mac(const struct ipaddr *address, const struct macaddr *nic, uid_t uid);

#endif
