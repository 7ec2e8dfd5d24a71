#include "core/wire/eth.h"

#include <string.h>

#include "core/base/bytes.h"

const struct macaddr eth_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

bool eth_parse(struct eth_hdr *out, const uint8_t *data, size_t len)
{
	if (len < ETH_HDR_LEN)
		return false;
	memcpy(out->dst.b, data, 6);
	memcpy(out->src.b, data + 6, 6);
	out->ethertype = get_be16(data + 12);
	return true;
}

void eth_emit(uint8_t out[static ETH_HDR_LEN], const struct eth_hdr *h)
{
	memcpy(out, h->dst.b, 6);
	memcpy(out + 6, h->src.b, 6);
	put_be16(out + 12, h->ethertype);
}

bool eth_is_multicast(const struct macaddr *mac)
{
	return mac->b[0] & 1;
}
