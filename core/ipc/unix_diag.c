#include "core/ipc/unix_diag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct question {
	struct nlmsghdr h;
	struct unix_diag_req r;
};

static void take_attribute(const struct nlattr *a, const char *value, struct unix_diag *out)
{
	struct unix_diag_rqlen queue;
	size_t len = a->nla_len - NLA_HDRLEN;

	if (a->nla_type == UNIX_DIAG_PEER && len >= sizeof out->peer)
		memcpy(&out->peer, value, sizeof out->peer);
	if (a->nla_type == UNIX_DIAG_RQLEN && len >= sizeof queue) {
		memcpy(&queue, value, sizeof queue);
		out->unread = queue.udiag_rqueue;
	}
}

static bool take_answer(const char *answer, size_t len, struct unix_diag *out)
{
	size_t at = NLMSG_LENGTH(sizeof(struct unix_diag_msg));
	struct nlmsgerr e;
	struct nlmsghdr h;
	struct nlattr a;

	if (len < sizeof h)
		return false;
	memcpy(&h, answer, sizeof h);
	if (h.nlmsg_type == NLMSG_ERROR && len >= NLMSG_LENGTH(sizeof e)) {
		memcpy(&e, answer + NLMSG_LENGTH(0), sizeof e);
		return e.error == -ENOENT;
	}
	if (h.nlmsg_type != SOCK_DIAG_BY_FAMILY || len < at)
		return false;
	out->exists = true;
	for (; at + sizeof a <= len; at += NLA_ALIGN(a.nla_len)) {
		memcpy(&a, answer + at, sizeof a);
		if (a.nla_len < sizeof a || at + a.nla_len > len)
			return false;
		take_attribute(&a, answer + at + NLA_HDRLEN, out);
	}
	return true;
}

bool unix_diag_ask(uint32_t inode, struct unix_diag *out)
{
	struct question q = {
		.h.nlmsg_len = sizeof q,
		.h.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.h.nlmsg_flags = NLM_F_REQUEST,
		.r.sdiag_family = AF_UNIX,
		.r.udiag_states = UINT32_MAX,
		.r.udiag_ino = inode,
		.r.udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN,
		.r.udiag_cookie = {UINT32_MAX, UINT32_MAX}, /* any */
	};
	char answer[1024];
	ssize_t n = -1;

	*out = (struct unix_diag){0};
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	if (nl < 0)
		return false;
	/* The kernel answers within the send. */
	if (send(nl, &q, sizeof q, 0) == sizeof q)
		n = recv(nl, answer, sizeof answer, 0);
	close(nl);
	return n > 0 && take_answer(answer, (size_t)n, out);
}

uint32_t unix_diag_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode) ? (uint32_t)st.st_ino : 0;
}
