/*
 * Cutting a super-segment, as the kernel's tcp_gso_segment does it and as a NIC with TSO would:
 *
 *	IPv4 total length   of this frame
 *	IPv4 identification counts up by one per frame (RFC 6864: with DF set it identifies nothing)
 *	TCP sequence number moves by the payload of the frames before
 *	FIN, PSH            on the last frame only: they stand at the end of the data
 *	CWR                 on the first frame only: it answers one ECE (RFC 3168 §6.1.2)
 *	URG                 until the urgent byte has passed; the pointer counts from each frame
 *	everything else     on every frame alike, options included
 *
 * Checksums. Everything of a header that is the same in all frames is summed once, with the fields
 * that differ set to zero; a frame adds its own few words to that sum (one's complement addition
 * does not mind the order, RFC 1071 §2). The payload is copied once, into the frame, and summed
 * there while it is in the cache.
 *
 * A frame that is not cut is copied as it is. If its checksum is partial, the field already holds
 * the pseudo-header's sum: the sum over the whole segment, field included, is what the field must
 * become.
 */
#include "core/link/segment.h"

#include <errno.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"
#include "core/wire/udphdr.h"

/* Fields of the headers, from their start. */
enum {
	ETH_TYPE_AT = 12,
	IP_LENGTH_AT = 2,
	IP_ID_AT = 4,
	IP_PROTOCOL_AT = 9,
	IP_CSUM_AT = 10,
	IP_ADDRS_AT = 12,
	IP_ADDRS_LEN = 8,
	TCP_SEQ_AT = 4,
	TCP_FLAGS_AT = 13,
	TCP_URGENT_AT = 18,
};

static bool is_tcp_over_ipv4(const struct segmenter *s, const uint8_t *head)
{
	const uint8_t *ip = head + ETH_HDR_LEN;

	if (s->l4_len < TCP_HDR_LEN || s->head_len < ETH_HDR_LEN + IPV4_HDR_LEN + s->l4_len)
		return false;
	if (get_be16(head + ETH_TYPE_AT) != ETH_TYPE_IPV4 || ip[0] >> 4 != 4 ||
		ip[IP_PROTOCOL_AT] != IP_PROTO_TCP)
		return false;
	return ETH_HDR_LEN + (size_t)(ip[0] & 0x0f) * 4 + s->l4_len == s->head_len;
}

/* Sums what all frames share, and remembers the first values of what differs. */
static void take_template(struct segmenter *s, const uint8_t *head)
{
	size_t ip_len = s->head_len - ETH_HDR_LEN - s->l4_len;
	static const uint8_t protocol[2] = {0, IP_PROTO_TCP};
	uint8_t ip[IPV4_HDR_MAX], tcp[TX_HEAD_ROOM];

	memcpy(ip, head + ETH_HDR_LEN, ip_len);
	s->ip_id = get_be16(ip + IP_ID_AT);
	put_be16(ip + IP_LENGTH_AT, 0);
	put_be16(ip + IP_ID_AT, 0);
	put_be16(ip + IP_CSUM_AT, 0);
	s->ip_sum = csum_add(0, ip, ip_len);

	memcpy(tcp, head + ETH_HDR_LEN + ip_len, s->l4_len);
	s->seq = seq(get_be32(tcp + TCP_SEQ_AT));
	s->tcp_flags = tcp[TCP_FLAGS_AT];
	s->urgent = get_be16(tcp + TCP_URGENT_AT);
	put_be32(tcp + TCP_SEQ_AT, 0);
	tcp[TCP_FLAGS_AT] = 0;
	put_be16(tcp + TCP_CSUM_OFFSET, 0);
	put_be16(tcp + TCP_URGENT_AT, 0);
	s->l4_sum = csum_add(0, tcp, s->l4_len);
	s->l4_sum = csum_add(s->l4_sum, ip + IP_ADDRS_AT, IP_ADDRS_LEN);
	s->l4_sum = csum_add(s->l4_sum, protocol, sizeof protocol);
}

int segment_begin(struct segmenter *s, const struct tx_frame *f)
{
	memset(s, 0, sizeof *s);
	s->f = f;
	s->head_len = tx_frame_head_len(f);
	s->l4_len = f->l4_from_end;
	s->total = tx_frame_payload_len(f);
	s->cut = f->gso_size && s->total > f->gso_size;
	s->step = s->cut ? f->gso_size : s->total;
	if (s->l4_len > s->head_len)
		return -EINVAL;
	if (f->csum == FRAME_CSUM_PARTIAL && (size_t)f->csum_offset + 2 > s->l4_len)
		return -EINVAL;
	if (!s->cut)
		return 0;
	if (!is_tcp_over_ipv4(s, f->head + f->head_at))
		return -EINVAL;
	take_template(s, f->head + f->head_at);
	return 0;
}

