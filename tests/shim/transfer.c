/* Moving data: flags of recv and send, addresses of recvfrom and sendto, vectors, many messages, big transfers. */
#include "tests/shim/say.h"

#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static void flags(char **argv)
{
	char buf[16];
	int fd = call_peer(argv, PEER_ECHO), n = -1;

	say("send", send(fd, "abcdefgh", 8, MSG_MORE | MSG_NOSIGNAL));
	say("rest", send(fd, "ij", 2, 0));
	say_bytes("waitall", buf, recv(fd, buf, 4, MSG_WAITALL));
	await(fd, POLLIN);
	say_bytes("peek", buf, recv(fd, buf, 2, MSG_PEEK));
	say("truncate", recv(fd, NULL, 3, MSG_TRUNC));
	say("error queue", recv(fd, buf, 4, MSG_ERRQUEUE));
	say_bytes("waitall", buf, recv(fd, buf, 3, MSG_WAITALL));
	say("FIONREAD", ioctl(fd, FIONREAD, &n));
	printf("FIONREAD says %d\n", n);
	say("nothing there", recv(fd, buf, 4, MSG_DONTWAIT));
	say("FIONBIO", ioctl(fd, FIONBIO, &(int){1}));
	say("nothing there", read(fd, buf, 4));
	close(fd);
}

static void addresses(char **argv)
{
	struct sockaddr_in from, to = peer_address(argv);
	socklen_t len = sizeof(from);
	char buf[16];
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof(from)};
	int fd = call_peer(argv, PEER_ECHO);

	say("sendto", sendto(fd, "abcd", 4, 0, (struct sockaddr *)&to, sizeof(to)));
	say_bytes(
		"recvfrom", buf, recvfrom(fd, buf, 4, MSG_WAITALL, (struct sockaddr *)&from, &len));
	printf("length %d\n", (int)len);
	memcpy(buf, "efgh", 4);
	iov.iov_len = 4;
	say("sendmsg", sendmsg(fd, &msg, 0));
	msg.msg_namelen = sizeof(from);
	say_bytes("recvmsg", buf, recvmsg(fd, &msg, MSG_WAITALL));
	printf("length %d\n", (int)msg.msg_namelen);
	close(fd);
}

static void many(char **argv)
{
	char a[4] = "abc", b[4] = "def", in[2][4];
	struct iovec iov[2] = {{.iov_base = a, .iov_len = 3}, {.iov_base = b, .iov_len = 3}};
	struct mmsghdr out[2] = {{.msg_hdr = {.msg_iov = &iov[0], .msg_iovlen = 1}},
		{.msg_hdr = {.msg_iov = &iov[1], .msg_iovlen = 1}}};
	int fd = call_peer(argv, PEER_ECHO);

	say("sendmmsg", sendmmsg(fd, out, 2, 0));
	iov[0].iov_base = in[0];
	iov[1].iov_base = in[1];
	say("recvmmsg", recvmmsg(fd, out, 2, MSG_WAITALL, NULL));
	printf("%.3s %.3s\n", in[0], in[1]);
	say("writev", writev(fd, iov, 2));
	say("readv", readv(fd, iov, 1));
	close(fd);
}

static void fast_open(char **argv)
{
	struct sockaddr_in a = peer_address(argv);
	char buf[8];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("sendto with MSG_FASTOPEN",
		sendto(fd, "exyz", 4, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof(a)));
	say_bytes("echo", buf, read_until(fd, buf, 3));
	close(fd);
}

/* More than any buffer holds, both ways at once from a non-blocking socket. */
static void big(char **argv)
{
	enum { TOTAL = 4 << 20 };
	char *out = malloc(TOTAL), *in = malloc(TOTAL);
	int fd = call_peer(argv, PEER_ECHO);
	long sent = 0, got = 0;

	for (int i = 0; i < TOTAL; i++)
		out[i] = (char)(i * 2654435761u >> 24);
	set_nonblocking(fd, true);
	while (got < TOTAL) {
		struct pollfd p = {
			.fd = fd, .events = (short)(POLLIN | (sent < TOTAL ? POLLOUT : 0))};
		if (poll(&p, 1, WAIT_MS) == 0)
			break;
		long n = p.revents & POLLOUT ? write(fd, out + sent, (size_t)(TOTAL - sent)) : 0;
		sent += n > 0 ? n : 0;
		n = p.revents & POLLIN ? read(fd, in + got, (size_t)(TOTAL - got)) : 0;
		got += n > 0 ? n : 0;
	}
	printf("sent %ld got %ld same %d\n", sent, got, memcmp(in, out, TOTAL) == 0);
	say("shutdown", shutdown(fd, SHUT_WR));
	await(fd, POLLIN);
	say("end", read(fd, in, 1));
	close(fd);
	free(in);
	free(out);
}

static void from_file(char **argv)
{
	char buf[32];
	FILE *file = tmpfile();
	int fd = call_peer(argv, PEER_COUNT);

	for (int i = 0; i < 100000; i++)
		fputs("0123456789", file);
	fflush(file);
	off_t at = 0;
	while (at < 1000000 && sendfile(fd, fileno(file), &at, (size_t)(1000000 - at)) > 0)
		;
	say("shutdown", shutdown(fd, SHUT_WR));
	say_bytes("the peer counted", buf, read_until(fd, buf, sizeof(buf)));
	close(fd);
	fclose(file);
}

static void stdio(char **argv)
{
	char line[32] = "";
	int fd = call_peer(argv, PEER_ECHO);
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");

	fprintf(out, "one line\n");
	fflush(out);
	printf("stdio: %s", fgets(line, sizeof(line), in) ? line : "nothing\n");
	fclose(out);
	fclose(in);
}

int main(int argc, char **argv)
{
	flags(argv);
	addresses(argv);
	many(argv);
	fast_open(argv);
	big(argv);
	from_file(argv);
	stdio(argv);
	return 0;
}
