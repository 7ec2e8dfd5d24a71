#include "preload/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "preload/epoll.h"
#include "preload/hint.h"
#include "preload/real.h"

/* What lives in the description of the file and not in our records. */
static void copy_description(int from, int to)
{
	static const int limits[] = {SO_RCVTIMEO, SO_SNDTIMEO};
	struct timeval t;

	raw_fcntl(to, F_SETFL, raw_fcntl(from, F_GETFL, 0));
	for (int i = 0; i < 2; i++) {
		if (raw_getsockopt(from, limits[i], &t, sizeof t) == 0)
			raw_setsockopt(to, limits[i], &t, sizeof t);
	}
	int owner = raw_fcntl(from, F_GETOWN, 0);
	if (owner)
		raw_fcntl(to, F_SETOWN, owner);
}

int swap_in(int with, int fd)
{
	struct epoll_saved saved;
	int fd_flags = raw_fcntl(fd, F_GETFD, 0);

	copy_description(fd, with);
	epoll_take_out(fd, &saved);
	int r = raw_result(syscall(
		SYS_dup3, with, fd, fd_flags > 0 && (fd_flags & FD_CLOEXEC) ? O_CLOEXEC : 0));
	epoll_put_back(fd, &saved);
	raw_close(with);
	return r < 0 ? r : 0;
}

static void apply_options(const struct shim_sock *s, int fd)
{
	char value[16];

	for (int o = 0; o < IPC_OPT_PLAIN; o++) {
		const struct ipc_option_info *info = &ipc_option_info[o];
		int64_t v = shim_option(s, (enum ipc_option)o);
		bool is_buffer = o == IPC_OPT_SNDBUF || o == IPC_OPT_RCVBUF;
		if (v == info->initial)
			continue;
		/* The kernel doubles what it is given. */
		size_t len = ipc_option_encode(
			(enum ipc_option)o, is_buffer ? v / 2 : v, value, sizeof value);
		syscall(SYS_setsockopt, fd, info->level, info->optname, value, len);
	}
}

int swap_to_kernel(const struct shim_sock *s)
{
	int fd =
		raw_result(syscall(SYS_socket, s->family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));

	if (fd < 0)
		return fd;
	apply_options(s, fd);
	int r = swap_in(fd, s->fd);
	if (r < 0)
		return r;
	fresh_drop(s->cookie);
	hint_clear(s->fd);
	return 0;
}

int swap_to_fresh(struct shim_sock *s)
{
	int fd = raw_socket(SOCK_STREAM);

	if (fd < 0)
		return fd;
	struct fresh f = fresh_initial(s->fd, raw_cookie(fd), s->family);
	for (int o = 0; o < IPC_OPT_COUNT; o++) {
		f.option[o] = shim_option(s, (enum ipc_option)o);
		if (f.option[o] != ipc_option_info[o].initial)
			f.option_set |= UINT32_C(1) << o;
	}
	int r = fresh_add(&f);
	if (r == 0)
		r = swap_in(fd, s->fd);
	else
		raw_close(fd);
	if (r < 0)
		return r;
	fresh_drop(s->cookie);
	hint_set(s->fd, (struct hint){.kind = HINT_FRESH, .cookie = f.cookie});
	*s = (struct shim_sock){.fd = s->fd,
		.kind = SHIM_FRESH,
		.cookie = f.cookie,
		.family = f.family,
		.fresh = f,
		.instance = -1};
	return 0;
}
