#include "preload/usermem.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/bytes.h"

/* Some sandboxes forbid the call; then the program's word must do. */
static int copy(long call, void *local, void *user, size_t len)
{
	struct iovec here = {.iov_base = local, .iov_len = len},
		     there = {.iov_base = user, .iov_len = len};

	if (len == 0)
		return 0;
	long n = syscall(call, (long)getpid(), &here, 1UL, &there, 1UL, 0UL);
	if (n == (long)len)
		return 0;
	if (n >= 0 || errno == EFAULT || (uintptr_t)user < 4096)
		return -EFAULT;
	if (call == SYS_process_vm_readv)
		memcpy(local, user, len);
	else
		memcpy(user, local, len);
	return 0;
}

int user_read(void *out, const void *user, size_t len)
{
	return copy(SYS_process_vm_readv, out, (void *)user, len);
}

int user_write(void *user, const void *data, size_t len)
{
	return copy(SYS_process_vm_writev, (void *)data, user, len);
}

int user_give_address(void *user, socklen_t *user_len, const void *data, socklen_t len)
{
	int room;
	int r = user_read(&room, user_len, sizeof room);

	if (r < 0)
		return r;
	if (room < 0)
		return -EINVAL;
	r = user_write(user, data, MIN((socklen_t)room, len));
	return r < 0 ? r : user_write(user_len, &len, sizeof len);
}
