/*
 * Ancillary data of datagrams: built in a room of ours, given to the program as far as its own
 * reaches.
 */
#ifndef TEECEE_PRELOAD_DGRAM_MSG_H
#define TEECEE_PRELOAD_DGRAM_MSG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/ipc/dgram.h"
#include "preload/identity.h"

enum { CMSG_ROOM = 256 };

struct cmsg_room {
	uint8_t *bytes; /* CMSG_ROOM of them */
	size_t len;
};

void cmsg_put(struct cmsg_room *room, int level, int type, const void *data, size_t len);

/* SO_TIMESTAMP or SO_TIMESTAMPNS, if the program asked; `when` in ns since 1970. */
void cmsg_timestamp(struct cmsg_room *room, const struct shim_sock *s, int64_t when);

/* Everything else that the program asked for about a datagram. */
void cmsg_datagram(struct cmsg_room *room, const struct shim_sock *s, const struct ipc_dgram *h);

/* Into the program's memory; m->msg_controllen and MSG_CTRUNC in m->msg_flags are set. */
int cmsg_give(const struct cmsg_room *room, struct msghdr *m);

/*
 * What the program's ancillary data of a sendmsg says goes into the header: 0, -EINVAL, -EFAULT,
 * -EADDRNOTAVAIL (a source that is not ours).
 */
int cmsg_read(const struct msghdr *m, const struct shim_sock *s, struct ipc_dgram *h);

#endif
