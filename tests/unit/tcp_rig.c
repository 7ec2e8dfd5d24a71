/*
 * The rig of tcp_rig.h: frames out of the stack and into it, time, and how a state is reached.
 */
#include "tests/unit/tcp_rig.h"

#include "core/wire/arp.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"

enum { FRAME_MAX = 1 << 17, NAMED_EARLY = 200, NAMED_LATE = 300 };

static const struct macaddr our_mac = {{2, 0, 0, 0, 0, 2}}, peer_mac = {{2, 0, 0, 0, 0, 9}};

static struct ipaddr host(unsigned n)
{
	return ipaddr_v4(0x0a000000 + n);
}

struct endpoint us(uint16_t port)
{
	return (struct endpoint){host(2), port};
}

struct endpoint peer(uint8_t n, uint16_t port)
{
	return (struct endpoint){host(n ? n : 9), port ? port : PEER_PORT};
}

uint8_t rig_pattern(char of, uint64_t n)
{
	return (uint8_t)((n * 0x9e3779b97f4a7c15 >> 56) ^ (n >> 8) ^ (uint8_t)of);
}

struct seq32 rig_seq(const struct rig *t, struct at a)
{
	return seq_add(a.of == 'L' ? t->iss : t->irs, a.n);
}

/* --- out of the stack --- */

static void capture(struct rig *t, const uint8_t *packet, size_t len, const struct tx_frame *f)
{
	struct ipv4_hdr ip;
	struct sent *out = &t->tx[t->ntx];

	assert_int_equal(ipv4_parse(&ip, packet, len), IPV4_OK);
	assert_int_equal(ip.total_len, len);
	assert_int_equal(ip.protocol, IP_PROTO_TCP);
	const uint8_t *l4 = packet + ip.hdr_len;
	size_t l4_len = len - ip.hdr_len;
	assert_true(tcp_hdr_parse(&out->h, l4, l4_len));
	csum_acc pseudo = csum_pseudo(&ip.src, &ip.dst, IP_PROTO_TCP, (uint32_t)l4_len);
	if (f->csum == FRAME_CSUM_PARTIAL)
		assert_int_equal(get_be16(l4 + TCP_CSUM_OFFSET), csum_fold(pseudo));
	else
		assert_int_equal(csum_fold(csum_add(pseudo, l4, l4_len)), 0xffff);
	assert_true(f->gso_size > 0 || len <= RIG_MTU);
	t->ntx++;
	out->len = (uint32_t)(l4_len - out->h.hdr_len);
	out->data = malloc(out->len + 1);
	memcpy(out->data, l4 + out->h.hdr_len, out->len);
	out->gso_size = f->gso_size;
	out->tos = ip.tos;
	out->ttl = ip.ttl;
	out->to_host = ip.dst.b[15];
	out->to_port = out->h.dst_port;
	if (out->h.opts & TO_TIMESTAMP)
		t->last_tsval = out->h.tsval;
	if ((out->h.flags & TH_SYN) && !t->iss_known) {
		t->iss = out->h.seq;
		t->iss_known = true;
	}
}

static int emit(void *ctx, const struct tx_frame *f, nsec now)
{
	static uint8_t bytes[FRAME_MAX];
	struct rig *t = ctx;
	size_t head = tx_frame_head_len(f), len = head;
	struct eth_hdr eth;

	if (t->emit_result < 0)
		return t->emit_result;
	memcpy(bytes, f->head + f->head_at, head);
	for (unsigned i = 0; i < f->npayload; len += f->payload[i++].iov_len)
		memcpy(bytes + len, f->payload[i].iov_base, f->payload[i].iov_len);
	assert_true(eth_parse(&eth, bytes, len));
	if (eth.ethertype == ETH_TYPE_ARP) {
		t->asked = true;
		return 0;
	}
	assert_true(t->ntx < RIG_TX_MAX);
	capture(t, bytes + ETH_HDR_LEN, len - ETH_HDR_LEN, f);
	return 0;
}

