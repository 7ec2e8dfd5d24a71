#include "core/link/mangle.h"

#include "core/base/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"
#include "core/wire/udphdr.h"

void mangle_resize(const struct flow_view *v, uint8_t *frame)
{
	uint8_t *ip = frame + v->l3;

	put_be16(ip + 2, (uint16_t)(v->end - v->l3));
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_finish(csum_add(0, ip, (size_t)(v->l4 - v->l3))));
	if (v->key.protocol == IP_PROTO_UDP)
		put_be16(frame + v->l4 + 4, (uint16_t)(v->end - v->l4));
	flow_csum_complete(v, frame);
}

void mangle_shorten(struct flow_view *v, struct tx_frame *tx)
{
	uint8_t *frame = tx->head + tx->head_at, *ip = frame + v->l3;
	size_t left = v->end - tx_frame_head_len(tx);

	for (unsigned i = 0; i < tx->npayload; i++) {
		tx->payload[i].iov_len = MIN(tx->payload[i].iov_len, left);
		left -= tx->payload[i].iov_len;
	}
	if (tx_frame_payload_len(tx) <= tx->gso_size)
		tx->gso_size = 0;
	v->flags &= (uint8_t)~TH_FIN;
	frame[v->l4 + TCP_FLAGS_OFFSET] = v->flags;
	put_be16(ip + 2, (uint16_t)(v->end - v->l3));
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_finish(csum_add(0, ip, (size_t)(v->l4 - v->l3))));
	put_be16(frame + v->l4 + TCP_CSUM_OFFSET, csum_fold(flow_csum_pseudo(v)));
}

/*
 * A receiver on a veth takes a checksum field that holds the pseudo-header's sum for one that
 * hardware would have completed; so a damaged frame must not look like that by chance.
 */
void mangle_corrupt(struct held *h, bool out, uint32_t random)
{
	struct flow_view v;

	flow_look(&v, h->data, h->len, out);
	if (v.end <= h->len && flow_csum_is_partial(&v, h->data))
		flow_csum_complete(&v, h->data);
	h->data[random / 8 % h->len] ^= (uint8_t)(1u << random % 8);
	flow_look(&v, h->data, h->len, out);
	if (v.end <= h->len && flow_csum_is_partial(&v, h->data))
		flow_csum_spoil(&v, h->data);
	h->csum = FRAME_CSUM_UNVERIFIED;
	h->gso_size = 0;
}

bool mangle_truncate_udp(struct held *h, bool out, unsigned left)
{
	struct flow_view v;

	flow_look(&v, h->data, h->len, out);
	if (v.key.protocol != IP_PROTO_UDP || !v.payload || v.end > h->len ||
		v.end <= v.payload + left)
		return false;
	v.end = v.payload + left;
	h->len = v.end;
	mangle_resize(&v, h->data);
	h->csum = FRAME_CSUM_UNVERIFIED;
	return true;
}
