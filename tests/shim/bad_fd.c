/* Every call with an fd that is none, was closed, is a file or a pipe. */
#include "tests/shim/say.h"

#include <sys/ioctl.h>
#include <sys/uio.h>

static void all(const char *what, int fd)
{
	struct sockaddr_in a = address("127.0.0.1", 9);
	struct sockaddr *p = (struct sockaddr *)&a;
	socklen_t len = sizeof(a);
	struct iovec iov = {&a, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	int v = 0;

	printf("--- %s\n", what);
	say("connect", connect(fd, p, len));
	say("bind", bind(fd, p, len));
	say("listen", listen(fd, 1));
	say("accept", accept(fd, NULL, NULL));
	say("accept4", accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	say("getsockname", getsockname(fd, p, &len));
	say("getpeername", getpeername(fd, p, &len));
	say("getsockopt", getsockopt(fd, SOL_SOCKET, SO_ERROR, &v, &len));
	say("setsockopt", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &v, sizeof(v)));
	say("shutdown", shutdown(fd, SHUT_RD));
	say("recv", recv(fd, &v, 1, MSG_DONTWAIT));
	say("recvfrom", recvfrom(fd, &v, 1, MSG_DONTWAIT, p, &len));
	say("recvmsg", recvmsg(fd, &m, MSG_DONTWAIT));
	say("send", send(fd, &v, 1, MSG_DONTWAIT));
	say("sendto", sendto(fd, &v, 1, MSG_DONTWAIT, p, sizeof(a)));
	say("sendmsg", sendmsg(fd, &m, MSG_DONTWAIT));
	say("SIOCATMARK", ioctl(fd, SIOCATMARK, &v));
	say("F_GETFL", fcntl(fd, F_GETFL) < 0 ? -1 : 0);
}

int main(int argc, char **argv)
{
	int ends[2], closed = socket(AF_INET, SOCK_STREAM, 0);

	say("pipe", pipe(ends));
	close(closed);
	all("minus one", -1);
	all("huge", 1 << 29);
	all("closed", closed);
	say("close again", close(closed));
	all("a file", open("/dev/null", O_RDWR));
	all("a pipe", ends[0]);
	return 0;
}
