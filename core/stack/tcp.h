/*
 * TCP sockets of a stack: what a program's socket calls become. Nothing blocks; progress is told by
 * events (stack_next_event). Errors are negative errno values, those of the kernel for the same
 * call.
 *
 * Ownership: tcp_new and tcp_accept give the caller a handle; tcp_close and tcp_abort take it back,
 * at once and for good, while the stack goes on sending what is queued, then FIN, then TIME-WAIT.
 * Between TCP_EV_CLOSED and tcp_close the handle stays valid and answers questions.
 *
 * Direction words: input/output = network side, send/recv = the program's calls.
 */
#ifndef TEECEE_STACK_TCP_H
#define TEECEE_STACK_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/stack/loan.h"
#include "core/stack/stack.h"

/* RFC 9293 §3.3.2. The values are ours; the engine maps them to Linux's. */
enum tcp_state {
	TCPS_CLOSED,
	TCPS_LISTEN,
	TCPS_SYN_SENT,
	TCPS_SYN_RECEIVED,
	TCPS_ESTABLISHED,
	TCPS_FIN_WAIT_1,
	TCPS_FIN_WAIT_2,
	TCPS_CLOSE_WAIT,
	TCPS_CLOSING,
	TCPS_LAST_ACK,
	TCPS_TIME_WAIT,
	TCPS_COUNT,
};

extern const char *const tcp_state_name[TCPS_COUNT]; /* "SYN-SENT", … */

/*
 * Options; values are int64_t, times in nsec, sizes in bytes. Set before or after connect unless
 * said.
 */
enum tcp_option {
	TCP_OPT_NODELAY,      /* bool: no Nagle (RFC 896) */
	TCP_OPT_CORK,         /* bool: hold back partial segments, at most 200 ms, as Linux */
	TCP_OPT_KEEPALIVE,    /* bool (RFC 1122 §4.2.3.6) */
	TCP_OPT_KEEPIDLE,     /* nsec, default 2 h */
	TCP_OPT_KEEPINTVL,    /* nsec, default 75 s */
	TCP_OPT_KEEPCNT,      /* probes, default 9 */
	TCP_OPT_USER_TIMEOUT, /* nsec, 0: the default retransmission limit (tcp(7)) */
	TCP_OPT_SYNCNT,       /* SYN retransmissions, default 6 */
	TCP_OPT_MAXSEG,       /* bytes; before connect or listen */
	TCP_OPT_SNDBUF,       /* largest send ring; 0: autotuned up to the limit */
	/* largest receive ring; 0: autotuned up to the limit; before connect: bounds the window
	 * scale */
	TCP_OPT_RCVBUF,
	TCP_OPT_REUSEADDR,    /* bool: bind over TIME-WAIT */
	TCP_OPT_REUSEPORT,    /* bool: several binds of one address */
	TCP_OPT_QUICKACK,     /* bool: no delayed ACKs until it is forgotten, as tcp(7) */
	TCP_OPT_TOS,          /* the TOS byte */
	TCP_OPT_TTL,          /* 1..255 */
	TCP_OPT_LINGER2,      /* nsec an orphan stays in FIN-WAIT-2, default 60 s */
	TCP_OPT_DEFER_ACCEPT, /* nsec: wait for data before accept; 0: off */
	TCP_OPT_V6ONLY,       /* bool: a `::` that is not also 0.0.0.0; before bind or listen */
	TCP_OPT_TIMESTAMPS,   /* bool, default 1: offer and accept them (RFC 7323); before connect or listen */
	TCP_OPT_ECN, /* 0: off, 1: ask for it and accept, 2 (default): accept (RFC 3168) */
	TCP_OPT_IDLE_RESTART, /* bool, default 1: a pause shrinks the window (RFC 2861) */
	TCP_OPT_FASTOPEN, /* listener: connections open before their handshake ends; 0: no Fast Open */
	TCP_OPT_FASTOPEN_CONNECT,   /* bool: connect with Fast Open, see tcp_fastopen_waits */
	TCP_OPT_FASTOPEN_NO_COOKIE, /* bool: neither asked for nor sent; for closed networks */
	TCP_OPT_COUNT,
};

/*
 * A new socket in CLOSED; `user` is the owner's own pointer. NULL: no memory or max_socks reached.
 */
struct tcp *tcp_new(struct stack *s, void *user);
void *tcp_user(const struct tcp *t);
void tcp_set_user(struct tcp *t, void *user);

/*
 * Local address: unspecified (0.0.0.0 is IPv4's, `::` is both unless V6ONLY), the stack's own or a
 * loopback address; port 0 picks a free one (RFC 6056).
 * -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL (bound already).
 */
int tcp_bind(struct tcp *t, const struct endpoint *local);

/*
 * Begins an active open; TCP_EV_CONNECTED or TCP_EV_CLOSED follows. -EISCONN, -EALREADY,
 * -ENETUNREACH (no route), -EADDRNOTAVAIL (no free port), -EADDRINUSE (the four-tuple is taken),
 * -EINVAL (listening), -EACCES (broadcast).
 */
int tcp_connect(struct tcp *t, const struct endpoint *remote, nsec now);

/*
 * TCP Fast Open (RFC 7413). After a tcp_connect with TCP_OPT_FASTOPEN_CONNECT tcp_fastopen_waits says whether the SYN
 * waits for the first data (tcp_send_room then offers what fits it) or for tcp_fastopen_go, which sends it as it is.
 * Keys: 1 or 2 of 16 bytes for a listener's cookies, the second for those of before a change; -EINVAL.
 */
bool tcp_fastopen_waits(const struct tcp *t);
void tcp_fastopen_go(struct tcp *t);
int tcp_fastopen_set_keys(struct tcp *t, const uint8_t *keys, unsigned n);
void tcp_fastopen_forget(struct stack *s); /* all cookies we were given */

