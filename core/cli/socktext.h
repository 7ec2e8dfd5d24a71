/*
 * A socket of a snapshot in words, for all who list them.
 */
#ifndef TEECEE_CLI_SOCKTEXT_H
#define TEECEE_CLI_SOCKTEXT_H

#include <linux/tcp.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/ipc/proto.h"

enum { COMM_LEN = 32, END_LEN = ENDPOINT_STRLEN + 4 };

/* Linux's numbers of TCP states that somebody asks for. */
enum {
	SOCK_ESTABLISHED = 1,
	SOCK_TIME_WAIT = 6,
	SOCK_CLOSED = 7,
	SOCK_LISTEN = 10,
	SOCK_STATES = 12
};

bool sock_is_tcp(const struct ipc_snap_sock *s);

/* ss(8)'s word: ESTAB, UNCONN, … */
const char *sock_state(const struct ipc_snap_sock *s);

/* 10.0.0.1:80, *:80, *:* */
void sock_end(const struct endpoint *e, char out[static END_LEN]);

/* The name of a process, "" when it has none any more. */
void sock_process(int32_t pid, char out[static COMM_LEN]);

/* What the snapshot has of it; the rest is 0. */
struct tcp_info sock_info(const struct ipc_snap_sock *s);

#endif
