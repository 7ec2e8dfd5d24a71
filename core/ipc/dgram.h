/*
 * Datagram sockets between shim and engine: UDP, ping (icmp(7)) and raw ICMP.
 *
 * The program's socket is an AF_UNIX SEQPACKET socket, connected in socket() to a third abstract
 * name of the engine (ipc_dgram_name). Every message begins with one struct ipc_dgram, in both
 * directions; a datagram follows it.
 *
 *	OPEN                        the first message: which socket this is
 *	SETOPT                      a setsockopt, in its order among the datagrams
 *	BIND CONNECT DISCONNECT     requests: each carries one end of a socket pair (SCM_RIGHTS), on
 *	JOIN LEAVE SYNC             which a struct ipc_reply comes back; the queue of the socket itself
 *	                            may hold datagrams. When the engine dies, the pair tells. SYNC
 *	                            only asks: everything sent before it has been dealt with
 *	DATA                        a datagram; `remote` all zero: to the connected peer
 *	ERROR                       engine to program: an error is pending, or queued (IP_RECVERR)
 *
 * The header proves itself by the engine's instance, 64 random bits that never leave the machine:
 * nobody on the network can forge one. What does not begin with it is the plain write of a program
 * without the shim (a child that inherited the socket) and goes to the connected peer as it is.
 *
 * Nobody waits for a program: when its socket is full, datagrams wait in the stack up to SO_RCVBUF
 * and are then dropped. The other way AF_UNIX makes the program wait, as a full SO_SNDBUF does.
 */
#ifndef TEECEE_IPC_DGRAM_H
#define TEECEE_IPC_DGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#include "core/base/addr.h"
#include "core/ipc/option.h"
#include "core/ipc/proto.h"
#include "core/ipc/settings.h"

enum { IPC_DGRAM_DATA_MAX = 65535 };

/* ipc_sock_info.kind, and of OPEN. */
enum ipc_kind { IPC_KIND_TCP, IPC_KIND_UDP, IPC_KIND_PING, IPC_KIND_RAW };

enum ipc_dgram_op {
	IPC_DGRAM_OPEN = 1,
	IPC_DGRAM_SETOPT,
	IPC_DGRAM_BIND,
	IPC_DGRAM_CONNECT,
	IPC_DGRAM_DISCONNECT,
	IPC_DGRAM_JOIN,
	IPC_DGRAM_LEAVE,
	IPC_DGRAM_SYNC,
	IPC_DGRAM_DATA,
	IPC_DGRAM_ERROR,
};

enum ipc_dgram_flags {
	IPC_DGRAM_QUEUED = 1,  /* ERROR: for the error queue */
	IPC_DGRAM_PENDING = 2, /* ERROR: the next call reports it */
	IPC_DGRAM_LOCAL = 4,   /* ERROR: not ICMP's (SO_EE_ORIGIN_LOCAL) */
};

struct ipc_dgram {
	char instance[IPC_INSTANCE_LEN];
	uint16_t version, op;
	uint32_t len;           /* header and data */
	uint64_t cookie;        /* OPEN: of the program's socket */
	int64_t value;          /* SETOPT; DATA, ERROR to the program: arrival, ns since 1970 */
	struct endpoint remote; /* DATA: peer. ERROR: where ours was going. BIND: the local address */
	uint16_t family;        /* OPEN: AF_INET or AF_INET6 */
	struct ipaddr local;    /* DATA to the program: where it was sent to. JOIN, LEAVE: the group */
	struct ipaddr offender; /* ERROR */
	int16_t ttl, tos;       /* DATA; to the engine -1: the socket's */
	uint16_t kind;          /* OPEN: enum ipc_kind */
	uint16_t flags;         /* enum ipc_dgram_flags */
	uint32_t option;        /* SETOPT: enum ipc_dgram_option */
	int32_t error;          /* ERROR: positive errno */
	uint32_t info;          /* ERROR: with EMSGSIZE the MTU */
	uint8_t type, code;     /* ERROR: ICMP's */
	uint8_t pad[6];
	uint8_t token[IPC_TOKEN_LEN]; /* OPEN: of a client of another uid */
};

/* The abstract name that datagram sockets connect to. */
socklen_t ipc_dgram_name(
	struct sockaddr_un *out, const struct settings *s, uid_t uid, const char *instance);

/* Whether a peer's name, `len` bytes of path, is one of these and not a data name. */
bool ipc_is_dgram_name(const char *path, size_t len);

struct ipc_dgram ipc_dgram(const char instance[static IPC_INSTANCE_LEN], enum ipc_dgram_op op,
	size_t data_len);

/* Whether the `len` bytes at `message` begin with a header of that instance and are all of it. */
bool ipc_dgram_check(
	const struct ipc_dgram *h, size_t len, const char instance[static IPC_INSTANCE_LEN]);

/*
 * Options of datagram sockets; they share the place of TCP's in a slot. Units are the program's;
 * buffers as getsockopt shows them, doubled.
 */
enum ipc_dgram_option {
	IPC_DGRAM_OPT_REUSEADDR,
	IPC_DGRAM_OPT_REUSEPORT,
	IPC_DGRAM_OPT_BROADCAST,
	IPC_DGRAM_OPT_SNDBUF,
	IPC_DGRAM_OPT_RCVBUF,
	IPC_DGRAM_OPT_NO_CHECK,
	IPC_DGRAM_OPT_TIMESTAMP,
	IPC_DGRAM_OPT_TIMESTAMPNS,
	IPC_DGRAM_OPT_TOS,
	IPC_DGRAM_OPT_TTL,
	IPC_DGRAM_OPT_MTU_DISCOVER,
	IPC_DGRAM_OPT_RECVERR,
	IPC_DGRAM_OPT_PKTINFO,
	IPC_DGRAM_OPT_RECVTTL,
	IPC_DGRAM_OPT_RECVTOS,
	IPC_DGRAM_OPT_MULTICAST_TTL,
	IPC_DGRAM_OPT_MULTICAST_LOOP,
	IPC_DGRAM_OPT_MULTICAST_ALL,
	IPC_DGRAM_OPT_ICMP_FILTER,
	IPC_DGRAM_OPT_V6ONLY,
	IPC_DGRAM_OPT_RETOPTS, /* of packets with IP options, which are not looked at */
	IPC_DGRAM_OPT_COUNT,
};

_Static_assert((int)IPC_DGRAM_OPT_COUNT <= (int)IPC_OPT_COUNT, "they fit into a slot");

extern const struct ipc_option_info ipc_dgram_option_info[IPC_DGRAM_OPT_COUNT];

/* The option for (level, optname), or -1. */
int ipc_dgram_option_find(int level, int optname);

/* As ipc_option_decode and ipc_option_encode. */
int ipc_dgram_option_decode(
	enum ipc_dgram_option o, const void *value, size_t len, int64_t *out);
size_t ipc_dgram_option_encode(enum ipc_dgram_option o, int64_t value, void *out, size_t len);

#endif
