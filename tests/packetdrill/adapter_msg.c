/*
 * recvmsg with its control messages, and splice.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "tests/packetdrill/adapter.h"

/* TCP_CM_INQ: what is still readable; the end of the stream counts as one. */
static void put_inq(struct psock *p, struct msghdr *msg)
{
	int inq = (int)tcp_recv_queued(p->tcp);

	if (msg->msg_controllen < CMSG_SPACE(sizeof inq)) {
		msg->msg_controllen = 0;
		return;
	}
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	if (inq == 0 && tcp_recv_eof(p->tcp))
		inq = 1;
	c->cmsg_level = IPPROTO_TCP;
	c->cmsg_type = TCP_CM_INQ;
	c->cmsg_len = CMSG_LEN(sizeof inq);
	memcpy(CMSG_DATA(c), &inq, sizeof inq);
	msg->msg_controllen = CMSG_SPACE(sizeof inq);
}

ssize_t adapter_recvmsg(void *data, int fd, struct msghdr *msg, int flags)
{
	ssize_t r = adapter_recv(fd, msg->msg_iov, (int)msg->msg_iovlen, flags);
	struct psock *p = adapter_sock(fd);

	if (r < 0)
		return r;
	msg->msg_flags = 0;
	msg->msg_namelen = 0;
	if (p->inq)
		put_inq(p, msg);
	else
		msg->msg_controllen = 0;
	return r;
}

/* A pipe is the kernel's; whichever end is ours is read or written by hand. */
ssize_t adapter_splice(
	void *data, int in, loff_t *off_in, int out, loff_t *off_out, size_t len, unsigned flags)
{
	char chunk[65536];
	struct iovec iov = {chunk, len < sizeof chunk ? len : sizeof chunk};

	if (!adapter_sock(in) && !adapter_sock(out))
		return splice(in, off_in && *off_in ? off_in : NULL, out,
			off_out && *off_out ? off_out : NULL, len, flags);
	ssize_t n = adapter_sock(in) ? adapter_recv(in, &iov, 1, 0) : read(in, chunk, iov.iov_len);
	if (n <= 0)
		return n;
	iov.iov_len = (size_t)n;
	return adapter_sock(out) ? adapter_send(out, &iov, 1, 0) : write(out, chunk, (size_t)n);
}