/* Whether data can be exchanged: ESTABLISHED and beyond, or a Fast Open child before. */
bool tcp_is_open(const struct tcp *t);

/*
 * Passive open; binds a free port if none is bound. Calling it again changes the backlog.
 * -EADDRINUSE, -EINVAL.
 */
int tcp_listen(struct tcp *t, unsigned backlog, nsec now);

/*
 * The next established connection of a listener, owned by the caller from now on, `user` NULL;
 * NULL: none waits.
 */
struct tcp *tcp_accept(struct tcp *listener);

/* How many that were accepted still wait for the program, and count against the backlog. */
void tcp_listen_untaken(struct tcp *listener, unsigned n);

/*
 * Sending without a copy in between: `iov` gets up to two free pieces of the send ring, at least
 * one byte and about `want` in all if there is room; returns the number of pieces (0: full, or
 * sending is not possible any more, see tcp_can_send). The caller fills them from the front, then
 * commits how much it wrote; with 0 it gives back what an idle connection need not hold.
 */
int tcp_send_room(struct tcp *t, size_t want, struct iovec iov[static 2]);
void tcp_send_commit(struct tcp *t, size_t n, nsec now);

/*
 * The same without any copy: the bytes stay where they are until they are acknowledged, or the
 * connection ends. l->done is called then, in the middle of some call to the stack, which it must not
 * call itself. At least LOAN_MIN bytes. False: no room (TCP_EV_WRITE follows, as after
 * tcp_send_room), or the connection is not open.
 */
bool tcp_send_lend(struct tcp *t, const struct loan *l);
bool tcp_can_send(
	const struct tcp *t); /* the state still allows sending (a connecting socket may queue) */
size_t tcp_send_queued(const struct tcp *t); /* bytes not yet acknowledged, as SIOCOUTQ */

/* The last byte committed is urgent (RFC 9293 §3.8.5, RFC 6093). */
void tcp_send_urgent(struct tcp *t);

/*
 * What is readable, in up to two pieces (number returned, 0: nothing), and the removal of n bytes
 * from the front.
 */
int tcp_recv_peek(const struct tcp *t, struct iovec iov[static 2]);
void tcp_recv_consume(struct tcp *t, size_t n, nsec now);
size_t tcp_recv_queued(const struct tcp *t);
bool tcp_recv_eof(const struct tcp *t); /* FIN received and everything before it consumed */

/*
 * Where the urgent byte stands, counted from the next byte that the owner gets: from the front of
 * the receive ring, or of the data in ops->deliver, which may ask. It may not have arrived yet. -1:
 * there is none, or it has been handed out.
 */
int64_t tcp_recv_urgent(struct tcp *t);

/* No more to send: FIN after what is queued. -ENOTCONN. */
int tcp_shutdown(struct tcp *t, nsec now);

/*
 * Gives the handle back. With unread data in the receive ring: RST (RFC 9293 §3.10.4, RFC 2525
 * §2.17), else FIN after what is queued.
 */
void tcp_close(struct tcp *t, nsec now);

/* Gives the handle back and resets the connection: the queue is thrown away. */
void tcp_abort(struct tcp *t, nsec now);

/* Resets it, but the handle stays: TCP_EV_CLOSED follows, and tcp_error is ECONNRESET. */
void tcp_reset(struct tcp *t, nsec now);

enum tcp_state tcp_state(const struct tcp *t);
int tcp_error(const struct tcp *t); /* positive errno that ended the connection, 0: none */
const struct endpoint *tcp_local(const struct tcp *t);
const struct endpoint *tcp_remote(const struct tcp *t);

/* -EINVAL: value out of range, or not in this state. */
int tcp_set_option(struct tcp *t, enum tcp_option option, int64_t value, nsec now);
int64_t tcp_get_option(const struct tcp *t, enum tcp_option option);

/*
 * TCP_CONGESTION: "cubic", "reno". -ENOENT: no such controller. It takes over at once, with the
 * window as it is.
 */
int tcp_set_congestion(struct tcp *t, const char *name, nsec now);
const char *tcp_congestion(const struct tcp *t);

/* Whether there is a controller of that name. */
bool tcp_congestion_exists(const char *name);

/* What TCP_INFO asks; times in nsec, sizes in bytes, counts in segments. */
struct tcp_stats {
	uint8_t state; /* enum tcp_state */
	bool opt_timestamps, opt_sack, opt_wscale, opt_ecn, opt_syn_data;
	uint8_t snd_wscale, rcv_wscale;
	uint8_t backoff, retransmits, probes;
	bool in_recovery, in_loss, in_cwr, in_disorder;
	uint32_t rto_us, ato_us, rtt_us, rttvar_us, min_rtt_us;
	uint32_t snd_mss, rcv_mss, advmss, pmtu;
	uint32_t cwnd, ssthresh;                             /* bytes */
	uint32_t unacked, sacked, lost, retrans, reordering; /* segments */
	uint32_t rcv_rtt_us; /* as data shows it that answers our ACKs; 0: none yet */
	uint32_t snd_wnd, rcv_wnd;
	uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retrans;
	uint32_t segs_out, segs_in, data_segs_out, data_segs_in, total_retrans, delivered;
	nsec last_data_sent, last_data_recv, last_ack_recv; /* instants */
};

void tcp_get_stats(const struct tcp *t, struct tcp_stats *out);

/* The connection between the two, also without an owner; NULL: none. And every socket there is. */
struct tcp *tcp_find(struct stack *s, const struct endpoint *local, const struct endpoint *remote);
void tcp_each(struct stack *s, void (*fn)(void *ctx, struct tcp *t), void *ctx);

#endif
