/*
 * A sock is the engine's end of one socket of a program.
 *
 *	            request            request              TCP_EV_CONNECTED
 *	   accept ─────────► REQUEST ────────► CONNECTING ──────────────────► STREAM ─────► freed
 *	   (data name)         │  BIND: stays        │ refused, timeout:         ▲
 *	                       │ LISTEN              └──────────► freed          │ accepted connections
 *	                       └────────► LISTENING ─────────────────────────────┘ begin here
 *
 * One accepted from the datagram name becomes ST_DGRAM with its first message and stays so until
 * its program closes (dgram.c); nothing of what follows is about those.
 *
 * THE RESIDUAL BYTE. The last byte that the program sent is never consumed while its connection
 * lives, so that the kernel turns whatever ends us into ECONNRESET on the program's side. `held`
 * counts the bytes at the head of the AF_UNIX queue that were forwarded already (or are padding)
 * and were left there: at least one whenever everything was forwarded. A request's own last byte is
 * the first of them.
 *
 * PROGRAM TO NETWORK (pump_send.c), `send`:
 *	SEND_OPEN      bytes move into the stack's send ring until the queue is empty or the ring is
 *	               full; TCP_EV_WRITE goes on
 *	SEND_ENDING    the program shut its write side or closed: what is still queued moves, then
 *	               FIN
 *	SEND_SHUT      our FIN is queued or sent
 *
 * NETWORK TO PROGRAM (pump_recv.c), `recv`:
 *	RECV_OPEN      payload goes straight into the AF_UNIX socket; once it is full (`full`), the
 *	               receive ring fills, the window closes, and EPOLLOUT goes on
 *	RECV_DISCARD   the program shut its read side: acknowledged and forgotten. (Linux would
 *	               still let it read data that arrives later: a stated departure)
 *	RECV_SHUT      the peer's FIN was passed on; nothing follows
 *
 * HOW IT ENDS (conn.c).
 *	program closed                 HUP: the rest is read, sent, then FIN (tcp_close). With data
 *	                               the program never read: ECONNRESET at our end, RST (RFC 2525
 *	                               §2.17). With SO_LINGER {1,0}: what the window takes, then
 *	                               RST. With {1,n}: CLOSING until our FIN is acknowledged,
 *	                               because the program's close() may wait for the slot to die
 *	program shut its write side    RDHUP: FIN behind the data
 *	program shut both              cannot be told from a close without asking UNIX_DIAG, which
 *	                               walks every AF_UNIX socket of the machine: taken for a close,
 *	                               except when data is waiting for the program, where it would
 *	                               mean RST: then we ask
 *	peer's FIN                     our write side is shut once everything is delivered. From
 *	                               then on HUP says nothing; FIN is sent for either, and
 *	                               `lingering` socks are asked about once a second until the
 *	                               peer has acknowledged it
 *	both directions done           the residual byte is read, then close: a clean end
 *	reset, timeout                 what TCP acknowledged is delivered, however long the program
 *	                               takes; then the error goes into the table, and only then the
 *	                               fd is closed, the residual byte unread: ECONNRESET
 *	connect failed                 the error goes into the table, then close with the whole
 *	                               request unread
 */
#ifndef TEECEE_ENGINE_SOCK_H
#define TEECEE_ENGINE_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/engine/engine.h"

enum sock_state {
	ST_REQUEST,
	ST_CONNECTING,
	ST_STREAM,
	ST_LISTENING,
	ST_CLOSING,
	ST_DGRAM,
	ST_DEAD
};
enum sock_send { SEND_OPEN, SEND_ENDING, SEND_SHUT };
enum sock_recv { RECV_OPEN, RECV_DISCARD, RECV_SHUT };

