/* SO_REUSEPORT: several listeners on one port, each gets some of the connections. */
#include "tests/shim/say.h"

enum { LISTENERS = 3, CALLS = 60 };

int main(int argc, char **argv)
{
	struct sockaddr_in a = address("127.0.0.1", 0);
	socklen_t len = sizeof(a);
	int on = 1, l[LISTENERS], got[LISTENERS] = {0}, all = 0, some = 0;

	for (int i = 0; i < LISTENERS; i++) {
		l[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
		say("bind", bind(l[i], (struct sockaddr *)&a, sizeof(a)));
		say("listen", listen(l[i], CALLS));
		getsockname(l[i], (struct sockaddr *)&a, &len);
	}
	for (int i = 0; i < CALLS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect_in(fd, &a) < 0)
			say("connect", -1);
	}
	for (int tries = 0; tries < 100 && all < CALLS; tries++) {
		for (int i = 0; i < LISTENERS; i++) {
			while (accept(l[i], NULL, NULL) >= 0)
				got[i]++, all++;
		}
		poll(NULL, 0, 5);
	}
	for (int i = 0; i < LISTENERS; i++)
		some += got[i] > 3;
	printf("all %d, each got some %d\n", all, some == LISTENERS);
	return 0;
}
