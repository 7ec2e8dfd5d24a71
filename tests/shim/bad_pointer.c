/* Wild pointers are EFAULT and nothing crashes. */
#include "tests/shim/say.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	void *volatile wild = (void *)16; /* the compiler must not know */
	socklen_t len = 16;
	int v = 1, fd[2];

	make_pair(fd);
	say("connect", connect(fd[0], wild, 16));
	say("bind", bind(socket(AF_INET, SOCK_STREAM, 0), wild, 16));
	say("getsockname", getsockname(fd[0], wild, &len));
	say("getsockname, length", getsockname(fd[0], (struct sockaddr *)&v, wild));
	say("getpeername", getpeername(fd[0], wild, &len));
	len = 4;
	say("getsockopt", getsockopt(fd[0], SOL_SOCKET, SO_KEEPALIVE, wild, &len));
	say("getsockopt, length", getsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, &v, wild));
	say("setsockopt", setsockopt(fd[0], IPPROTO_TCP, TCP_NODELAY, wild, 4));
	say("SO_LINGER", setsockopt(fd[0], SOL_SOCKET, SO_LINGER, wild, sizeof(struct linger)));
	say("TCP_CONGESTION", setsockopt(fd[0], IPPROTO_TCP, TCP_CONGESTION, wild, 5));
	say("TCP_INFO", getsockopt(fd[0], IPPROTO_TCP, TCP_INFO, wild, &(socklen_t){16}));
	say("send", send(fd[0], wild, 4, 0));
	say("write", write(fd[0], wild, 4));
	say("sendmsg", sendmsg(fd[0], wild, 0));
	say("write, good", write(fd[1], "abcd", 4));
	await(fd[0], POLLIN);
	say("recv", recv(fd[0], wild, 4, 0));
	say("read", read(fd[0], wild, 4));
	say("recvmsg", recvmsg(fd[0], wild, MSG_DONTWAIT));
	say("FIONREAD", ioctl(fd[0], FIONREAD, wild));
	say("SIOCOUTQ", ioctl(fd[0], SIOCOUTQ, wild));
	say("nothing was lost", recv(fd[0], &v, 4, MSG_WAITALL));
	close_pair(fd);
	return 0;
}