struct sock {
	struct source src;
	struct list link; /* engine.socks, then engine.dead */
	struct list due_link, dirty_link, aging_link, linger_link;
	nsec aging_since;         /* its slot was right then; if in engine.aging */
	bool behind;              /* and is not any more */
	struct list starved_link; /* in engine.starved, or engine.blocked */
	struct list unread_link;  /* forwarded bytes are to be consumed soon: engine.unread */
	nsec unread_at;           /* since when */
	struct tcp *tcp;          /* ours to close; NULL: none yet */
	struct ipc_slot *slot;
	uint64_t cookie;
	uint64_t drained_in; /* the turn in which all that was queued had been forwarded */
	pid_t pid;           /* who made the socket */
	int refuse;          /* positive errno: no room for it, its first request will be told */
	uint32_t events;     /* epoll's, not yet acted upon; HUP and RDHUP stay */
	uint32_t held;       /* bytes at the head of the queue that were forwarded before */
	uint32_t raised;     /* bytes of our end's SO_SNDBUF, raised because it was full; 0: never */
	uint32_t flushes;    /* of its cork word: done with */
	uint16_t family;
	uint8_t state;    /* enum sock_state */
	uint8_t send;     /* enum sock_send */
	uint8_t recv;     /* enum sock_recv */
	uint8_t patience; /* turns that its request has been put off */
	bool foreign;     /* of another uid: requests must show the token */
	bool full;        /* the AF_UNIX socket took less than we had; EPOLLOUT is armed */
	bool out_armed;
	bool bulk;   /* the last read was a big one */
	bool token;  /* the residual byte is one of a token */
	bool urgent; /* an urgent byte is, or was, in the queue: EPOLLPRI */
	bool sent;   /* our FIN was acknowledged */
	bool over;   /* TCP_EV_CLOSED */

	/* Of a listener: its next connection, in the order of its way. */
	unsigned backlog;     /* as the program asked */
	struct tcp *spare;    /* accepted from the stack, no fd yet */
	bool on_the_way;      /* connected to our data name, not yet accepted there */
	struct sock *in_hand; /* a sock; the message with the program's end not sent yet */
	int in_hand_fd;       /* that end, or -1 */

	/* Of a datagram socket. */
	bool is_dgram;       /* came by the datagram name */
	uint8_t kind;        /* enum ipc_kind */
	bool dgram_told;     /* dgram_error went into the program's queue */
	int dgram_error;     /* positive errno: what the table shows as pending */
	struct dgram *dgram; /* ours to close */
	struct waiting *kept; /* a message that met a full link */
};

/* sock.c */

/* Takes fd. NULL: no memory, fd is closed. */
struct sock *sock_new(struct engine *e, int fd);

/* The data name or the datagram name has newcomers. */
void sock_accept_ready(struct engine *e, struct source *src, uint32_t events);

void sock_due(struct engine *e, struct sock *s);   /* to be served in this turn, or the next */
void sock_dirty(struct engine *e, struct sock *s); /* its slot is behind */

/* Whether EPOLLOUT is of interest. */
void sock_want_out(struct engine *e, struct sock *s, bool on);

/*
 * The end of a sock. `error` (positive errno, 0: none) goes into the table first; then the fd is
 * closed with everything left in it; a tcp that is still there is closed. Memory goes at the end of
 * the turn.
 */
void sock_free(struct engine *e, struct sock *s, int error);

/* The same after reading what is queued, the residual byte too: the program sees a clean end. */
void sock_free_clean(struct engine *e, struct sock *s);

/* conn.c */
void conn_serve(struct engine *e, struct sock *s);                  /* acts on s->events */
void conn_event(struct engine *e, struct sock *s, unsigned events); /* acts on the stack's */
void conn_settle(struct engine *e, struct sock *s); /* ends it when both directions are done */
void conn_ask_lingering(struct engine *e);          /* once a second: did the program close? */

/* pump_send.c: true when everything queued has been forwarded. */
bool pump_send(struct engine *e, struct sock *s);

/* Consumes what it has put off: of one sock, of all, of those it is high time for. */
void pump_catch_up(struct engine *e, struct sock *s);
void pump_catch_up_all(struct engine *e);
void pump_catch_up_late(struct engine *e);

/* pump_recv.c: what the ring holds; and stack_ops.deliver, with the engine as ctx. */
void pump_recv(struct engine *e, struct sock *s);
size_t pump_deliver(void *ctx, struct tcp *t, void *user, const struct iovec *data, unsigned n);

/* request.c */
void request_serve(struct engine *e, struct sock *s);

/* Reads all of a request but its last byte; false: it is not there any more. */
bool request_consume(struct engine *e, struct sock *s);

/* accept.c */
void accept_serve(struct engine *e, struct sock *listener);
void accept_adopt(struct engine *e, int fd); /* our own connection arrived at our data name */
void accept_starved(struct engine *e);       /* an fd became free */
void accept_drop_hand(struct engine *e, struct sock *listener);
int accept_bound(int fd); /* bounds how many accepted connections wait in the socket */

#endif
