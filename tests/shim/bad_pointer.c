/* Wild pointers are EFAULT and nothing crashes. */
#include "tests/shim/say.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { PAGE = 65536 }; /* a multiple of everybody's */

/* Two pages: one to use, and a hole or one that can only be read. */
static char *two_pages(int second)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 0, 2 * PAGE);
	mprotect(p + PAGE, PAGE, second);
	return p;
}

/* Values that end with a page, that go on in the next, and that lie in it. */
static void at_the_edge(const char *what, int fd, int second)
{
	char *next = two_pages(second) + PAGE;

	puts(what);
	for (int before = 5; before >= 0; before--) {
		char *at = next - before;
		socklen_t len = 4;
		printf("%d before\n", before);
		if (before >= 4)
			memcpy(at, &(int){1}, 4);
		say("setsockopt", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, at, 4));
		say("getsockopt", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, at, &len));
		say("getsockopt, length", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){0}, (socklen_t *)at));
	}
	for (int before = 16; before >= 0; before -= 8) {
		socklen_t len = 16;
		say("getsockname", getsockname(fd, (struct sockaddr *)(next - before), &len));
	}
	munmap(next - PAGE, 2 * PAGE);
}

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
	at_the_edge("a hole", fd[0], PROT_NONE);
	at_the_edge("read-only", fd[0], PROT_READ);
	close_pair(fd);
	return 0;
}
