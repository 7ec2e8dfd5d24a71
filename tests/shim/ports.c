/* Ports: zero picks one of the ephemeral range, each bind another; a listener's is told; privileged ones work. */
#include "tests/shim/say.h"

static int port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);

	return getsockname(fd, (struct sockaddr *)&a, &len) < 0 ? -1 : ntohs(a.sin_port);
}

int main(int argc, char **argv)
{
	struct sockaddr_in any = address("0.0.0.0", 0), low = address("0.0.0.0", 81), peer = peer_address(argv);
	int seen[20], twice = 0, outside = 0, fd;

	for (int i = 0; i < 20; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
			say("bind", -1);
		seen[i] = port_of(fd);
		outside += seen[i] < 32768 || seen[i] > 60999;
		for (int j = 0; j < i; j++)
			twice += seen[i] == seen[j];
	}
	printf("twice %d outside %d\n", twice, outside);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	printf("fresh %d\n", port_of(fd));
	say("connect", connect_in(fd, &peer));
	printf("ephemeral %d\n", port_of(fd) >= 32768);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say("81", bind(fd, (struct sockaddr *)&low, sizeof(low)));
	say("connect from it", connect_in(fd, &peer));
	printf("kept %d\n", port_of(fd) == 81);
	return 0;
}
