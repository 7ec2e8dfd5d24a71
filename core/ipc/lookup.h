/*
 * A program's question about a name, and the engine's answer.
 *
 * The shim makes a SEQPACKET pair for each lookup, writes a struct ipc_lookup into its end and sends
 * the other end over the control channel (IPC_LOOKUP). The answer comes back on the pair: one struct
 * ipc_answer with its data behind it. So any number of threads may ask at once, none of them sees
 * another's answer, an engine that dies shows as the end of the pair, and a program that dies takes
 * its question back.
 *
 * The program's view of the world stays the program's: its files (hosts, nsswitch.conf, resolv.conf)
 * may be others than the engine's (chroot, mount namespaces), so glibc reads them in the program and
 * servers, search list and options come with the question.
 */
#ifndef TEECEE_IPC_LOOKUP_H
#define TEECEE_IPC_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/ipc/proto.h"
#include "core/ipc/settings.h"

enum {
	IPC_LOOKUP_NAME_LEN = 1028,   /* NS_MAXDNAME of <arpa/nameser.h> and its NUL */
	IPC_LOOKUP_PACKET_LEN = 4096, /* a query that the program made itself */
	IPC_ANSWER_DATA_MAX =
		128 << 10, /* a TCP answer has at most 65535 bytes; they may be parsed */
};

enum ipc_lookup_kind {
	IPC_LOOKUP_FORWARD = 1, /* name to addresses, by the search list */
	IPC_LOOKUP_REVERSE,     /* addr to names */
	IPC_LOOKUP_QUERY,       /* name as it is: the DNS message */
	IPC_LOOKUP_SEARCH,      /* the same by the search list */
	IPC_LOOKUP_SEND,        /* the `name_len` bytes of `name` are the query: the DNS message */
	IPC_LOOKUP_KINDS,
};

enum ipc_lookup_flags {
	IPC_LOOKUP_USE_TCP = 1,
	IPC_LOOKUP_EDNS = 2,
	IPC_LOOKUP_ROTATE = 4,
	IPC_LOOKUP_IGNORE_TC = 8,
};

struct ipc_lookup {
	struct ipc_header h;
	uint16_t kind;   /* enum ipc_lookup_kind */
	uint16_t family; /* FORWARD: AF_INET, AF_INET6 or AF_UNSPEC */
	uint16_t class, type;
	uint32_t flags;
	uint32_t timeout_ms; /* of the first try */
	uint16_t ndots, tries;
	uint16_t name_len;
	uint8_t nservers;
	uint8_t by_host;    /* bit per server: asked over the host's kernel */
	struct ipaddr addr; /* REVERSE */
	struct endpoint server[SETTINGS_DNS_MAX];
	char domains
		[IPC_LOOKUP_NAME_LEN]; /* the search list, each with a NUL behind it, and one more */
	char name[IPC_LOOKUP_PACKET_LEN]; /* NUL-terminated unless SEND */
};

/*
 * FORWARD, REVERSE: `naddrs` times struct ipaddr, then `nnames` NUL-terminated names, the canonical
 * one first. Others: the DNS message, also with an error if there was one.
 */
struct ipc_answer {
	struct ipc_header h; /* its len counts the data too */
	int32_t status;  /* that of h_errno: 0, HOST_NOT_FOUND, TRY_AGAIN, NO_RECOVERY, NO_DATA */
	uint8_t refused; /* with TRY_AGAIN: servers refused or failed; else none answered */
	uint8_t pad[3];
	uint16_t naddrs, nnames;
	uint8_t data[];
};

/* Whether the `len` bytes at `m` are a request that can be acted upon. */
bool ipc_lookup_check(const struct ipc_lookup *m, size_t len);

/* Begins an answer; then addresses, names, bytes in this order. False: no room, nothing is added. */
void ipc_answer_begin(struct ipc_answer *a, int status);
bool ipc_answer_add_addr(struct ipc_answer *a, const struct ipaddr *addr);
bool ipc_answer_add_name(struct ipc_answer *a, const char *name);
bool ipc_answer_add_bytes(struct ipc_answer *a, const void *data, size_t len);

/* Whether the `len` bytes at `a` are an answer whose counts hold. */
bool ipc_answer_check(const struct ipc_answer *a, size_t len);

/* Of a checked answer: address `i`, the first name, the name behind one, and all the data. */
struct ipaddr ipc_answer_addr(const struct ipc_answer *a, unsigned i);
const char *ipc_answer_name(const struct ipc_answer *a);
const char *ipc_answer_next_name(const char *name);
size_t ipc_answer_data_len(const struct ipc_answer *a);

#endif
