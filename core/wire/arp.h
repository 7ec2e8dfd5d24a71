/*
 * ARP for IPv4 over Ethernet (RFC 826), 28 bytes.
 */
#ifndef TEECEE_WIRE_ARP_H
#define TEECEE_WIRE_ARP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"

enum { ARP_LEN = 28, ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp_packet {
	uint16_t op; /* ARP_REQUEST or ARP_REPLY */
	struct macaddr sender_mac, target_mac;
	struct ipaddr sender_ip, target_ip;
};

/* False when short, or not Ethernet/IPv4, or the operation is another. */
bool arp_parse(struct arp_packet *out, const uint8_t *data, size_t len);
void arp_emit(uint8_t out[static ARP_LEN], const struct arp_packet *p);

#endif
