/*
 * How shim and engine talk. Both come from one build (the version is checked), run on one machine
 * and trust each other only as far as the checks named here go.
 *
 * NAMES. The engine listens on two abstract AF_UNIX names in its network namespace:
 *
 *	control  SEQPACKET  \0teecee/UID/IFACE/IPSPEC               found by everybody; binding it
 *	         makes the engine unique
 *	data     STREAM     \0teecee/UID/IFACE/IPSPEC/INSTANCE      told in the WELCOME; INSTANCE is
 *	         16 random hex digits
 *
 * A raw getpeername() on a program's fd that answers the data name says: ours, of that instance.
 * The sockets that the engine passes for accepted connections are connected to its own data name
 * for that reason. Abstract names can be squatted: each side compares SO_PEERCRED's uid with its
 * own; a client of another uid (a server that dropped privileges) shows the token that its process
 * got in a WELCOME before.
 *
 * CONTROL CHANNEL. One per process, opened at the first control call that needs it. The client
 * sends HELLO, the engine answers WELCOME (with the memfds of the table, of the cork words and of a
 * pool of memory to lend) or
 * REFUSED, as soon as it has its address. Then come ATTACH messages, if any, each of them answered,
 * and then SETOPT messages that nobody waits for.
 *
 * DATA SOCKET. A stream socket of the program. Before it is established it carries requests, each
 * of them IPC_REQUEST_LEN bytes in one send and one more byte in another: the padding and a lowered
 * SO_SNDBUF keep POLLOUT away while a connect is pending, and the last byte is the *residual byte*
 * that the engine always leaves unread, so that its closing, wanted or not, shows as ECONNRESET
 * (never as a clean end). A later request on the same socket simply follows: whatever was residual
 * is then read, and the new last byte stays.
 *
 *	CONNECT   no reply: POLLOUT (the engine consumed the request) or the engine closes; the
 *	          errno is in the table
 *	BIND      struct ipc_reply
 *	LISTEN    struct ipc_reply; from then on struct ipc_accepted messages, each with one fd
 *
 * A connection that the peer reset, or that never came to be: the engine closes its end without
 * reading the residual byte. An orderly one: the engine shuts down its write side at the peer's
 * FIN, and when both directions are done reads the residual byte and closes.
 */
#ifndef TEECEE_IPC_PROTO_H
#define TEECEE_IPC_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/base/addr.h"
#include "core/ipc/option.h"
#include "core/ipc/settings.h"

enum {
	IPC_MAGIC = 0x74654365, /* "teCe" */
	IPC_VERSION = 3,
	IPC_REQUEST_LEN = 8191,
	IPC_TOKEN_LEN = 16,
	IPC_TEXT_LEN = 256,
	IPC_INSTANCE_LEN = 16, /* hex digits */
	IPC_SPEC_LEN = 1024,
};

enum ipc_op {
	IPC_HELLO = 1, /* control, client to engine: struct ipc_hello */
	IPC_WELCOME,   /* control, engine to client: struct ipc_welcome and enum ipc_welcome_fd */
	IPC_REFUSED,   /* control, engine to client: struct ipc_refused; the engine closes */
	IPC_SETOPT,    /* control, client to engine: struct ipc_setopt */
	IPC_CONNECT,   /* data: struct ipc_request */
	IPC_BIND,
	IPC_LISTEN,
	IPC_REPLY,     /* data, engine to client: struct ipc_reply */
	IPC_ACCEPTED,  /* data, engine to client: struct ipc_accepted */
	/* control, client to engine: struct ipc_header only; end now (teecee stop) */
	IPC_STOP,
	IPC_ATTACH,   /* control, client to engine: struct ipc_attach, for most kinds with an fd */
	IPC_RESULT,   /* control, engine to client: struct ipc_result, the answer */
	IPC_SNAPSHOT, /* control, client to engine: struct ipc_header; answer: IPC_RESULT and a memfd */
	/* control, client to engine: struct ipc_header and a pair's end, which has a struct ipc_lookup */
	IPC_LOOKUP,
	IPC_ANSWER, /* on that pair, engine to client: struct ipc_answer (lookup.h) */
};

