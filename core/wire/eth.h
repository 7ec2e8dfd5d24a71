/*
 * Ethernet II header (RFC 894), 14 bytes; VLAN tags are the link's matter.
 */
#ifndef TEECEE_WIRE_ETH_H
#define TEECEE_WIRE_ETH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"

enum { ETH_HDR_LEN = 14, ETH_TYPE_IPV4 = 0x0800, ETH_TYPE_ARP = 0x0806, ETH_TYPE_IPV6 = 0x86dd };

struct eth_hdr {
	struct macaddr dst, src;
	uint16_t ethertype;
};

/* False when there are fewer than 14 bytes. The payload follows at ETH_HDR_LEN. */
bool eth_parse(struct eth_hdr *out, const uint8_t *data, size_t len);
void eth_emit(uint8_t out[static ETH_HDR_LEN], const struct eth_hdr *h);

extern const struct macaddr eth_broadcast;
bool eth_is_multicast(const struct macaddr *mac); /* broadcast included */

#endif
