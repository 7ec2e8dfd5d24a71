#include "preload/usermem.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "preload/real.h"

enum { PAGE = 4096 /* or a multiple of it */, LONG = 4 * PAGE - 1 };

/* Has the kernel read a mask there; `how` is none, so it is not used. */
static int try_read(uintptr_t at)
{
	enum { MASK = _NSIG / 8, NO_HOW = -1 };

	return raw_result(syscall(SYS_rt_sigprocmask, NO_HOW, at & -(uintptr_t)MASK, NULL, MASK));
}

/*
 * Has the kernel write there what is there: a bitwise or with 0. It wakes somebody who waits for
 * `nobody`, and, if the word is -2048, who waits there, for nothing, as may happen to every futex.
 */
static int try_write(uintptr_t at)
{
	static uint32_t nobody;

	return raw_result(syscall(SYS_futex, &nobody, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 0, NULL,
		at & -(uintptr_t)sizeof nobody, FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, -2048)));
}

/*
 * One word of each page; of the page that our own stack frame is in, none. Some sandboxes forbid
 * the calls; then the program's word must do, unless it is near NULL.
 */
static int check(int (*try)(uintptr_t at), const void *user, size_t len)
{
	uintptr_t first = (uintptr_t)user, last = first + len - 1;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	int saved_errno = errno, r = 0;

	if (len == 0)
		return 0;
	if (first < PAGE || last < first)
		return -EFAULT;
	if (first / PAGE == here / PAGE && last / PAGE == here / PAGE)
		return 0;
	for (uintptr_t page = first / PAGE; page <= last / PAGE && r != -EFAULT; page++)
		r = try(page == first / PAGE ? first : page * PAGE);
	errno = saved_errno;
	return r == -EFAULT ? r : 0;
}

/* A long piece in one call, which also brings it in (Linux 5.14). */
static int check_long(const void *user, size_t len)
{
	uintptr_t first = (uintptr_t)user & -(uintptr_t)PAGE;
	uintptr_t end = (uintptr_t)user + len;
	int r = raw_result(syscall(SYS_madvise, first, end - first, MADV_POPULATE_READ));

	return r == -EINVAL ? check(try_read, user, len) : r < 0 ? -EFAULT : 0;
}

int user_read(void *out, const void *user, size_t len)
{
	int r = len > LONG ? check_long(user, len) : check(try_read, user, len);

	if (r == 0)
		memcpy(out, user, len);
	return r;
}

int user_write(void *user, const void *data, size_t len)
{
	int r = check(try_write, user, len);

	if (r == 0)
		memcpy(user, data, len);
	return r;
}

int user_room(const socklen_t *user_len)
{
	int room;
	int r = user_read(&room, user_len, sizeof room);

	if (r < 0)
		return r;
	return room < 0 ? -EINVAL : room;
}

int user_give_address(void *user, socklen_t *user_len, const void *data, socklen_t len)
{
	int room = user_room(user_len);

	if (room < 0)
		return room;
	int r = user_write(user, data, MIN((socklen_t)room, len));
	return r < 0 ? r : user_write(user_len, &len, sizeof len);
}

int user_give_option(void *user, socklen_t *user_len, const void *data, size_t len)
{
	int room = user_room(user_len);

	if (room < 0)
		return room;
	socklen_t n = (socklen_t)MIN((size_t)room, len);
	int r = user_write(user, data, n);
	return r < 0 ? r : user_write(user_len, &n, sizeof n);
}
