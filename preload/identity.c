#include "preload/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "core/ipc/dgram.h"
#include "core/ipc/proto.h"
#include "preload/engine.h"
#include "preload/hint.h"
#include "preload/instance.h"
#include "preload/real.h"

enum { SLOT_WAIT_MS = 1000 };

static const char prefix[] = "\0teecee/";
enum { PREFIX_LEN = sizeof prefix - 1 };

/*
 * "…/INSTANCE" at the end of the name, 16 hex digits; NULL when it is not an engine's data name. A
 * control name ends in an address, which has a dot or a slash among its last 16 characters, or is
 * "auto".
 */
static const char *instance_of(const struct sockaddr_un *name, socklen_t len)
{
	size_t path = len - offsetof(struct sockaddr_un, sun_path);

	if (len < offsetof(struct sockaddr_un, sun_path) + PREFIX_LEN + 1 + IPC_INSTANCE_LEN ||
		len > sizeof *name)
		return NULL;
	if (name->sun_family != AF_UNIX || memcmp(name->sun_path, prefix, PREFIX_LEN) != 0)
		return NULL;
	const char *id = name->sun_path + path - IPC_INSTANCE_LEN;
	for (int i = 0; i < IPC_INSTANCE_LEN; i++) {
		if (!strchr("0123456789abcdef", id[i]) || !id[i])
			return NULL;
	}
	return id[-1] == '/' ? id : NULL;
}

/*
 * A socket from before an exec, or from another process: perhaps our engine's, and we have not met
 * it yet.
 */
static int find_instance(const char *id)
{
	struct engine_link link;
	int i = instance_find(id);

	if (i >= 0 || engine_get(false, &link) < 0)
		return i;
	return memcmp(link.id, id, IPC_INSTANCE_LEN) == 0 ? link.instance : -1;
}

void shim_refresh(struct shim_sock *s)
{
	const struct ipc_table *t = s->instance >= 0 ? instance_table((unsigned)s->instance) : NULL;

	s->known = t && ipc_table_get(t, s->cookie, &s->info);
	if (s->known)
		s->family = s->info.family;
}

/* The slot is there before its addresses are; a connect to port 0 fails. */
static bool shows_connect(const struct shim_sock *s)
{
	return s->known && (s->info.use != IPC_SLOT_LIVE || s->info.remote.port != 0);
}

void shim_await_connect(struct shim_sock *s)
{
	for (int i = 0; i < SLOT_WAIT_MS && !shows_connect(s) && s->instance >= 0; i++) {
		raw_poll(NULL, 1);
		shim_refresh(s);
	}
}

static bool identify_fresh(struct shim_sock *s)
{
	s->kind = SHIM_FRESH;
	if (!fresh_any() || !fresh_get(s->cookie = raw_cookie(s->fd), &s->fresh))
		return false;
	s->family = s->fresh.family;
	return true;
}

/* Its hint says what the table does not know yet; one without a hint gets it. */
static void note_dgram(struct shim_sock *s)
{
	struct hint h = hint_get(s->fd);

	if (h.kind == HINT_DGRAM && h.cookie == s->cookie) {
		s->family = h.v6 ? AF_INET6 : AF_INET;
		return;
	}
	shim_refresh(s);
	hint_set(s->fd, (struct hint){.kind = HINT_DGRAM,
				.lowered = true,
				.v6 = s->family == AF_INET6,
				.table = (uint8_t)s->instance,
				.cookie = s->cookie});
}

/* What the hint and the table say, for an fd that is known to be the hint's socket. */
static void from_hint(int fd, const struct hint *h, struct shim_sock *s)
{
	*s = (struct shim_sock){.fd = fd,
		.kind = SHIM_ENGAGED,
		.cookie = h->cookie,
		.family = h->v6 ? AF_INET6 : AF_INET,
		.instance = h->table,
		.dgram = h->kind == HINT_DGRAM};
	instance_id(h->table, s->id);
	shim_refresh(s);
}

/*
 * The hint's place in the list of engines may have gone to another engine since. A slot found there
 * proves that it has not, for no two sockets share a cookie; without one the socket's own word
 * counts, which is the engine's name.
 */
static bool identify_by_hint(int fd, struct shim_sock *s)
{
	struct hint h = hint_get(fd);

	if (h.kind < HINT_BOUND || raw_cookie(fd) != h.cookie)
		return false;
	from_hint(fd, &h, s);
	return s->known;
}

static bool identify_by_name(int fd, struct shim_sock *s)
{
	struct sockaddr_un name;
	socklen_t len = sizeof name;
	const char *id;

	*s = (struct shim_sock){.fd = fd, .family = AF_INET, .instance = -1};
	int r = raw_getpeername(fd, &name, &len);
	if (r == -ENOTCONN)
		return identify_fresh(s);
	if (r < 0 || !(id = instance_of(&name, len)))
		return false;
	s->kind = SHIM_ENGAGED;
	s->cookie = raw_cookie(fd);
	s->instance = find_instance(id);
	s->dgram = ipc_is_dgram_name(name.sun_path, len - offsetof(struct sockaddr_un, sun_path));
	memcpy(s->id, id, sizeof s->id);
	if (s->dgram)
		note_dgram(s);
	shim_refresh(s);
	return true;
}

bool shim_identify(int fd, struct shim_sock *s)
{
	int saved_errno = errno;
	bool ours = identify_by_hint(fd, s) || identify_by_name(fd, s);

	errno = saved_errno;
	return ours;
}

void shim_from_hint(int fd, struct shim_sock *s)
{
	struct hint h = hint_get(fd);

	from_hint(fd, &h, s);
}

int64_t shim_option(const struct shim_sock *s, enum ipc_option o)
{
	if (s->kind == SHIM_FRESH)
		return s->fresh.option[o];
	return s->known ? s->info.option[o] : ipc_option_info[o].initial;
}

bool shim_is_nonblocking(int fd)
{
	int flags = raw_fcntl(fd, F_GETFL, 0);

	return flags >= 0 && (flags & O_NONBLOCK);
}
