/* bindresvport(3): a port below 1024. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET}, six = {.sin_family = AF_INET6};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0);

	say("bindresvport", bindresvport(fd, &a));
	getsockname(fd, (struct sockaddr *)&a, &len);
	printf("port below 1024 %d\n", ntohs(a.sin_port) < 1024 && a.sin_port);
	say("without address", bindresvport(two, NULL));
	say("again", bindresvport(two, NULL));
	say("wrong family", bindresvport(socket(AF_INET, SOCK_STREAM, 0), &six));
	return 0;
}
