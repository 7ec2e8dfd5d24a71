/*
 * The transmission control block and what the tcp_*.c files owe each other.
 *
 * WHO DOES WHAT. tcp_input.c walks a segment through the steps of RFC 9293 §3.10.7 and only records
 * what is due; tcp_output.c alone decides what to send; tcp_timer.c turns deadlines into one of the
 * two. A segment never leaves from within input (a RST for a segment without a connection is the
 * exception).
 *
 * SEND SPACE. The send ring holds the bytes from snd.una_data on: sent and unacknowledged first,
 * then not yet sent. Every transmitted range is a struct txseg in t->sent, ordered by sequence
 * number, without gaps, covering exactly [snd.una, snd.nxt); SYN and FIN are in it. A super-segment
 * is one txseg and is split when a SACK or a partial ACK cuts it.
 *
 * RECEIVE SPACE. The receive ring holds what is in order and not consumed, then, at their places,
 * out-of-order bytes listed in t->ofo. rcv.adv is the right edge we have promised; it never moves
 * left.
 *
 * LIFE. `owned`: somebody holds the handle. `listener`: a child that was not accepted yet. A block
 * with neither and in CLOSED goes to the table's dead list and is freed at the end of tcp_poll, so
 * no function below has to fear that its t vanished.
 */
#ifndef TEECEE_STACK_TCB_H
#define TEECEE_STACK_TCB_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/list.h"
#include "core/base/seq.h"
#include "core/stack/cc.h"
#include "core/stack/limits.h"
#include "core/stack/ring.h"
#include "core/stack/sendq.h"
#include "core/stack/state.h"
#include "core/stack/tcp.h"
#include "core/stack/timer.h"
#include "core/wire/tcphdr.h"

/* Why a connection wakes up. One wheel timer serves them all: it is armed for the earliest. */
enum tcp_timer_kind {
	TCP_TIMER_REXMIT,  /* RTO (RFC 6298), SYN and SYN-ACK too; or PTO (RFC 8985 §7) */
	TCP_TIMER_REORDER, /* RACK's reordering window (RFC 8985 §6.3) */
	TCP_TIMER_PERSIST, /* zero window (RFC 9293 §3.8.6.1) */
	TCP_TIMER_DELACK,
	TCP_TIMER_KEEPALIVE,
	TCP_TIMER_CORK, /* a held back partial segment goes now */
	TCP_TIMER_END,  /* TIME-WAIT, or an orphan's FIN-WAIT-2 */
	TCP_TIMER_BUSY, /* the link was full */
	TCP_TIMER_COUNT,
};

/* A transmitted range. */
struct txseg {
	struct list link;
	struct seq32 start, end; /* [start, end): SYN and FIN count one each */
	nsec sent_at;            /* last (re)transmission */
	nsec first_sent_at;
	uint64_t delivered; /* t->delivered when it was sent: rate samples */
	bool syn, fin;
	bool sacked, lost;
	bool retransmitted;   /* at least once */
	bool psh;             /* its last byte left with PSH */
	bool in_flight_again; /* retransmitted since it was marked lost */
};

enum tcp_recovery { RECOVERY_OPEN, RECOVERY_CWR, RECOVERY_FAST, RECOVERY_LOSS };

struct ofo {
	unsigned n;
	struct sack_block range[TCP_OFO_RANGES_MAX]; /* ascending, disjoint, not touching */
};

struct tcp {
	struct stack *stack;
	void *user;
	struct endpoint local, remote;
	uint8_t state; /* enum tcp_state; written by tcp_set_state only */
	bool owned, counted, dead;
	bool bound;      /* local.port is in the port table */
	bool bound_addr; /* bind named an address */
	bool hashed;     /* in the connection table */
	int error;       /* positive errno that ended it */
	int soft_error;  /* positive errno of an ICMP error, used if it times out */

	struct list conn_link, port_link, all_link, due_link, event_link, tw_link;
	struct tcp_port *port;
	unsigned events;
	struct timer timer;
	nsec deadline[TCP_TIMER_COUNT];

	/* Passive side. */
	struct tcp *listener;     /* of a child until it is accepted */
	struct list children;     /* listener: SYN-RECEIVED and waiting; child_link */
	struct list accept_queue; /* listener: established, child_link too */
	struct list child_link;
	unsigned nchildren, naccept, untaken, backlog;
	bool completed; /* child: in the accept queue, not among the children */

