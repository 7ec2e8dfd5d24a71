/* What a socket says before it is anything: names, shutdown, reads, writes, listening twice. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	struct sockaddr_in any = address("0.0.0.0", 0), a = any;
	char c;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	signal(SIGPIPE, SIG_IGN);
	say("read", read(fd, &c, 1));
	say("recv", recv(fd, &c, 1, MSG_PEEK));
	say("write", write(fd, "x", 1));
	say("send to somewhere", sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	say("accept", accept(fd, NULL, NULL));
	say("bind", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	say("read", recv(fd, &c, 1, MSG_DONTWAIT));
	say("accept", accept(fd, NULL, NULL));
	say("listen", listen(fd, 1));
	say("bind", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	say("write", write(fd, "x", 1));
	say_error("listening", fd);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say("listen unbound", listen(fd, 1));
	say("connect", connect_in(fd, &a));
	close(fd);
	return 0;
}
