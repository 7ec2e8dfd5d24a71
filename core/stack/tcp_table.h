/*
 * Where the stack's TCP sockets are: the table of connections by four-tuple, the table of local
 * ports, and the lists that stack_poll walks.
 */
#ifndef TEECEE_STACK_TCP_TABLE_H
#define TEECEE_STACK_TCP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/list.h"
#include "core/base/time.h"
#include "core/stack/tcp_fastopen.h"

struct stack;
struct tcp;

/* All sockets bound to one local port; exists while there is one. */
struct tcp_port;

struct tcp_table {
	struct list *
		/* buckets by four-tuple; a power of two, grown with the number of connections */
		conn;
	size_t nbuckets, nconn;
	struct list *port;     /* buckets of struct tcp_port by port number */
	uint64_t taken[65536 / 64]; /* ports with an entry, a bit each */
	struct list due;       /* connections that have something to send: tcp_output visits them */
	struct list events;    /* sockets with events for the owner */
	struct list all;       /* every socket but the dead */
	struct list dead;      /* freed at the end of tcp_poll */
	struct list time_wait; /* oldest first */
	struct list spare;     /* struct txseg to use again, so that no packet costs a malloc */
	unsigned nspare;
	unsigned nsocks;      /* without TIME-WAIT */
	nsec cookies_until;    /* an ACK may bring a SYN cookie back; 0: none was sent */
	struct fastopen_cache fastopen;
	uint32_t port_counter; /* RFC 6056 §3.3.3: next_ephemeral */
};

int tcp_table_init(struct stack *s, nsec now); /* 0 or -ENOMEM */
void tcp_table_free(struct stack *s);

/* Sends what is due and is called by stack_poll after the timers. */
void tcp_poll(struct stack *s, nsec now);

#endif
