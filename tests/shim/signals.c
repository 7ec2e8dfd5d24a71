/* Blocking connect and accept against signals: EINTR without SA_RESTART, restarted with it, limits kept. */
#include "tests/shim/say.h"

#include <sys/time.h>
#include <time.h>

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	alarms++;
}

static void handle(int flags)
{
	struct sigaction a = {.sa_handler = on_alarm, .sa_flags = flags};

	sigaction(SIGALRM, &a, NULL);
	alarms = 0;
}

static void alarm_in(int ms)
{
	struct itimerval t = {.it_value = {.tv_usec = ms * 1000}};

	setitimer(ITIMER_REAL, &t, NULL);
}

static void limit(int fd, int name, int ms)
{
	struct timeval t = {.tv_usec = ms * 1000};

	setsockopt(fd, SOL_SOCKET, name, &t, sizeof(t));
}

/* A call that is interrupted at 30 ms and has a limit of 90: which one ends it? */
static void accept_case(const char *what, int l, int flags, int limit_ms)
{
	handle(flags);
	limit(l, SO_RCVTIMEO, limit_ms);
	alarm_in(30);
	say(what, accept(l, NULL, NULL));
	printf("alarms %d\n", alarms);
}

int main(int argc, char **argv)
{
	/* An address of the subnet that nobody has: the connect stays pending for a while. */
	struct sockaddr_in nobody = address(argv[1], 80);
	int l = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

	nobody.sin_addr.s_addr = htonl((ntohl(nobody.sin_addr.s_addr) & ~0xffu) | 222);
	say("listen", listen(l, 1));
	accept_case("accept, EINTR", l, 0, 0);
	accept_case("accept, a limit is not restarted", l, SA_RESTART, 90);
	handle(0);
	limit(fd, SO_SNDTIMEO, 90);
	say("connect with a limit", connect_in(fd, &nobody));
	say("and again", connect_in(fd, &nobody));
	limit(fd, SO_SNDTIMEO, 0);
	alarm_in(30);
	say("connect, EINTR", connect_in(fd, &nobody));
	printf("alarms %d\n", alarms);
	set_nonblocking(fd, true);
	say("still under way", connect_in(fd, &nobody));
	close(fd);

	/* Restarted: the end comes from the network, the alarm before it. */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	handle(SA_RESTART);
	alarm_in(30);
	say("connect, restarted", connect_in(fd, &nobody));
	printf("alarms %d\n", alarms);
	close(fd);
	return 0;
}
