#include "core/stack/gro.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/stack/tcb.h"
#include "core/wire/checksum.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"

enum {
	HEAD_MAX = ETH_HDR_LEN + IPV4_HDR_MAX + TCP_HDR_MAX,
	IP_LEN_AT = 2,
	IP_ID_AT = 4,
	IP_CSUM_AT = 10,
	TCP_SEQ_AT = 4,
};

struct gro {
	struct tcp *tcp;         /* NULL: no run */
	struct segment whole;    /* the first one's header, the length of all */
	struct ip_meta ip;       /* of the first */
	uint8_t head[HEAD_MAX];  /* what all have in common; the rest is zero */
	size_t head_len, tcp_at; /* the TCP header's place in it */
	struct iovec piece[GRO_PIECES_MAX];
	unsigned stays; /* so many more calls of the link's recv leave the pieces alone */
};

struct gro *gro_new(void)
{
	return calloc(1, sizeof(struct gro));
}

void gro_free(struct gro *r)
{
	free(r);
}

/* The headers of a frame without what each has for itself. */
static void common_part(const struct gro *r, const uint8_t *frame, uint8_t out[static HEAD_MAX])
{
	uint8_t *ip = out + ETH_HDR_LEN, *tcp = out + r->tcp_at;

	memcpy(out, frame, r->head_len);
	put_be16(ip + IP_LEN_AT, 0);
	put_be16(ip + IP_ID_AT, 0);
	put_be16(ip + IP_CSUM_AT, 0);
	put_be32(tcp + TCP_SEQ_AT, 0);
	put_be16(tcp + TCP_CSUM_OFFSET, 0);
	tcp[TCP_FLAGS_OFFSET] &= (uint8_t)~TH_PSH;
}

static bool ip_is_right(const struct gro *r, const struct rx_frame *f)
{
	const uint8_t *ip = f->data + ETH_HDR_LEN;

	return get_be16(ip + IP_LEN_AT) == f->len - ETH_HDR_LEN &&
	       csum_fold(csum_add(0, ip, r->tcp_at - ETH_HDR_LEN)) == 0xffff;
}

static bool is_next(const struct stack *s, const struct gro *r, const struct rx_frame *f)
{
	const struct tcp *t = r->tcp;
	const uint8_t *tcp = f->data + r->tcp_at;
	uint8_t head[HEAD_MAX];

	if (f->len <= r->head_len || !ip_is_right(r, f))
		return false;
	uint32_t len = (uint32_t)(f->len - r->head_len);
	struct seq32 end = seq_add(r->whole.seq, r->whole.len);
	if (get_be32(tcp + TCP_SEQ_AT) != end.v || seq_gt(seq_add(end, len), t->rcv.adv))
		return false;
	common_part(r, f->data, head);
	return memcmp(head, r->head, r->head_len) == 0 &&
	       ip_l4_checksum_ok(s, &r->ip, tcp, f->len - r->tcp_at, TCP_CSUM_OFFSET, f);
}

static void append(struct gro *r, const struct rx_frame *f)
{
	size_t len = f->len - r->head_len, size = f->gso_size ? f->gso_size : len;

	/* The peer's segments are not longer for being joined. */
	r->whole.gso_size = MAX(r->whole.gso_size, (uint16_t)size);
	r->piece[r->whole.npieces++] = (struct iovec){(void *)(f->data + r->head_len), len};
	r->whole.len += (uint32_t)len;
}

bool gro_continue(struct stack *s, const struct rx_frame *f, nsec now)
{
	struct gro *r = s->gro;

	if (!r->tcp)
		return false;
	if (!is_next(s, r, f)) {
		gro_end(s, now);
		return false;
	}
	COUNT(s, IpInReceives);
	COUNT(s, IpInDelivers);
	COUNT(s, TcpInSegs);
	COUNT(s, TcpExtRcvCoalesce);
	append(r, f);
	r->stays = MIN(r->stays - 1, (unsigned)f->stays);
	if (r->stays == 0 || r->whole.npieces == GRO_PIECES_MAX)
		gro_end(s, now);
	return true;
}

/* Nothing in it but bytes that are the next. */
static bool is_plain(const struct tcp *t, const struct segment *g)
{
	return t->state == TCPS_ESTABLISHED && (g->h.flags & ~TH_PSH) == TH_ACK && g->len > 0 &&
	       !t->ofo && seq_eq(g->seq, t->rcv.nxt) &&
	       seq_le(seq_add(g->seq, g->len), t->rcv.adv) && !g->ip->to_multicast;
}

bool gro_begin(struct tcp *t, const struct segment *g, const struct rx_frame *f)
{
	struct gro *r = t->stack->gro;

	if (f->stays == 0 || !is_plain(t, g))
		return false;
	r->tcp = t;
	r->whole = *g;
	r->ip = *g->ip;
	r->whole.ip = &r->ip;
	if (g->gso_size == 0)
		r->whole.gso_size = (uint16_t)g->len;
	r->head_len = (size_t)(g->data - f->data);
	r->tcp_at = r->head_len - g->h.hdr_len;
	r->piece[0] = (struct iovec){(void *)g->data, g->len};
	r->whole.pieces = r->piece;
	r->stays = f->stays;
	common_part(r, f->data, r->head);
	return true;
}

void gro_end(struct stack *s, nsec now)
{
	struct tcp *t = s->gro->tcp;

	if (!t)
		return;
	s->gro->tcp = NULL;
	tcp_segment_input(t, &s->gro->whole, now);
}