	/* RFC 9293 §3.3.1. */
	struct {
		struct seq32 iss, una, nxt;
		struct seq32 una_data; /* sequence number of the send ring's first byte */
		struct seq32 wl1, wl2; /* segment that last updated wnd */
		struct seq32 up;       /* urgent pointer; valid while urgent */
		struct seq32 small;    /* end of the last segment below one MSS (Minshall) */
		uint32_t wnd, max_wnd; /* bytes, scaled */
		uint32_t mss;          /* payload per segment with the options we send */
		uint16_t peer_mss;
		uint8_t wscale;
		bool urgent, fin_queued, fin_sent, syn_due;
		bool blocked; /* the owner found the ring full and waits for TCP_EV_WRITE */
		bool forced;  /* during tcp_output_forced: partial segments leave */
		bool pushing; /* what is before `pushed` leaves, whatever holds back what is behind it */
		struct seq32 pushed;
		struct sendq queue;
	} snd;
	struct {
		struct seq32 irs, nxt;
		struct seq32 adv;     /* right edge advertised */
		struct seq32 acked;   /* the last ACK number sent */
		struct seq32 fin_seq; /* valid when fin_known: where the peer's FIN stands */
		struct seq32 up;      /* urgent pointer received; valid while urgent */
		uint32_t limit;       /* bytes the ring may hold now (autotuned) */
		uint16_t mss;         /* estimate of the peer's segment size */
		uint16_t advmss;      /* what we advertised */
		uint8_t wscale;
		bool fin_known, fin, urgent;
		bool told; /* the peer knows more than the 64 KiB that a SYN can say */
		struct ring ring;
		struct sack_block sack[TCP_SACK_MAX]; /* most recent first (RFC 2018 §4) */
		uint8_t nsack;
		bool dsack; /* sack_dup is due (RFC 2883) */
		struct sack_block sack_dup;
		uint64_t tuned_bytes; /* autotuning: consumed at the start of the round */
		nsec tuned_at;
		nsec rtt, rtt_sample; /* as data shows it: the estimate and the last one; 0: none yet */
		/* The timestamp sent last; one whose echo is awaited, and when it was sent first; 0: none. */
		uint32_t tsval, echo;
		nsec echo_since;
	} rcv;
	struct ofo *ofo;

	/* Options agreed on. */
	bool use_ts, use_sack, use_wscale;
	uint32_t ts_offset;
	uint32_t ts_recent;
	nsec ts_recent_at;

	/* ACKs we owe. */
	bool ack_due, ack_now;
	uint8_t quickacks; /* ACK at once, that many times */
	bool dialogue;     /* the program answers quickly: data carries our ACKs */
	nsec last_oow_ack; /* rate limit of answers to unacceptable segments */
	nsec last_challenge;

	/* Round trips (RFC 6298). */
	nsec srtt, rttvar, rto, min_rtt;
	uint8_t backoff;
	uint8_t retries;    /* timeouts in a row without progress */
	nsec stalled_since; /* when the first of them was armed */

	/* Recovery (tcp_recovery.c). */
	struct list sent; /* struct txseg */
	uint8_t recovery; /* enum tcp_recovery */
	uint8_t dupacks;
	struct seq32 recover; /* snd.nxt when recovery began */
	uint32_t sacked_bytes, lost_bytes, resent_bytes;
	uint64_t delivered; /* bytes acknowledged or SACKed, ever */
	struct {
		nsec sent_at, rtt;
		struct seq32 end, fack; /* fack: the highest sequence number delivered */
	} rack;
	struct {
		bool seen, in_round;
		struct seq32 round_end; /* valid when in_round: one DSACK per round trip counts */
		uint8_t rounds, persist;
		nsec late; /* the most that an original was */
	} reorder; /* tcp_reorder.c */
	struct {
		bool armed, stamped;
		struct seq32 marker;   /* snd.una when the episode began */
		uint32_t copies;       /* retransmissions that no DSACK has reported */
		uint32_t stamp;        /* timestamp of the first of them; valid when stamped */
		struct cc_state before;
		/* F-RTO: off; the first range left again; then new data instead of the next ones */
		enum { FRTO_OFF, FRTO_RESENT, FRTO_NEW } frto;
	} undo; /* tcp_undo.c */
	struct {
		uint32_t delivered, out,
			flight; /* bytes since recovery began (RFC 6937, RFC 9937) */
	} prr;
	struct {
		struct seq32 end; /* snd.nxt when the probe left */
		bool armed, outstanding, resent;
	} tlp; /* tail loss probe (tcp_tlp.c) */
	const struct cc_ops *cc;
	struct cc_state cong;
	bool cwnd_limited; /* during tcp_output: the window was what stopped us */
	nsec last_sent;    /* data */
	nsec confirmed_at; /* when the neighbour was last told that it answers */

