/* TCP_INFO in each state, and that its counters count. */
#include "tests/shim/say.h"

static void show(const char *what, int fd)
{
	struct tcp_info i = {0};
	socklen_t len = sizeof(i);

	say(what, getsockopt(fd, IPPROTO_TCP, TCP_INFO, &i, &len));
	printf("%s: state %d rto %d rtt %d mss %d unacked %d\n", what, i.tcpi_state, i.tcpi_rto > 0,
		i.tcpi_rtt > 0, i.tcpi_snd_mss > 0, i.tcpi_unacked);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;
	char c;
	int fd[2], l = listen_here(&a, 1);
	struct tcp_info i;

	show("listener", l);
	make_pair(fd);
	show("connected", fd[0]);
	say("write", write(fd[0], "x", 1));
	say("read", read(fd[1], &c, 1));
	say("shutdown", shutdown(fd[0], SHUT_WR));
	say("end", read(fd[1], &c, 1));
	getsockopt(fd[1], IPPROTO_TCP, TCP_INFO, &i, &(socklen_t){sizeof(i)});
	printf("peer's FIN: state %d\n", i.tcpi_state);
	close_pair(fd);
	return 0;
}
