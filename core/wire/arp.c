#include "core/wire/arp.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/wire/eth.h"

enum { HARDWARE_ETHERNET = 1, MAC_LEN = 6, IPV4_LEN = 4 };

bool arp_parse(struct arp_packet *out, const uint8_t *data, size_t len)
{
	if (len < ARP_LEN)
		return false;
	if (get_be16(data) != HARDWARE_ETHERNET || get_be16(data + 2) != ETH_TYPE_IPV4)
		return false;
	if (data[4] != MAC_LEN || data[5] != IPV4_LEN)
		return false;
	out->op = get_be16(data + 6);
	if (out->op != ARP_REQUEST && out->op != ARP_REPLY)
		return false;
	memcpy(out->sender_mac.b, data + 8, MAC_LEN);
	out->sender_ip = ipaddr_v4(get_be32(data + 14));
	memcpy(out->target_mac.b, data + 18, MAC_LEN);
	out->target_ip = ipaddr_v4(get_be32(data + 24));
	return true;
}

void arp_emit(uint8_t out[static ARP_LEN], const struct arp_packet *p)
{
	put_be16(out, HARDWARE_ETHERNET);
	put_be16(out + 2, ETH_TYPE_IPV4);
	out[4] = MAC_LEN;
	out[5] = IPV4_LEN;
	put_be16(out + 6, p->op);
	memcpy(out + 8, p->sender_mac.b, MAC_LEN);
	put_be32(out + 14, ipaddr_to_v4(&p->sender_ip));
	memcpy(out + 18, p->target_mac.b, MAC_LEN);
	put_be32(out + 24, ipaddr_to_v4(&p->target_ip));
}
