/*
 * One stack and one peer, who is the test: it plays the other end segment by segment. What the stack sends
 * is captured and has to be expected, in order, down to the last segment: rig_end() fails on a rest.
 *
 *	struct rig *t = rig_in_state(TCPS_FIN_WAIT_1);
 *	rx(t, .ack = L(2));
 *	expect_state(t, TCPS_FIN_WAIT_2);
 *	rig_end(t);
 *
 * L(n) and R(n) are sequence numbers counted from our ISN and the peer's: L(0) is our SYN, L(1) our first
 * byte. Both ISNs lie just below 2^32, so that every test of a few hundred bytes wraps. Bytes are a function of
 * their number: what is sent and received is checked without a word in the test.
 *
 * Unless told, the peer sends a pure ACK of what it has acknowledged so far, at the sequence number it has
 * come to, with a window of 65,535 and no timestamp; its MSS is 1,000. Time moves by advance() only.
 */
#ifndef TEECEE_TESTS_TCP_RIG_H
#define TEECEE_TESTS_TCP_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/stack/state.h"
#include "core/stack/tcb.h"
#include "core/wire/icmp.h"

/* Of the handshake: the first RTO is 210 ms, the delayed ACK's timer 5 ms. */
#define RIG_RTT (10 * MSEC)

#define TEST(name) static void name(void **state)

enum {
	FIN = TH_FIN,
	SYN = TH_SYN,
	RST = TH_RST,
	PSH = TH_PSH,
	ACK = TH_ACK,
	URG = TH_URG,
};

enum { RIG_TX_MAX = 1024, RIG_MTU = 1500, RIG_MSS = 1000, OUR_PORT = 4000, PEER_PORT = 80 };

/* A sequence number by whose it is and its distance from the ISN; all zero: not said. */
struct at {
	uint32_t n;
	char of;
};

#define L(x) ((struct at){(uint32_t)(x), 'L'})
#define R(x) ((struct at){(uint32_t)(x), 'R'})

/* Values whose zero must be told from "not said". */
#define WIN(x) ((x) + 1)
#define SCALE(x) ((x) + 1)

struct seg {
	struct at seq, ack;
	unsigned flags; /* not said: ACK. PSH is looked at only where `psh` says so */
	bool psh;
	uint32_t len;
	uint32_t window; /* WIN(bytes), before scaling */
	uint16_t urgent, gso_size;
	uint16_t mss;       /* of a SYN */
	uint8_t wscale;     /* of a SYN: SCALE(n) */
	bool sack_ok, bare; /* of a SYN: SACK permitted; no option at all */
	bool ts, no_ts;     /* a timestamp with the two values below; or none, though agreed on */
	uint32_t tsval, tsecr;
	struct at sack[2 * TCP_SACK_MAX]; /* left, right, left, right … */
	unsigned nsack;                   /* expected: SACKS(n) blocks, also none */
	const uint8_t *options;           /* instead of all the above, as they are */
	size_t options_len;
	uint16_t port;   /* of the peer; not said: PEER_PORT */
	uint16_t toward; /* our port; not said: OUR_PORT */
	uint8_t host;    /* 10.0.0.N; not said: 9 */
	bool bad_csum, partial_csum;
	uint8_t stays; /* of its frame; then it is freed */
	nsec waited;   /* for us */
};

#define SACKS(x) ((x) + 1)

/* A frame whose bytes stay for so many more. */
struct kept_frame {
	uint8_t *data;
	unsigned stays;
};

/* How the connection comes about; all zero: an active open to a peer with SACK, without scaling and timestamps. */
struct rig_config {
	bool passive;
	bool no_sack, ts;
	uint8_t wscale;  /* the peer's: SCALE(n) */
	uint16_t mss;    /* the peer's */
	uint32_t window; /* the peer's first: WIN(n) */
	uint32_t gso_max;
	size_t mem_max;
	unsigned max_socks;
	unsigned backlog; /* not said: 4 */
	bool deliver;     /* in-order bytes go to the owner as far as `take` allows */
	bool no_neighbours;
	int64_t option[TCP_OPT_COUNT]; /* set before connect or listen, where not 0 */
};

struct sent {
	struct tcp_hdr h;
	uint8_t *data;
	uint32_t len;
	uint16_t gso_size, to_port;
	uint8_t tos, ttl, to_host;
};

