/*
 * A capture file made packet by packet, in memory, and what the analysis says of it.
 */
#ifndef TEECEE_TESTS_REPORT_RIG_H
#define TEECEE_TESTS_REPORT_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/report/capture.h"
#include "core/wire/tcphdr.h"

enum { CLIENT, SERVER, SCRIPT_SEGMENTS = 256 };

/* Initial sequence numbers just below the wrap; C(0) is the client's SYN, S(0) the server's. */
#define C(n) ((uint32_t)(0xfffffff0u + (n)))
#define S(n) ((uint32_t)(0xffffff00u + (n)))

/* A packet of the script; what is not set is 0. */
struct says {
	unsigned from;
	uint32_t seq, ack;
	uint8_t flags;
	uint32_t len;
	uint16_t win;
	uint16_t client_port; /* 0: 40000 */
	uint8_t opts, wscale, nsack;
	uint32_t tsval, tsecr;
	struct sack_block sack[TCP_SACK_MAX];
	const char *comment;
};

struct script {
	uint8_t *bytes;
	size_t len;
	nsec at; /* of the next packet */
	/* What the analysis made of it. */
	struct conns *conns;
	struct capture_totals totals;
	struct segment seen[SCRIPT_SEGMENTS];
	unsigned nseen;
	int result;
	char message[SOURCE_ERROR_LEN];
};

void script_begin(struct script *s);
void script_end(struct script *s);

/* A packet, and the time that passes after it. */
void script_says(struct script *s, const struct says *p, nsec then);
#define SAY(s, then, ...) script_says(s, &(struct says){__VA_ARGS__}, then)

/* SYN, SYN-ACK, ACK at 0, 10 and 10.1 ms, both with a window scale of 2 and a window of 1000. */
void script_handshake(struct script *s);

/* The file as a stream; its first `len` bytes. */
FILE *script_open(const struct script *s, size_t len);

/* Through the analysis: seen[] and the rest are filled. */
void script_read(struct script *s, const char *filter);

#endif
