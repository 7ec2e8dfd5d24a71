/*
 * What a connection has sent and not got acknowledged, and what it has yet to send: bytes of its own,
 * copied into a ring, and pieces of memory that was lent to it and stays where it is, in the order in
 * which they came. Bytes are addressed by their offset from the front.
 *
 * A loan has at least LOAN_MIN bytes, so that the largest segment has no more pieces than a
 * frame can take: 65,535 bytes touch five loans at most, and six runs of the ring between them, one of
 * which goes round its end.
 */
#ifndef TEECEE_STACK_SENDQ_H
#define TEECEE_STACK_SENDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/stack/loan.h"
#include "core/stack/ring.h"
#include "core/wire/frame.h"

enum { SENDQ_LOANS = 256 };

struct sendq_loans;

struct sendq {
	uint32_t len;              /* bytes in all */
	struct ring ring;          /* the own ones */
	struct sendq_loans *loans; /* NULL: none */
};

/* The ring's room for `n` more bytes at the end, which sendq_commit then appends. As ring_grow. */
bool sendq_grow(struct stack *s, struct sendq *q, size_t n);
int sendq_room(const struct sendq *q, uint32_t n, struct iovec iov[static 2]);
void sendq_commit(struct sendq *q, uint32_t n);

/* How many bytes of room the ring has as it is. */
uint32_t sendq_spare(const struct sendq *q);

/* Appends a loan; false: there are SENDQ_LOANS already, or no memory. */
bool sendq_lend(struct sendq *q, const struct loan *l);

/* The pieces of [offset, offset + n), all within len, n <= 65,535: how many are filled. */
int sendq_pieces(const struct sendq *q, uint32_t offset, uint32_t n,
	struct iovec iov[static TX_PAYLOAD_MAX]);

/* Drops n <= len bytes from the front. A loan ends when its last byte is dropped. */
void sendq_consume(struct sendq *q, uint32_t n);

/* Drops everything and frees the memory. */
void sendq_release(struct stack *s, struct sendq *q);

#endif
