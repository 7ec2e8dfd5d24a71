/* Sockets of other kinds are left alone: AF_UNIX, socketpair, and their odd answers. */
#include "tests/shim/say.h"

#include <stddef.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_in in = address("127.0.0.1", 9);
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0teecee-test-name"};
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + 18;
	char buf[4];
	int pair[2], l = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);

	say("socketpair", socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	printf("type %d domain %d protocol %d\n", int_option(pair[0], SOL_SOCKET, SO_TYPE),
		int_option(pair[0], SOL_SOCKET, SO_DOMAIN), int_option(pair[0], SOL_SOCKET, SO_PROTOCOL));
	say("TCP_NODELAY", setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &(int){1}, 4));
	say("bind", bind(l, (struct sockaddr *)&name, len));
	say("listen", listen(l, 1));
	say("connect", connect(fd, (struct sockaddr *)&name, len));
	int got = accept(l, NULL, NULL);
	say("write", write(fd, "abc", 3));
	say_bytes("read", buf, read(got, buf, sizeof(buf)));
	say("getsockname", getsockname(got, (struct sockaddr *)&name, &len));
	printf("family %d\n", name.sun_family);
	say("an IP address for a connected one", connect(fd, (struct sockaddr *)&in, sizeof(in)));
	say("socketpair of inet", socketpair(AF_INET, SOCK_STREAM, 0, pair));
	return 0;
}
