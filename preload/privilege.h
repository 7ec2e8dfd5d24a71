/*
 * Programs that give up their rights before they make a socket.
 */
#ifndef TEECEE_PRELOAD_PRIVILEGE_H
#define TEECEE_PRELOAD_PRIVILEGE_H

#include <sys/types.h>

/* The process is about to act as `uid`, for good or for a while. errno is kept. */
void privilege_before_uid(uid_t uid);

/* The same before its root directory changes. */
void privilege_before_chroot(void);

#endif
