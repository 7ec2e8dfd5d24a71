/* IP_TOS and IP_TTL, in int and byte, in range and out of it, on a connection and by inheritance. */
#include "tests/shim/say.h"

static void try(int fd, const char *what, int name, int v)
{
	printf("%s %d ", what, v);
	say("int", setsockopt(fd, IPPROTO_IP, name, &v, sizeof(v)));
	printf("now %d\n", int_option(fd, IPPROTO_IP, name));
	unsigned char byte = (unsigned char)v;
	say("byte", setsockopt(fd, IPPROTO_IP, name, &byte, 1));
	printf("now %d\n", int_option(fd, IPPROTO_IP, name));
}

int main(int argc, char **argv)
{
	static const int values[] = {0, 1, 3, 16, 64, 184, 255, 256, -1};
	struct sockaddr_in a;
	int tos = 16, l = listen_here(&a, 1), fd = socket(AF_INET, SOCK_STREAM, 0), got;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		try(fd, "IP_TOS", IP_TOS, values[i]);
		try(fd, "IP_TTL", IP_TTL, values[i]);
	}
	say("listener's TOS", setsockopt(l, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)));
	say("connect", connect_in(fd, &a));
	got = accept(l, NULL, NULL);
	printf("inherited %d\n", int_option(got, IPPROTO_IP, IP_TOS));
	try(got, "IP_TOS", IP_TOS, 8);
	return 0;
}
