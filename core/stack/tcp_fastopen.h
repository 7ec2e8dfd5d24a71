/*
 * TCP Fast Open (RFC 7413): data in the SYN, for a peer that has seen our address before and given
 * it a cookie.
 */
#ifndef TEECEE_STACK_TCP_FASTOPEN_H
#define TEECEE_STACK_TCP_FASTOPEN_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/wire/tcphdr.h"

enum { FASTOPEN_KEY_LEN = 16, FASTOPEN_CACHE_MAX = 64 };

/* What is remembered of a server. */
struct fastopen_peer {
	struct ipaddr addr; /* unspecified: a free place */
	uint16_t mss;       /* of its last SYN-ACK, 0: never seen */
	uint8_t len;        /* of the cookie; 0: none */
	bool exp;           /* it speaks the experimental option */
	uint8_t try_exp;    /* asked in vain: 1 with the option, 2 with the experimental one too */
	uint8_t cookie[TCP_FASTOPEN_COOKIE_MAX];
};

/* Part of the TCP table: the clients' cookies, the oldest place is used again. */
struct fastopen_cache {
	struct fastopen_peer peer[FASTOPEN_CACHE_MAX];
	unsigned next;
};

/* Part of a control block. */
struct fastopen {
	bool waits;    /* active: connect found a cookie, the SYN waits for data */
	bool offers;   /* our SYN or SYN-ACK carries the option */
	bool exp;      /* in the experimental form */
	bool asked;    /* active: our first SYN carried the option */
	bool syn_data; /* active: our SYN carried data */
	bool passive;  /* in SYN-RECEIVED, but open already: the SYN had a cookie */
	bool accepted; /* the data in the SYN was taken */
	uint8_t len;   /* of the cookie we send */
	uint8_t cookie[TCP_FASTOPEN_COOKIE_MAX];
	uint8_t nkeys; /* listener: 0: the stack's own */
	uint8_t key[2][FASTOPEN_KEY_LEN];
};

#endif