/* Every message starts with it; `len` counts all of the message's struct. */
struct ipc_header {
	uint32_t magic;
	uint16_t version;
	uint16_t op;
	uint32_t len;
	uint32_t pad;
};

struct ipc_hello {
	struct ipc_header h;
	uint8_t token[IPC_TOKEN_LEN]; /* zero: none yet */
	/*
	 * What the engine must agree with: TEECEE_GATEWAY, MAC, LINK, MTU; unset means "whatever
	 * you have".
	 */
	/* mac_mode, link: 0 unset, else 1 + the enum of settings.h */
	uint8_t has_gateway, mac_mode, link;
	uint8_t lends; /* wants a pool (lend.h) */
	uint8_t pad[4];
	struct ipaddr gateway;
	struct macaddr mac;
	uint16_t mtu; /* 0: unset */
};

/* What comes with a WELCOME; the pool if it was asked for and there is memory. */
enum ipc_welcome_fd { IPC_FD_TABLE, IPC_FD_CORKS, IPC_FD_POOL, IPC_FDS_MAX };

struct ipc_welcome {
	struct ipc_header h;
	uint8_t token[IPC_TOKEN_LEN];
	char instance[IPC_INSTANCE_LEN];
	uint64_t table_size; /* bytes of its memfd */
	struct ipnet address; /* ours */
	uint16_t mtu;
	uint8_t pad[5];
};

struct ipc_refused {
	struct ipc_header h;
	int32_t error;           /* positive errno for the program's call */
	char text[IPC_TEXT_LEN]; /* one line for the person, without "teecee: " and newline */
};

struct ipc_setopt {
	struct ipc_header h;
	uint64_t cookie;
	uint32_t option; /* enum ipc_option */
	uint32_t pad;
	int64_t value;
};

struct ipc_request {
	struct ipc_header h;
	uint8_t token[IPC_TOKEN_LEN];
	uint64_t cookie;      /* SO_COOKIE of the program's socket: its key in the table */
	uint16_t family;      /* AF_INET or AF_INET6: what the program asked socket() for */
	uint8_t v6only;
	uint8_t pad0;
	struct endpoint addr; /* CONNECT: remote; BIND: local */
	uint16_t pad1;
	int32_t backlog;      /* LISTEN */
	uint32_t option_set;  /* bit per enum ipc_option: set before the socket met the engine */
	uint32_t pad2;
	int64_t option[IPC_OPT_COUNT];
};

struct ipc_reply {
	struct ipc_header h;
	int32_t error; /* positive errno; 0: done */
	struct endpoint local;
	uint16_t pad;
};

struct ipc_accepted {
	struct ipc_header h;
	uint64_t cookie; /* of the fd that comes with it, which is non-blocking */
	struct endpoint local, remote;
	uint32_t pad;
};

/*
 * What a client has seen or done on the wire, for as long as it lives and its connections after it:
 * descriptors that it opened itself, and rules. Several processes with the same file, or the same
 * rules, share them. IMPAIR_SET and the two after it come from `teecee impair`.
 */
enum ipc_attach_kind {
	IPC_ATTACH_STDERR = 1,  /* fd: where the person looks; given back when the channel closes */
	IPC_ATTACH_CAPTURE,     /* fd; text: a filter. With count > 1 that many messages, one fd each */
	IPC_ATTACH_TRACE,       /* fd, or none: the one of STDERR */
	IPC_ATTACH_IMPAIR,      /* text: the rules */
	IPC_ATTACH_IMPAIR_SET,  /* text: the rules of everybody from now on */
	IPC_ATTACH_IMPAIR_SHOW, /* the answer's text has them */
	IPC_ATTACH_IMPAIR_CLEAR,
	IPC_ATTACH_KINDS,
};

