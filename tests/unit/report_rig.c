#include "tests/unit/report_rig.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/pcapng.h"

enum { SCRIPT_MAX = 1 << 20, WINDOW = 1000, SCALE = 2, CLIENT_PORT = 40000, SERVER_PORT = 80 };

#define BEGAN (1700000000 * SEC)

void script_begin(struct script *s)
{
	memset(s, 0, sizeof *s);
	s->bytes = malloc(SCRIPT_MAX);
	s->len = pcapng_begin(s->bytes, "test", "va");
}

void script_end(struct script *s)
{
	if (s->conns)
		conns_free(s->conns);
	free(s->bytes);
}

static size_t build(uint8_t *frame, const struct says *p)
{
	uint16_t client = p->client_port ? p->client_port : CLIENT_PORT;
	struct eth_hdr eth = {.ethertype = ETH_TYPE_IPV4};
	struct tcp_hdr tcp = {.src_port = p->from == CLIENT ? client : SERVER_PORT,
		.dst_port = p->from == CLIENT ? SERVER_PORT : client,
		.seq = seq(p->seq),
		.ack = seq(p->ack),
		.flags = p->flags,
		.window = p->win,
		.opts = p->opts,
		.mss = p->opts & TO_MSS ? 1460 : 0,
		.wscale = p->wscale,
		.tsval = p->tsval,
		.tsecr = p->tsecr,
		.nsack = p->nsack};
	uint8_t head[TCP_HDR_MAX];

	memcpy(tcp.sack, p->sack, sizeof tcp.sack);
	tcp.opts |= p->nsack ? TO_SACK : 0;
	size_t hlen = tcp_hdr_emit(head, &tcp);
	struct ipv4_hdr ip = {.src = ipaddr_v4(p->from == CLIENT ? 0x0a000001 : 0x0a000002),
		.dst = ipaddr_v4(p->from == CLIENT ? 0x0a000002 : 0x0a000001),
		.ttl = 64,
		.protocol = IP_PROTO_TCP,
		.total_len = (uint16_t)(IPV4_HDR_LEN + hlen + p->len)};
	eth_emit(frame, &eth);
	ipv4_emit(frame + ETH_HDR_LEN, &ip);
	memcpy(frame + ETH_HDR_LEN + IPV4_HDR_LEN, head, hlen);
	memset(frame + ETH_HDR_LEN + IPV4_HDR_LEN + hlen, 'x', p->len);
	return ETH_HDR_LEN + IPV4_HDR_LEN + hlen + p->len;
}

void script_says(struct script *s, const struct says *p, nsec then)
{
	uint8_t *block = s->bytes + s->len;
	struct pcapng_packet packet = {.at = BEGAN + s->at, .out = p->from == CLIENT, .comment = p->comment};

	packet.len = build(pcapng_frame(block), p);
	s->len += pcapng_packet(block, &packet);
	s->at += then;
}

void script_handshake(struct script *s)
{
	SAY(s, 10 * MSEC, .from = CLIENT, .seq = C(0), .flags = TH_SYN, .win = WINDOW, .opts = TO_MSS | TO_WSCALE,
		.wscale = SCALE);
	SAY(s, 100 * USEC, .from = SERVER, .seq = S(0), .ack = C(1), .flags = TH_SYN | TH_ACK, .win = WINDOW,
		.opts = TO_MSS | TO_WSCALE, .wscale = SCALE);
	SAY(s, 0, .from = CLIENT, .seq = C(1), .ack = S(1), .flags = TH_ACK, .win = WINDOW);
}

FILE *script_open(const struct script *s, size_t len)
{
	FILE *f = tmpfile();

	fwrite(s->bytes, 1, len, f);
	rewind(f);
	return f;
}

static bool take(void *ctx, const struct segment *g)
{
	struct script *s = ctx;

	if (s->nseen < SCRIPT_SEGMENTS)
		s->seen[s->nseen++] = *g;
	return true;
}

void script_read(struct script *s, const char *filter)
{
	struct capture_reading how = {.filter = filter, .packets_max = UINT64_MAX, .segment = take, .ctx = s};

	s->result = capture_read(script_open(s, s->len), "script", &how, &s->conns, &s->totals, s->message);
}
