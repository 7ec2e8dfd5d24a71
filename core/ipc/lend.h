/*
 * BYTES THAT NEED NOT BE COPIED. What a program writes into its AF_UNIX socket is copied into pages of
 * the kernel, and by the engine out of them: half of all the work of an upload. So a write of 16 KiB or
 * more goes into memory that the program's process shares with the engine, where the stack sends it
 * from, and in the socket travels a *token* that says where it is.
 *
 * THE SOCKET STAYS THE STREAM. A token has its place between the bytes of the stream, whoever wrote
 * them: another process, stdio, splice, a static child. All that the program can see of its socket
 * (POLLOUT, EAGAIN, a write that waits, SIGPIPE) stays the kernel's own, because nothing is lent but what
 * can be at once: with a socket full of bytes, or in doubt, bytes are written as they always were.
 *
 * HOW MANY ARE ON THE WAY. The kernel counts what a token takes in the queue, and not what it stands for: the
 * socket would be writable until all chunks are READY. What is so much is cold when the engine comes to it, and
 * whatever else is written then goes through the socket. So at IPC_LEND_AHEAD tokens on the way, or without a
 * free chunk as long as some are, the program waits, as for a full socket, and by the kernel's own means: its
 * SO_SNDBUF is made so small that what is queued fills it. POLLOUT is back, and a send that waits goes on, when
 * a quarter is left; with the next write that the shim sees, in whichever process, the buffer is what it was. (A
 * process with threads writes bytes instead of waiting, and so does who wants SIGIO.) Meanwhile the word says LOW:
 * the residual byte of somebody who writes past the shim, which may keep more memory than a small buffer has, is
 * not left. That of a token is, so that a reset reaches the program.
 *
 * A TOKEN is 16 bytes in one send, so it is in the queue whole or not at all. It begins with 64 random
 * bits of the engine's, which no stream has by chance. Before it looks for tokens the engine asks the
 * socket's word how many are on the way (ipc_cork_lent): they are counted before they are sent and
 * counted off when they are taken, so that with none there is no token in what was queued before.
 *
 * THE POOL. Every client of the control channel gets one with its WELCOME: IPC_LEND_CHUNKS chunks in a
 * memfd. `state` of a chunk is how it changes hands:
 *
 *	FREE     ─ program, compare-and-swap ─► FILLING ─► READY; it is counted, and its token is sent
 *	READY    ─ engine, at the token ──────► SENT, until all of it was acknowledged ─► FREE
 *	READY    ─ engine, when the socket ends with the token unread, or the program, when it could not
 *	           be sent ───────────────────► FREE: whoever comes first; each use has its number
 *
 * `owner` is the SO_COOKIE of the socket: a token counts only in the stream of the chunk's owner.
 *
 * WHEN A CLIENT GOES its pool is closed, and gone as soon as no chunk is SENT, and none READY for a socket
 * that lives. Processes that still have it (a child that has no channel of its own, a program that
 * closed all fds) look at `closed` *after* a chunk is READY, the engine at the chunks after closing: one
 * of them sees the other. Who is killed while FILLING keeps nothing.
 *
 * NOBODY IS TRUSTED, within limits. What the engine needs to stay alive it keeps for itself: which pool is
 * which, which chunks it has lent to the stack. A client may spoil its own streams; and through the
 * word (core/ipc/cork.h), which all clients of an engine can write, another's.
 */
#ifndef TEECEE_IPC_LEND_H
#define TEECEE_IPC_LEND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	IPC_LEND_CHUNKS = 256,
	IPC_LEND_AHEAD = 24, /* tokens of a socket that the engine has not come to */
	IPC_LEND_CHUNK_LEN = 64 << 10,
	IPC_LEND_MIN = 16 << 10, /* bytes that are worth it */
	IPC_LEND_HEAD_LEN = 8192,
	IPC_LEND_LEN = IPC_LEND_HEAD_LEN + IPC_LEND_CHUNKS * IPC_LEND_CHUNK_LEN,
};

enum ipc_lend_state { IPC_LEND_FREE, IPC_LEND_FILLING, IPC_LEND_READY, IPC_LEND_SENT };

struct ipc_lend_chunk {
	_Atomic uint32_t state; /* enum ipc_lend_state in 8 bits; the others count its uses */
	_Atomic uint32_t len;
	_Atomic uint64_t owner;
};

struct ipc_lend {
	uint64_t secret; /* of the engine: how tokens begin */
	uint32_t id;     /* of this pool */
	_Atomic uint32_t closed;
	struct ipc_lend_chunk chunk[IPC_LEND_CHUNKS];
};

/* A chunk, and which use of it is meant: its number in 8 bits, and how often it was taken. */
typedef uint32_t ipc_lend_place;

struct ipc_lend_token {
	uint64_t secret;
	uint32_t pool;
	ipc_lend_place place;
};

/* Maps a pool's file, which must have IPC_LEND_LEN bytes; NULL and errno. */
struct ipc_lend *ipc_lend_map(int fd);

/* Its memory. The place has come from one of these functions, or been accepted. */
uint8_t *ipc_lend_data(const struct ipc_lend *p, ipc_lend_place place);

/* Program: a chunk that is now the caller's, the lowest, for that is in the cache; false: none is free. */
bool ipc_lend_take(struct ipc_lend *p, ipc_lend_place *out);

/*
 * Program: its first `len` bytes are for the socket of `owner`: the token to send. False: the pool is
 * closed, and the chunk is not the caller's any more.
 */
bool ipc_lend_ready(struct ipc_lend *p, ipc_lend_place place, uint64_t owner, size_t len,
	struct ipc_lend_token *out);

/* Program: it is not needed, or its token could not be sent; false: the engine has freed it already. */
bool ipc_lend_give_back(struct ipc_lend *p, ipc_lend_place place);

/* Engine: the bytes of a READY chunk, which is SENT from now on; 0: it is not one of the owner's. */
size_t ipc_lend_accept(struct ipc_lend *p, ipc_lend_place place, uint64_t owner);
void ipc_lend_put_off(struct ipc_lend *p, ipc_lend_place place); /* it is READY again */

/* Engine: the number of a place's chunk, which may be out of bounds, and of the chunk that has `data`. */
unsigned ipc_lend_number(ipc_lend_place place);
unsigned ipc_lend_chunk_of(const struct ipc_lend *p, const uint8_t *data);

/* Engine: the chunk is free; and all READY ones of `owner` are, so many. */
void ipc_lend_done(struct ipc_lend *p, unsigned chunk);
unsigned ipc_lend_forget(struct ipc_lend *p, uint64_t owner);

/* Bytes in the READY chunks of `owner`. */
size_t ipc_lend_waiting(const struct ipc_lend *p, uint64_t owner);

/* Engine: no token is sent from now on but for the chunks that are READY: the owner of one; 0: it is not. */
void ipc_lend_close(struct ipc_lend *p);
uint64_t ipc_lend_owner(const struct ipc_lend *p, unsigned chunk);

#endif
