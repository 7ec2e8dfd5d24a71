/* TCP_CONGESTION: the default, another, one that is not there, odd lengths. */
#include "tests/shim/say.h"

static void show(const char *what, int fd)
{
	char name[17] = "................";
	socklen_t len = 16;

	say(what, getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
	printf("\"%s\" length %d\n", name, (int)len);
}

int main(int argc, char **argv)
{
	char name[8] = "xxxxxxx";
	socklen_t len = 2;
	int fd[2], fresh = socket(AF_INET, SOCK_STREAM, 0);

	say("reno", setsockopt(fresh, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	show("fresh", fresh);
	make_pair(fd);
	say("reno", setsockopt(fd[0], IPPROTO_TCP, TCP_CONGESTION, "reno", 5));
	show("connected", fd[0]);
	say("unknown", setsockopt(fd[0], IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6));
	say("empty", setsockopt(fd[0], IPPROTO_TCP, TCP_CONGESTION, "", 0));
	show("still", fd[0]);
	say("room for two", getsockopt(fd[0], IPPROTO_TCP, TCP_CONGESTION, name, &len));
	printf("%.4s length %d\n", name, (int)len);
	close_pair(fd);
	return 0;
}
