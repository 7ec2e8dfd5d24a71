/* getsockname and getpeername in every state, for both families; lengths and bad pointers. */
#include "tests/shim/say.h"

/* The address without what differs between two hosts: whether it is set, and the peer's in full. */
static void say_name(
	const char *what, int (*ask)(int, struct sockaddr *, socklen_t *), int fd, bool in_full)
{
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char text[INET6_ADDRSTRLEN];

	memset(&a, 0xee, sizeof(a));
	if (ask(fd, (struct sockaddr *)&a, &len) < 0) {
		say(what, -1);
		return;
	}
	bool six = a.ss_family == AF_INET6;
	const struct sockaddr_in *v4 = (struct sockaddr_in *)&a;
	const struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a;
	inet_ntop(a.ss_family, six ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr, text,
		sizeof(text));
	int port = ntohs(six ? v6->sin6_port : v4->sin_port);
	bool set = strcmp(text, "0.0.0.0") != 0 && strcmp(text, "::") != 0;
	printf("%s: family %d length %d %s port %s\n", what, a.ss_family, (int)len,
		in_full ? text
		: set   ? "set"
			: text,
		port ? "set" : "0");
}

static void both_names(const char *what, int fd)
{
	printf("--- %s\n", what);
	say_name("getsockname", getsockname, fd, false);
	say_name("getpeername", getpeername, fd, true);
}

static void lengths(int fd)
{
	char buf[64];
	struct sockaddr *a = (struct sockaddr *)buf;
	socklen_t len;

	for (len = 0; len <= 20; len += 5) {
		socklen_t l = len;
		memset(buf, '.', sizeof(buf));
		say("cut", getpeername(fd, a, &l));
		printf("room %d length %d untouched after %d\n", (int)len, (int)l,
			buf[len] == '.' && buf[len + 1] == '.');
	}
	len = (socklen_t)-1;
	say("negative", getpeername(fd, a, &len));
	say("no length", getpeername(fd, a, NULL));
	len = 16;
	say("no address", getpeername(fd, NULL, &len));
	say("wild", getsockname(fd, (struct sockaddr *)16, &len));
}

static void v6(char **argv)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(argv[2]))};
	char mapped[64];
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	snprintf(mapped, sizeof(mapped), "::ffff:%s", argv[1]);
	inet_pton(AF_INET6, mapped, &a.sin6_addr);
	both_names("v6 fresh", fd);
	say("bind ::", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	say_name("v6 bound", getsockname, fd, false);
	say("connect mapped", connect(fd, (struct sockaddr *)&a, sizeof(a)));
	both_names("v6 connected", fd);
	close(fd);
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	say("listen", listen(fd, 3));
	both_names("v6 listening", fd);
	close(fd);
}

/* A connect has its address when it returns, whoever else has yet to do something for it. */
static void under_way(const struct sockaddr_in *a)
{
	enum { TIMES = 200 };
	int without = 0;

	for (int i = 0; i < TIMES; i++) {
		struct sockaddr_in me = {0};
		socklen_t len = sizeof(me);
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		connect_in(fd, a);
		without += getsockname(fd, (struct sockaddr *)&me, &len) < 0 || me.sin_port == 0 ||
			   me.sin_addr.s_addr == 0;
		await(fd, POLLOUT);
		close(fd);
	}
	printf("under way, %d times: %d without an address\n", TIMES, without);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = peer_address(argv), any = address("0.0.0.0", 0),
			   closed = closed_address(argv);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	both_names("fresh", fd);
	say("bind", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	both_names("bound", fd);
	say("connect", connect_in(fd, &a));
	both_names("connected", fd);
	lengths(fd);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	say("connect", connect_in(fd, &a));
	say_name("under way", getsockname, fd, false);
	await(fd, POLLOUT);
	both_names("connected", fd);
	close(fd);
	under_way(&a);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say("refused", connect_in(fd, &closed));
	say_name("refused", getpeername, fd, true);
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	say("listen unbound", listen(fd, 5));
	both_names("listening", fd);
	close(fd);
	v6(argv);
	return 0;
}
