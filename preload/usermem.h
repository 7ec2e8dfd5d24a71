/*
 * Reads and writes memory that the program named in a call, so that a bad pointer is EFAULT, as it
 * is in a system call, and not a crash inside this library. The kernel is made to touch it first, by
 * system calls that change nothing: a third of the time of process_vm_readv on ourselves or less.
 * Memory that another thread takes away between that and the copy is a crash, though.
 */
#ifndef TEECEE_PRELOAD_USERMEM_H
#define TEECEE_PRELOAD_USERMEM_H

#include <stddef.h>
#include <sys/socket.h>

/* 0 or -EFAULT. */
int user_read(void *out, const void *user, size_t len);
int user_write(void *user, const void *data, size_t len);

/* The room that the program has for a value; -EFAULT, or -EINVAL (a negative one). */
int user_room(const socklen_t *user_len);

/*
 * Hand out a value as the kernel does: at most *user_len bytes of it, and in *user_len the full
 * length of an address, or how much of an option there was room for. 0, or as user_room.
 */
int user_give_address(void *user, socklen_t *user_len, const void *data, socklen_t len);
int user_give_option(void *user, socklen_t *user_len, const void *data, size_t len);

#endif
