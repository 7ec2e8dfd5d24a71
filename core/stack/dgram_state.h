/*
 * A datagram socket from the inside, for the stack's own files.
 *
 *	dgram_sock.c    handles: made, bound, connected, closed; options
 *	dgram_table.c   who has which port, who gets a datagram
 *	dgram_queue.c   what waits for the program: datagrams and errors
 *	dgram_send.c    the way down, for all kinds
 *	udp.c           UDP's way up
 *	dgram_icmp.c    the way up of echo replies, raw messages and ICMP errors
 */
#ifndef TEECEE_STACK_DGRAM_STATE_H
#define TEECEE_STACK_DGRAM_STATE_H

#include "core/base/list.h"
#include "core/stack/dgram.h"
#include "core/stack/limits.h"

struct ip_error;

enum { DGRAM_BUCKETS = 256 };

struct dgram_table {
	struct list bucket[DGRAM_BUCKETS]; /* UDP and ping sockets with a port, newest first */
	struct list raw;                   /* raw sockets */
	struct list all;
	struct list events;
	size_t bytes; /* waiting in all sockets: a share of stack.memory, at most DGRAM_MEM_MAX */
	unsigned nsocks;
	uint32_t serial; /* of the next socket */
};

struct dgram {
	struct stack *stack;
	void *user;
	struct list all_link, event_link;
	struct list port_link; /* in a bucket, or in `raw` */
	uint8_t kind;          /* enum dgram_kind */
	uint8_t events;
	bool bound;      /* local.port is ours (UDP, ping) */
	bool named_port; /* by bind: it survives a disconnect */
	bool named_addr;
	bool connected;
	uint32_t serial; /* chooses among SO_REUSEPORT */
	struct endpoint local, remote;
	int64_t option[DGRAM_OPT_COUNT];
	uint16_t pmtu;     /* to the connected peer, learnt from ICMP; 0: the link's */
	int pending;       /* positive errno: the next call is told, once */
	struct list queue; /* datagrams, oldest first */
	size_t queued;     /* bytes of them */
	uint64_t drops;
	struct list errors; /* with RECVERR */
	unsigned nerrors;
	struct ipaddr group[DGRAM_GROUPS_MAX];
	unsigned ngroups;
};

void dgram_init(struct stack *s);
void dgram_flush(struct stack *s); /* frees every socket */

void dgram_event(struct dgram *d, enum dgram_event event);

/* dgram_table.c. Bind to a port (0: a free one): 0, -EADDRINUSE; and the way back. */
int dgram_port_bind(struct dgram *d, const struct endpoint *local);
void dgram_port_release(struct dgram *d);

/* Who gets what came from `remote` to `local`; NULL: nobody. */
struct dgram *dgram_find(struct stack *s, enum dgram_kind kind, const struct endpoint *local,
	const struct endpoint *remote);

/*
 * Everybody who gets what was sent to a group: the first with *at = NULL, then the next after *at;
 * NULL: no more. The socket must stay until the next call.
 */
struct dgram *dgram_find_next(struct stack *s, struct list **at, const struct endpoint *local,
	const struct endpoint *remote);

bool dgram_is_member(const struct dgram *d, const struct ipaddr *group);

/* dgram_queue.c */
void dgram_deliver(struct dgram *d, const struct dgram_in *in);

/* The pending error, and with RECVERR a queued one. */
void dgram_report(struct dgram *d, const struct dgram_error *e);
void dgram_queue_flush(struct dgram *d);

/*
 * dgram_icmp.c. An error about a datagram of ours: false, nobody has sent such a one. With `quoted`
 * as in struct ip_error, never NULL.
 */
bool dgram_icmp_error(struct stack *s, const struct ip_error *e, nsec now);

#endif
