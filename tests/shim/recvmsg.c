/* recvmsg and sendmsg: flags that come back, control data that is not there, no buffers. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	char buf[8], control[64];
	struct iovec iov = {buf, 4};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	int fd[2];

	make_pair(fd);
	say("write", write(fd[1], "abcdefgh", 8));
	await(fd[0], POLLIN);
	m.msg_flags = -1;
	say("recvmsg", recvmsg(fd[0], &m, 0));
	printf("flags %x control %zu\n", (unsigned)m.msg_flags, m.msg_controllen);
	m.msg_iovlen = 0;
	say("no buffers", recvmsg(fd[0], &m, MSG_DONTWAIT));
	m.msg_iovlen = 1;
	say("peek", recvmsg(fd[0], &m, MSG_PEEK));
	say("cloexec", recvmsg(fd[0], &m, MSG_CMSG_CLOEXEC));
	say("none", recvmsg(fd[0], &m, MSG_DONTWAIT));
	m.msg_control = NULL;
	m.msg_controllen = 0;
	say("sendmsg", sendmsg(fd[1], &m, 0));
	m.msg_iovlen = 5000;
	say("too many", sendmsg(fd[1], &m, 0));
	m.msg_iovlen = 0;
	say("empty", sendmsg(fd[1], &m, 0));
	say("zero bytes", send(fd[1], buf, 0, 0));
	close_pair(fd);
	return 0;
}
