/*
 * Datagram sockets of a stack: UDP (RFC 768), ping sockets (icmp(7): an echo socket whose port is
 * the ICMP identifier) and raw ICMP sockets (raw(7)). What a program's socket calls become; nothing
 * blocks, errors are negative errno values, those of the kernel for the same call.
 *
 * Ownership: dgram_new gives the caller a handle, dgram_close takes it back and forgets everything.
 * A datagram is sent within dgram_send. What arrives waits in the socket, at most DGRAM_OPT_RCVBUF
 * bytes of it; more is dropped and counted. Errors that ICMP brings wait in a queue of their own.
 *
 * Direction words: input/output = network side, send/recv = the program's calls.
 */
#ifndef TEECEE_STACK_DGRAM_H
#define TEECEE_STACK_DGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/stack/stack.h"

struct dgram;

enum dgram_kind {
	DGRAM_UDP,
	DGRAM_PING, /* sends echo requests, receives the replies to its own; local port = identifier */
	DGRAM_RAW,  /* ICMP: sends any message, receives every one with its IP header; no ports */
};

/* Options; set at any time. Values as the program's, sizes in bytes. */
enum dgram_option {
	DGRAM_OPT_REUSEADDR, /* bool: share an address with others who set it; the last one gets it */
	DGRAM_OPT_REUSEPORT, /* bool: share it; the sender's address decides who gets a datagram */
	DGRAM_OPT_BROADCAST, /* bool: without it -EACCES */
	DGRAM_OPT_RCVBUF,    /* bytes that may wait, bookkeeping included */
	DGRAM_OPT_NO_CHECK,  /* bool: UDP checksum zero on what we send */
	DGRAM_OPT_TOS,       /* the TOS byte */
	DGRAM_OPT_TTL,       /* 1..255 */
	DGRAM_OPT_MTU_DISCOVER, /* enum dgram_pmtu */
	DGRAM_OPT_RECVERR,      /* bool: ICMP errors are queued, soft ones and of unconnected too */
	DGRAM_OPT_MULTICAST_TTL,
	DGRAM_OPT_MULTICAST_LOOP, /* bool: what we send to a group we are in comes back */
	DGRAM_OPT_MULTICAST_ALL,  /* bool: also groups that other sockets joined */
	DGRAM_OPT_ICMP_FILTER,    /* raw: a bit per ICMP type that is not wanted */
	DGRAM_OPT_COUNT,
};

/* As IP_PMTUDISC_* of ip(7). */
enum dgram_pmtu {
	DGRAM_PMTU_DONT,  /* never DF */
	DGRAM_PMTU_WANT,  /* DF on what fits the path, fragments otherwise */
	DGRAM_PMTU_DO,    /* always DF: -EMSGSIZE for what does not fit */
	DGRAM_PMTU_PROBE, /* always DF, the path MTU is ignored */
};

enum dgram_event {
	DGRAM_EV_READ = 0x01,  /* dgram_peek returns one */
	DGRAM_EV_ERROR = 0x02, /* an error is pending or queued */
};

/* `user` is the owner's own pointer. NULL: no memory or max_socks reached. */
struct dgram *dgram_new(struct stack *s, enum dgram_kind kind, void *user);
void *dgram_user(const struct dgram *d);
void dgram_close(struct dgram *d, nsec now);

/* The next socket with news, as stack_next_event. */
struct dgram *dgram_next_event(struct stack *s, unsigned *events);

/*
 * Local address: unspecified, the stack's own, a group or a broadcast address; port 0 picks a free
 * one. -EADDRINUSE, -EADDRNOTAVAIL, -EINVAL (bound already).
 */
int dgram_bind(struct dgram *d, const struct endpoint *local);

/*
 * From now on datagrams go to `remote`, and only what comes from there is received; may be repeated.
 * -ENETUNREACH, -EACCES (broadcast without leave), -EAGAIN (no free port).
 */
int dgram_connect(struct dgram *d, const struct endpoint *remote);

/* connect(AF_UNSPEC): no peer any more; a port or address that was not bound by name is given up. */
void dgram_disconnect(struct dgram *d);

const struct endpoint *dgram_local(const struct dgram *d);
const struct endpoint *dgram_remote(const struct dgram *d); /* all zero: not connected */
bool dgram_is_connected(const struct dgram *d);

/* The UDP socket that gets what comes from `remote` to `local`; NULL: none. */
struct dgram *dgram_find_udp(
	struct stack *s, const struct endpoint *local, const struct endpoint *remote);

/* A datagram to send, as sendmsg(2) describes it. */
struct dgram_out {
	const struct endpoint *to; /* NULL: the connected peer */
	int ttl, tos;              /* -1: the socket's */
	struct iovec data[2];      /* whole: ICMP messages begin with their header */
	int npieces;
};

/*
 * Sends; binds a port first if there is none. A pending error is reported instead, once.
 * -EDESTADDRREQ, -EINVAL (port 0, malformed ICMP), -EMSGSIZE, -EACCES, -ENETUNREACH, -EAGAIN (link
 * full: nothing was sent, try again after the next poll), -ENOBUFS, -ENETDOWN.
 */
int dgram_send(struct dgram *d, const struct dgram_out *out, nsec now);

/* A datagram that waits. */
struct dgram_in {
	struct endpoint from;
	struct ipaddr to; /* where it was sent to: one of our addresses or a group */
	uint8_t tos, ttl;
	nsec arrival;
	const uint8_t *data; /* of DGRAM_RAW from the IP header on */
	size_t len;
};

/* The oldest; false: none. Valid until dgram_pop, which removes it. */
bool dgram_peek(const struct dgram *d, struct dgram_in *out);
void dgram_pop(struct dgram *d);
uint64_t dgram_drops(const struct dgram *d); /* not taken for want of room */

/* What struct sock_extended_err of ip(7) tells. */
struct dgram_error {
	int error;                /* positive errno */
	bool local;               /* our own doing (-EMSGSIZE) rather than ICMP's */
	uint8_t type, code;       /* of the ICMP message */
	uint32_t info;            /* with EMSGSIZE the MTU */
	struct ipaddr offender;   /* who sent the ICMP message */
	struct endpoint to;       /* where our datagram was going */
	nsec arrival;
	const uint8_t *data; /* what came back of our datagram: ICMP header or UDP payload on */
	size_t len;
};

/* With RECVERR: the oldest queued error; false: none. Valid until dgram_pop_error. */
bool dgram_peek_error(const struct dgram *d, struct dgram_error *out);
void dgram_pop_error(struct dgram *d);

/* SO_ERROR: the pending error, which is cleared; a positive errno or 0. */
int dgram_take_error(struct dgram *d);

/* -EINVAL: value out of range. */
int dgram_set_option(struct dgram *d, enum dgram_option option, int64_t value);
int64_t dgram_get_option(const struct dgram *d, enum dgram_option option);

/* Bytes of a datagram's packet that the way to the connected peer carries; -ENOTCONN. */
int dgram_path_mtu(const struct dgram *d);

/*
 * Membership of a group (RFC 1112), ended by dgram_leave or dgram_close. -EINVAL (not a group),
 * -EADDRINUSE (joined already), -ENOBUFS (DGRAM_GROUPS_MAX), -ENOMEM; leave: -EADDRNOTAVAIL.
 */
int dgram_join(struct dgram *d, const struct ipaddr *group, nsec now);
int dgram_leave(struct dgram *d, const struct ipaddr *group, nsec now);

#endif
