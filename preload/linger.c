/*
 * The engine sees a program's close only when the last descriptor is gone, and it then keeps the
 * slot until the FIN is acknowledged. So: close, ask the kernel whether that was the last one, and
 * sleep on the slot's generation, a futex in the read-only table, which the engine wakes when it
 * lets the slot go. As in the kernel, a signal ends the wait, O_NONBLOCK does not prevent it, and
 * the process's end does not wait.
 */
#include "preload/linger.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/base/time.h"
#include "core/ipc/unix_diag.h"
#include "preload/identity.h"
#include "preload/instance.h"
#include "preload/real.h"
#include "preload/recent.h"

/* An engine that dies does not wake anybody. */
#define LOOK_INTERVAL (200 * MSEC)

static nsec now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

static bool is_over(const struct ipc_table *t, const struct ipc_slot *slot, uint64_t cookie)
{
	return __atomic_load_n(&slot->info.use, __ATOMIC_ACQUIRE) != IPC_SLOT_LIVE ||
	       __atomic_load_n(&slot->info.cookie, __ATOMIC_RELAXED) != cookie ||
	       !ipc_table_is_alive(t);
}

static void wait_for_end(const struct hint *h, const struct ipc_slot *slot, int64_t seconds)
{
	const struct ipc_table *t = instance_table(h->table);
	nsec end = now() + seconds * SEC;

	for (;;) {
		uint32_t gen = atomic_load(&slot->gen);
		nsec left = nsec_min(end - now(), LOOK_INTERVAL);
		if (is_over(t, slot, h->cookie) || left <= 0)
			return;
		struct timespec limit = {.tv_sec = left / SEC, .tv_nsec = left % SEC};
		if (syscall(SYS_futex, &slot->gen, FUTEX_WAIT, gen, &limit, NULL, 0) < 0 && errno == EINTR)
			return;
	}
}

/* The seconds to wait; 0: not at all. */
static int64_t time_of(const struct shim_sock *s)
{
	int64_t seconds = shim_option(s, IPC_OPT_LINGER);

	recent_find(s->cookie, IPC_OPT_LINGER, &seconds);
	bool connected = s->known && s->info.use == IPC_SLOT_LIVE &&
			 s->info.tcp_state != STATE_CLOSED && s->info.tcp_state != STATE_LISTEN &&
			 s->info.tcp_state != STATE_SYN_SENT;
	return connected && seconds > 0 ? seconds : 0;
}

int linger_close(int fd, const struct hint *h)
{
	int saved_errno = errno;
	struct shim_sock s;
	struct unix_diag d;
	int64_t seconds = 0;

	if (hint_holds(fd, h) && shim_identify(fd, &s))
		seconds = time_of(&s);
	const struct ipc_slot *slot = seconds > 0 ? hint_slot(h) : NULL;
	uint32_t inode = slot ? unix_diag_inode(fd) : 0;
	int r = real.close(fd);
	if (r < 0)
		return r;
	hint_clear(fd);
	/* Somebody else still has it: nothing was closed. */
	if (inode && unix_diag_ask(inode, &d) && !d.exists)
		wait_for_end(h, slot, seconds);
	errno = saved_errno;
	return r;
}
