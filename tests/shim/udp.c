/* Datagrams: every way to send and to receive one, and what is told about them. */
#include "tests/shim/say.h"

#include <sys/ioctl.h>
#include <sys/uio.h>

static int udp(int flags)
{
	return socket(AF_INET, SOCK_DGRAM | flags, 0);
}

static void say_name(const char *what, int fd, int (*get)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_in a = {0};
	socklen_t len = sizeof(a);
	int r = get(fd, (struct sockaddr *)&a, &len);

	printf("%s: %s length %u family %d %s port\n", what, result_name(r), (unsigned)len,
		a.sin_family, a.sin_port ? "some" : "no");
}

static void ways_to_send(char **argv)
{
	struct sockaddr_in to = peer_address(argv);
	char buf[64], a[] = "gath", b[] = "ered";
	struct iovec iov[2] = {{a, 4}, {b, 4}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
	struct mmsghdr mm[3] = {{.msg_hdr = m}, {.msg_hdr = m}, {.msg_hdr = m}};
	int fd = udp(0);

	puts("--- sending");
	say_name("fresh", fd, getsockname);
	say_name("fresh", fd, getpeername);
	say("send unconnected", send(fd, "x", 1, 0));
	say("write unconnected", write(fd, "x", 1));
	say("sendto", sendto(fd, "one", 3, 0, (struct sockaddr *)&to, sizeof(to)));
	say_bytes("recv", buf, recv(fd, buf, sizeof(buf), 0));
	say_name("after sendto", fd, getsockname);
	say("connect", connect_in(fd, &to));
	say_name("connected", fd, getpeername);
	say("write", write(fd, "two", 3));
	say_bytes("read", buf, read(fd, buf, sizeof(buf)));
	say("writev", writev(fd, iov, 2));
	say_bytes("read", buf, read(fd, buf, sizeof(buf)));
	say("sendmsg", sendmsg(fd, &m, 0));
	say_bytes("read", buf, read(fd, buf, sizeof(buf)));
	say("sendto while connected", sendto(fd, "4", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	say_bytes("read", buf, read(fd, buf, sizeof(buf)));
	say("sendmmsg", sendmmsg(fd, mm, 3, 0));
	for (int i = 0; i < 3; i++)
		say_bytes("read", buf, read(fd, buf, sizeof(buf)));
	printf("lengths %u %u %u\n", mm[0].msg_len, mm[1].msg_len, mm[2].msg_len);
	say("empty send", send(fd, "", 0, 0));
	say("empty recv", recv(fd, buf, sizeof(buf), 0));
	say("oob", send(fd, "x", 1, MSG_OOB));
	close(fd);
}

static void ways_to_receive(char **argv)
{
	struct sockaddr_in to = peer_address(argv), from;
	socklen_t len = sizeof(from);
	char buf[64], a[4], b[8];
	struct iovec iov[2] = {{a, 4}, {b, 8}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2, .msg_name = &from, .msg_namelen = 99};
	struct mmsghdr mm[4] = {0};
	int fd = udp(0), n = 0;

	puts("--- receiving");
	connect_in(fd, &to);
	send(fd, "0123456789abcdef", 16, 0);
	await(fd, POLLIN);
	say("FIONREAD", ioctl(fd, FIONREAD, &n));
	printf("next has %d\n", n);
	say_bytes("peek", buf, recv(fd, buf, 5, MSG_PEEK));
	say("peek and truncate", recv(fd, buf, 5, MSG_PEEK | MSG_TRUNC));
	say("recvmsg", recvmsg(fd, &m, 0));
	printf("%.4s %.8s flags %s name %u from %s\n", a, b,
		m.msg_flags & MSG_TRUNC ? "TRUNC" : "none", (unsigned)m.msg_namelen,
		from.sin_port == to.sin_port ? "the peer" : "elsewhere");
	say("nothing more", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	send(fd, "fghij", 5, 0);
	say("truncated recv says", recv(fd, buf, 2, MSG_TRUNC));
	send(fd, "klmno", 5, 0);
	memset(&from, 0, sizeof(from));
	say_bytes("recvfrom", buf, recvfrom(fd, buf, 2, 0, (struct sockaddr *)&from, &len));
	printf("length %u, port %s\n", (unsigned)len, from.sin_port == to.sin_port ? "right" : "wrong");
	for (int i = 0; i < 3; i++)
		send(fd, "mm", 2, 0);
	for (int i = 0; i < 4; i++)
		mm[i].msg_hdr = (struct msghdr){.msg_iov = iov, .msg_iovlen = 2};
	for (n = 0; n < 3;) {
		int r = recvmmsg(fd, mm, 4, MSG_WAITFORONE, NULL);
		if (r <= 0)
			break;
		n += r;
	}
	printf("recvmmsg took %d of length %u\n", n, mm[0].msg_len);
	send(fd, "readv it", 8, 0);
	say("readv", readv(fd, iov, 2));
	printf("%.4s%.4s\n", a, b);
	close(fd);
}

static void bounds(char **argv)
{
	static char big[70000], back[70000];
	struct sockaddr_in to = peer_address(argv);
	int fd = udp(0), pmtu = IP_PMTUDISC_DO;

	puts("--- sizes");
	memset(big, 'b', sizeof(big));
	connect_in(fd, &to);
	say("largest", send(fd, big, 65507, 0));
	say("comes back", recv(fd, back, sizeof(back), 0));
	printf("%s\n", memcmp(big, back, 65507) ? "differs" : "the same");
	say("one more", send(fd, big, 65508, 0));
	say("MTU_DISCOVER", setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &pmtu, sizeof(pmtu)));
	say("with DF 1472", send(fd, big, 1472, 0));
	say("with DF 1473", send(fd, big, 1473, 0));
	printf("IP_MTU %d\n", int_option(fd, IPPROTO_IP, IP_MTU));
	close(fd);
}

static void connected_to_one(char **argv)
{
	struct sockaddr_in to = peer_address(argv), none = {.sin_family = AF_UNSPEC};
	char buf[16];
	int fd = udp(0);
	struct timeval t = {.tv_usec = 200000};

	puts("--- connected");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	connect_in(fd, &to);
	send(fd, "other port", 10, 0);
	say("from another port", recv(fd, buf, sizeof(buf), 0));
	say("disconnect", connect(fd, (struct sockaddr *)&none, sizeof(none)));
	say_name("disconnected", fd, getpeername);
	say("send", send(fd, "x", 1, 0));
	sendto(fd, "other port", 10, 0, (struct sockaddr *)&to, sizeof(to));
	say_bytes("from another port", buf, recv(fd, buf, sizeof(buf), 0));
	say("connect again", connect_in(fd, &to));
	send(fd, "again", 5, 0);
	say_bytes("recv", buf, recv(fd, buf, sizeof(buf), 0));
	say("listen", listen(fd, 1));
	say("accept", accept(fd, NULL, NULL));
	close(fd);
}

static void waiting(char **argv)
{
	struct sockaddr_in to = peer_address(argv);
	char buf[16];
	int fd = udp(SOCK_NONBLOCK);

	puts("--- polling");
	say_poll("fresh", fd);
	say("recv", recv(fd, buf, sizeof(buf), 0));
	connect_in(fd, &to);
	say_poll("connected", fd);
	send(fd, "x", 1, 0);
	await(fd, POLLIN);
	say_poll("one waits", fd);
	say("recv", recv(fd, buf, sizeof(buf), 0));
	say_poll("taken", fd);
	close(fd);
}

int main(int argc, char **argv)
{
	ways_to_send(argv);
	ways_to_receive(argv);
	bounds(argv);
	connected_to_one(argv);
	waiting(argv);
	return 0;
}
