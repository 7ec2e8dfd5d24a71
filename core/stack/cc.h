/*
 * Congestion control as a table of functions. The window is kept in bytes. The recovery code
 * (tcp_recovery.c) decides when a loss happened and runs the window during recovery (PRR); a
 * controller decides how the window grows and where it falls to.
 */
#ifndef TEECEE_STACK_CC_H
#define TEECEE_STACK_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/seq.h"
#include "core/base/time.h"

struct tcp;

struct cc_state {
	uint32_t cwnd;     /* bytes */
	uint32_t ssthresh; /* bytes; UINT32_MAX until the first loss */
	/* tcp_cwnd.c: did the window bound the flight, in the round that ends at usage_end? */
	bool limited;
	uint32_t max_flight;
	struct seq32 usage_end;
	uint32_t counted;  /* progress towards the next increase in congestion avoidance */
	uint64_t priv[12]; /* the controller's own */
};

struct cc_ops {
	const char *name; /* as in TCP_CONGESTION */
	void (*init)(struct tcp *t, nsec now);

	/* A round-trip time was measured; may be NULL. */
	void (*rtt)(struct tcp *t, nsec rtt, nsec now);

	/*
	 * `acked` bytes left the network and the window was in use: grow. Not called during
	 * recovery.
	 */
	void (*ack)(struct tcp *t, uint32_t acked, nsec now);

	/* A loss (or ECN echo): the new ssthresh; at least two segments. */
	uint32_t (*ssthresh)(struct tcp *t, nsec now);

	/* A retransmission timeout: the controller forgets its round. */
	void (*timeout)(struct tcp *t, nsec now);
};

/* The controller of that name; NULL: the default one. A name nobody has: NULL is returned. */
const struct cc_ops *cc_find(const char *name);

extern const struct cc_ops cc_reno, cc_cubic;

#endif