	struct fastopen fastopen;
	struct {
		bool on;      /* agreed */
		bool asked;   /* our SYN was an ECN-setup SYN */
		bool echo;    /* a CE mark came: ACKs carry ECE until CWR comes */
		bool cwr_due; /* the window was reduced: the next new data carries CWR */
	} ecn;

	/* Options set by the owner. */
	int64_t option[TCP_OPT_COUNT];
	uint16_t pmtu;
	struct {
		/* MTUs: this works; this may (0: nothing is searched); what it was before */
		uint16_t low, high, limit;
		uint16_t probe;            /* of the segment at `start`, while probing */
		bool probing;
		struct seq32 start;
		nsec next_at;
	} mtu; /* tcp_mtu.c */
	uint8_t persist_backoff;
	uint8_t probes; /* keepalive or persist probes unanswered */

	struct tcp_stats stats; /* counters; the rest is filled by tcp_get_stats */
};

/* A segment on its way through input. */
struct segment {
	struct tcp_hdr h;
	const struct ip_meta *ip;
	const uint8_t *data;
	uint32_t len;     /* payload bytes, what is left after trimming */
	/* Of a run (gro.h), which is never trimmed, where they are; else NULL and 1. */
	const struct iovec *pieces;
	unsigned npieces;
	struct seq32 seq; /* of data[0] or of SYN */
	bool syn, fin;    /* cleared when trimmed away */
	uint32_t wnd;     /* scaled */
	uint16_t gso_size;
	nsec waited; /* for us, at most */
};

static inline uint32_t segment_seq_len(const struct segment *g)
{
	return g->len + g->syn + g->fin;
}

/* --- tcp_input.c --- */
void tcp_segment_input(struct tcp *t, struct segment *g, nsec now);

/* --- tcp_sock.c: life --- */
struct tcp *tcp_create(struct stack *s);
void tcp_own(struct tcp *t, void *user); /* somebody holds the handle now */
void tcp_set_state(struct tcp *t, enum tcp_state state, nsec now);
void tcp_event(struct tcp *t, unsigned events); /* adds to the events for the owner */
void tcp_due(struct tcp *t);                    /* tcp_output will visit */
/*
 * Over: CLOSED, out of the tables, timers off, TCP_EV_CLOSED with `error` (positive errno; 0: in
 * order).
 */
void tcp_finish(struct tcp *t, int error, nsec now);
void tcp_begin_close(struct tcp *t, nsec now); /* FIN after what is queued; the state moves now */
bool tcp_is_synchronized(const struct tcp *t); /* ESTABLISHED and beyond */

/* --- tcp_table.c --- */
struct tcp *tcp_table_find(
	struct stack *s, const struct endpoint *local, const struct endpoint *remote);
int tcp_table_insert(struct tcp *t); /* by four-tuple: 0, -EADDRINUSE, -ENOMEM */
void tcp_table_remove(struct tcp *t);

/* --- tcp_port.c --- */
int tcp_ports_init(struct stack *s, nsec now); /* 0 or -ENOMEM */
struct tcp *tcp_port_listener(
	struct stack *s, const struct endpoint *local, const struct endpoint *remote);
int tcp_port_bind(struct tcp *t, const struct endpoint *local); /* -EADDRINUSE, -ENOMEM */
int tcp_port_inherit(struct tcp *child, const struct tcp *listener);
int tcp_port_pick(struct tcp *t, const struct endpoint *remote); /* for connect: -EADDRNOTAVAIL */
bool tcp_port_may_listen(const struct tcp *t);
void tcp_port_release(struct tcp *t);

/* --- tcp_listen.c --- */
/*
 * A child that a SYN cookie brought to life and that takes the segment from here; NULL: the segment
 * is dealt with.
 */
struct tcp *tcp_listen_input(struct tcp *l, struct segment *g, nsec now);
struct tcp *tcp_listen_child(
	struct tcp *l, const struct segment *syn, nsec now); /* still in CLOSED; NULL: no memory */
bool tcp_listen_complete(
	struct tcp *child, nsec now); /* false: the accept queue is full, ignore the ACK */
void tcp_listen_close(struct tcp *l, nsec now);
void tcp_listen_forget(struct tcp *child); /* a child ended before it was accepted */

/* --- tcp_cookie.c --- */
void tcp_cookie_answer(struct tcp *l, const struct segment *g, nsec now);
struct tcp *tcp_cookie_accept(
	struct tcp *l, const struct segment *g, nsec now); /* NULL: no valid cookie */

