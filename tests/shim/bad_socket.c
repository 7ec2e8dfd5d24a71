/* socket() with families, types and protocols that do not go together. */
#include "tests/shim/say.h"

int main(int argc, char **argv)
{
	static const struct {
		int family, type, protocol;
	} tries[] = {
		{AF_INET, SOCK_STREAM, IPPROTO_TCP},
		{AF_INET, SOCK_STREAM, IPPROTO_UDP},
		{AF_INET, SOCK_STREAM, 255},
		{AF_INET, SOCK_STREAM, 1000},
		{AF_INET, SOCK_STREAM, -1},
		{AF_INET, SOCK_SEQPACKET, 0},
		{AF_INET, 99, 0},
		{AF_INET, SOCK_STREAM | 1 << 20, 0},
		{999, SOCK_STREAM, 0},
		{-1, SOCK_STREAM, 0},
		{AF_INET6, SOCK_STREAM, IPPROTO_TCP},
		{AF_UNIX, SOCK_STREAM, IPPROTO_TCP},
	};

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int fd = socket(tries[i].family, tries[i].type, tries[i].protocol);
		printf("%d %d %d ", tries[i].family, tries[i].type, tries[i].protocol);
		say_ok("is", fd);
		close(fd);
	}
	return 0;
}
