/* connect and accept name each other: the ports match, wherever the ends are. */
#include "tests/shim/say.h"

static struct sockaddr_in name_of(int (*ask)(int, struct sockaddr *, socklen_t *), int fd)
{
	struct sockaddr_in a = {0};
	socklen_t len = sizeof(a);

	say("name", ask(fd, (struct sockaddr *)&a, &len));
	return a;
}

static bool same(struct sockaddr_in a, struct sockaddr_in b)
{
	return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = peer_address(argv), from, own;
	socklen_t len = sizeof(from);
	char text[INET_ADDRSTRLEN];
	int fd[2], l = listen_here(&a, 1), bound = socket(AF_INET, SOCK_STREAM, 0), got;

	make_pair(fd);
	printf("same %d %d\n", same(name_of(getsockname, fd[0]), name_of(getpeername, fd[1])),
		same(name_of(getpeername, fd[0]), name_of(getsockname, fd[1])));
	own = name_of(getsockname, fd[0]);
	printf("%s\n", inet_ntop(AF_INET, &own.sin_addr, text, sizeof(text)));
	own = address("127.0.0.1", 0);
	say("bind", bind(bound, (struct sockaddr *)&own, sizeof(own)));
	own = name_of(getsockname, bound);
	say("connect", connect_in(bound, &a));
	got = accept(l, (struct sockaddr *)&from, &len);
	printf("accept tells %d, port kept %d\n", same(from, own), same(own, name_of(getpeername, got)));
	own = address("0.0.0.0", ntohs(a.sin_port));
	int any = socket(AF_INET, SOCK_STREAM, 0);
	say("connect to any", connect_in(any, &own));
	own = name_of(getpeername, any);
	printf("%s\n", inet_ntop(AF_INET, &own.sin_addr, text, sizeof(text)));
	return 0;
}
