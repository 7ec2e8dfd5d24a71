/* Options that nobody has, of wrong levels, and of other families. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	static const struct {
		int level, name;
	} tries[] = {{SOL_SOCKET, 9999}, {IPPROTO_TCP, 9999}, {IPPROTO_IP, 9999}, {IPPROTO_UDP, 1},
		{12345, 1}, {-1, -1},
		{IPPROTO_IPV6, IPV6_V6ONLY}, {SOL_SOCKET, SO_PEERSEC}};
	int v = 1, fd[2];

	make_pair(fd);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		socklen_t len = sizeof(v);
		printf("%d %d\n", tries[i].level, tries[i].name);
		say("set", setsockopt(fd[0], tries[i].level, tries[i].name, &v, sizeof(v)));
		say("get", getsockopt(fd[0], tries[i].level, tries[i].name, &v, &len));
	}
	v = 0;
	say("read only, SO_TYPE", setsockopt(fd[0], SOL_SOCKET, SO_TYPE, &v, sizeof(v)));
	say("read only, SO_ERROR", setsockopt(fd[0], SOL_SOCKET, SO_ERROR, &v, sizeof(v)));
	say("read only, SO_ACCEPTCONN", setsockopt(fd[0], SOL_SOCKET, SO_ACCEPTCONN, &v, sizeof(v)));
	say("SO_PASSCRED", setsockopt(fd[0], SOL_SOCKET, SO_PASSCRED, &v, sizeof(v)));
	say("TCP_KEEPIDLE of zero", setsockopt(fd[0], IPPROTO_TCP, TCP_KEEPIDLE, &v, sizeof(v)));
	say("SO_BROADCAST", setsockopt(fd[0], SOL_SOCKET, SO_BROADCAST, &v, sizeof(v)));
	close_pair(fd);
	return 0;
}
