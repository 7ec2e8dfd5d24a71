#include "core/wire/igmp.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/wire/checksum.h"

enum { V3_QUERY_LEN = 12 };

/* RFC 3376 §4.1.1: above 127 a floating-point number of tenths of a second. */
static nsec max_response(uint8_t code, unsigned version)
{
	unsigned tenths = code;

	if (version == 1)
		return 10 * SEC; /* RFC 2236 §4 */
	if (version == 3 && code >= 128)
		tenths = (unsigned)((code & 0x0f) | 0x10) << ((code >> 4 & 7) + 3);
	return tenths * 100 * MSEC;
}

bool igmp_parse(struct igmp_msg *out, const uint8_t *data, size_t len)
{
	if (len < IGMP_LEN || csum_fold(csum_add(0, data, len)) != 0xffff)
		return false;
	out->type = data[0];
	out->group = ipaddr_v4(get_be32(data + 4));
	out->version = 0;
	out->max_response = 0;
	if (out->type != IGMP_QUERY)
		return out->type == IGMP_V1_REPORT || out->type == IGMP_V2_REPORT;
	if (len > IGMP_LEN && len < V3_QUERY_LEN)
		return false;
	out->version = len >= V3_QUERY_LEN ? 3 : data[1] ? 2 : 1;
	out->max_response = max_response(data[1], out->version);
	return true;
}

void igmp_emit(uint8_t out[static IGMP_LEN], uint8_t type, const struct ipaddr *group)
{
	memset(out, 0, IGMP_LEN);
	out[0] = type;
	put_be32(out + 4, ipaddr_to_v4(group));
	put_be16(out + 2, csum_finish(csum_add(0, out, IGMP_LEN)));
}

void igmp_emit_v3(uint8_t out[static IGMP_V3_REPORT_LEN], enum igmp_record record,
	const struct ipaddr *group)
{
	memset(out, 0, IGMP_V3_REPORT_LEN);
	out[0] = IGMP_V3_REPORT;
	put_be16(out + 6, 1);
	out[8] = (uint8_t)record;
	put_be32(out + 12, ipaddr_to_v4(group));
	put_be16(out + 2, csum_finish(csum_add(0, out, IGMP_V3_REPORT_LEN)));
}
