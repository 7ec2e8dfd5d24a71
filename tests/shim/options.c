/* Every socket option that is known, on fresh, connected and accepted sockets; odd lengths and values. */
#include "tests/shim/say.h"

#include <sys/time.h>

#define O(level, name)                                                                             \
	{                                                                                          \
#name, level, name                                                                 \
	}

static const struct option {
	const char *text;
	int level, name;
} options[] = {
	O(SOL_SOCKET, SO_TYPE),
	O(SOL_SOCKET, SO_DOMAIN),
	O(SOL_SOCKET, SO_PROTOCOL),
	O(SOL_SOCKET, SO_ACCEPTCONN),
	O(SOL_SOCKET, SO_REUSEADDR),
	O(SOL_SOCKET, SO_REUSEPORT),
	O(SOL_SOCKET, SO_KEEPALIVE),
	O(SOL_SOCKET, SO_OOBINLINE),
	O(IPPROTO_TCP, TCP_NODELAY),
	O(IPPROTO_TCP, TCP_CORK),
	O(IPPROTO_TCP, TCP_KEEPIDLE),
	O(IPPROTO_TCP, TCP_KEEPINTVL),
	O(IPPROTO_TCP, TCP_KEEPCNT),
	O(IPPROTO_TCP, TCP_SYNCNT),
	O(IPPROTO_TCP, TCP_USER_TIMEOUT),
	O(IPPROTO_TCP, TCP_LINGER2),
	O(IPPROTO_IP, IP_TOS),
	O(IPPROTO_IP, IP_TTL),
	O(IPPROTO_TCP, TCP_MAXSEG),
};

static void say_all(const char *state, int fd)
{
	printf("--- %s\n", state);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		int v = -99;
		socklen_t len = sizeof(v);
		int r = getsockopt(fd, options[i].level, options[i].name, &v, &len);
		printf("%s: %s %d length %d\n", options[i].text, result_name(r), v, (int)len);
	}
}

static void set_all(int fd, int offset)
{
	for (size_t i = 4; i < sizeof(options) / sizeof(options[0]); i++) {
		int v = 4 + (int)i + offset;
		say(options[i].text,
			setsockopt(fd, options[i].level, options[i].name, &v, sizeof(v)));
	}
}

static void lengths(int fd)
{
	char buf[16];

	for (socklen_t len = 0; len <= 8; len += 2) {
		socklen_t l = len;
		memset(buf, '.', sizeof(buf));
		say("TCP_NODELAY", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, buf, &l));
		printf("room %d length %d\n", (int)len, (int)l);
		l = len;
		say("IP_TTL", getsockopt(fd, IPPROTO_IP, IP_TTL, buf, &l));
		printf("room %d length %d\n", (int)len, (int)l);
	}
	socklen_t negative = (socklen_t)-1, four = 4;
	say("negative room", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, buf, &negative));
	say("no length", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, buf, NULL));
	say("no value", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, NULL, &four));
	say("set without value", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, NULL, 4));
	say("set short", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, buf, 2));
	say("set negative length", setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, buf, negative));
	say("unknown name", setsockopt(fd, IPPROTO_TCP, 9999, buf, 4));
	say("unknown name, get", getsockopt(fd, IPPROTO_TCP, 9999, buf, &four));
	say("of IPv6", getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, buf, &four));
}

static void structures(int fd)
{
	struct linger l = {.l_onoff = 1, .l_linger = 3};
	struct timeval t = {.tv_sec = 3, .tv_usec = 500000};
	struct ucred c;
	struct tcp_info info;
	socklen_t len = sizeof(l);

	say("SO_LINGER", setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	memset(&l, 0, sizeof(l));
	say("get", getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len));
	printf("linger %d %d length %d\n", l.l_onoff, l.l_linger, (int)len);
	l.l_onoff = 0;
	say("off", setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	say("SO_RCVTIMEO", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
	memset(&t, 0, sizeof(t));
	len = sizeof(t);
	getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len);
	printf("limit %ld.%06ld\n", (long)t.tv_sec, (long)t.tv_usec);
	len = sizeof(c);
	say("SO_PEERCRED", getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len));
	printf("pid %d uid %d gid %d\n", (int)c.pid, (int)c.uid, (int)c.gid);
	len = sizeof(info);
	memset(&info, 0xee, sizeof(info));
	say("TCP_INFO", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("state %d length %d\n", info.tcpi_state, (int)len);
	len = 1;
	say("one byte of TCP_INFO", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
	printf("state %d length %d\n", info.tcpi_state, (int)len);
}

/* The kernel doubles what it is given; so must we. */
static void buffers(int fd)
{
	static const int sizes[] = {1, 5000, 100000};

	for (int i = 0; i < 3; i++) {
		say("SO_SNDBUF", setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sizes[i], sizeof(int)));
		say("SO_RCVBUF", setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &sizes[i], sizeof(int)));
		printf("SNDBUF %d RCVBUF %d\n", int_option(fd, SOL_SOCKET, SO_SNDBUF),
			int_option(fd, SOL_SOCKET, SO_RCVBUF));
	}
}

static void v6(void)
{
	int on = 1, fd = socket(AF_INET6, SOCK_STREAM, 0);

	printf("domain %d\n", int_option(fd, SOL_SOCKET, SO_DOMAIN));
	say("V6ONLY", setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	printf("V6ONLY %d\n", int_option(fd, IPPROTO_IPV6, IPV6_V6ONLY));
	say("listen", listen(fd, 1));
	say("V6ONLY too late", setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)));
	printf("listens %d\n", int_option(fd, SOL_SOCKET, SO_ACCEPTCONN));
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = peer_address(argv);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say_all("fresh", fd);
	lengths(fd);
	structures(fd);
	set_all(fd, 0);
	say_all("fresh, changed", fd);
	buffers(fd);
	say("connect", connect_in(fd, &a));
	say_all("connected", fd);
	set_all(fd, 1);
	say_all("connected, changed", fd);
	structures(fd);
	close(fd);
	v6();
	say("of a closed fd", getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &fd, &(socklen_t){4}));
	say("of a file", setsockopt(1, IPPROTO_TCP, TCP_NODELAY, &fd, 4));
	return 0;
}
