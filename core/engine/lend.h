/*
 * Memory that programs lend instead of writing it into their sockets (core/ipc/lend.h): a pool per
 * client, and what the engine does with tokens.
 */
#ifndef TEECEE_ENGINE_LEND_H
#define TEECEE_ENGINE_LEND_H

#include <stdbool.h>
#include <stddef.h>

#include "core/engine/sock.h"
#include "core/ipc/lend.h"

struct lend_pool;

/* A client's pool, and its file, which is the caller's; NULL: no memory for one. */
struct lend_pool *lend_open(struct engine *e, int *fd);

/* The client is gone: so is the pool, once nothing of it is on its way and lend_bury comes by. */
void lend_close(struct lend_pool *p);
void lend_bury(struct engine *e);

/* The sock's word in which loans are counted; NULL: none. */
ipc_cork_word *lend_word(const struct engine *e, const struct sock *s);

/* Whether what was queued before this call may have tokens of the sock. */
bool lend_pending(const struct engine *e, const struct sock *s);

/*
 * In `len` bytes of the program's stream: where the first token is; `len`: there is none; what may be
 * the beginning of one at the end counts as one.
 */
size_t lend_find(const struct engine *e, const uint8_t *bytes, size_t len);

/* The chunk of a token goes to the connection. LATER: it has no room now. */
enum lend_outcome { LEND_TAKEN, LEND_LATER, LEND_WRONG };
enum lend_outcome lend_take(struct engine *e, struct sock *s,
	const uint8_t token[static sizeof(struct ipc_lend_token)]);

/* The queue is empty: what is counted has a READY chunk, or is of somebody who was killed and never comes. */
void lend_recount(struct engine *e, struct sock *s);

/* Tokens of the sock of that word and cookie which were not read are not going to be. */
void lend_forget(struct engine *e, ipc_cork_word *word, uint64_t cookie);

#endif
