#include "core/host/candidate.h"

#include <sodium.h>
#include <string.h>

#include "core/base/bytes.h"

static uint64_t hash(
	const char purpose[static 4], const struct ipaddr *a, const struct macaddr *nic, uid_t uid)
{
	uint8_t key[crypto_shorthash_KEYBYTES] = {0}, out[crypto_shorthash_BYTES];

	memcpy(key, nic->b, sizeof nic->b);
	put_be32(key + 6, uid);
	memcpy(key + 10, purpose, 4);
	crypto_shorthash(out, a->b, sizeof a->b, key);
	return (uint64_t)get_be32(out) << 32 | get_be32(out + 4);
}

static uint32_t gcd(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t r = a % b;
		a = b;
		b = r;
	}
	return a;
}

void candidates_init(
	struct candidates *c, const struct ipnet *net, const struct macaddr *nic, uid_t uid)
{
	unsigned host_bits = 128u - net->len;
	uint32_t size = host_bits < 32 ? (uint32_t)1 << host_bits : 0; /* 0 stands for 2^32 */
	uint32_t network = ipaddr_to_v4(&net->addr) & (uint32_t) - (int64_t)size;
	struct ipaddr base = ipaddr_v4(network);
	uint64_t h = hash("addr", &base, nic, uid);

	c->net = *net;
	c->first = host_bits > 1 ? network + 1 : network;
	c->count = host_bits > 1 ? size - 2 : size;
	c->start = (uint32_t)(h >> 32) % c->count;
	c->step = (uint32_t)h % c->count | 1;
	while (gcd(c->step, c->count) != 1)
		c->step += 2;
	c->given = 0;
}

bool candidates_next(struct candidates *c, struct ipnet *out)
{
	if (c->given >= CANDIDATES_MAX || c->given >= c->count)
		return false;
	uint64_t at = (c->start + (uint64_t)c->step * c->given) % c->count;
	out->addr = ipaddr_v4(c->first + (uint32_t)at);
	out->len = c->net.len;
	c->given++;
	return true;
}

struct macaddr candidate_mac(const struct ipaddr *address, const struct macaddr *nic, uid_t uid)
{
	uint64_t h = hash("mac ", address, nic, uid);
	struct macaddr mac;

	put_be16(mac.b, (uint16_t)(h >> 32));
	put_be32(mac.b + 2, (uint32_t)h);
	mac.b[0] =
		(uint8_t)((mac.b[0] & ~0x01) | 0x02); /* unicast; locally administered (IEEE 802) */
	return mac;
}
