/*
 * Addresses between the program's structs and ours, in the family of the socket: an AF_INET6 socket
 * names IPv4 addresses ::ffff:a.b.c.d, as the kernel does.
 */
#ifndef TEECEE_PRELOAD_ADDRESS_H
#define TEECEE_PRELOAD_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "core/base/addr.h"

enum { ADDRESS_UNSPEC = 1 }; /* the family was AF_UNSPEC */

/*
 * The program's address: 0, ADDRESS_UNSPEC, -EINVAL (length), -EAFNOSUPPORT, -EFAULT. `out` is then
 * written when 0.
 */
int address_read(uint16_t family, const struct sockaddr *user, socklen_t len, struct endpoint *out);

/* Into the program's memory, cut to its size: 0, -EFAULT, -EINVAL. */
int address_give(
	uint16_t family, const struct endpoint *e, struct sockaddr *user, socklen_t *user_len);

#endif
