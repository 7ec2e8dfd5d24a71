/* close() with SO_LINGER: how long it takes, and what the peer sees. */
#include "tests/shim/say.h"

#include <sys/ioctl.h>
#include <time.h>

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void set_linger(int fd, int on, int seconds)
{
	struct linger l = {.l_onoff = on, .l_linger = seconds};

	say("SO_LINGER", setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
}

/* Fills every buffer on the way: the peer reads nothing for 200 ms. */
static void fill(int fd)
{
	static char buf[65536];

	set_nonblocking(fd, true);
	while (write(fd, buf, sizeof(buf)) > 0 || errno != EAGAIN)
		;
	set_nonblocking(fd, false);
}

static void say_close(const char *what, int fd)
{
	long began = now_ms();

	say(what, close(fd));
	long took = now_ms() - began;
	printf("%s: %s\n", what, took < 60 ? "at once" : took < 900 ? "when it was sent" : "when the time was over");
}

static void waits(char **argv)
{
	int fd = call_peer(argv, PEER_SLOW);

	fill(fd);
	set_linger(fd, 1, 5);
	say_close("five seconds, 200 ms needed", fd);

	fd = call_peer(argv, PEER_HOLD);
	set_linger(fd, 1, 5);
	say_close("nothing to send", fd);

	fd = call_peer(argv, PEER_SLOW);
	fill(fd);
	set_linger(fd, 0, 0);
	say_close("without", fd);
}

static void duplicated(char **argv)
{
	int fd = call_peer(argv, PEER_SLOW);

	fill(fd);
	set_linger(fd, 1, 5);
	int two = dup(fd);
	say_close("not the last one", fd);
	say_close("the last one", two);
}

/* An address that stops answering: the peer's end of a connection to a stopped reader never empties. */
static void time_over(char **argv)
{
	int fd = call_peer(argv, PEER_REFUSE);

	fill(fd);
	set_linger(fd, 1, 1);
	say_close("one second", fd);
}

int main(int argc, char **argv)
{
	waits(argv);
	duplicated(argv);
	time_over(argv);
	return 0;
}
