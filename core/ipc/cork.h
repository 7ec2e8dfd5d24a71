/*
 * TCP_CORK, MSG_MORE and TCP_NODELAY in memory that programs share with the engine: the first two are
 * switched on for every answer of a web server and off again, the third is set on nearly every
 * connection. They are too many to be messages.
 *
 * Behind the table, in a memfd of its own that clients may write, is one word per slot. Both sides
 * change it by compare-and-swap only:
 *
 *	tag      32   the low half of the socket's SO_COOKIE: a word that has gone to another socket is
 *	              left alone
 *	flushes  16   counts: what was written before this moment is not to be held back
 *	lent      8   pieces of memory that were lent (core/ipc/lend.h) and that the engine has not come to
 *	ON, MORE      the program's TCP_CORK; its last send said MSG_MORE: either is a cork
 *	NODELAY       the program's TCP_NODELAY
 *	HELD          the engine has seen a cork, and may hold back what it read
 *	WRITTEN       the program has written without a cork, since the engine last began to read
 *	READING       it had, and the engine has begun to read and not looked yet
 *	USED          it has had a cork once: only then the engine takes the trouble of WRITTEN
 *	LOW           the program's SO_SNDBUF is small until enough of what is lent has been taken
 *	              (core/ipc/lend.h): bytes that are read then are consumed whole, without a residual one
 *
 * WHO NEEDS A MESSAGE. A cork that is taken off sends what it held. If the engine has seen it (HELD)
 * it must be told; otherwise it will read the bytes and the word later, and finds no cork. One word,
 * so one order: either the program sees HELD or the engine sees the cork gone. NODELAY sends what
 * Nagle's rule or a cork holds: it needs a message if there can be such bytes (WRITTEN, READING, USED).
 * To take it off is a message of its own (IPC_OPT_NODELAY): what was written before goes first.
 *
 * ORDER. The engine looks at the word after it has read: bytes that were written under a cork are
 * not sent before it. A cork that was off for a moment in between, and one that follows bytes which
 * the engine may not have read and sent (WRITTEN, READING), count as a flush: all that has been read
 * by then leaves, and all that the next read finds, if this one had begun before the flush. That may
 * be more than was meant, a segment that is not full, but nothing waits that should not. WRITTEN is
 * set after a write and cleared before a read, so bytes that are not read yet always have it; those
 * that go past the shim (stdio, io_uring) do not: a cork right behind them may hold them, 200 ms at
 * most.
 *
 * A client may write here what it likes, and thereby hold back any socket of this engine, as it may
 * by an IPC_SETOPT; and have the tokens of one taken for bytes. Clients of one engine, all of one user or
 * proven by the token, trust each other so far.
 */
#ifndef TEECEE_IPC_CORK_H
#define TEECEE_IPC_CORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum ipc_cork {
	IPC_CORK_ON = 1,
	IPC_CORK_MORE = 2,
	IPC_CORK_HELD = 4,
	IPC_CORK_WRITTEN = 8,
	IPC_CORK_READING = 16,
	IPC_CORK_USED = 32,
	IPC_CORK_NODELAY = 64,
	IPC_CORK_LOW = 128,
};

typedef _Atomic uint64_t ipc_cork_word;

enum ipc_cork_put {
	IPC_CORK_STALE, /* the word is another socket's: nothing was done */
	IPC_CORK_PUT,
	IPC_CORK_FLUSH, /* and the engine must be told: IPC_OPT_FLUSH */
};

/* Program: switches `which` (ON, MORE, NODELAY or LOW) for the socket of `cookie`. */
enum ipc_cork_put ipc_cork_put(ipc_cork_word *w, uint64_t cookie, enum ipc_cork which, bool on);

/* Program: the bits of enum ipc_cork; 0: none, or another socket's. */
unsigned ipc_cork_get(const ipc_cork_word *w, uint64_t cookie);

/* Program: has written. */
void ipc_cork_wrote(ipc_cork_word *w, uint64_t cookie);

/* Engine: the word is from now on that of the socket of `cookie`; `bits`: of ON and NODELAY. */
void ipc_cork_claim(ipc_cork_word *w, uint64_t cookie, unsigned bits);

/*
 * Engine: is about to read what the program wrote. The bits; and the number of flushes so far: when
 * the read has come to the end of what there was, they are done with.
 */
unsigned ipc_cork_reading(ipc_cork_word *w, uint32_t *flushes);

/* Engine: the bits, a cork among them being HELD from now on, and the number of flushes so far. */
unsigned ipc_cork_look(ipc_cork_word *w, uint32_t *flushes);

/*
 * Program: is about to lend `n` more pieces; false: the word is another socket's, or there are too many
 * already. Both: `n` of them were taken, or not lent after all. How many there are.
 */
bool ipc_cork_lend(ipc_cork_word *w, uint64_t cookie, unsigned n);
void ipc_cork_unlend(ipc_cork_word *w, uint64_t cookie, unsigned n);
unsigned ipc_cork_lent(const ipc_cork_word *w);

static inline bool ipc_is_corked(unsigned bits)
{
	return bits & (IPC_CORK_ON | IPC_CORK_MORE);
}

#endif
