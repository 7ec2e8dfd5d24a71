/*
 * Loopback addresses, served by this stack or left to the host's kernel (`run` has all modes): the fd keeps its number,
 * flags, options and epoll registrations.
 */
#include "tests/shim/say.h"

#include <sys/epoll.h>
#include <sys/time.h>

static int local_listener(struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*a = address("127.0.0.1", 0);
	say("bind to loopback", bind(fd, (struct sockaddr *)a, sizeof(*a)));
	say("listen", listen(fd, 5));
	getsockname(fd, (struct sockaddr *)a, &len);
	return fd;
}

static void conversation(int fd, int l)
{
	char buf[8];
	int server = accept(l, NULL, NULL);

	say_ok("accept", server);
	say("write", write(server, "hi", 2));
	say_bytes("read", buf, read_until(fd, buf, 2));
	close(server);
	say("end", read(fd, buf, sizeof(buf)));
}

static void kept(const struct sockaddr_in *a, int l)
{
	struct timeval t = {.tv_sec = 7};
	socklen_t len = sizeof(t);
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	say("connect", connect_in(fd, a));
	t.tv_sec = 0;
	getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len);
	printf("nodelay %d keepalive %d limit %ld cloexec %d\n",
		int_option(fd, IPPROTO_TCP, TCP_NODELAY), int_option(fd, SOL_SOCKET, SO_KEEPALIVE),
		(long)t.tv_sec, fcntl(fd, F_GETFD));
	conversation(fd, l);
	close(fd);
}

/* As an event loop does it: registered first, connected then. */
static void in_epoll(const struct sockaddr_in *a, int l)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = epoll_create1(0),
	    two = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLOUT | EPOLLET, .data.u64 = 0x123456789abcdef0}, got;

	epoll_ctl(one, EPOLL_CTL_ADD, fd, &e);
	e.events = EPOLLIN | EPOLLRDHUP;
	e.data.u64 = UINT64_MAX;
	epoll_ctl(two, EPOLL_CTL_ADD, fd, &e);
	say("connect", connect_in(fd, a));
	say("events in one", epoll_wait(one, &got, 1, WAIT_MS));
	printf("data %llx out %d\n", (unsigned long long)got.data.u64, !!(got.events & EPOLLOUT));
	set_nonblocking(fd, false);
	conversation(fd, l);
	say("events in two", epoll_wait(two, &got, 1, WAIT_MS));
	printf("data %llx\n", (unsigned long long)got.data.u64);
	say("still registered", epoll_ctl(two, EPOLL_CTL_DEL, fd, NULL));
	close(one);
	close(two);
	close(fd);
}

/* The same for a second connect on a socket of ours. */
static void in_epoll_again(char **argv)
{
	struct sockaddr_in a = peer_address(argv), closed = closed_address(argv);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLOUT, .data.u64 = 4711}, got = {0};

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
	say("refused", connect_in(fd, &closed));
	say("event", epoll_wait(ep, &got, 1, WAIT_MS));
	printf("out %d err %d hup %d\n", !!(got.events & EPOLLOUT), !!(got.events & EPOLLERR),
		!!(got.events & EPOLLHUP));
	say("tell", connect_in(fd, &closed));
	say("again", connect_in(fd, &a));
	got.events = EPOLLERR;
	while (got.events & (EPOLLERR | EPOLLHUP))
		epoll_wait(ep, &got, 1, WAIT_MS);
	printf("data %d events %x\n", (int)got.data.u64, got.events);
	say_error("connected", fd);
	close(ep);
	close(fd);
}

static void any_and_v6(const struct sockaddr_in *a, int l)
{
	struct sockaddr_in any = *a;
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = a->sin_port};
	int fd = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_STREAM, 0);

	any.sin_addr.s_addr = INADDR_ANY;
	say("connect to 0.0.0.0", connect_in(fd, &any));
	conversation(fd, l);
	inet_pton(AF_INET6, "::ffff:127.0.0.1", &mapped.sin6_addr);
	say("connect to ::ffff:127.0.0.1",
		connect(six, (struct sockaddr *)&mapped, sizeof(mapped)));
	conversation(six, l);
	close(fd);
	close(six);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	any = address("0.0.0.0", 0);
	say("bind to any", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	say("then to loopback", connect_in(fd, a));
	conversation(fd, l);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a, closed = closed_address(argv);
	int l = local_listener(&a), fd = socket(AF_INET, SOCK_STREAM, 0);

	kept(&a, l);
	in_epoll(&a, l);
	in_epoll_again(argv);
	any_and_v6(&a, l);
	closed = address("127.0.0.1", 1);
	say("nobody there", connect_in(fd, &closed));
	close(fd);
	close(l);
	return 0;
}
