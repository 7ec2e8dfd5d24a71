/*
 * The TCP header and its options (RFC 9293 §3.1, §3.2; RFC 7323 window scale and timestamps; RFC 2018 SACK).
 */
#ifndef TEECEE_WIRE_TCPHDR_H
#define TEECEE_WIRE_TCPHDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/seq.h"

enum {
	TCP_HDR_LEN = 20,
	TCP_HDR_MAX = 60,
	TCP_FLAGS_OFFSET = 13,
	TCP_CSUM_OFFSET = 16,
	TCP_SACK_MAX = 4,
	TCP_FASTOPEN_COOKIE_MAX = 16,
};

enum tcp_flags {
	TH_FIN = 0x01,
	TH_SYN = 0x02,
	TH_RST = 0x04,
	TH_PSH = 0x08,
	TH_ACK = 0x10,
	TH_URG = 0x20,
	TH_ECE = 0x40,
	TH_CWR = 0x80,
};

/* Which options are present. */
enum tcp_opts {
	TO_MSS = 0x01,
	TO_WSCALE = 0x02,
	TO_SACK_OK = 0x04,
	TO_TIMESTAMP = 0x08,
	TO_SACK = 0x10,
	TO_FASTOPEN = 0x20,
	TO_FASTOPEN_EXP = 0x40, /* with TO_FASTOPEN: as the experimental option 254 (RFC 6994) */
};

struct sack_block {
	struct seq32 left, right; /* [left, right) */
};

struct tcp_hdr {
	uint16_t src_port, dst_port;
	struct seq32 seq, ack;
	uint8_t hdr_len; /* bytes, 20..60; set by parse and by emit */
	uint8_t flags;   /* enum tcp_flags */
	uint16_t window; /* as on the wire, unscaled */
	uint16_t urgent;

	uint8_t opts; /* enum tcp_opts */
	uint8_t wscale;
	uint16_t mss;
	uint32_t tsval, tsecr;
	uint8_t nsack;
	struct sack_block sack[TCP_SACK_MAX];
	uint8_t fastopen_len; /* 0: a cookie request */
	uint8_t fastopen[TCP_FASTOPEN_COOKIE_MAX];
};

/*
 * Parses header and options. False when shorter than its header or with a header length under 20. An
 * option with a bad length ends the option list there (what came before it stands); unknown ones are
 * skipped (RFC 9293 MUST-6). MSS and wscale are taken from SYNs only: the parser reports what is there,
 * the state machine decides. wscale above 14 is reported as 14 (RFC 7323 §2.3). The checksum is the caller's.
 */
bool tcp_hdr_parse(struct tcp_hdr *out, const uint8_t *data, size_t len);

/* How many bytes emit will write; a multiple of 4, at most 60. SACK blocks that do not fit are not sent. */
size_t tcp_hdr_size(const struct tcp_hdr *h);

/*
 * Writes header and options in Linux's order (mss, sackOK, TS, nop, wscale, SACK, Fast Open), padded with
 * NOPs as Linux does, checksum zero; returns the length, which is tcp_hdr_size(h).
 */
size_t tcp_hdr_emit(uint8_t out[static TCP_HDR_MAX], const struct tcp_hdr *h);

#endif
