/*
 * Socket options that the engine has to know. Everything else is either the real AF_UNIX socket's
 * own business (SO_RCVTIMEO, SO_SNDTIMEO, O_NONBLOCK, SO_PASSCRED…) or ENOPROTOOPT.
 *
 * Values travel as int64_t in the unit the program uses (seconds for TCP_KEEPIDLE, milliseconds for
 * TCP_USER_TIMEOUT, bytes for SO_SNDBUF as getsockopt shows it, doubled); SO_LINGER is -1 when off,
 * else its seconds. The engine converts.
 */
#ifndef TEECEE_IPC_OPTION_H
#define TEECEE_IPC_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum ipc_option {
	IPC_OPT_REUSEADDR,
	IPC_OPT_REUSEPORT,
	IPC_OPT_KEEPALIVE,
	IPC_OPT_LINGER,
	IPC_OPT_SNDBUF,
	IPC_OPT_RCVBUF,
	IPC_OPT_OOBINLINE,
	IPC_OPT_NODELAY,
	IPC_OPT_CORK,
	IPC_OPT_KEEPIDLE,
	IPC_OPT_KEEPINTVL,
	IPC_OPT_KEEPCNT,
	IPC_OPT_SYNCNT,
	IPC_OPT_USER_TIMEOUT,
	IPC_OPT_MAXSEG,
	IPC_OPT_QUICKACK,
	IPC_OPT_LINGER2,
	IPC_OPT_DEFER_ACCEPT,
	IPC_OPT_TOS,
	IPC_OPT_TTL,
	IPC_OPT_V6ONLY,
	IPC_OPT_PLAIN, /* so many are described by level, name and range */
	/* The name's bytes, see ipc_congestion_pack. */
	IPC_OPT_CONGESTION = IPC_OPT_PLAIN,
	/* What is no option of a program's, but travels like one. */
	IPC_OPT_FLUSH,   /* a cork was taken off that the engine has seen (cork.h) */
	IPC_OPT_BACKLOG, /* listen() on a listening socket */
	IPC_OPT_COUNT,
};

struct ipc_option_info {
	const char *name;  /* "TCP_NODELAY" */
	int level, optname; /* as in setsockopt(2) */
	int64_t initial;   /* what getsockopt says on a new TCP socket */
	int64_t min, max;  /* outside: EINVAL */
	bool is_bool;      /* any non-zero is 1 */
};

extern const struct ipc_option_info ipc_option_info[IPC_OPT_COUNT];

/* The option for (level, optname), or -1. */
int ipc_option_find(int level, int optname);

/*
 * The program's value to ours, checked the way the kernel checks it: 0, -EINVAL (size, range),
 * -EFAULT is the caller's: `value` must be readable.
 */
int ipc_option_decode(enum ipc_option o, const void *value, size_t len, int64_t *out);

/*
 * The name of a congestion controller as a value and back: at most eight bytes, no NUL among them.
 * -1: no controller of that name is known.
 */
int64_t ipc_congestion_pack(const char *name, size_t len);
void ipc_congestion_unpack(int64_t value, char name[static 9]);

/* Ours to the program's, cut to `len` as the kernel does: the length written. */
size_t ipc_option_encode(enum ipc_option o, int64_t value, void *out, size_t len);

#endif
