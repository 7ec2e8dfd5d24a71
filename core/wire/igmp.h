/*
 * IGMP messages (RFC 2236, RFC 3376): queries in, reports and leaves out. Source lists are neither
 * kept nor sent: our memberships are of any source.
 */
#ifndef TEECEE_WIRE_IGMP_H
#define TEECEE_WIRE_IGMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/time.h"

enum {
	IGMP_LEN = 8,
	IGMP_V3_REPORT_LEN = 16, /* with one record */
	IGMP_QUERY = 0x11,
	IGMP_V1_REPORT = 0x12,
	IGMP_V2_REPORT = 0x16,
	IGMP_V2_LEAVE = 0x17,
	IGMP_V3_REPORT = 0x22,
};

/* The kinds of a version 3 record (RFC 3376 §4.2.12), all with an empty list of sources. */
enum igmp_record {
	IGMP_IS_EXCLUDE = 2, /* "I am a member", as an answer */
	IGMP_TO_INCLUDE = 3, /* "I leave" */
	IGMP_TO_EXCLUDE = 4, /* "I join" */
};

struct igmp_msg {
	uint8_t type;
	uint8_t version;      /* of a query: 1, 2 or 3 (RFC 3376 §7.1) */
	nsec max_response;    /* of a query */
	struct ipaddr group;  /* unspecified: a general query */
};

/* False when short, of a wrong checksum, or of no type that concerns a host. */
bool igmp_parse(struct igmp_msg *out, const uint8_t *data, size_t len);

/* A report or leave of version 1 or 2. */
void igmp_emit(uint8_t out[static IGMP_LEN], uint8_t type, const struct ipaddr *group);

/* A version 3 report of one record. */
void igmp_emit_v3(uint8_t out[static IGMP_V3_REPORT_LEN], enum igmp_record record,
	const struct ipaddr *group);

#endif