/* --- tcp_handshake.c: what both sides' SYNs agree on --- */
void tcp_init_send(struct tcp *t, nsec now); /* ISS, RFC 6528 */
void tcp_syn_options(
	struct tcp *t, struct tcp_hdr *h, nsec now); /* the options of our SYN or SYN-ACK */
void tcp_take_syn(
	struct tcp *t, const struct segment *g, nsec now); /* irs, window, the peer's options */
void tcp_update_mss(struct tcp *t);
void tcp_established(struct tcp *t, nsec now);

/* --- tcp_cwnd.c --- */
void tcp_cwnd_used(struct tcp *t, bool limited); /* something was sent, or the window held it back */
bool tcp_cwnd_is_limited(const struct tcp *t);
uint32_t tcp_burst_max(const struct tcp *t, uint32_t mss); /* bytes of one super-segment */
void tcp_cwnd_after_idle(struct tcp *t, nsec now); /* before new data */

/* --- tcp_ecn.c --- */
void tcp_ecn_syn_flags(struct tcp *t, struct tcp_hdr *h, bool again);
void tcp_ecn_take_syn(struct tcp *t, const struct segment *g);
uint8_t tcp_ecn_tos(const struct tcp *t, const struct tcp_hdr *h, uint32_t len);
void tcp_ecn_flags(struct tcp *t, struct tcp_hdr *h, uint32_t len);
void tcp_ecn_data(struct tcp *t, const struct segment *g); /* marks on what the peer sent */
bool tcp_ecn_congested(struct tcp *t, const struct segment *g); /* marks on what we sent */

/* --- tcp_fastopen.c --- */
void tcp_fastopen_connect(struct tcp *t); /* tcp_connect: is there a cookie, shall we ask for one? */
uint32_t tcp_fastopen_room(const struct tcp *t);  /* bytes of data a SYN may carry */
uint32_t tcp_fastopen_payload(struct tcp *t);     /* how many of them this SYN carries */
void tcp_fastopen_syn_ack(struct tcp *t, const struct segment *g);
void tcp_fastopen_syn(struct tcp *child, struct segment *g, nsec now); /* may open it at once */
void tcp_fastopen_option(struct tcp *t, struct tcp_hdr *h);

/* --- tcp_ack.c: step 5 --- */
void tcp_ack_input(struct tcp *t, struct segment *g, nsec now);
bool tcp_fin_acked(const struct tcp *t);

/* --- tcp_rtt.c --- */
void tcp_rtt_sample(struct tcp *t, nsec rtt);
uint32_t tcp_ts_now(const struct tcp *t, nsec now);
void tcp_ts_sent(struct tcp *t, uint32_t tsval, nsec now);

/* --- tcp_recovery.c --- */
struct ack_result {
	bool has_echo;       /* the ACK echoes a timestamp of ours */
	uint32_t echo;
	uint32_t acked;     /* bytes by which snd.una advanced */
	uint32_t delivered; /* bytes newly acknowledged or SACKed */
	nsec rtt;            /* of the last range delivered; 0: none */
	nsec rtt_echo;       /* of the transmission whose timestamp came back; 0: none */
	bool resent;         /* something sent more than once was delivered */
	bool new_sack;      /* some range was newly SACKed */
	bool original;      /* something sent once, before `recover`, was delivered */
	bool syn;           /* our SYN is among what was acknowledged */
	bool dup_ack;       /* RFC 5681 §2 */
	bool congested;     /* the peer reports a congestion mark for the first time in this round */
	struct sack_block dsack_block; /* valid with dsack */
	bool dsack;         /* the peer got something twice (RFC 2883) */
};
struct txseg *tcp_sent_append(
	struct tcp *t, uint32_t len, bool syn, bool fin, nsec now); /* NULL: no memory */
void tcp_sent_ack(struct tcp *t, struct seq32 ack, struct ack_result *r, nsec now);
void tcp_sent_sack(struct tcp *t, const struct tcp_hdr *h, struct ack_result *r, nsec now);
void tcp_sent_free(struct tcp *t);
void tcp_recovery_ack(struct tcp *t, const struct ack_result *r, nsec now);
void tcp_recovery_timeout(struct tcp *t, nsec now);
void tcp_recovery_reorder_timer(struct tcp *t, nsec now);
void tcp_recovery_too_big(struct tcp *t,
	nsec now); /* the path MTU fell: what is larger goes again, without a congestion signal */
struct txseg *tcp_next_lost(struct tcp *t); /* the first range to retransmit; NULL */
void tcp_resent(struct tcp *t, struct txseg *x, uint32_t len,
	nsec now);                           /* the first len bytes of x left again */
