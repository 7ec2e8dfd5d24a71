/* A server that changed its root and its user goes on to accept, connect and set options. */
#include "tests/shim/say.h"

#include <sys/wait.h>

int main(int argc, char **argv)
{
	struct sockaddr_in a, peer = peer_address(argv);
	char buf[4];
	int on = 1, l = listen_here(&a, 4), fd, got;

	say("chroot", chroot("/proc/self/fdinfo"));
	say("chdir", chdir("/"));
	say("setgid", setgid(65534));
	say("setuid", setuid(65534));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say("connect", connect_in(fd, &a));
	got = accept(l, NULL, NULL);
	say_ok("accept", got);
	say("option", setsockopt(got, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	printf("nodelay %d\n", int_option(got, IPPROTO_TCP, TCP_NODELAY));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say("connect to the peer", connect_in(fd, &peer));
	say("write", write(fd, "eabc", 4));
	say_bytes("read", buf, read_until(fd, buf, 3));
	say("listen", listen(socket(AF_INET, SOCK_STREAM, 0), 1));
	if (fork() == 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		_exit(connect_in(fd, &peer) == 0 ? 0 : 1);
	}
	int status;
	wait(&status);
	printf("a child of it %d\n", status);
	return 0;
}
