/* Datagram sockets: options, ancillary data, errors, ports. */
#include "tests/shim/say.h"

#include <linux/errqueue.h>
#include <sys/uio.h>

static int udp(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}

static void set(int fd, int level, int name, int value, const char *what)
{
	int now;

	say(what, setsockopt(fd, level, name, &value, sizeof(value)));
	now = int_option(fd, level, name);
	if (now < 0)
		printf("  is %s\n", strerrorname_np(-now));
	else
		printf("  is %d\n", now);
}

static void options(void)
{
	int fd = udp();
	unsigned char byte = 7;

	puts("--- options");
	printf("type %d protocol %d domain %d listening %d\n", int_option(fd, SOL_SOCKET, SO_TYPE),
		int_option(fd, SOL_SOCKET, SO_PROTOCOL), int_option(fd, SOL_SOCKET, SO_DOMAIN),
		int_option(fd, SOL_SOCKET, SO_ACCEPTCONN));
	set(fd, SOL_SOCKET, SO_REUSEADDR, 5, "REUSEADDR");
	set(fd, SOL_SOCKET, SO_REUSEPORT, 1, "REUSEPORT");
	set(fd, SOL_SOCKET, SO_BROADCAST, 1, "BROADCAST");
	set(fd, SOL_SOCKET, SO_RCVBUF, 5000, "RCVBUF");
	set(fd, SOL_SOCKET, SO_SNDBUF, 1, "SNDBUF");
	set(fd, SOL_SOCKET, SO_TIMESTAMP, 1, "TIMESTAMP");
	set(fd, IPPROTO_IP, IP_TTL, 9, "TTL");
	set(fd, IPPROTO_IP, IP_TTL, 0, "TTL 0");
	set(fd, IPPROTO_IP, IP_TTL, 256, "TTL 256");
	set(fd, IPPROTO_IP, IP_TTL, -1, "TTL -1");
	set(fd, IPPROTO_IP, IP_TOS, 0x28, "TOS");
	set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, "MTU_DISCOVER");
	set(fd, IPPROTO_IP, IP_MTU_DISCOVER, 77, "MTU_DISCOVER 77");
	set(fd, IPPROTO_IP, IP_RECVERR, 1, "RECVERR");
	set(fd, IPPROTO_IP, IP_PKTINFO, 1, "PKTINFO");
	set(fd, IPPROTO_IP, IP_RECVTTL, 1, "RECVTTL");
	set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 3, "MULTICAST_TTL");
	set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0, "MULTICAST_LOOP");
	set(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	say("a byte", setsockopt(fd, IPPROTO_IP, IP_TTL, &byte, 1));
	say("too short", setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &byte, 1));
	say("bad pointer", setsockopt(fd, IPPROTO_IP, IP_TTL, (void *)8, 4));
	close(fd);
}

static void say_control(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int value = 0;
		memcpy(&value, CMSG_DATA(c), c->cmsg_type == IP_TOS ? 1 : sizeof(value));
		bool tells = c->cmsg_level == IPPROTO_IP && c->cmsg_type != IP_PKTINFO;
		printf("  level %d type %d length %zu", c->cmsg_level, c->cmsg_type, c->cmsg_len);
		printf(tells ? " value %d\n" : "\n", value);
	}
}

static void ancillary(char **argv)
{
	struct sockaddr_in to = peer_address(argv);
	char buf[64], control[256], out[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	int fd = udp(), on = 1, ttl = 33;

	puts("--- ancillary data");
	connect_in(fd, &to);
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	m.msg_controllen = sizeof(control);
	send(fd, "x", 1, 0);
	say("recvmsg", recvmsg(fd, &m, 0));
	say_control(&m);
	m.msg_controllen = CMSG_SPACE(sizeof(struct timespec)) + 4;
	send(fd, "x", 1, 0);
	say("little room", recvmsg(fd, &m, 0));
	printf("%s\n", m.msg_flags & MSG_CTRUNC ? "CTRUNC" : "all there");
	m = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1, .msg_control = out};
	m.msg_controllen = sizeof(out);
	iov.iov_len = 1;
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), IPPROTO_IP, IP_TTL};
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	say("sendmsg with a TTL", sendmsg(fd, &m, 0));
	ttl = 999;
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	say("a bad TTL", sendmsg(fd, &m, 0));
	close(fd);
}

