#include "core/ipc/proto.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct ipc_header ipc_header(enum ipc_op op, size_t len)
{
	return (struct ipc_header){
		.magic = IPC_MAGIC,
		.version = IPC_VERSION,
		.op = (uint16_t)op,
		.len = (uint32_t)len,
	};
}

bool ipc_check(const void *data, size_t len, enum ipc_op op, size_t want)
{
	struct ipc_header h;

	if (len < want || want < sizeof h)
		return false;
	memcpy(&h, data, sizeof h);
	return h.magic == IPC_MAGIC && h.version == IPC_VERSION && h.op == op && h.len == want;
}

socklen_t ipc_name(
	struct sockaddr_un *out, const struct settings *s, uid_t uid, const char *instance)
{
	char *name = out->sun_path + 1; /* the NUL in front makes it abstract */
	size_t room = sizeof out->sun_path - 1;

	memset(out, 0, sizeof *out);
	out->sun_family = AF_UNIX;
	/* The longest possible name has 95 bytes, so this never truncates. */
	int n = snprintf(name, room, "teecee/%u/%s/%s%s%.*s", (unsigned)uid, s->iface, s->ip_spec,
		instance ? "/" : "", IPC_INSTANCE_LEN, instance ? instance : "");
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int ipc_peer(int fd, uid_t *uid, pid_t *pid)
{
	struct ucred c;
	socklen_t len = sizeof c;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) < 0)
		return -errno;
	*uid = c.uid;
	*pid = c.pid;
	return 0;
}

union fd_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(IPC_FDS_MAX * sizeof(int))];
};

static ssize_t send_with(
	int socket, const void *data, size_t len, const int *fd, size_t n, int flags)
{
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union fd_control control;

	if (n > 0) {
		memset(&control, 0, sizeof control);
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(n * sizeof *fd);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof *fd);
		memcpy(CMSG_DATA(c), fd, n * sizeof *fd);
	}
	ssize_t sent = sendmsg(socket, &msg, flags | MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}

ssize_t ipc_send_fd(int socket, const void *data, size_t len, int fd, int flags)
{
	return send_with(socket, data, len, &fd, fd >= 0, flags);
}

ssize_t ipc_send_fds(int socket, const void *data, size_t len, const int *fd, unsigned n, int flags)
{
	return send_with(socket, data, len, fd, n, flags);
}

/* The fds that came with a message, `wanted` at most; -1: none. */
static void take_fds(struct msghdr *msg, int *fd, unsigned wanted)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int all[IPC_FDS_MAX] = {-1, -1, -1};

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		c->cmsg_len > CMSG_LEN(0) && c->cmsg_len <= CMSG_LEN(sizeof all))
		memcpy(all, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	for (unsigned i = 0; i < IPC_FDS_MAX; i++) {
		if (i < wanted)
			fd[i] = all[i];
		else if (all[i] >= 0)
			close(all[i]);
	}
}

int ipc_recv_all(int socket, struct ipc_incoming *in, unsigned n, int flags)
{
	union fd_control control[IPC_INCOMING_MAX] = {0};
	struct iovec iov[IPC_INCOMING_MAX];
	struct mmsghdr m[IPC_INCOMING_MAX];

	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){in[i].data, in[i].room};
		m[i].msg_hdr = (struct msghdr){
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = control[i].bytes,
			.msg_controllen = sizeof control[i].bytes,
		};
	}
	int got = recvmmsg(socket, m, n, flags | MSG_CMSG_CLOEXEC, NULL);
	if (got < 0)
		return -errno;
	for (int i = 0; i < got; i++) {
		in[i].len = m[i].msg_len;
		take_fds(&m[i].msg_hdr, &in[i].fd, 1);
	}
	return got;
}

static ssize_t recv_with(int socket, void *data, size_t len, int *fd, unsigned wanted, int flags)
{
	struct iovec iov = {.iov_base = data, .iov_len = len};
	union fd_control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	ssize_t n = recvmsg(socket, &msg, flags | MSG_CMSG_CLOEXEC);
	int error = errno;

	if (n < 0)
		msg.msg_controllen = 0;
	take_fds(&msg, fd, wanted);
	return n < 0 ? -error : n;
}

ssize_t ipc_recv_fd(int socket, void *data, size_t len, int *fd, int flags)
{
	return recv_with(socket, data, len, fd, 1, flags);
}

ssize_t ipc_recv_fds(int socket, void *data, size_t len, int *fd, unsigned n, int flags)
{
	return recv_with(socket, data, len, fd, n, flags);
}
