/*
 * WHERE AF_UNIX AND TCP DIFFER, on the data path:
 *
 *	                             AF_UNIX                   TCP
 *	read, never connected        EINVAL                    ENOTCONN
 *	read, bound or listening     waits / our messages      ENOTCONN
 *	write, not connected         ENOTCONN                  EPIPE and SIGPIPE
 *	first write after a reset    EPIPE and SIGPIPE         the error, no signal
 *	any error of the connection  ECONNRESET                ETIMEDOUT, EHOSTUNREACH, …: the table
 *	                             knows
 *	recvfrom's address           the engine's name         none
 *	sendto's address             EISCONN                   ignored
 *	MSG_TRUNC                    copies                    discards
 *	MSG_ERRQUEUE                 reads data                EAGAIN
 *
 * THE FIRST WRITE AFTER A RESET. The engine notes the error in the table before it closes; the
 * kernel notes the engine's own death there (core/ipc/table.h). If a look at the table says so,
 * SO_ERROR of the real socket is asked: it holds ECONNRESET until somebody has been told (a read, a
 * poll loop's SO_ERROR), exactly as TCP's sk_err does. Nobody yet: this write is told, without a
 * signal. Otherwise the write is made and the kernel answers EPIPE and SIGPIPE itself.
 *
 * While what came before the reset is not all delivered, the engine keeps the real socket open and
 * throws away what is written: only the table knows, and the hint whether somebody has been told.
 */
#include "preload/io.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "preload/cork.h"
#include "preload/hint.h"
#include "preload/identity.h"
#include "preload/instance.h"
#include "preload/lend.h"
#include "preload/real.h"
#include "preload/request.h"
#include "preload/sock.h"

/* EPIPE, and the signal to this very thread unless it was declined. */
static void broken_pipe(int flags)
{
	if (!(flags & MSG_NOSIGNAL))
		syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGPIPE);
	errno = EPIPE;
}

static bool engine_lives(const struct hint *h)
{
	const struct ipc_table *t = instance_table(h->table);

	return !t || ipc_table_is_alive(t);
}

/* What the table says ended the connection; 0: nothing, or it does not know. */
static int error_of(const struct ipc_slot *slot)
{
	return slot ? __atomic_load_n(&slot->info.error, __ATOMIC_RELAXED) : 0;
}

bool io_before_recv(int fd)
{
	struct hint h = hint_get(fd);

	if ((h.kind != HINT_BOUND && h.kind != HINT_LISTENING) || !hint_holds(fd, &h))
		return true;
	/* Bound is what this process knows; another may have connected it since. */
	const struct ipc_slot *slot = hint_slot(&h);
	uint8_t state =
		slot ? __atomic_load_n(&slot->info.tcp_state, __ATOMIC_RELAXED) : STATE_CLOSED;
	if (state != STATE_CLOSED && state != STATE_LISTEN)
		return true;
	errno = ENOTCONN;
	return false;
}

/* The established socket gets its send buffer back, at the first opportunity. */
static void raise_buffer(int fd, struct hint h, const struct ipc_slot *slot)
{
	int saved_errno = errno;
	uint8_t state = __atomic_load_n(&slot->info.tcp_state, __ATOMIC_ACQUIRE);

	if (state != STATE_SYN_SENT && state != STATE_CLOSED && hint_holds(fd, &h)) {
		request_raise(fd);
		h.lowered = false;
		hint_set(fd, h);
	}
	errno = saved_errno;
}

/* True: the error was news to the program, which now has it. */
static bool tell_error(int fd, const struct hint *h, int error, int flags)
{
	int pending = 0, saved_errno = errno;

	if (!hint_holds(fd, h) || raw_getsockopt(fd, SO_ERROR, &pending, sizeof pending) < 0 ||
		!pending) {
		errno = saved_errno;
		return false;
	}
	errno = error;
	if (error == EPIPE)
		broken_pipe(flags);
	return true;
}

/* A write on a connection that is over and whose real socket lives: the error once, then EPIPE. */
static void refuse_write(int fd, struct hint h, int error, int flags)
{
	if (h.told || error == EPIPE) {
		broken_pipe(flags);
		return;
	}
	h.told = true;
	hint_set(fd, h);
	errno = error;
}

static bool is_live(const struct ipc_slot *slot)
{
	return __atomic_load_n(&slot->info.use, __ATOMIC_RELAXED) == IPC_SLOT_LIVE;
}

