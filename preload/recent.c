#include "preload/recent.h"

#include <stddef.h>

#include "preload/lock.h"

enum { RECENT = 64 };

static struct {
	uint64_t cookie; /* 0: empty */
	enum ipc_option option;
	int64_t value;
} ring[RECENT];

static unsigned next;

static int find_locked(uint64_t cookie, enum ipc_option o)
{
	for (int i = 0; i < RECENT; i++) {
		if (ring[i].cookie == cookie && ring[i].option == o)
			return i;
	}
	return -1;
}

void recent_note(uint64_t cookie, enum ipc_option o, int64_t value)
{
	sigset_t saved;

	lock_take(&saved);
	int i = find_locked(cookie, o);
	if (i < 0) {
		i = (int)next;
		next = (next + 1) % RECENT;
	}
	ring[i].cookie = cookie;
	ring[i].option = o;
	ring[i].value = value;
	lock_give(&saved);
}

bool recent_find(uint64_t cookie, enum ipc_option o, int64_t *value)
{
	sigset_t saved;

	lock_take(&saved);
	int i = find_locked(cookie, o);
	if (i >= 0)
		*value = ring[i].value;
	lock_give(&saved);
	return i >= 0;
}

void recent_forget(uint64_t cookie, enum ipc_option o)
{
	sigset_t saved;

	lock_take(&saved);
	int i = find_locked(cookie, o);
	if (i >= 0)
		ring[i].cookie = 0;
	lock_give(&saved);
}
