/*
 * This process and its engine: found or started, greeted, and told about options. See proto.h for
 * the talk.
 */
#ifndef TEECEE_PRELOAD_ENGINE_H
#define TEECEE_PRELOAD_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/ipc/dgram.h"
#include "core/ipc/proto.h"

/* What a greeted engine told us. */
struct engine_link {
	int instance; /* index of preload/instance.h */
	char id[IPC_INSTANCE_LEN];
	uint8_t token[IPC_TOKEN_LEN];
	struct sockaddr_un data; /* the name that sockets connect to */
	socklen_t data_len;
	struct sockaddr_un dgram; /* the name that datagram sockets connect to */
	socklen_t dgram_len;
	uint16_t mtu;
	struct ipnet address; /* ours */
};

/*
 * Makes sure that there is a control channel and tells about its engine. `start`: an engine that is
 * not there is started; the person is told when that fails. 0 or -errno for the program's call,
 * -ECONNREFUSED (with `start` false): there is none.
 */
int engine_get(bool start, struct engine_link *out);

/* The engine does not answer at its data name any more: the next engine_get looks for another. */
void engine_lost(int instance);

/* Sends an option for a socket that the engine knows: 0 or -ENETDOWN. */
int engine_set_option(int instance, uint64_t cookie, enum ipc_option o, int64_t value);

/*
 * Sends a message with an fd, which stays the caller's, to the engine (started if there is none):
 * 0, or -errno for the program's call.
 */
int engine_pass(const void *data, size_t len, int fd);

#endif
