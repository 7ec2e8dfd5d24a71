#include "core/wire/ipv4.h"

#include "core/base/bytes.h"
#include "core/wire/checksum.h"

enum {
	FLAG_DF = 0x4000,
	FLAG_MF = 0x2000,
	OFFSET_MASK = 0x1fff,
	ROUTER_ALERT = 0x94040000, /* RFC 2113 §2.1: every router shall look at the packet */
};

/* `data` holds at least 20 bytes. */
static void read_fields(struct ipv4_hdr *out, const uint8_t *data)
{
	uint16_t fragment = get_be16(data + 6);

	out->hdr_len = (uint8_t)((data[0] & 0x0f) * 4);
	out->tos = data[1];
	out->total_len = get_be16(data + 2);
	out->id = get_be16(data + 4);
	out->df = fragment & FLAG_DF;
	out->mf = fragment & FLAG_MF;
	out->router_alert = false;
	out->frag_offset = (uint16_t)((fragment & OFFSET_MASK) * 8);
	out->ttl = data[8];
	out->protocol = data[9];
	out->src = ipaddr_v4(get_be32(data + 12));
	out->dst = ipaddr_v4(get_be32(data + 16));
}

enum ipv4_parse_result ipv4_parse(struct ipv4_hdr *out, const uint8_t *data, size_t len)
{
	if (len < IPV4_HDR_LEN)
		return IPV4_SHORT;
	if (data[0] >> 4 != 4)
		return IPV4_BAD_VERSION;
	read_fields(out, data);
	if (out->hdr_len < IPV4_HDR_LEN || out->total_len < out->hdr_len || out->total_len > len)
		return IPV4_BAD_LENGTH;
	if (csum_fold(csum_add(0, data, out->hdr_len)) != 0xffff)
		return IPV4_BAD_CSUM;
	return IPV4_OK;
}

bool ipv4_parse_quoted(struct ipv4_hdr *out, const uint8_t *data, size_t len)
{
	if (len < IPV4_HDR_LEN || data[0] >> 4 != 4)
		return false;
	read_fields(out, data);
	return out->hdr_len >= IPV4_HDR_LEN && out->hdr_len <= len &&
	       out->total_len >= out->hdr_len;
}

size_t ipv4_hdr_size(const struct ipv4_hdr *h)
{
	return IPV4_HDR_LEN + (h->router_alert ? IPV4_ROUTER_ALERT_LEN : 0);
}

void ipv4_emit(uint8_t *out, const struct ipv4_hdr *h)
{
	uint16_t fragment = (uint16_t)(h->frag_offset / 8);

	if (h->df)
		fragment |= FLAG_DF;
	if (h->mf)
		fragment |= FLAG_MF;
	out[0] = (uint8_t)(0x40 | ipv4_hdr_size(h) / 4);
	out[1] = h->tos;
	put_be16(out + 2, h->total_len);
	put_be16(out + 4, h->id);
	put_be16(out + 6, fragment);
	out[8] = h->ttl;
	out[9] = h->protocol;
	put_be16(out + 10, 0);
	put_be32(out + 12, ipaddr_to_v4(&h->src));
	put_be32(out + 16, ipaddr_to_v4(&h->dst));
	if (h->router_alert)
		put_be32(out + IPV4_HDR_LEN, ROUTER_ALERT);
	put_be16(out + 10, csum_finish(csum_add(0, out, ipv4_hdr_size(h))));
}
