/*
 * The engine: one process that owns the stack and its link, and serves every program that was
 * started with the shim. Read this, then sock.h (the life of a connection), loop.c, conn.c and the
 * two pumps.
 *
 * ONE TURN OF THE LOOP (loop.c). One epoll, one clock reading, always the same order:
 *
 *	1. newcomers      programs in the queue of the control or the data name come first: nobody
 *	                  waits in a backlog behind somebody else's bulk transfer
 *	2. control        setsockopt messages, before any data of this turn: a program that sets an
 *	                  option and then closes or writes finds the option in force
 *	3. link           at most a budget of frames into the stack, then the events they caused; datagrams
 *	                  in bulk, and bytes in bulk, only every 50 or 100 us (moderation.h)
 *	4. data sockets   those with an edge, and those that stopped before they were done; the stack
 *	                  sends in between when that was much
 *	5. stack          host_poll sends what is due, events are acted upon, until there are none
 *	6. table          what changed is written where the programs read it
 *	7. the dead       sockets that ended in this turn are freed; until here pointers to them are
 *	                  valid
 *
 * OWNERSHIP. The engine owns every sock (one per socket of a program that it knows) and every
 * client (one per process with a control channel). A sock owns its fd, its slot in the table and,
 * from the first BIND, CONNECT or LISTEN on, a handle of the stack. sock_free gives up all three in
 * one place.
 *
 * NOTHING BLOCKS, NOBODY IS TRUSTED. Every fd is non-blocking. What a client sends is checked
 * before it is used; a malformed message closes the socket it came on and is counted. The engine
 * ends only by SIGTERM, STOP, idleness, or when its interface is gone.
 *
 * WHEN THE LINK FAILS. An interface that goes down does what it does to the kernel's own
 * connections: nothing. Segments are lost, retransmission carries the connections over if it comes
 * back, otherwise they time out; a connect while it is down fails with ENETDOWN. An interface that
 * is *gone* never comes back under the same link: every connection ends with ENETDOWN and the
 * engine leaves, so that the next socket starts a new one.
 */
#ifndef TEECEE_ENGINE_ENGINE_H
#define TEECEE_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/list.h"
#include "core/base/time.h"
#include "core/engine/crowd.h"
#include "core/engine/moderation.h"
#include "core/engine/spin.h"
#include "core/ipc/dgram.h"
#include "core/ipc/proto.h"
#include "core/ipc/settings.h"
#include "core/ipc/table.h"
#include "core/stack/dgram.h"
#include "core/stack/stack.h"
#include "core/stack/tcp.h"

struct engine;
struct epoll_event;
struct host;
struct resolver;
struct sock;
struct watch;

enum {
	ENGINE_BACKLOG = 4096,         /* programs before our accept: as net.core.somaxconn */
	ENGINE_SOCKS_MAX = 131072,     /* bounds the table, whatever RLIMIT_NOFILE says */
	ENGINE_FD_RESERVE = 128,       /* our own fds, and those refused but not yet told */
	ENGINE_FD_LAST = 16,           /* fewer left: accept nobody until one is closed */
	ENGINE_SCRATCH_LEN = 16 << 10, /* a request, or bytes read only to be forgotten */
};

/* The order of a turn. */
enum source_class { SOURCE_ACCEPT, SOURCE_CONTROL, SOURCE_LINK, SOURCE_DATA, SOURCE_CLASSES };

/* Something with an fd in the epoll; embedded in its owner. fd -1: gone, its events are void. */
struct source {
	int fd;
	enum source_class class;
	void (*ready)(struct engine *e, struct source *src, uint32_t events);
};

/* What went wrong on our side of things; the wire's mishaps are the stack's counters. */
struct engine_counters {
	uint64_t bad_requests; /* malformed, or of somebody without the right */
	uint64_t bad_control;
	uint64_t clients_refused;
	uint64_t socks_refused;   /* no fd, memory or slot */
	uint64_t accept_failures; /* accept4 or socket said no */
};

struct engine {
	struct settings settings;
	uid_t uid;
	pid_t pid;
	uint8_t token[IPC_TOKEN_LEN];
	char instance[IPC_INSTANCE_LEN];

	int epoll;
	struct source control, data, dgrams, link, signals;
	bool data_paused; /* no fd left: neither data nor dgrams is accepted from */
	uint64_t turn, accepted_in; /* of the loop, from 1 on; in which a program came last */
	unsigned accepts; /* programs that were accepted then, at most */

	struct host *host; /* NULL in tests that bring their own stack */
	struct stack *stack;
	bool link_down; /* the last thing heard of the interface */
	enum address_state address;

	struct watch *watch; /* captures, traces, impairment; NULL in tests without a host */
	struct resolver *resolver; /* names; NULL until a program asks */
	nsec started;

	struct ipc_table *table;
	int table_fd, corks_fd;
	struct sock **by_slot; /* the sock of each slot of the table */

