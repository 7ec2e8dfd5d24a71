#include "preload/more.h"

#include <errno.h>
#include <sys/socket.h>

#include "preload/engine.h"

static void tell(int fd, struct hint h, bool more)
{
	int saved_errno = errno;

	if (hint_holds(fd, &h) &&
		engine_set_option(h.table, h.cookie, IPC_OPT_MORE, more) == 0) {
		h.more = more;
		hint_set(fd, h);
	}
	errno = saved_errno;
}

void more_before_send(int fd, struct hint h, int flags)
{
	if ((flags & MSG_MORE) && !h.more && h.kind == HINT_OPEN)
		tell(fd, h, true);
}

void more_after_send(int fd, int flags)
{
	struct hint h = hint_get(fd);

	if (h.more && !(flags & MSG_MORE))
		tell(fd, h, false);
}
