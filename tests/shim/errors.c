/* What calls say on sockets that are not connected, were reset, or were shut; and when SIGPIPE comes. */
#include "tests/shim/say.h"

#include <sys/ioctl.h>
#include <sys/uio.h>

static volatile sig_atomic_t pipes;

static void on_sigpipe(int sig)
{
	pipes++;
}

/* A send-like call and whether it brought the signal. */
static void say_send(const char *what, long r)
{
	printf("%s: %s%s\n", what, result_name(r), pipes ? " SIGPIPE" : "");
	pipes = 0;
}

static void all_calls(const char *state, int fd)
{
	char buf[8];
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int n = -1;

	printf("--- %s\n", state);
	say("read", read(fd, buf, sizeof(buf)));
	say("readv", readv(fd, &iov, 1));
	say("recv", recv(fd, buf, sizeof(buf), MSG_DONTWAIT));
	say("recvmsg", recvmsg(fd, &msg, MSG_DONTWAIT));
	say_send("write", write(fd, "x", 1));
	say_send("writev", writev(fd, &iov, 1));
	say_send("send", send(fd, "x", 1, MSG_DONTWAIT));
	say_send("send quietly", send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
	say_send("sendmsg", sendmsg(fd, &msg, MSG_DONTWAIT));
	say("getpeername",
		getpeername(fd, (struct sockaddr *)&(struct sockaddr_in){0}, &(socklen_t){16}));
	say("accept", accept(fd, NULL, NULL));
	say("FIONREAD", ioctl(fd, FIONREAD, &n));
	printf("FIONREAD says %d\n", n);
}

static void unconnected(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("shutdown", shutdown(fd, SHUT_WR));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	all_calls("fresh", fd);
	close(fd);
}

static void bound_and_listening(void)
{
	struct sockaddr_in any = address("0.0.0.0", 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	say("bind", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	say("bind again", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	all_calls("bound", fd);
	say("listen", listen(fd, 5));
	say("listen again", listen(fd, 7));
	say_poll("listening", fd);
	all_calls("listening", fd);
	say("connect", connect_in(fd, &any));
	say("accept4 with bad flags", accept4(fd, NULL, NULL, 1));
	close(fd);
}

/* Waits for the RST without taking the error. */
static int reset_connection(char **argv)
{
	int fd = call_peer(argv, PEER_RESET);

	await(fd, POLLRDHUP);
	return fd;
}

static void after_reset(char **argv)
{
	char buf[8];
	int fd = reset_connection(argv);

	puts("--- reset");
	say_poll("reset", fd);
	say_send("first write", write(fd, "x", 1));
	say_send("second write", write(fd, "x", 1));
	say("read", read(fd, buf, sizeof(buf)));
	say("getpeername",
		getpeername(fd, (struct sockaddr *)&(struct sockaddr_in){0}, &(socklen_t){16}));
	close(fd);

	fd = reset_connection(argv);
	say("first read", read(fd, buf, sizeof(buf)));
	say("second read", read(fd, buf, sizeof(buf)));
	say_send("then write", write(fd, "x", 1));
	close(fd);

	fd = reset_connection(argv);
	say_error("reset", fd);
	say_send("then send", send(fd, "x", 1, 0));
	say_send("quietly", send(fd, "x", 1, MSG_NOSIGNAL));
	close(fd);
}

static void after_shutdown(char **argv)
{
	char buf[32];
	int fd = call_peer(argv, PEER_COUNT);

	puts("--- shutdown");
	say("write", write(fd, "12345", 5));
	say("shutdown", shutdown(fd, SHUT_WR));
	say_send("write", write(fd, "x", 1));
	say_bytes("the peer counted", buf, read_until(fd, buf, sizeof(buf)));
	say("read at the end", read(fd, buf, sizeof(buf)));
	say("bad how", shutdown(fd, 7));
	close(fd);
}

static void peer_closed(char **argv)
{
	char buf[8];
	int fd = call_peer(argv, PEER_BYE);

	puts("--- the peer's FIN");
	say_bytes("read", buf, read_until(fd, buf, sizeof(buf)));
	say_poll("half closed", fd);
	say_send("write", write(fd, "x", 1));
	close(fd);
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, on_sigpipe);
	unconnected();
	bound_and_listening();
	after_reset(argv);
	after_shutdown(argv);
	peer_closed(argv);
	return 0;
}