	struct list clients;
	struct list pools;     /* of clients, and of those that are gone while some of it is on its way */
	uint64_t lend_secret;
	uint32_t lend_ids;     /* given to pools */
	unsigned norphans;     /* pools whose clients are gone */
	struct list socks;
	struct list due;       /* socks to be served in step 4 */
	struct list dirty;     /* socks whose slot is to be looked at, at the end of the turn */
	struct list aging;     /* socks whose slot is behind, or may be (table.c); oldest first */
	unsigned nbehind;      /* of these, those whose slot is */
	struct list lingering; /* socks shut both ways, FIN unacknowledged: did the program close? */
	struct list selfs;     /* accepted connections on their way through our own data name */
	struct list starved;   /* listeners that wait for a free fd */
	struct list unread;    /* socks with forwarded bytes that are still in the queue, oldest first */
	struct list blocked;   /* datagram sockets that wait for the link */
	struct list dead;
	unsigned nclients, nsocks, fd_limit;
	size_t pumped; /* bytes from programs in step 4 since the stack sent last */
	uint64_t raised, raised_max; /* bytes that programs' ends may hold more (pump_recv.c); at most */

	nsec now;
	nsec wall_at;        /* for which `now` the next was found */
	int64_t wall_offset; /* CLOCK_REALTIME less `now` */
	struct spin spin;
	struct crowd crowd;
	struct moderation dgram_moderation, bulk_moderation;
	uint64_t received;           /* bytes of connections that programs were given */
	nsec frames_since;           /* those that wait, at the earliest */
	bool frames_left;            /* of an earlier turn */
	bool dgrams_held, link_held; /* moderation.h */
	bool apart;                  /* datagrams can be, without the rest */
	bool coarse;                 /* the loop can only wait in milliseconds */
	nsec idle_since; /* NSEC_NEVER: busy */
	nsec linger_at;  /* next look at `lingering` */
	nsec retry_at;   /* next try for those who wait for an fd */
	nsec leave_at;   /* the address is somebody else's: refusing programs until then */
	bool stopping;
	struct engine_counters counters;
	uint8_t scratch[ENGINE_SCRATCH_LEN];
	uint8_t message[sizeof(struct ipc_dgram) + IPC_DGRAM_DATA_MAX];
};

/* The host that an engine of these settings opens; `s` lives as long as `out`. */
struct host_config;
void engine_host_config(const struct settings *s, struct host_config *out);

/* Everything but names, link and table; the engine is all zero before. */
void engine_init(struct engine *e, const struct settings *settings);

/*
 * startup.c: 0, or a positive errno with one line in `error`. engine_claim_name makes us the one
 * engine of our settings: EADDRINUSE means that there is one. engine_start does the rest; when it
 * fails, those who wait are told.
 */
int engine_claim_name(struct engine *e, char error[static IPC_TEXT_LEN]);
int engine_start(struct engine *e, char error[static IPC_TEXT_LEN]);

/* Ends every connection with RST, tells the waiting, closes in order. */
void engine_stop(struct engine *e);

/* loop.c */
int loop_open(struct engine *e);
void loop_run(struct engine *e);
int loop_add(struct engine *e, struct source *src, uint32_t events);
void loop_rearm(struct engine *e, struct source *src, uint32_t events);
void loop_datagram_sent(struct engine *e); /* by a program */
void loop_bytes_sent(struct engine *e);

/* Names, link and signals into the epoll. */
void loop_sources(struct engine *e);

/* One turn, after the sleep; e->now is set. */
void loop_turn(struct engine *e, struct epoll_event *events, int n);

/* Acts on the stack's events until there are none; whether there was one. */
bool loop_run_events(struct engine *e);

/* Frees what ended, and lets those in who waited for an fd. */
void loop_bury(struct engine *e);

/* client.c: the control channel. */
void client_accept_ready(struct engine *e, struct source *src, uint32_t events);
void clients_close(struct engine *e);

/* The address is ours: WELCOME for those who wait. */
void clients_answer(struct engine *e);

/* Everybody who waits, also in the queue, is told why not. */
void clients_refuse(struct engine *e, int error, const char *text);

/* table.c */
int table_open(struct engine *e, unsigned max_socks);
void table_close(struct engine *e);
void table_describe(struct engine *e, uint16_t mtu); /* address and way out, for the shims */

/* A slot that says `first`; false: the cookie is taken, or there is no room. */
bool table_claim(
	struct engine *e, struct sock *s, uint64_t cookie, const struct ipc_sock_info *first);
struct sock *table_sock(const struct engine *e, uint64_t cookie);
void table_flush(struct engine *e);

/* When table_flush has work without any event; NSEC_NEVER: none. */
nsec table_deadline(const struct engine *e);

/* The slot, now. */
void table_write(struct engine *e, struct sock *s);

/* Whether somebody listens for loopback connections at the sock's port, after it began or ended to. */
void table_note_listener(struct engine *e, const struct endpoint *local);

/* Bytes are about to leave the program's queue: until the next write of the slot, some are unsent. */
void table_note_unsent(struct sock *s);

/* The slot is DEAD and keeps `error`. */
void table_release(struct engine *e, struct sock *s, int error);

/* options.c: applies an option to the sock's connection (if there is one yet) and to its slot. */
int option_apply(struct engine *e, struct sock *s, enum ipc_option o, int64_t value);
void option_apply_all(struct engine *e, struct sock *s, uint32_t set, const int64_t *value);

/*
 * Corks and TCP_NODELAY are words in memory (core/ipc/cork.h). Before what the program wrote is read:
 * the number of flushes, which goes to sock.flushes when all has been. After it: the tcp gets what the
 * word says.
 */
uint32_t option_cork_begin(struct engine *e, struct sock *s);
void option_cork(struct engine *e, struct sock *s);

#endif
