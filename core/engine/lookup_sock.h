/*
 * What c-ares has for sockets: datagram and stream sockets of the stack, or of the host's kernel for
 * servers on its loopback. Their numbers are indices, never descriptors.
 */
#ifndef TEECEE_ENGINE_LOOKUP_SOCK_H
#define TEECEE_ENGINE_LOOKUP_SOCK_H

#include <ares.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/engine/engine.h"
#include "core/ipc/lookup.h"

/* One per server and transport, and those of a server that failed before. */
enum { LOOKUP_SOCKS_MAX = 4 * SETTINGS_DNS_MAX };

struct lookup_sock {
	struct source src; /* fd -1 unless the kernel's */
	struct lookup_socks *owner;
	struct dgram *dgram;
	struct tcp *tcp;
	int type; /* SOCK_DGRAM, SOCK_STREAM; 0: free */
	bool wants_write;
	int error;     /* positive errno that ICMP brought, not told yet */
	uint8_t *kept; /* a datagram that met a full link, or NULL */
	size_t kept_len;
};

struct lookup_socks {
	struct engine *e;
	ares_channel channel;
	const struct ipc_lookup *question; /* who is asked over the kernel */
	struct lookup_sock sock[LOOKUP_SOCKS_MAX];
};

/* `s` is all zero before; the channel is the owner's, and destroyed by it. */
void lookup_socks_init(struct lookup_socks *s, struct engine *e, const struct ipc_lookup *question);
void lookup_socks_use(struct lookup_socks *s, ares_channel channel);

/* c-ares's ares_sock_state_cb, with a struct lookup_socks as data. */
void lookup_socks_state(void *data, ares_socket_t fd, int readable, int writable);

/* Hands c-ares what the stack has for it; whether there was something. */
bool lookup_socks_serve(struct lookup_socks *s);

#endif
