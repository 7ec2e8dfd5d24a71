/*
 * A simulated network: two stacks joined by a wire, in virtual time. Every run is reproducible from
 * its seed. Super-segments are cut into frames before the wire, so loss hits what a real wire
 * carries.
 *
 * The wire, each direction on its own: rate and drop-tail queue, then delay with jitter, and on
 * entry loss (Bernoulli, a Gilbert-Elliott burst model, a 64-bit mask for the first 64 frames that
 * carry TCP), reordering, duplication and corruption of one bit.
 */
#ifndef TEECEE_TESTS_SIM_SIM_H
#define TEECEE_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/list.h"
#include "core/base/time.h"
#include "core/stack/stack.h"
#include "core/stack/tcp.h"

/* Probabilities are per 65,536. */
struct sim_wire {
	nsec delay;
	nsec jitter;    /* uniform in [0, jitter); keeps the order */
	uint64_t rate;  /* bit/s; 0: infinite */
	uint32_t queue; /* bytes that may wait for the rate; 0: unbounded */
	uint32_t loss;
	uint32_t burst_begin,
		/* Gilbert-Elliott: into and out of the bad state, in which all is lost */
		burst_end;
	uint32_t reorder;  /* held back by reorder_delay */
	nsec reorder_delay;
	uint32_t overtake; /* spared the delay: netem's reordering */
	uint32_t mtu; /* a longer packet is lost, and nobody says so; 0: none is too long */
	uint32_t duplicate;
	uint32_t corrupt;
	uint64_t loss_mask; /* bit n: the n-th TCP frame of this direction is lost, n < 64 */
};

struct sim_side {
	struct stack *stack;
	struct sim *sim;
	struct sim_wire wire; /* of what this side sends */
	unsigned index;
	bool bad;     /* the burst model's state */
	nsec free_at; /* the sender's end of the wire is busy until then */
	uint64_t frames, tcp_frames, bytes, dropped;
};

struct sim {
	struct sim_side side[2];
	nsec now;
	nsec batch; /* what arrives within it is received together (gro.h); 0: each frame by itself */
	uint64_t seed, random;
	struct list flying; /* frames by arrival time */
	uint64_t steps;
	uint64_t digest;     /* of every frame that was put on a wire, and of when */
	uint64_t lent, paid; /* loans so far, and how many have ended */
	/* Called after each event; a test's invariants. */
	void (*check)(struct sim *s, void *ctx);
	void *check_ctx;
};

/* Side 0 is 10.0.0.1, side 1 10.0.0.2, both READY; `gso_max` as in stack_config. */
void sim_init(struct sim *s, uint64_t seed, uint32_t gso_max);
void sim_free(struct sim *s); /* aborts where a loan has not ended */
uint64_t sim_random(struct sim *s);
struct endpoint sim_endpoint(unsigned side, uint16_t port);

/*
 * Advances to the next frame or deadline, at most to `until`: false when nothing is left to happen
 * before it.
 */
bool sim_step(struct sim *s, nsec until);

/* Polls both stacks at the current time: after socket calls. */
void sim_poll(struct sim *s);

/* --- a transfer: both directions at once if asked, pattern-checked, closed in order --- */
struct sim_flow {
	uint64_t to_send[2];  /* bytes by side 0 and side 1 */
	uint64_t reader_rate; /* bytes per ms side 1's program takes; 0: all at once */
	uint32_t lends;       /* of 65,536 writes so many are loans, with short writes between */

	struct tcp *listener, *conn[2];
	uint64_t sent[2], received[2];
	bool closed[2], eof[2], wrong;
	int error[2];
	nsec began_at, finished_at;
};

/*
 * Connects side 0 to side 1 and runs until both programs have read everything and the EOF, or
 * `limit` of virtual time has passed. True: all arrived, in order, nothing invented.
 */
bool sim_run_flow(struct sim *s, struct sim_flow *f, nsec limit);

#endif
