/*
 * teecee top: what is sampled, and how it is drawn.
 */
#ifndef TEECEE_CLI_TOP_H
#define TEECEE_CLI_TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/cli/socktext.h"

enum { TOP_HISTORY = 64 };

/* The newest at [n % TOP_HISTORY]; what was not known is negative. */
struct top_series {
	unsigned n;
	float v[TOP_HISTORY];
};

struct top_row {
	int32_t engine; /* with the cookie and the addresses: which socket it is */
	uint64_t cookie;
	struct endpoint local, remote;
	bool is_tcp, seen;
	const char *state;
	int32_t pid;
	char process[COMM_LEN];
	uint64_t received, sent; /* bytes, at the last sample */
	uint32_t again;          /* segments */
	uint32_t cwnd;
	struct top_series rate[2]; /* bit/s: received, sent */
	struct top_series rtt;     /* µs */
};

struct top_data {
	struct top_row *row;
	unsigned n, room;
	unsigned engines, sockets;
	nsec at; /* of the last sample */
	uint64_t received, sent;
	struct top_series rate[2], rtt; /* of all; the round trip is the mean */
};

/* Looks at all engines. False: out of memory. */
bool top_sample(struct top_data *d, nsec now);
void top_free(struct top_data *d);

float top_last(const struct top_series *s); /* negative: not known */

enum top_order { BY_RATE, BY_RTT, BY_AGAIN, BY_PROCESS, BY_PEER, TOP_ORDERS };

struct top_view {
	enum top_order order;
	bool invert, paused, utf8;
	unsigned first; /* row on the first line */
};

/* The key of an order, and its word at the bottom. */
char top_order_key(enum top_order o);

/* Sorts the rows and draws everything, as large as the screen is. */
void top_draw(struct top_data *d, struct top_view *v);

#endif