size_t segment_count(const struct segmenter *s)
{
	return s->cut ? (s->total + s->step - 1) / s->step : 1;
}

size_t segment_frame_max(const struct segmenter *s)
{
	return s->head_len + s->step;
}

static void copy_payload(struct segmenter *s, uint8_t *out, size_t n)
{
	while (n > 0) {
		const struct iovec *v = &s->f->payload[s->iov];
		size_t part = MIN(n, v->iov_len - s->iov_at);

		memcpy(out, (const uint8_t *)v->iov_base + s->iov_at, part);
		out += part;
		n -= part;
		s->iov_at += part;
		if (s->iov_at == v->iov_len) {
			s->iov++;
			s->iov_at = 0;
		}
	}
}

/* A frame that is not cut: its checksum is complete, or becomes it here. */
static void finish_whole(const struct segmenter *s, uint8_t *out)
{
	uint8_t *l4 = out + s->head_len - s->l4_len;
	uint8_t *field = l4 + s->f->csum_offset;

	if (s->f->csum != FRAME_CSUM_PARTIAL)
		return;
	uint16_t sum = csum_finish(csum_add(0, l4, s->l4_len + s->total));
	/* RFC 768: zero would mean that there is no checksum. */
	bool is_udp = s->f->csum_offset == UDP_CSUM_OFFSET;
	put_be16(field, sum == 0 && is_udp ? 0xffff : sum);
}

static void finish_ipv4(const struct segmenter *s, uint8_t *ip, size_t n)
{
	uint16_t own[2];

	put_be16(ip + IP_LENGTH_AT, (uint16_t)(s->head_len - ETH_HDR_LEN + n));
	put_be16(ip + IP_ID_AT, (uint16_t)(s->ip_id + s->done / s->step));
	memcpy(own, ip + IP_LENGTH_AT, sizeof own);
	put_be16(ip + IP_CSUM_AT, csum_finish(csum_add(s->ip_sum, own, sizeof own)));
}

/* Flags and urgent pointer of the frame that carries payload bytes [done, done + n). */
static void place_flags(const struct segmenter *s, uint8_t *tcp, size_t n)
{
	uint8_t flags = s->tcp_flags;
	uint16_t urgent = s->urgent;

	if (s->done > 0)
		flags &= (uint8_t)~TH_CWR;
	if (s->done + n < s->total)
		flags &= (uint8_t) ~(TH_FIN | TH_PSH);
	if (flags & TH_URG) {
		urgent = s->urgent > s->done ? (uint16_t)(s->urgent - s->done) : 0;
		flags = urgent ? flags : (uint8_t)(flags & ~TH_URG);
	}
	tcp[TCP_FLAGS_AT] = flags;
	put_be16(tcp + TCP_URGENT_AT, urgent);
}

static void finish_tcp(const struct segmenter *s, uint8_t *tcp, size_t n)
{
	uint8_t own[10];

	put_be32(tcp + TCP_SEQ_AT, seq_add(s->seq, (uint32_t)s->done).v);
	place_flags(s, tcp, n);
	memcpy(own, tcp + TCP_SEQ_AT, 4);
	put_be16(own + 4, tcp[TCP_FLAGS_AT]);
	memcpy(own + 6, tcp + TCP_URGENT_AT, 2);
	put_be16(own + 8, (uint16_t)(s->l4_len + n));
	csum_acc sum = csum_add(s->l4_sum, own, sizeof own);
	put_be16(tcp + TCP_CSUM_OFFSET, csum_finish(csum_add(sum, tcp + s->l4_len, n)));
}

size_t segment_next(struct segmenter *s, uint8_t *out)
{
	size_t n = MIN(s->step, s->total - s->done);

	if (s->finished)
		return 0;
	memcpy(out, s->f->head + s->f->head_at, s->head_len);
	copy_payload(s, out + s->head_len, n);
	if (s->cut) {
		finish_ipv4(s, out + ETH_HDR_LEN, n);
		finish_tcp(s, out + s->head_len - s->l4_len, n);
	} else {
		finish_whole(s, out);
	}
	s->done += n;
	s->finished = s->done == s->total;
	return s->head_len + n;
}
