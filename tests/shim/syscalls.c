/* Socket calls by syscall(2): the same as by name. */
#include "tests/shim/say.h"

#include <sys/syscall.h>

int main(int argc, char **argv)
{
	struct sockaddr_in a = peer_address(argv);
	socklen_t len = sizeof(a);
	char buf[8];
	int v = 1, fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	say("connect", syscall(SYS_connect, fd, &a, sizeof(a)));
	say("sendto", syscall(SYS_sendto, fd, "exyz", 4, MSG_NOSIGNAL, NULL, 0));
	say_bytes("recvfrom", buf, syscall(SYS_recvfrom, fd, buf, 3, MSG_WAITALL, NULL, NULL));
	say("getpeername", syscall(SYS_getpeername, fd, &a, &len));
	printf("family %d\n", a.sin_family);
	say("setsockopt", syscall(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v)));
	printf("nodelay %d\n", int_option(fd, IPPROTO_TCP, TCP_NODELAY));
	say("shutdown", syscall(SYS_shutdown, fd, SHUT_WR));
	say("read", syscall(SYS_read, fd, buf, 1));
	say("bad", syscall(SYS_listen, -1, 1));
	say("no such number", syscall(9999));
	printf("pid %d\n", syscall(SYS_getpid) == getpid());
	long at = 0;
	void *map = (void *)syscall(SYS_mmap, NULL, 4096, 3, 0x22, -1, at);
	printf("six arguments %d\n", map != (void *)-1);
	return 0;
}