static void refused(char **argv)
{
	struct sockaddr_in closed = closed_address(argv);
	char buf[64];
	int fd = udp();

	puts("--- refused");
	connect_in(fd, &closed);
	say("send", send(fd, "a", 1, 0));
	await(fd, POLLIN);
	say_poll("after the answer", fd);
	say("recv", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	say("recv again", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	say("send", send(fd, "a", 1, 0));
	await(fd, POLLIN);
	say("send", send(fd, "b", 1, 0));
	say("send", send(fd, "b", 1, 0));
	await(fd, POLLIN);
	say_error("then", fd);
	say_error("and then", fd);
	close(fd);
}

static void error_queue(char **argv)
{
	struct sockaddr_in closed = closed_address(argv), name;
	char buf[64], control[512];
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
	int fd = udp(), on = 1;

	puts("--- the error queue");
	m.msg_name = &name;
	m.msg_namelen = sizeof(name);
	m.msg_controllen = sizeof(control);
	setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	say("empty", recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT));
	m.msg_controllen = sizeof(control);
	say("sendto", sendto(fd, "story", 5, 0, (struct sockaddr *)&closed, sizeof(closed)));
	await(fd, POLLIN);
	say_poll("one is queued", fd);
	say("recv", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	say_poll("still queued", fd);
	say_bytes("MSG_ERRQUEUE", buf, recvmsg(fd, &m, MSG_ERRQUEUE));
	printf("flags %s, where it was going %s\n", m.msg_flags & MSG_ERRQUEUE ? "ERRQUEUE" : "none",
		name.sin_port == closed.sin_port ? "is right" : "is wrong");
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		struct sock_extended_err e;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		struct sockaddr_in *who = (struct sockaddr_in *)(CMSG_DATA(c) + sizeof(e));
		printf("level %d type %d: %s origin %d icmp %d/%d from %s\n", c->cmsg_level,
			c->cmsg_type, strerrorname_np((int)e.ee_errno), e.ee_origin, e.ee_type,
			e.ee_code, inet_ntoa(who->sin_addr));
	}
	say_poll("taken", fd);
	close(fd);
}

static void ports(void)
{
	struct sockaddr_in any = address("0.0.0.0", 0), foreign = address("192.0.2.1", 0);
	socklen_t len = sizeof(any);
	int a = udp(), b = udp(), on = 1;

	puts("--- ports");
	say("bind", bind(a, (struct sockaddr *)&any, sizeof(any)));
	say("getsockname", getsockname(a, (struct sockaddr *)&any, &len));
	say("bind again", bind(a, (struct sockaddr *)&any, sizeof(any)));
	say("the same", bind(b, (struct sockaddr *)&any, sizeof(any)));
	setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	say("one shares", bind(b, (struct sockaddr *)&any, sizeof(any)));
	setsockopt(a, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	say("both share", bind(b, (struct sockaddr *)&any, sizeof(any)));
	close(b);
	b = udp();
	say("foreign", bind(b, (struct sockaddr *)&foreign, sizeof(foreign)));
	say("short", bind(b, (struct sockaddr *)&any, 7));
	any.sin_family = AF_INET6;
	say("family", bind(b, (struct sockaddr *)&any, sizeof(any)));
	close(a);
	close(b);
}

static void bad_destinations(char **argv)
{
	struct sockaddr_in zero = address("192.0.2.1", 0), all = peer_address(argv);
	struct sockaddr_in far = address("192.0.2.1", 9);
	int fd = udp();

	all.sin_addr.s_addr |= htonl(0xff);
	puts("--- destinations");
	say("broadcast", sendto(fd, "x", 1, 0, (struct sockaddr *)&all, sizeof(all)));
	say("no route", sendto(fd, "x", 1, 0, (struct sockaddr *)&far, sizeof(far)));
	say("connect, no route", connect_in(fd, &far));
	zero.sin_addr.s_addr = htonl(INADDR_BROADCAST);
	say("port 0", sendto(fd, "x", 1, 0, (struct sockaddr *)&zero, sizeof(zero)));
	zero.sin_family = 77;
	say("family", sendto(fd, "x", 1, 0, (struct sockaddr *)&zero, sizeof(zero)));
	say("short", sendto(fd, "x", 1, 0, (struct sockaddr *)&far, 7));
	say("bad address", sendto(fd, "x", 1, 0, (struct sockaddr *)8, sizeof(far)));
	say("bad data", sendto(fd, (void *)8, 1, 0, (struct sockaddr *)&all, sizeof(all)));
	say("bad msghdr", sendmsg(fd, (void *)8, 0));
	say("bad msghdr", recvmsg(fd, (void *)8, MSG_DONTWAIT));
	close(fd);
}

static void loopback(void)
{
	struct sockaddr_in here = address("127.0.0.1", 0), from;
	socklen_t len = sizeof(here);
	int server = udp(), fd = udp();
	char buf[8];

	puts("--- loopback");
	say("bind", bind(server, (struct sockaddr *)&here, sizeof(here)));
	getsockname(server, (struct sockaddr *)&here, &len);
	say("sendto", sendto(fd, "hello", 5, 0, (struct sockaddr *)&here, sizeof(here)));
	say_bytes("recvfrom", buf,
		recvfrom(server, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len));
	printf("from %s\n", inet_ntoa(from.sin_addr));
	say("answer", sendto(server, "there", 5, 0, (struct sockaddr *)&from, len));
	say_bytes("recv", buf, recv(fd, buf, sizeof(buf), 0));
	close(server);
	close(fd);
}

int main(int argc, char **argv)
{
	options();
	ancillary(argv);
	refused(argv);
	error_queue(argv);
	ports();
	bad_destinations(argv);
	loopback();
	return 0;
}
