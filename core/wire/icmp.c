#include "core/wire/icmp.h"

#include "core/base/bytes.h"
#include "core/wire/checksum.h"

bool icmp_parse(struct icmp_msg *out, const uint8_t *data, size_t len)
{
	if (len < ICMP_HDR_LEN || csum_fold(csum_add(0, data, len)) != 0xffff)
		return false;
	out->type = data[0];
	out->code = data[1];
	out->rest = get_be32(data + 4);
	out->body = data + ICMP_HDR_LEN;
	out->body_len = len - ICMP_HDR_LEN;
	return true;
}

void icmp_emit(uint8_t out[static ICMP_HDR_LEN], const struct icmp_msg *m)
{
	out[0] = m->type;
	out[1] = m->code;
	put_be16(out + 2, 0);
	put_be32(out + 4, m->rest);
	put_be16(out + 2,
		csum_finish(csum_add(csum_add(0, out, ICMP_HDR_LEN), m->body, m->body_len)));
}
