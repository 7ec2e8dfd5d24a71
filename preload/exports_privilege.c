/* The calls that take a process its rights or its root directory: see privilege.c. */
#include <sys/types.h>
#include <unistd.h>

#include "preload/privilege.h"
#include "preload/real.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int setuid(uid_t uid)
{
	privilege_before_uid(uid);
	return real.setuid(uid);
}

EXPORT int seteuid(uid_t uid)
{
	privilege_before_uid(uid);
	return real.seteuid(uid);
}

EXPORT int setreuid(uid_t ruid, uid_t euid)
{
	privilege_before_uid(euid);
	return real.setreuid(ruid, euid);
}

EXPORT int setresuid(uid_t ruid, uid_t euid, uid_t suid)
{
	privilege_before_uid(euid);
	return real.setresuid(ruid, euid, suid);
}

EXPORT int chroot(const char *path)
{
	privilege_before_chroot();
	return real.chroot(path);
}
