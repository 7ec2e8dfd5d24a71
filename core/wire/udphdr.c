#include "core/wire/udphdr.h"

#include "core/base/bytes.h"

bool udp_hdr_parse(struct udp_hdr *out, const uint8_t *data, size_t len)
{
	if (len < UDP_HDR_LEN)
		return false;
	out->src_port = get_be16(data);
	out->dst_port = get_be16(data + 2);
	out->len = get_be16(data + 4);
	out->csum = get_be16(data + 6);
	return out->len >= UDP_HDR_LEN && out->len <= len;
}

void udp_hdr_emit(uint8_t out[static UDP_HDR_LEN], const struct udp_hdr *h)
{
	put_be16(out, h->src_port);
	put_be16(out + 2, h->dst_port);
	put_be16(out + 4, h->len);
	put_be16(out + 6, h->csum);
}