struct rig {
	struct stack *s;
	struct rig_config config;
	nsec now;
	struct tcp *tcp, *listener;
	struct seq32 iss, irs;
	bool iss_known;
	uint32_t peer_nxt, peer_ack; /* distances: what the peer sends and acknowledges next */
	uint32_t peer_tsval, last_tsval;
	uint64_t written, read; /* bytes of the program so far */
	size_t take;
	unsigned delivered; /* calls so far */
	unsigned events, listener_events;
	struct sent tx[RIG_TX_MAX];
	unsigned ntx, seen, ntcp;
	int emit_result;
	struct kept_frame kept[16];
	bool asked; /* ARP */
	bool mute;  /* nobody answers ARP */
};

/* Everything the state needs has happened, by real segments, and has been expected. */
#define rig_in_state(st, ...) rig_make((st), &(struct rig_config){__VA_ARGS__})
struct rig *rig_make(enum tcp_state state, const struct rig_config *config);

/* Nothing may be left to expect. Sockets end without a word; memory must return to zero. */
#define rig_end(t) rig_end_at(t, __FILE__, __LINE__)
void rig_end_at(struct rig *t, const char *file, int line);

/* --- the peer --- */

/* A segment arrives and the stack is polled; rx_burst: it is not polled yet. */
#define rx(t, ...) (rx_segment(t, &(struct seg){__VA_ARGS__}), rig_poll(t))
#define rx_burst(t, ...) rx_segment(t, &(struct seg){__VA_ARGS__})
void rx_segment(struct rig *t, const struct seg *g);
void rig_poll(struct rig *t);

/* An ICMP error arrives that quotes our segment at `seq`. */
void rx_icmp(struct rig *t, uint8_t type, uint8_t code, struct at seq, uint16_t mtu);

/* --- what the stack sends --- */

/* The next segment: sequence length and flags always, the rest where it is named. */
#define expect_tx(t, ...) expect_tx_at(t, &(struct seg){__VA_ARGS__}, __FILE__, __LINE__)
const struct sent *expect_tx_at(struct rig *t, const struct seg *want, const char *file, int line);
#define expect_silence(t) expect_silence_at(t, __FILE__, __LINE__)
void expect_silence_at(struct rig *t, const char *file, int line);
void forget_tx(struct rig *t);
void clear_tx(struct rig *t); /* and there is room for RIG_TX_MAX more */

/* Nothing until just before `d` has passed, then something. */
#define expect_tx_after(t, d, ...)                                                                 \
	(advance(t, (d)-5 * MSEC), expect_silence(t), advance(t, 10 * MSEC),                       \
		expect_tx(t, __VA_ARGS__))

/* --- state --- */

#define expect_state(t, st) expect_state_at(t, st, __FILE__, __LINE__)
void expect_state_at(struct rig *t, enum tcp_state want, const char *file, int line);
#define expect_error(t, e)                                                                         \
	(expect_state(t, TCPS_CLOSED), assert_int_equal(tcp_error((t)->tcp), (e)))
/* These events came since the last look at events; the others are forgotten. */
#define expect_event(t, e) (assert_int_equal((t)->events & (e), (e)), (t)->events = 0)
#define expect_no_event(t, e) assert_int_equal((t)->events &(e), 0)

struct seq32 rig_seq(const struct rig *t, struct at a);
uint8_t rig_pattern(char of, uint64_t n); /* byte n of direction 'L' or 'R', with no short period */
struct tcp *rig_conn(struct rig *t);      /* our end of the connection, or NULL when it is gone */
uint64_t counted(const struct rig *t, enum counter which);
void advance(struct rig *t, nsec d);

/* --- the program --- */

struct endpoint us(uint16_t port);
struct endpoint peer(uint8_t host, uint16_t port);
size_t app_send(struct rig *t, size_t n); /* how much found room */
size_t app_recv(struct rig *t, size_t n); /* at most n */
void app_option(struct rig *t, enum tcp_option option, int64_t value);
void app_shutdown(struct rig *t);
void app_close(struct rig *t);
void app_abort(struct rig *t);
void app_accept(struct rig *t); /* the child becomes t->tcp */

#endif
