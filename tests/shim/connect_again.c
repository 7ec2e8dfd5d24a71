/* A non-blocking connect asked again and again: EINPROGRESS, EALREADY, done, EISCONN. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	struct sockaddr_in a, nobody = address(argv[1], 80), unspec = {.sin_family = AF_UNSPEC};
	int l = listen_here(&a, 1), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	say("connect", connect_in(fd, &a));
	await(fd, POLLOUT);
	say("done", connect_in(fd, &a));
	say("again", connect_in(fd, &a));
	say("elsewhere", connect_in(fd, &nobody));
	close(fd);
	nobody.sin_addr.s_addr = htonl((ntohl(nobody.sin_addr.s_addr) & ~0xffu) | 223);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	say("nobody", connect_in(fd, &nobody));
	say("pending", connect_in(fd, &nobody));
	say_poll("pending", fd);
	say("read", recv(fd, &a, 1, 0));
	say("write", send(fd, "x", 1, MSG_NOSIGNAL));
	say("peer", getpeername(fd, (struct sockaddr *)&nobody, &(socklen_t){16}));
	say("given up", connect_in(fd, &unspec));
	say("somewhere else", connect_in(fd, &a));
	await(fd, POLLOUT);
	say_error("there", fd);
	say_ok("accept", accept(l, NULL, NULL));
	return 0;
}