static bool before_send_ours(int fd, struct hint h, int flags)
{
	if (h.kind == HINT_FRESH)
		return true; /* the kernel says ENOTCONN */
	const struct ipc_slot *slot = hint_slot(&h);
	if (h.kind == HINT_LISTENING || h.kind == HINT_BOUND) {
		if (io_before_recv(fd))
			return true;
		broken_pipe(flags);
		return false;
	}
	if (!slot)
		return true;
	if (h.lowered)
		raise_buffer(fd, h, slot);
	const struct ipc_table *t = instance_table(h.table);
	ipc_cork_word *word = t ? ipc_table_cork(t, slot) : NULL;
	if (word && (ipc_cork_get(word, h.cookie) & IPC_CORK_LOW))
		lend_raise(fd, &h, word);
	int error = error_of(slot);
	if (error && is_live(slot) && engine_lives(&h) && hint_holds(fd, &h)) {
		refuse_write(fd, h, error, flags);
		return false;
	}
	if (!error && !engine_lives(&h))
		error = ECONNRESET;
	if (error && tell_error(fd, &h, error, flags))
		return false;
	cork_before_send(fd, h, flags);
	return true;
}

bool io_before_send(int fd, int flags)
{
	struct hint h = hint_get(fd);

	return h.kind == HINT_NONE || before_send_ours(fd, h, flags);
}

/*
 * ECONNRESET is what the kernel says of every end; an fd without a hint is looked up if its engine
 * is known.
 */
static int translated_reset(int fd)
{
	struct hint h = hint_get(fd);
	struct shim_sock s;

	if (h.kind != HINT_NONE && hint_holds(fd, &h)) {
		int error = error_of(hint_slot(&h));
		return error ? error : h.kind == HINT_CONNECTING ? ENETDOWN : ECONNRESET;
	}
	if (!instance_table(0) || !shim_identify(fd, &s) || !s.known || !s.info.error)
		return ECONNRESET;
	return s.info.error;
}

static bool is_fresh(int fd)
{
	struct hint h = hint_get(fd);

	return h.kind == HINT_FRESH && hint_holds(fd, &h);
}

ssize_t io_after_recv(int fd, ssize_t result, int flags)
{
	if (result >= 0)
		return result;
	int error = errno;
	if (error == ECONNRESET)
		error = translated_reset(fd);
	else if (error == EINVAL && !(flags & MSG_OOB) && is_fresh(fd))
		error = ENOTCONN;
	errno = error;
	return -1;
}

ssize_t io_after_send(int fd, ssize_t result, int flags)
{
	if (result >= 0) {
		cork_after_send(fd, flags);
		return result;
	}
	int error = errno;
	if (error == ECONNRESET)
		error = translated_reset(fd);
	bool refused = error == ENOTCONN && is_fresh(fd);
	if (refused || (error == EPIPE && errno != EPIPE))
		broken_pipe(flags);
	errno = refused ? EPIPE : error;
	return -1;
}

/* TCP's MSG_TRUNC: at most `n` bytes are read and thrown away. */
static ssize_t discard(int fd, size_t n, int flags)
{
	char scrap[4096];
	size_t done = 0;

	flags &= ~MSG_TRUNC;
	while (done < n) {
		ssize_t r = real.recv(
			fd, scrap, MIN(n - done, sizeof scrap), flags | (done ? MSG_DONTWAIT : 0));
		if (r < 0 && done == 0)
			return io_after_recv(fd, r, flags);
		if (r <= 0)
			break;
		done += (size_t)r;
		if (flags & MSG_PEEK)
			break;
	}
	return (ssize_t)done;
}

bool io_odd_recv(int fd, size_t n, int flags, ssize_t *result)
{
	struct shim_sock s;

	if (!(flags & (MSG_TRUNC | MSG_ERRQUEUE)) || !shim_identify(fd, &s))
		return false;
	if (flags & MSG_ERRQUEUE) {
		errno = EAGAIN;
		*result = -1;
	} else {
		*result = discard(fd, n, flags);
	}
	return true;
}

bool io_gives_no_name(int fd)
{
	struct hint h = hint_get(fd);

	return h.kind != HINT_NONE && hint_holds(fd, &h);
}

void io_hide_name(int fd, const struct sockaddr *name, socklen_t *len)
{
	struct shim_sock s;

	if (name && len && *len >= sizeof name->sa_family && name->sa_family == AF_UNIX &&
		shim_identify(fd, &s))
		*len = 0;
}

bool io_ignores_address(int fd, ssize_t result)
{
	struct shim_sock s;

	return result < 0 && (errno == EISCONN || errno == EOPNOTSUPP) && shim_identify(fd, &s);
}

bool io_fast_open(int fd, const struct sockaddr *addr, socklen_t len, int flags, ssize_t *result)
{
	struct shim_sock s;

	if (!(flags & MSG_FASTOPEN) || !addr || !shim_identify(fd, &s) || s.kind != SHIM_FRESH)
		return false;
	int r = shim_connect(&s, addr, len);
	if (r < 0)
		errno = -r;
	*result = r < 0 ? -1 : 0;
	return true;
}
