#include "preload/cork.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#include "preload/engine.h"
#include "preload/instance.h"
#include "preload/recent.h"

/* NULL: the engine has not come to this socket, or not any more. */
static ipc_cork_word *word_of(int instance, uint64_t cookie)
{
	const struct ipc_table *t = instance >= 0 ? instance_table((unsigned)instance) : NULL;
	const struct ipc_slot *slot = t ? ipc_table_find(t, cookie) : NULL;

	return slot ? ipc_table_cork(t, slot) : NULL;
}

static void put_more(int fd, struct hint h, ipc_cork_word *w, bool on)
{
	int saved_errno = errno;

	if (hint_holds(fd, &h) && ipc_cork_put(w, h.cookie, IPC_CORK_MORE, on) == IPC_CORK_FLUSH)
		engine_set_option(h.table, h.cookie, IPC_OPT_FLUSH, 1);
	errno = saved_errno;
}

void cork_before_send(int fd, struct hint h, int flags)
{
	if (!(flags & MSG_MORE) || h.kind != HINT_OPEN)
		return;
	ipc_cork_word *w = word_of(h.table, h.cookie);
	if (w && !(ipc_cork_get(w, h.cookie) & IPC_CORK_MORE))
		put_more(fd, h, w, true);
}

void cork_after_send(int fd, int flags)
{
	struct hint h = hint_get(fd);
	bool is_stream = h.kind >= HINT_BOUND && h.kind != HINT_DGRAM;
	ipc_cork_word *w = is_stream ? word_of(h.table, h.cookie) : NULL;

	if (!w)
		return;
	if (!(flags & MSG_MORE) && (ipc_cork_get(w, h.cookie) & IPC_CORK_MORE))
		put_more(fd, h, w, false);
	else
		ipc_cork_wrote(w, h.cookie);
}

static enum ipc_cork bit_of(enum ipc_option o)
{
	return o == IPC_OPT_CORK ? IPC_CORK_ON : IPC_CORK_NODELAY;
}

bool cork_has(enum ipc_option o)
{
	return o == IPC_OPT_CORK || o == IPC_OPT_NODELAY;
}

/* What went by a message stays with messages until the word shows it: they may not overtake it. */
static bool goes_by_message(const struct shim_sock *s, enum ipc_option o, const ipc_cork_word *w)
{
	int64_t sent;

	if (!recent_find(s->cookie, o, &sent))
		return false;
	if (sent != ((ipc_cork_get(w, s->cookie) & bit_of(o)) != 0))
		return true;
	recent_forget(s->cookie, o);
	return false;
}

static int send_option(const struct shim_sock *s, enum ipc_option o, bool on)
{
	int r = engine_set_option(s->instance, s->cookie, o, on);

	if (r == 0 && cork_has(o))
		recent_note(s->cookie, o, on);
	return r;
}

int cork_set(struct shim_sock *s, enum ipc_option o, bool on)
{
	ipc_cork_word *w = word_of(s->instance, s->cookie);

	if (!w || goes_by_message(s, o, w) || (o == IPC_OPT_NODELAY && !on))
		return send_option(s, o, on);
	/* Of one that came from elsewhere nobody knows what has been written. */
	if (on && hint_get(s->fd).kind == HINT_NONE)
		ipc_cork_wrote(w, s->cookie);
	switch (ipc_cork_put(w, s->cookie, bit_of(o), on)) {
	case IPC_CORK_STALE:
		return send_option(s, o, on);
	case IPC_CORK_FLUSH:
		return send_option(s, IPC_OPT_FLUSH, true);
	case IPC_CORK_PUT:
		break;
	}
	return 0;
}

int64_t cork_is_on(const struct shim_sock *s, enum ipc_option o, int64_t otherwise)
{
	const ipc_cork_word *w = word_of(s->instance, s->cookie);

	return w ? (ipc_cork_get(w, s->cookie) & bit_of(o)) != 0 : otherwise;
}
