/*
 * One host's TCP/IP stack, sans-I/O: it does no system call, reads no clock, has no global and
 * starts no thread. Frames, time and socket calls go in; frames, events and the next deadline come
 * out. The same code runs under the engine, the simulator, the fuzzers and packetdrill.
 *
 * The host's loop (core/host has one ready):
 *
 *	while (link has a frame)
 *		stack_input(s, &frame, now);        records what is due
 *	... socket calls (core/stack/tcp.h) ...     record what is due
 *	stack_poll(s, now);                         runs timers, sends what is due through ops->emit
 *	while ((t = stack_next_event(s, &events)))
 *		... what changed for that socket ...
 *	while ((d = dgram_next_event(s, &events)))      the same for core/stack/dgram.h
 *	sleep until stack_deadline(s) or the next frame or call
 *
 * Input and socket calls never send TCP segments themselves: they mark the connection due and
 * stack_poll sends once, so that a burst of frames is answered by one ACK. (Datagrams, ARP and ICMP
 * answers leave at once.)
 *
 * Not thread-safe: one thread per stack. Errors are negative errno values.
 */
#ifndef TEECEE_STACK_STACK_H
#define TEECEE_STACK_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/stack/counters.h"
#include "core/wire/frame.h"

struct stack;
struct tcp;
struct dgram;
struct dgram_in;

struct stack_config {
	struct macaddr mac;
	uint16_t mtu;           /* IP bytes per packet on the wire; at least 576 */
	/* largest TCP payload of one tx_frame; 0 or below one MSS: one MSS per frame */
	uint32_t gso_max;
	bool partial_csum_ok;   /* accept a received checksum that is only the pseudo-header sum */
	/* unspecified: none; may also be set later with stack_set_gateway */
	struct ipaddr gateway;
	uint8_t secret[32];     /* random bytes: ISNs, ports, hash; equal secrets make equal runs */
	/* bytes of all send and receive buffers together; 0: TCP_MEM_DEFAULT (limits.h) */
	size_t tcp_mem_max;
	unsigned max_socks;     /* 0: no limit but memory */
	/* controller of new sockets, see tcp_set_congestion; NULL: "cubic" */
	const char *congestion;
};

struct stack_ops {
	/*
	 * Sends a frame: 0, or -EAGAIN when the link is full: the stack keeps the data and tries at
	 * the next poll.
	 */
	int (*emit)(void *ctx, const struct tx_frame *f, nsec now);

	/*
	 * In-order payload for an established connection whose receive ring is empty, straight from
	 * the frames, in `n` pieces, at most GRO_PIECES_MAX: returns how many bytes the owner took (the
	 * rest goes into the ring). Must not call the stack. NULL: everything goes through the ring.
	 */
	size_t (*deliver)(void *ctx, struct tcp *t, void *user, const struct iovec *data, unsigned n);

	/*
	 * The same for a datagram and a socket in which none waits; false: it is queued. NULL: every
	 * one is.
	 */
	bool (*deliver_dgram)(void *ctx, struct dgram *d, void *user, const struct dgram_in *in);

	/*
	 * A state change for whoever traces; NULL: nobody does. `t` is valid during the call only.
	 */
	void (*trace_state)(void *ctx, const struct tcp *t, int from, int to, nsec now);
};

/*
 * A new stack without an address; `config` and `ops` are copied, `ctx` is handed to each op. NULL:
 * no memory.
 */
struct stack *stack_new(const struct stack_config *config, const struct stack_ops *ops, void *ctx, nsec now);

/*
 * Ends every connection without a segment (see stack_abort_all for the polite way) and frees
 * everything.
 */
void stack_free(struct stack *s);

/*
 * RST to the peer of every connection that has one: what the next user of the address must not be
 * hit by.
 */
void stack_abort_all(struct stack *s, nsec now);

/*
 * Addresses (RFC 5227). Claim: probes for the address, then announces it and defends it for as long
 * as the stack lives. The state is read after polls; sockets can be used before READY, nothing of
 * theirs is sent.
 */
enum address_state {
	ADDRESS_NONE,
	ADDRESS_PROBING,  /* entered by stack_claim; sends probes, answers nothing */
	ADDRESS_READY,    /* nobody answered; announced, answers ARP */
	ADDRESS_CONFLICT, /* somebody else has it; a new claim (of another address) may follow */
};

enum probe_timing {
	/* three probes, 50 ms apart: a stated departure from RFC 5227 §1.1, for a short cold start
	 * */
	PROBE_FAST,
	PROBE_RFC,  /* all of RFC 5227 §2.1.1's random waits: 4 to 7 s */
	PROBE_NONE, /* believe the caller: the simulator, tests */
};

void stack_claim(struct stack *s, const struct ipnet *address, enum probe_timing timing, nsec now);

/* In CONFLICT `holder`, unless NULL, gets the MAC that has the address. */
enum address_state stack_address_state(const struct stack *s, struct macaddr *holder);
const struct ipnet *stack_address(const struct stack *s);
void stack_set_gateway(struct stack *s, const struct ipaddr *gateway);
const struct ipaddr *stack_gateway(const struct stack *s); /* unspecified: none */

/*
 * A frame came in. It is parsed, acted on, and not kept; but one with `stays` may be acted on only with the next
 * one, or by stack_input_end, which then has to be called before anything else is asked of the stack.
 */
void stack_input(struct stack *s, const struct rx_frame *f, nsec now);
void stack_input_end(struct stack *s, nsec now);

/*
 * Runs every timer that is due and sends what is due. Call after input, after socket calls and at
 * the deadline.
 */
void stack_poll(struct stack *s, nsec now);

/*
 * When stack_poll must run next if nothing else happens; NSEC_NEVER when there is nothing to wait
 * for.
 */
nsec stack_deadline(const struct stack *s);

/* Events of a socket, level-triggered hints: look at the socket for what is really there. */
enum tcp_event {
	TCP_EV_CONNECTED = 0x01, /* left SYN-SENT/SYN-RECEIVED for ESTABLISHED */
	TCP_EV_ACCEPT = 0x02,    /* listener: tcp_accept will return one */
	TCP_EV_READ = 0x04,      /* more bytes in the receive ring */
	TCP_EV_WRITE = 0x08,     /* send room is back after tcp_send_room had too little */
	/* the peer's FIN; it stands behind what is still in the receive ring */
	TCP_EV_EOF = 0x10,
	TCP_EV_SENT = 0x20,      /* our FIN has been acknowledged */
	/* over (tcp_error says why, 0: in order); the owner has to close it */
	TCP_EV_CLOSED = 0x40,
	TCP_EV_URGENT = 0x80,    /* an urgent byte arrived (RFC 6093) */
	TCP_EV_ACKED = 0x100,    /* all that was to be sent has been, and is acknowledged */
};

/* The next socket with news: its events are moved to *events and cleared. NULL: no more. */
struct tcp *stack_next_event(struct stack *s, unsigned *events);

const struct counters *stack_counters(const struct stack *s);

/*
 * Sockets that still have an owner or unfinished business (TIME-WAIT does not count): may the
 * engine leave?
 */
unsigned stack_socket_count(const struct stack *s);

/* Bytes held in send and receive buffers, reassembly and queues; 0 when nothing is left. */
size_t stack_memory(const struct stack *s);

#endif
