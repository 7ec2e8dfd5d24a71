#include "core/stack/udp.h"

#include "core/stack/state.h"
#include "core/wire/udphdr.h"

bool udp_input(struct stack *s, const struct ip_meta *m, const uint8_t *data, size_t len,
	const struct rx_frame *f)
{
	struct udp_hdr h;

	if (!udp_hdr_parse(&h, data, len)) {
		COUNT(s, UdpInErrors);
		return true;
	}
	if (h.csum != 0 && !ip_l4_checksum_ok(s, m, data, h.len, UDP_CSUM_OFFSET, f)) {
		COUNT(s, UdpInErrors);
		return true;
	}
	COUNT(s, UdpNoPorts);
	return false;
}
