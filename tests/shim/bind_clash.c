/* Who may bind what: the same port with and without SO_REUSEADDR, a listener there, SO_REUSEPORT, after close. */
#include "tests/shim/say.h"

static int bound(const char *what, struct sockaddr_in *a, int option)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(*a);

	if (option)
		setsockopt(fd, SOL_SOCKET, option, &on, sizeof(on));
	say(what, bind(fd, (struct sockaddr *)a, sizeof(*a)));
	if (!a->sin_port)
		getsockname(fd, (struct sockaddr *)a, &len);
	return fd;
}

static void with_option(const char *name, int option)
{
	struct sockaddr_in a = address("0.0.0.0", 0);
	int one, two, three;

	printf("--- %s\n", name);
	one = bound("first", &a, option);
	two = bound("second", &a, option);
	three = bound("third, without", &a, 0);
	say("first listens", listen(one, 1));
	say("second listens", listen(two, 1));
	close(three);
	close(two);
	three = bound("late", &a, option);
	close(one);
	close(three);
	one = bound("after the close", &a, 0);
	close(one);
}

int main(int argc, char **argv)
{
	with_option("nothing", 0);
	with_option("SO_REUSEADDR", SO_REUSEADDR);
	with_option("SO_REUSEPORT", SO_REUSEPORT);
	return 0;
}