uint32_t tcp_in_flight(const struct tcp *t); /* bytes: RFC 6675's pipe */

bool tcp_sent_split(
	struct tcp *t, struct txseg *x, struct seq32 at); /* x keeps the front; false: no memory */

/* --- tcp_mtu.c --- */
void tcp_mtu_timeout(struct tcp *t, nsec now);          /* the retransmission timer has expired */
void tcp_mtu_told(struct tcp *t, uint16_t mtu);         /* ICMP has said what passes */
uint32_t tcp_mtu_probe_len(struct tcp *t, nsec now);    /* payload of a probe that may leave now; 0: none */
void tcp_mtu_sent(struct tcp *t, struct seq32 start);   /* it has left */
bool tcp_mtu_is_probe(const struct tcp *t, const struct txseg *x);
void tcp_mtu_delivered(struct tcp *t, const struct txseg *x, nsec now);
bool tcp_mtu_lost(struct tcp *t, nsec now); /* true: the probe and nothing else was found lost, no congestion */

/* --- tcp_reorder.c --- */
void tcp_reorder_seen(struct tcp *t);            /* something arrived behind what was sent after it */
void tcp_reorder_late(struct tcp *t, nsec late); /* it arrived when RACK without a window would not have waited */
void tcp_reorder_dsack(struct tcp *t);           /* a retransmission was not needed */
void tcp_reorder_recovered(struct tcp *t);       /* a recovery has ended */
nsec tcp_reorder_window(const struct tcp *t);    /* after RACK's time: so long a hole is no loss */

/* --- tcp_undo.c --- */
void tcp_undo_begin(struct tcp *t);              /* before the window is reduced */
void tcp_undo_resent(struct tcp *t, nsec now);   /* a range left again */
void tcp_undo_timeout(struct tcp *t, bool fresh);
bool tcp_undo_ack(struct tcp *t, const struct ack_result *r); /* true: it was no loss; the window is restored */

/* --- tcp_tlp.c --- */
nsec tcp_probe_timeout(const struct tcp *t); /* NSEC_NEVER: no probe now */
void tcp_probe(struct tcp *t, nsec now);
void tcp_probe_ack(struct tcp *t, const struct ack_result *r, nsec now);

/* --- tcp_recv.c: steps 6 to 8 --- */
void tcp_text_input(struct tcp *t, struct segment *g, nsec now);
void tcp_fin_input(struct tcp *t, struct segment *g, nsec now);
uint32_t tcp_receive_window(const struct tcp *t); /* bytes to advertise from rcv.nxt on */
void tcp_ack_soon(struct tcp *t, nsec now);       /* delayed */
void tcp_ack_at_once(struct tcp *t);
void tcp_ack_quickly(struct tcp *t, uint8_t segs); /* the next ones: the peer is in trouble */
void tcp_note_duplicate(struct tcp *t, struct seq32 left, struct seq32 right); /* DSACK */
void tcp_ofo_free(struct tcp *t);

/* --- tcp_output.c --- */
void tcp_output(struct tcp *t, nsec now);
void tcp_output_forced(struct tcp *t, nsec now);
/*
 * What may leave now, or all (`past_cork`), will leave when tcp_output comes, though the rule by which
 * partial segments leave should have changed until then.
 */
void tcp_push(struct tcp *t, bool past_cork);
bool tcp_output_one(struct tcp *t,
	nsec now); /* one segment of new data, whatever the congestion window; false: none */
void tcp_output_again(struct tcp *t, struct txseg *x, nsec now); /* a copy of what is in flight */
void tcp_send_probe(
	struct tcp *t, nsec now); /* an empty segment below snd.una: keepalive and window probe */
void tcp_send_stateless(struct stack *s, const struct endpoint *local,
	const struct endpoint *remote, struct tcp_hdr *h, nsec now);
void tcp_send_reset(struct tcp *t, nsec now); /* RST for a connection */
void tcp_answer_with_reset(
	struct stack *s, const struct segment *g, nsec now); /* RFC 9293 §3.10.7.1 */

/* --- tcp_timer.c --- */
void tcp_timers_init(struct tcp *t);
void tcp_timer_set(struct tcp *t, enum tcp_timer_kind kind, nsec when); /* NSEC_NEVER: off */
void tcp_timers_stop(struct tcp *t);
void tcp_arm_rexmit(struct tcp *t, nsec now); /* RTO or nothing, from what is in flight */
void tcp_arm_keepalive(struct tcp *t, nsec now);
void tcp_enter_time_wait(struct tcp *t, nsec now);

#endif
