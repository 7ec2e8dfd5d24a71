/* Listening and accepting: blocking and not, flags, addresses, time limits, EMFILE, prefork, and what dup shares. */
#include "tests/shim/say.h"

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

static int listener(int family, int flags, int *port)
{
	struct sockaddr_in6 a = {0};
	socklen_t len = sizeof(a);
	int fd = socket(family, SOCK_STREAM | flags, 0);

	say("listen", listen(fd, 16));
	getsockname(fd, (struct sockaddr *)&a, &len);
	*port = ntohs(a.sin6_port);
	return fd;
}

/* Has the peer call us at `port`. */
static int order_call(char **argv, int port)
{
	char text[8];

	snprintf(text, sizeof(text), PEER_CALL "%05d", port);
	return call_peer(argv, text);
}

static void say_conversation(int fd)
{
	char buf[16];

	say_bytes("read", buf, read_until(fd, buf, 5));
	say("write", write(fd, "back", 4));
	say_bytes("echo", buf, read_until(fd, buf, 4));
}

static void blocking(char **argv)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	char text[INET_ADDRSTRLEN];
	int port, l = listener(AF_INET, 0, &port), order = order_call(argv, port);
	int fd = accept(l, (struct sockaddr *)&a, &len);

	say_ok("accept", fd);
	printf("from %s length %d\n", inet_ntop(AF_INET, &a.sin_addr, text, sizeof(text)),
		(int)len);
	printf("cloexec %d nonblocking %d\n", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL) & O_NONBLOCK);
	say_conversation(fd);
	len = sizeof(a);
	say("getpeername", getpeername(fd, (struct sockaddr *)&a, &len));
	say_ok("port of the peer", ntohs(a.sin_port) ? 0 : -1);
	len = sizeof(a);
	getsockname(fd, (struct sockaddr *)&a, &len);
	printf("local port is the listener's: %d\n", ntohs(a.sin_port) == port);
	close(fd);
	close(order);
	close(l);
}

static void nonblocking(char **argv)
{
	int port, l = listener(AF_INET6, SOCK_NONBLOCK, &port);

	say("accept of nobody", accept(l, NULL, NULL));
	say_poll("idle listener", l);
	int order = order_call(argv, port);
	await(l, POLLIN);
	say_poll("listener with one", l);
	struct sockaddr_in6 a;
	socklen_t len = sizeof(a);
	int fd = accept4(l, (struct sockaddr *)&a, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	say_ok("accept4", fd);
	char text[INET6_ADDRSTRLEN];
	printf("from %s family %d length %d\n",
		inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof(text)), a.sin6_family, (int)len);
	printf("cloexec %d nonblocking %d\n", fcntl(fd, F_GETFD),
		!!(fcntl(fd, F_GETFL) & O_NONBLOCK));
	set_nonblocking(fd, false);
	say_conversation(fd);
	close(fd);
	close(order);
	close(l);
}

static void time_limit(void)
{
	struct timeval t = {.tv_usec = 50000};
	int port, l = listener(AF_INET, 0, &port);

	setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	say("accept with a limit", accept(l, NULL, NULL));
	close(l);
}

static void no_room(char **argv)
{
	struct rlimit limit, full;
	int port, l = listener(AF_INET, 0, &port), order = order_call(argv, port), last;

	await(l, POLLIN);
	last = dup(l);
	close(last);
	getrlimit(RLIMIT_NOFILE, &limit);
	full = limit;
	full.rlim_cur = (rlim_t)last;
	setrlimit(RLIMIT_NOFILE, &full);
	say("accept without room", accept(l, NULL, NULL));
	say_poll("still there", l);
	setrlimit(RLIMIT_NOFILE, &limit);
	int fd = accept(l, NULL, NULL);
	say_ok("accept with room", fd);
	say_conversation(fd);
	close(fd);
	close(order);
	close(l);
}

/* Two children wait in accept on the same socket; each gets one connection. */
static void prefork(char **argv)
{
	int port, l = listener(AF_INET, 0, &port), status, good = 0;
	char buf[8];

	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			int fd = accept(l, NULL, NULL);
			_exit(fd >= 0 && read_until(fd, buf, 5) == 5 ? 0 : 1);
		}
	}
	int a = order_call(argv, port), b = order_call(argv, port);
	while (wait(&status) > 0)
		good += status == 0;
	printf("children that got one: %d\n", good);
	close(a);
	close(b);
	close(l);
}

static void bad_pointers(char **argv)
{
	int port, l = listener(AF_INET, 0, &port), order = order_call(argv, port);
	socklen_t len = sizeof(struct sockaddr_in);

	await(l, POLLIN);
	say("accept to a wild address", accept(l, (struct sockaddr *)16, &len));
	close(order);
	close(l);
}

static void binding(void)
{
	struct sockaddr_in a = address("0.0.0.0", 0), elsewhere = address("192.0.2.1", 0);
	socklen_t len = sizeof(a);
	int one = socket(AF_INET, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0);

	say("bind to nobody's address",
		bind(one, (struct sockaddr *)&elsewhere, sizeof(elsewhere)));
	say("bind", bind(one, (struct sockaddr *)&a, sizeof(a)));
	getsockname(one, (struct sockaddr *)&a, &len);
	say("listen", listen(one, 1));
	say("same port", bind(two, (struct sockaddr *)&a, sizeof(a)));
	a.sin_port = 0;
	say("another port", bind(two, (struct sockaddr *)&a, sizeof(a)));
	say("short", bind(two, (struct sockaddr *)&a, 4));
	a.sin_family = AF_INET6;
	say("wrong family",
		bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	a.sin_family = AF_UNSPEC;
	say("no family, any address",
		bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	close(one);
	close(two);
}

int main(int argc, char **argv)
{
	blocking(argv);
	nonblocking(argv);
	time_limit();
	no_room(argv);
	fflush(stdout);
	prefork(argv);
	bad_pointers(argv);
	binding();
	return 0;
}
