/*
 * The table: one slot per socket the engine knows, in a memfd that the engine maps for writing and
 * clients map read-only (sealed F_SEAL_FUTURE_WRITE | F_SEAL_SHRINK | F_SEAL_GROW). It answers
 * getsockname, getpeername, getsockopt, TCP_INFO and "which errno was it" without a round trip.
 *
 * A slot is found by the program's socket's SO_COOKIE: the set cookie % nsets, eight slots each
 * (cookies are handed out in sequence, so sets fill evenly). One writer, the engine; a reader
 * retries while `gen` is odd or changes (a seqlock). A slot whose socket is gone but whose error
 * may still be asked for is DEAD: it keeps its content until its place is needed.
 */
#ifndef TEECEE_IPC_TABLE_H
#define TEECEE_IPC_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/ipc/cork.h"
#include "core/ipc/option.h"

enum { IPC_TABLE_WAYS = 8, IPC_TCP_INFO_LEN = 256 };

/* A slot just claimed, until the engine says more: SYN-SENT, as a program sees a pending connect. */
enum { IPC_TCP_PENDING = 2 };

enum ipc_slot_use { IPC_SLOT_FREE, IPC_SLOT_LIVE, IPC_SLOT_DEAD };

/* The part of a slot that readers copy. */
struct ipc_sock_info {
	uint64_t cookie;
	uint8_t use;       /* enum ipc_slot_use */
	/* Linux's numbers: 1 ESTABLISHED … 10 LISTEN 11 CLOSING (netinet/tcp.h) */
	uint8_t tcp_state;
	uint16_t family;   /* AF_INET or AF_INET6 */
	/* positive errno that ended the connection, or waits for a datagram socket; 0: none */
	int32_t error;
	struct endpoint local, remote;
	uint32_t kind;     /* enum ipc_kind (dgram.h) */
	uint64_t unsent;   /* SIOCOUTQ: bytes in the engine that the peer has not acknowledged */
	int64_t option[IPC_OPT_COUNT]; /* by enum ipc_option, or ipc_dgram_option */
	uint32_t tcp_info_len;
	uint32_t pad1;
	uint8_t tcp_info[IPC_TCP_INFO_LEN]; /* struct tcp_info of <linux/tcp.h> */
};

struct ipc_slot {
	_Atomic uint32_t gen; /* odd: being written */
	uint32_t pad;
	struct ipc_sock_info info;
};

struct ipc_table {
	uint32_t magic, version;
	uint32_t nsets; /* a power of two */
	uint32_t slot_size;
	_Atomic uint32_t alive; /* for ipc_table_is_alive */
	/* What a shim checks before it sends a datagram. */
	struct ipnet address; /* ours */
	uint8_t has_gateway;
	uint16_t mtu;
	uint32_t ifindex;
	uint32_t pad[5];
	struct ipc_slot slot[]; /* nsets * IPC_TABLE_WAYS */
};

/*
 * Behind the slots: a bit per port at which somebody listens for connections to loopback addresses. A hint for those
 * who have to choose between this stack and the host's kernel before they connect.
 */
enum { IPC_TABLE_PORTS_LEN = 65536 / 8 };

bool ipc_table_listens(const struct ipc_table *t, uint16_t port);
void ipc_table_set_listens(struct ipc_table *t, uint16_t port, bool on); /* the writer's */

/* Bytes of a table of `nsets` sets, and of its cork words, which are a file of their own. */
size_t ipc_table_size(uint32_t nsets);
size_t ipc_corks_size(uint32_t nsets);

/*
 * Maps both files, the words right behind the table, so that a table's address is enough to find
 * them; the words for writing, the table too if `writer`. `at`: an address that this has returned
 * for as many sets, whose mapping is replaced without a moment in which there is none; or NULL. NULL
 * and errno.
 */
struct ipc_table *ipc_table_map(
	struct ipc_table *at, int table_fd, int corks_fd, uint32_t nsets, bool writer);
void ipc_table_unmap(struct ipc_table *t, uint32_t nsets);

/* The word of a slot of a mapped table. */
ipc_cork_word *ipc_table_cork(const struct ipc_table *t, const struct ipc_slot *slot);

/* Reader: checks magic, version and size of a mapped table. */
bool ipc_table_valid(const struct ipc_table *t, size_t size);

/*
 * Reader: whether the engine lives, by a look at memory: the kernel marks `alive`, a robust futex,
 * when the engine dies.
 */
bool ipc_table_is_alive(const struct ipc_table *t);

/* Reader: a consistent copy of the slot of `cookie`; false when there is none. */
bool ipc_table_get(const struct ipc_table *t, uint64_t cookie, struct ipc_sock_info *out);

/*
 * Reader: the slot itself, to keep as a hint (compare info.cookie again at every use); NULL: none.
 */
const struct ipc_slot *ipc_table_find(const struct ipc_table *t, uint64_t cookie);

/* What a slot of that kind (enum ipc_kind) says before anything has happened to its socket. */
struct ipc_sock_info ipc_sock_initial(uint16_t family, uint32_t kind);

/*
 * Writer: a slot for a new cookie (free, else the oldest dead one of its set), which says `first`
 * from its first moment; NULL when all eight live.
 */
struct ipc_slot *ipc_table_claim(
	struct ipc_table *t, uint64_t cookie, const struct ipc_sock_info *first);

/* Writer: everything between begin and end appears at once. */
struct ipc_sock_info *ipc_slot_begin(struct ipc_slot *slot);
void ipc_slot_end(struct ipc_slot *slot);

#endif