static size_t deliver(void *ctx, struct tcp *tcp, void *user, const struct iovec *data, unsigned n)
{
	struct rig *t = ctx;
	size_t taken = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *bytes = data[i].iov_base;
		for (size_t at = 0; at < data[i].iov_len && t->take > 0; at++, t->take--, taken++)
			assert_int_equal(bytes[at], rig_pattern('R', t->read++));
	}
	t->delivered++;
	return taken;
}

/* --- into the stack --- */

/* As a link does it: the memory of those whose time is over is used again. */
static void forget_frames(struct rig *t, bool all)
{
	for (unsigned i = 0; i < ARRAY_LEN(t->kept); i++) {
		struct kept_frame *k = &t->kept[i];

		if (k->data && (all || --k->stays == 0)) {
			free(k->data);
			k->data = NULL;
		}
	}
}

static void keep_frame(struct rig *t, uint8_t *frame, unsigned stays)
{
	for (unsigned i = 0; i < ARRAY_LEN(t->kept); i++) {
		if (!t->kept[i].data) {
			t->kept[i] = (struct kept_frame){frame, stays};
			return;
		}
	}
	fail_msg("too many frames stay");
}

static void rx_frame(struct rig *t, uint16_t type, const void *payload, size_t len,
	const struct seg *g)
{
	uint8_t *frame = malloc(ETH_HDR_LEN + len); /* exactly as long: a read beyond it is seen */
	struct rx_frame f = {.data = frame, .len = ETH_HDR_LEN + len, .arrival = t->now};

	if (g) {
		f.gso_size = g->gso_size;
		f.stays = g->stays;
		f.waited = g->waited;
	}
	eth_emit(frame, &(struct eth_hdr){our_mac, peer_mac, type});
	memcpy(frame + ETH_HDR_LEN, payload, len);
	stack_input(t->s, &f, t->now);
	forget_frames(t, false);
	if (f.stays > 0)
		keep_frame(t, frame, f.stays);
	else
		free(frame);
}

static void rx_arp_reply(struct rig *t, uint8_t n)
{
	uint8_t bytes[ARP_LEN];
	struct arp_packet p = {.op = ARP_REPLY,
		.sender_mac = peer_mac,
		.sender_ip = host(n),
		.target_mac = our_mac,
		.target_ip = host(2)};

	arp_emit(bytes, &p);
	rx_frame(t, ETH_TYPE_ARP, bytes, sizeof bytes, NULL);
}

static void rx_ip(struct rig *t, uint8_t from, uint8_t protocol, const uint8_t *data, size_t len,
	const struct seg *g)
{
	uint8_t *packet = malloc(IPV4_HDR_LEN + len);
	struct ipv4_hdr h = {.src = host(from),
		.dst = host(2),
		.ttl = 64,
		.protocol = protocol,
		.total_len = (uint16_t)(IPV4_HDR_LEN + len)};

	ipv4_emit(packet, &h);
	memcpy(packet + IPV4_HDR_LEN, data, len);
	rx_frame(t, ETH_TYPE_IPV4, packet, IPV4_HDR_LEN + len, g);
	free(packet);
}

static void fill_options(struct rig *t, struct tcp_hdr *h, const struct seg *g)
{
	bool syn = h->flags & TH_SYN;

	if (syn && !g->bare) {
		h->opts = TO_MSS | (t->config.no_sack ? 0 : TO_SACK_OK) |
			  (t->config.wscale ? TO_WSCALE : 0);
		h->mss = g->mss ? g->mss : t->config.mss;
		h->wscale = t->config.wscale ? (uint8_t)(t->config.wscale - 1) : 0;
	}
	if (g->ts || (t->config.ts && !g->no_ts && !g->bare && !(h->flags & TH_RST))) {
		h->opts |= TO_TIMESTAMP;
		h->tsval = g->ts ? g->tsval : t->peer_tsval;
		h->tsecr = g->ts ? g->tsecr : h->flags & TH_ACK ? t->last_tsval : 0;
	}
	while (h->nsack < TCP_SACK_MAX && g->sack[2 * h->nsack].of) {
		const struct at *pair = &g->sack[2 * h->nsack];
		h->sack[h->nsack++] = (struct sack_block){rig_seq(t, pair[0]), rig_seq(t, pair[1])};
		h->opts |= TO_SACK;
	}
}

