/*
 * The Internet checksum (RFC 1071, RFC 1624): one's complement sum of 16-bit words.
 */
#ifndef TEECEE_WIRE_CHECKSUM_H
#define TEECEE_WIRE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"

/* An unfolded running sum. Feed pieces in order; only the last may have an odd length. */
typedef uint64_t csum_acc;

csum_acc csum_add(csum_acc acc, const void *data, size_t len);

/*
 * The pseudo-header of TCP and UDP: of RFC 9293 §3.1 for IPv4 addresses, of RFC 8200 §8.1 for IPv6.
 * `len`: L4 bytes.
 */
csum_acc csum_pseudo(
	const struct ipaddr *src, const struct ipaddr *dst, uint8_t protocol, uint32_t len);

/*
 * The sum folded to 16 bits, not complemented, for put_be16: what a partial checksum field holds.
 * Over data that includes its own right checksum it is 0xffff.
 */
uint16_t csum_fold(csum_acc acc);

/* The value of the checksum field, for put_be16: the complement of the fold. */
uint16_t csum_finish(csum_acc acc);

#endif
