/*
 * The one question that poll flags cannot answer: both ends shut their write sides, has the other
 * one been closed since? sock_diag(7) shows the peer's inode of an AF_UNIX socket; a closed peer
 * has none. The kernel walks every AF_UNIX socket of the machine for the answer (15 µs on an idle
 * one), so it is asked rarely.
 */
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine/engine.h"

struct question {
	struct nlmsghdr h;
	struct unix_diag_req r;
};

/*
 * The attribute UNIX_DIAG_PEER of the answer: the inode, 0 without a peer, -1 when it is no answer.
 */
static int64_t peer_inode(const char *answer, size_t len)
{
	size_t at = NLMSG_LENGTH(sizeof(struct unix_diag_msg));
	struct nlmsghdr h;
	struct nlattr a;
	uint32_t inode;

	if (len < sizeof(h))
		return -1;
	memcpy(&h, answer, sizeof(h));
	if (h.nlmsg_type != SOCK_DIAG_BY_FAMILY || len < at)
		return -1;
	for (; at + sizeof(a) <= len; at += NLA_ALIGN(a.nla_len)) {
		memcpy(&a, answer + at, sizeof(a));
		if (a.nla_len < sizeof(a))
			return -1;
		if (a.nla_type != UNIX_DIAG_PEER || at + NLA_HDRLEN + sizeof(inode) > len)
			continue;
		memcpy(&inode, answer + at + NLA_HDRLEN, sizeof(inode));
		return inode;
	}
	return 0;
}

bool diag_peer_closed(int fd)
{
	struct question q = {
		.h.nlmsg_len = sizeof(q),
		.h.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.h.nlmsg_flags = NLM_F_REQUEST,
		.r.sdiag_family = AF_UNIX,
		.r.udiag_states = UINT32_MAX,
		.r.udiag_show = UDIAG_SHOW_PEER,
		.r.udiag_cookie = {UINT32_MAX, UINT32_MAX}, /* any */
	};
	char answer[1024];
	struct stat st;
	ssize_t n = -1;
	int nl;

	if (fstat(fd, &st) < 0)
		return false;
	nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
	if (nl < 0)
		return false;
	q.r.udiag_ino = (uint32_t)st.st_ino;
	/* The kernel answers within the send. */
	if (send(nl, &q, sizeof(q), 0) == sizeof(q))
		n = recv(nl, answer, sizeof(answer), 0);
	close(nl);
	return n > 0 && peer_inode(answer, (size_t)n) == 0;
}