struct ipc_attach {
	struct ipc_header h;
	uint8_t kind; /* enum ipc_attach_kind */
	uint8_t colour;
	uint8_t index, count; /* of the files of one capture */
	uint32_t has_seed;
	uint64_t seed;
	uint64_t size; /* bytes after which a capture goes on in the next file; 0: never */
	char text[IPC_SPEC_LEN];
};

struct ipc_result {
	struct ipc_header h;
	int32_t error; /* positive errno; 0: done */
	uint32_t pad;
	char text[IPC_SPEC_LEN]; /* one line about the error, or what was asked for */
};

/* What a snapshot's memfd holds: this, then the sockets, then the counters. */
struct ipc_snapshot {
	uint32_t magic, version;
	uint32_t nsocks, ncounters;
	uint32_t sock_size, counter_size;
	int32_t engine_pid;
	uint32_t pad;
	int64_t up; /* nanoseconds since the engine's start */
	char ip[SETTINGS_IP_SPEC_LEN];
	char iface[IFNAMSIZ];
	uint32_t pad1;
};

struct ipc_snap_sock {
	uint8_t kind; /* 6 or 17: IP's number of the protocol */
	uint8_t tcp_state; /* Linux's number */
	uint16_t family;
	int32_t pid; /* of the process that made the socket; 0: its program has closed it */
	struct endpoint local, remote;
	uint32_t pad;
	uint64_t recv_queue, send_queue;
	uint64_t cookie;
	uint64_t rcv_wnd, snd_wnd; /* bytes */
	char congestion[16];
	uint32_t tcp_info_len, pad1;
	uint8_t tcp_info[256]; /* struct tcp_info of <linux/tcp.h> */
};

struct ipc_snap_counter {
	char part[8]; /* "stack", "link", "impair", "engine" */
	char name[32];
	char text[104]; /* what it counts */
	uint64_t value;
};

/* Fills a header for a message of `len` bytes. */
struct ipc_header ipc_header(enum ipc_op op, size_t len);

/* Whether `data` is a whole message of kind `op`: magic, version and length (`want`) are right. */
bool ipc_check(const void *data, size_t len, enum ipc_op op, size_t want);

/*
 * The abstract names; the result is the address length. `instance` NULL: the control name, else the
 * data name. settings_resolve must have run.
 */
socklen_t ipc_name(struct sockaddr_un *out, const struct settings *s, uid_t uid, const char *instance);

/* SO_PEERCRED's uid and pid of a connected socket: 0 or -errno. */
int ipc_peer(int fd, uid_t *uid, pid_t *pid);

/*
 * sendmsg/recvmsg of one message with at most one fd, or n of them, IPC_FDS_MAX at most (-1: none); MSG_NOSIGNAL,
 * close-on-exec. Bytes or -errno. Of a message with more fds than asked for the rest is closed.
 */
ssize_t ipc_send_fd(int socket, const void *data, size_t len, int fd, int flags);
ssize_t ipc_recv_fd(int socket, void *data, size_t len, int *fd, int flags);
ssize_t ipc_send_fds(int socket, const void *data, size_t len, const int *fd, unsigned n, int flags);
ssize_t ipc_recv_fds(int socket, void *data, size_t len, int *fd, unsigned n, int flags);

enum { IPC_INCOMING_MAX = 4 };

struct ipc_incoming {
	void *data;  /* the caller's buffer of `room` bytes */
	size_t room;
	size_t len;  /* of the message; 0: the other end has closed */
	int fd;      /* that came with it, the caller's now; -1: none */
};

/* The same for up to `n` (IPC_INCOMING_MAX) messages: how many there were, at least one, or -errno. */
int ipc_recv_all(int socket, struct ipc_incoming *in, unsigned n, int flags);

#endif