static struct tcp_hdr header_of(struct rig *t, const struct seg *g)
{
	unsigned flags = g->flags ? g->flags : TH_ACK;
	uint32_t window = g->window          ? g->window - 1
			  : t->config.window ? t->config.window - 1
					     : 65535;
	unsigned scale = t->config.wscale && !(flags & TH_SYN) ? t->config.wscale - 1u : 0;
	struct tcp_hdr h = {
		.src_port = g->port ? g->port : PEER_PORT,
		.dst_port = g->toward ? g->toward : OUR_PORT,
		.seq = rig_seq(t, g->seq.of ? g->seq : R(flags & TH_SYN ? 0 : t->peer_nxt)),
		.flags = (uint8_t)flags,
		.window = (uint16_t)MIN(window >> scale, 65535u),
		.urgent = g->urgent,
	};

	if (flags & TH_ACK)
		h.ack = rig_seq(t, g->ack.of ? g->ack : L(t->peer_ack));
	fill_options(t, &h, g);
	return h;
}

/* The peer remembers what it said, as far as it follows on from what it said before. */
static void remember(struct rig *t, const struct tcp_hdr *h, uint32_t len)
{
	uint32_t n = len + !!(h->flags & TH_SYN) + !!(h->flags & TH_FIN);

	if (!(h->flags & TH_RST) && seq_eq(h->seq, seq_add(t->irs, t->peer_nxt)))
		t->peer_nxt += n;
	int32_t more = seq_diff(h->ack, seq_add(t->iss, t->peer_ack));
	if ((h->flags & TH_ACK) && more > 0 && more < 1 << 24)
		t->peer_ack += (uint32_t)more;
}

void rx_segment(struct rig *t, const struct seg *g)
{
	struct tcp_hdr h = header_of(t, g);
	uint8_t *bytes = malloc(TCP_HDR_MAX + g->len), from = g->host ? g->host : 9;
	size_t head = tcp_hdr_emit(bytes, &h);
	struct ipaddr src = host(from), dst = host(2);

	if (g->options) {
		head = TCP_HDR_LEN + (g->options_len + 3) / 4 * 4;
		memset(bytes + TCP_HDR_LEN, 0, head - TCP_HDR_LEN);
		memcpy(bytes + TCP_HDR_LEN, g->options, g->options_len);
		bytes[12] = (uint8_t)(head / 4 << 4);
	}
	uint32_t at = h.seq.v - t->irs.v - !(h.flags & TH_SYN);
	for (uint32_t i = 0; i < g->len; i++)
		bytes[head + i] = rig_pattern('R', at + i);
	size_t len = head + g->len;
	csum_acc pseudo = csum_pseudo(&src, &dst, IP_PROTO_TCP, (uint32_t)len);
	put_be16(bytes + TCP_CSUM_OFFSET,
		g->partial_csum
			? csum_fold(pseudo)
			: (uint16_t)(csum_finish(csum_add(pseudo, bytes, len)) + g->bad_csum));
	remember(t, &h, g->len);
	rx_ip(t, from, IP_PROTO_TCP, bytes, len, g);
	free(bytes);
}

void rx_icmp(struct rig *t, uint8_t type, uint8_t code, struct at at, uint16_t mtu)
{
	uint8_t quote[IPV4_HDR_LEN + 8], bytes[ICMP_HDR_LEN + sizeof quote];
	struct ipv4_hdr ip = {.src = host(2),
		.dst = host(9),
		.ttl = 60,
		.protocol = IP_PROTO_TCP,
		.df = true,
		.total_len = 1040};

	ipv4_emit(quote, &ip);
	put_be16(quote + IPV4_HDR_LEN, OUR_PORT);
	put_be16(quote + IPV4_HDR_LEN + 2, PEER_PORT);
	put_be32(quote + IPV4_HDR_LEN + 4, rig_seq(t, at).v);
	struct icmp_msg m = {type, code, mtu, quote, sizeof quote};
	icmp_emit(bytes, &m);
	memcpy(bytes + ICMP_HDR_LEN, quote, sizeof quote);
	rx_ip(t, 1, IP_PROTO_ICMP, bytes, sizeof bytes, NULL);
	rig_poll(t);
}

