/*
 * Frames with a struct virtio_net_hdr in front, in which packet sockets and TAP devices say what a
 * NIC would do with them. In both directions:
 *
 *	gso_type, gso_size	this is one TCP segment far above the MTU, to be cut into pieces of
 *				gso_size payload bytes, by the NIC if it can, else by the kernel;
 *				received, it may be datagrams of one size in one (UDP_SEGMENT)
 *	NEEDS_CSUM		the checksum field at csum_start + csum_offset holds the
 *				pseudo-header's sum, whoever sends the frame completes it. Received:
 *				it never was on a wire, there is nothing to verify
 *	DATA_VALID		received: NIC or kernel found the checksum right
 */
#ifndef TEECEE_LINK_VNET_H
#define TEECEE_LINK_VNET_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/time.h"
#include "core/wire/frame.h"

/* Whether the wire carries it as several frames, and as how many. */
bool vnet_is_super(const struct tx_frame *f);
size_t vnet_count(const struct tx_frame *f);

/* The header of a frame to send. */
void vnet_describe(struct virtio_net_hdr *v, const struct tx_frame *f);

/* A received frame of `len` bytes by its header. */
struct rx_frame vnet_received(
	const struct virtio_net_hdr *v, const uint8_t *data, size_t len, nsec now);

#endif
