#include "core/link/vnet.h"

#include "core/wire/tcphdr.h"

enum { TCP_FLAGS_AT = 13 };

bool vnet_is_super(const struct tx_frame *f)
{
	return f->gso_size && tx_frame_payload_len(f) > f->gso_size;
}

size_t vnet_count(const struct tx_frame *f)
{
	return vnet_is_super(f) ? (tx_frame_payload_len(f) + f->gso_size - 1) / f->gso_size : 1;
}

void vnet_describe(struct virtio_net_hdr *v, const struct tx_frame *f)
{
	size_t head = tx_frame_head_len(f);

	*v = (struct virtio_net_hdr){0};
	if (f->csum == FRAME_CSUM_PARTIAL) {
		v->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		v->csum_start = (uint16_t)(head - f->l4_from_end);
		v->csum_offset = f->csum_offset;
	}
	if (!vnet_is_super(f))
		return;
	const uint8_t *tcp = f->head + TX_HEAD_ROOM - f->l4_from_end;
	v->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	if (tcp[TCP_FLAGS_AT] & TH_CWR)
		v->gso_type |= VIRTIO_NET_HDR_GSO_ECN; /* CWR belongs to the first piece alone */
	v->gso_size = f->gso_size;
	v->hdr_len = (uint16_t)head;
}

struct rx_frame vnet_received(
	const struct virtio_net_hdr *v, const uint8_t *data, size_t len, nsec now)
{
	/* GSO_UDP is one datagram, to be sent in fragments. */
	bool is_cut = v->gso_type != VIRTIO_NET_HDR_GSO_NONE &&
		      (v->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) != VIRTIO_NET_HDR_GSO_UDP;
	bool vouched = v->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID);

	return (struct rx_frame){
		.data = data,
		.len = len,
		.gso_size = is_cut ? v->gso_size : 0,
		.csum = vouched ? FRAME_CSUM_VERIFIED : FRAME_CSUM_UNVERIFIED,
		.arrival = now,
	};
}