/* --- time --- */

static void collect_events(struct rig *t)
{
	unsigned events;
	struct tcp *who;

	while ((who = stack_next_event(t->s, &events))) {
		if (who == t->tcp)
			t->events |= events;
		if (who == t->listener)
			t->listener_events |= events;
	}
}

void rig_poll(struct rig *t)
{
	stack_input_end(t->s, t->now);
	stack_poll(t->s, t->now);
	if (t->asked && !t->mute) {
		t->asked = false;
		for (uint8_t n = 9; n < 13; n++)
			rx_arp_reply(t, n);
		stack_poll(t->s, t->now);
	}
	collect_events(t);
}

void advance(struct rig *t, nsec d)
{
	nsec end = t->now + d;

	for (nsec next = stack_deadline(t->s); next <= end; next = stack_deadline(t->s)) {
		t->now = nsec_max(t->now, next);
		rig_poll(t);
	}
	t->now = end;
	rig_poll(t);
}

/* --- building --- */

static void make_stack(struct rig *t)
{
	struct stack_config c = {
		.mac = our_mac,
		.mtu = RIG_MTU,
		.gso_max = t->config.gso_max,
		.tcp_mem_max = t->config.mem_max,
		.max_socks = t->config.max_socks,
	};
	struct stack_ops ops = {.emit = emit, .deliver = t->config.deliver ? deliver : NULL};
	struct ipnet net = {host(2), 96 + 24};

	for (unsigned i = 0; i < sizeof c.secret; i++)
		c.secret[i] = (uint8_t)(i * 7 + 1);
	t->s = stack_new(&c, &ops, t, t->now);
	assert_non_null(t->s);
	t->mute = t->config.no_neighbours;
	stack_claim(t->s, &net, PROBE_NONE, t->now);
	rig_poll(t);
	if (!t->config.no_neighbours) {
		for (uint8_t n = 9; n < 13; n++)
			rx_arp_reply(t, n);
	}
	t->asked = false;
}

static void set_options(struct rig *t, struct tcp *tcp)
{
	for (int i = 0; i < TCP_OPT_COUNT; i++) {
		if (t->config.option[i])
			assert_int_equal(tcp_set_option(tcp, i, t->config.option[i], t->now), 0);
	}
}

static void make_socket(struct rig *t)
{
	struct endpoint local = us(OUR_PORT);

	t->tcp = tcp_new(t->s, NULL);
	assert_non_null(t->tcp);
	set_options(t, t->tcp);
	assert_int_equal(tcp_bind(t->tcp, &local), 0);
}

static void begin_connect(struct rig *t)
{
	struct endpoint remote = peer(9, PEER_PORT);

	make_socket(t);
	assert_int_equal(tcp_connect(t->tcp, &remote, t->now), 0);
	rig_poll(t);
}

/* The ISN is a clock plus a hash: a trial connection tells at which time it will be NAMED_EARLY below 2^32. */
static nsec when_isn_is_high(void)
{
	struct rig *t = calloc(1, sizeof *t);
	nsec now = 1000 * SEC;

	t->now = now;
	make_stack(t);
	begin_connect(t);
	uint32_t wait = -(uint32_t)NAMED_EARLY - t->iss.v;
	tcp_abort(t->tcp, t->now);
	stack_free(t->s);
	free(t->tx[0].data);
	free(t);
	return now + (nsec)wait * 4 * USEC;
}

static struct rig *rig_new(const struct rig_config *config)
{
	struct rig *t = calloc(1, sizeof *t);

