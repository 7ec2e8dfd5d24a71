/*
 * Where the relay (hop.c) waits for programs (hop_preload.c): at abstract AF_UNIX addresses of the
 * network namespace, one for connections (SOCK_STREAM) and one for datagrams (SOCK_SEQPACKET). The
 * first message is the struct sockaddr_in of whom the program wants to talk to; its data follow.
 */
#ifndef TEECEE_TESTS_BENCH_HOP_H
#define TEECEE_TESTS_BENCH_HOP_H

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

static inline struct sockaddr_un hop_address(int type)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "teecee-hop-%d", type);
	return at;
}

#endif
