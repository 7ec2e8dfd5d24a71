/* A thousand connections at once, both ends in one process. */
#include "tests/shim/say.h"

#include <sys/resource.h>

enum { MANY = 1000 };

int main(int argc, char **argv)
{
	static int out[MANY], in[MANY];
	struct rlimit r;
	struct sockaddr_in a;
	int l = listen_here(&a, 128), good = 0;
	char c;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	for (int i = 0; i < MANY; i++) {
		out[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect_in(out[i], &a) < 0)
			say("connect", -1);
		in[i] = accept(l, NULL, NULL);
	}
	for (int i = 0; i < MANY; i++)
		good += write(out[i], "x", 1) == 1;
	printf("written %d\n", good);
	good = 0;
	for (int i = 0; i < MANY; i++)
		good += read(in[i], &c, 1) == 1 && c == 'x';
	printf("read %d\n", good);
	for (int i = 0; i < MANY; i++)
		close(out[i]);
	good = 0;
	for (int i = 0; i < MANY; i++)
		good += read(in[i], &c, 1) == 0;
	printf("ended %d\n", good);
	return 0;
}
