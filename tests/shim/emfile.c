/* No fd left: socket and accept say EMFILE, and the connection waits until there is room. */
#include "tests/shim/say.h"

#include <sys/resource.h>

int main(int argc, char **argv)
{
	struct sockaddr_in a;
	struct rlimit limit, low;
	int l = listen_here(&a, 4), fd = socket(AF_INET, SOCK_STREAM, 0);

	say("connect", connect_in(fd, &a));
	await(l, POLLIN);
	getrlimit(RLIMIT_NOFILE, &limit);
	low = limit;
	low.rlim_cur = (rlim_t)fd + 1;
	setrlimit(RLIMIT_NOFILE, &low);
	say("socket", socket(AF_INET, SOCK_STREAM, 0));
	say("socket6", socket(AF_INET6, SOCK_STREAM, 0));
	say("accept", accept(l, NULL, NULL));
	say("dup", dup(fd));
	say("write", write(fd, "x", 1));
	setrlimit(RLIMIT_NOFILE, &limit);
	int got = accept(l, NULL, NULL);
	char c = 0;
	say("read what was accepted late", read(got, &c, 1));
	return c != 'x';
}
