/*
 * How much a socket that sends frames can still take.
 */
#ifndef TEECEE_LINK_ROOM_H
#define TEECEE_LINK_ROOM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Sets a buffer size by `force` (SO_SNDBUFFORCE, SO_RCVBUFFORCE: CAP_NET_ADMIN) or else by `plain`
 * (what net.core.*mem_max allows). Returns what it is now, as the kernel counts it.
 */
int room_set(int fd, int force, int plain, int bytes);

/*
 * Whether `count` frames of up to `size` bytes fit into a send buffer of `buffer` bytes; a frame
 * costs its buffer's power of two and an skb. An empty queue has room for anything.
 */
bool room_for(int fd, int buffer, size_t count, size_t size);

#endif
