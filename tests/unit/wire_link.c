#include "tests/unit/wire_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/link/flow.h"
#include "core/link/segment.h"
#include "core/wire/checksum.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"

static uint8_t payload[WIRE_FRAME_MAX];

static struct wire_link *of(struct link *l)
{
	return CONTAINER_OF(l, struct wire_link, link);
}

static int wire_fd(struct link *l)
{
	return -1;
}

static int wire_recv(struct link *l, struct rx_frame *f, nsec now)
{
	struct wire_link *w = of(l);

	if (!w->next.len)
		return 0;
	free(w->given);
	w->given = w->next.data;
	*f = (struct rx_frame){.data = w->next.data, .len = w->next.len, .arrival = now};
	w->next.len = 0;
	return 1;
}

static int wire_send(struct link *l, const struct tx_frame *f, nsec now)
{
	struct wire_link *w = of(l);
	struct segmenter s;
	size_t len;
	uint8_t frame[WIRE_FRAME_MAX];

	if (w->is_full)
		return -EAGAIN;
	if (segment_begin(&s, f))
		return -EINVAL;
	while ((len = segment_next(&s, frame))) {
		if (w->nsent == w->room) {
			w->room = w->room ? 2 * w->room : 1024;
			w->sent = realloc(w->sent, w->room * sizeof *w->sent);
		}
		struct wire_frame *kept = &w->sent[w->nsent++];
		*kept = (struct wire_frame){.at = now, .len = len, .data = malloc(len)};
		memcpy(kept->data, frame, len);
	}
	return 0;
}

static void wire_stats(struct link *l, struct link_stats *out)
{
	*out = (struct link_stats){0};
}

static void wire_close(struct link *l)
{
	struct wire_link *w = of(l);

	for (size_t i = 0; i < w->nsent; i++)
		free(w->sent[i].data);
	free(w->sent);
	free(w->given);
	if (w->next.len)
		free(w->next.data);
	free(w);
}

struct wire_link *wire_link_new(void)
{
	static const struct link_ops ops = {.name = "wire",
		.fd = wire_fd,
		.recv = wire_recv,
		.send = wire_send,
		.stats = wire_stats,
		.close = wire_close};
	struct wire_link *w = calloc(1, sizeof *w);

	w->link.ops = &ops;
	w->link.info.mtu = 1500;
	return w;
}

void wire_link_receive(struct wire_link *w, const uint8_t *data, size_t len)
{
	w->next = (struct wire_frame){.len = len, .data = malloc(len)};
	memcpy(w->next.data, data, len);
}

static void put_tcp(uint8_t *head, bool back, uint8_t flags, uint32_t seq, uint32_t ack, size_t len)
{
	uint8_t *ip = head + 14, *tcp = ip + 20;

	memset(head, 0, 54);
	memset(head, back ? 0x0a : 0x0b, 6);
	memset(head + 6, back ? 0x0b : 0x0a, 6);
	put_be16(head + 12, 0x0800);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(40 + len));
	ip[6] = 0x40;
	ip[8] = 64;
	ip[9] = IP_PROTO_TCP;
	put_be32(ip + 12, back ? 0x0a000002 : 0x0a000001);
	put_be32(ip + 16, back ? 0x0a000001 : 0x0a000002);
	put_be16(ip + 10, csum_finish(csum_add(0, ip, 20)));
	put_be16(tcp, back ? 80 : 1000);
	put_be16(tcp + 2, back ? 1000 : 80);
	put_be32(tcp + 4, seq);
	put_be32(tcp + 8, ack);
	tcp[12] = 0x50;
	tcp[13] = flags;
	put_be16(tcp + 14, 5000);
}

void wire_tcp(struct tx_frame *f, uint8_t flags, uint32_t seq, uint32_t ack, size_t len, uint16_t gso)
{
	struct ipaddr src = ipaddr_v4(0x0a000001), dst = ipaddr_v4(0x0a000002);

	tx_frame_init(f);
	uint8_t *head = tx_frame_push(f, 54);
	put_tcp(head, false, flags, seq, ack, len);
	put_be16(head + 50, csum_fold(csum_pseudo(&src, &dst, IP_PROTO_TCP, (uint32_t)(20 + len))));
	f->l4_from_end = 20;
	f->csum_offset = TCP_CSUM_OFFSET;
	f->csum = FRAME_CSUM_PARTIAL;
	f->gso_size = gso;
	f->payload[0] = (struct iovec){payload, len};
	f->npayload = len > 0;
}

size_t wire_tcp_back(uint8_t *out, uint8_t flags, uint32_t seq, uint32_t ack, size_t len)
{
	struct flow_view v;

	put_tcp(out, true, flags, seq, ack, len);
	memset(out + 54, 0x55, len);
	flow_look(&v, out, 54 + len, false);
	flow_csum_complete(&v, out);
	return 54 + len;
}

uint32_t wire_seq(const struct wire_frame *f)
{
	return get_be32(f->data + 38);
}
