/*
 * What the kernel knows about an AF_UNIX socket that its owner cannot see by poll or ioctl, asked by
 * sock_diag(7): is it still there, has its peer been closed, how much waits in it. The kernel walks
 * every AF_UNIX socket of the machine for the answer (15 µs on an idle one), so it is asked rarely.
 */
#ifndef TEECEE_IPC_UNIX_DIAG_H
#define TEECEE_IPC_UNIX_DIAG_H

#include <stdbool.h>
#include <stdint.h>

struct unix_diag {
	bool exists;
	uint32_t peer;   /* inode, 0: closed or never connected */
	uint32_t unread; /* bytes that wait in it */
};

/* By inode (fstat's st_ino). False: nobody can tell (no netlink, no such module, a sandbox). */
bool unix_diag_ask(uint32_t inode, struct unix_diag *out);

/* The inode of a socket; 0 when it is none. */
uint32_t unix_diag_inode(int fd);

#endif