	t->config = *config;
	if (!t->config.mss)
		t->config.mss = RIG_MSS;
	if (!t->config.backlog)
		t->config.backlog = 4;
	t->peer_tsval = 0xfffffff0;
	t->now = when_isn_is_high();
	t->irs = seq(-(uint32_t)NAMED_LATE);
	make_stack(t);
	return t;
}

static void to_listen(struct rig *t)
{
	make_socket(t);
	t->listener = t->tcp;
	t->tcp = NULL;
	assert_int_equal(tcp_listen(t->listener, t->config.backlog, t->now), 0);
}

static void to_syn_sent(struct rig *t)
{
	begin_connect(t);
	if (!t->config.no_neighbours)
		expect_tx(t, .flags = SYN, .seq = L(0));
	advance(t, RIG_RTT);
}

static void to_syn_received(struct rig *t)
{
	to_listen(t);
	rx(t, .flags = SYN);
	expect_tx(t, .flags = SYN | ACK, .seq = L(0), .ack = R(1));
	advance(t, RIG_RTT);
}

static void to_established(struct rig *t)
{
	if (t->config.passive) {
		to_syn_received(t);
		rx(t, .ack = L(1));
		app_accept(t);
	} else {
		to_syn_sent(t);
		rx(t, .flags = SYN | ACK, .ack = L(1));
		expect_tx(t, .seq = L(1), .ack = R(1));
	}
	expect_state(t, TCPS_ESTABLISHED);
	if (t->config.gso_max)
		t->tcp->min_rtt = 100 * USEC; /* near: super-segments of full size */
}

static void to_fin_wait_1(struct rig *t)
{
	to_established(t);
	app_shutdown(t);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1));
}

static void to_fin_wait_2(struct rig *t)
{
	to_fin_wait_1(t);
	rx(t, .ack = L(2));
}

static void to_close_wait(struct rig *t)
{
	to_established(t);
	rx(t, .flags = FIN | ACK);
	expect_tx(t, .seq = L(1), .ack = R(2));
}

static void to_closing(struct rig *t)
{
	to_fin_wait_1(t);
	rx(t, .flags = FIN | ACK);
	expect_tx(t, .seq = L(2), .ack = R(2));
}

static void to_last_ack(struct rig *t)
{
	to_close_wait(t);
	app_shutdown(t);
	expect_tx(t, .flags = FIN | ACK, .seq = L(1));
}

static void to_time_wait(struct rig *t)
{
	to_fin_wait_2(t);
	rx(t, .flags = FIN | ACK);
	expect_tx(t, .seq = L(2), .ack = R(2));
}

struct rig *rig_make(enum tcp_state state, const struct rig_config *config)
{
	static void (*const to[TCPS_COUNT])(struct rig *) = {
		[TCPS_CLOSED] = make_socket,
		[TCPS_LISTEN] = to_listen,
		[TCPS_SYN_SENT] = to_syn_sent,
		[TCPS_SYN_RECEIVED] = to_syn_received,
		[TCPS_ESTABLISHED] = to_established,
		[TCPS_FIN_WAIT_1] = to_fin_wait_1,
		[TCPS_FIN_WAIT_2] = to_fin_wait_2,
		[TCPS_CLOSE_WAIT] = to_close_wait,
		[TCPS_CLOSING] = to_closing,
		[TCPS_LAST_ACK] = to_last_ack,
		[TCPS_TIME_WAIT] = to_time_wait,
	};
	struct rig *t = rig_new(config);

	to[state](t);
	expect_state(t, state);
	expect_silence(t);
	t->events = t->listener_events = 0;
	return t;
}

void rig_end_at(struct rig *t, const char *file, int line)
{
	expect_silence_at(t, file, line);
	if (t->tcp)
		tcp_abort(t->tcp, t->now);
	if (t->listener)
		tcp_abort(t->listener, t->now);
	stack_abort_all(t->s, t->now);
	rig_poll(t);
	assert_int_equal(stack_memory(t->s), 0);
	stack_free(t->s);
	forget_frames(t, true);
	for (unsigned i = 0; i < t->ntx; i++)
		free(t->tx[i].data);
	free(t);
}
