/*
 * From a captured frame to the TCP segment in it. Frames may be cut off by a snap length, be
 * super-segments, have checksums that hardware was to complete, and stand on any of the link types
 * that tcpdump writes; none of that keeps a header that is there from being read.
 */
#ifndef TEECEE_REPORT_DISSECT_H
#define TEECEE_REPORT_DISSECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/wire/tcphdr.h"

struct dissected {
	struct endpoint src, dst;
	struct tcp_hdr tcp;
	uint32_t len; /* payload bytes on the wire, also those that the file does not have */
	uint8_t ecn;  /* the IP header's two bits */
};

enum { ECN_CE = 3 };

enum dissect_result {
	DISSECT_TCP,
	DISSECT_OTHER,  /* readable, and something else; a fragment that is not the first, too */
	DISSECT_BROKEN, /* cut off before the TCP header ends, or contradicts itself */
	DISSECT_LINK,   /* of a link type that is not known here */
};

/* `len` bytes of a frame that had `whole`; linktype: libpcap's DLT_…. */
enum dissect_result dissect(
	struct dissected *out, int linktype, const uint8_t *data, size_t len, size_t whole);

#endif
