/* Urgent data both ways: the mark, the byte out of band and inline, POLLPRI, SIGURG, what happens to a second one. */
#include "tests/shim/say.h"

#include <sys/ioctl.h>

static volatile sig_atomic_t urgent_signals;

static void on_sigurg(int sig)
{
	urgent_signals++;
}

static int at_mark(int fd)
{
	int mark = -1;

	return ioctl(fd, SIOCATMARK, &mark) < 0 ? -errno : mark;
}

static void out_of_band(char **argv)
{
	char buf[16];
	int fd = call_peer(argv, PEER_URGENT);

	await(fd, POLLPRI);
	say("two bytes", read(fd, buf, 2));
	printf("at mark %d\n", at_mark(fd));
	say_bytes("up to the mark", buf, read(fd, buf, sizeof(buf)));
	printf("at mark %d\n", at_mark(fd));
	say_bytes("peek", buf, recv(fd, buf, 1, MSG_OOB | MSG_PEEK));
	say_bytes("urgent", buf, recv(fd, buf, sizeof(buf), MSG_OOB));
	say("urgent again", recv(fd, buf, sizeof(buf), MSG_OOB));
	say_bytes("behind", buf, recv(fd, buf, 4, MSG_WAITALL));
	printf("at mark %d\n", at_mark(fd));
	say("go on", write(fd, "x", 1));
	await(fd, POLLPRI);
	say_bytes("up to the mark", buf, read(fd, buf, sizeof(buf)));
	say_bytes("urgent", buf, recv(fd, buf, sizeof(buf), MSG_OOB));
	say("end", read(fd, buf, sizeof(buf)));
	close(fd);
}

/* The byte that nobody fetched is not in the stream. */
static void skipped(char **argv)
{
	char buf[16];
	int fd = call_peer(argv, PEER_URGENT);

	await(fd, POLLPRI);
	say_bytes("before", buf, read(fd, buf, sizeof(buf)));
	say_bytes("behind", buf, recv(fd, buf, 4, MSG_WAITALL));
	close(fd);
}

static void in_line(char **argv)
{
	char buf[16];
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in a = peer_address(argv);

	say("SO_OOBINLINE", setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	say("connect", connect_in(fd, &a));
	say("order", write(fd, PEER_URGENT, 1));
	await(fd, POLLPRI);
	say_bytes("before", buf, read(fd, buf, sizeof(buf)));
	printf("at mark %d\n", at_mark(fd));
	say("out of band", recv(fd, buf, 1, MSG_OOB));
	say_bytes("the rest", buf, recv(fd, buf, 5, MSG_WAITALL));
	printf("at mark %d\n", at_mark(fd));
	close(fd);
}

static void by_signal(char **argv)
{
	struct sigaction a = {.sa_handler = on_sigurg};
	struct sockaddr_in peer = peer_address(argv);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sigaction(SIGURG, &a, NULL);
	say("connect", connect_in(fd, &peer));
	say("F_SETOWN", fcntl(fd, F_SETOWN, getpid()));
	printf("owner is us: %d\n", fcntl(fd, F_GETOWN) == getpid());
	say("order", write(fd, PEER_URGENT, 1));
	await(fd, POLLPRI);
	/* poll may see the byte before the kernel has sent the signal: the signal ends this sleep, or 5 s. */
	for (int i = 0; i < 50 && !urgent_signals; i++)
		poll(NULL, 0, 100);
	printf("SIGURG came: %d\n", urgent_signals > 0);
	close(fd);
}

static void sending(char **argv)
{
	char buf[64];
	int fd = call_peer(argv, PEER_MARK);

	say("send", send(fd, "hello", 5, 0));
	say("urgent", send(fd, "!", 1, MSG_OOB));
	say("send", send(fd, "world", 5, 0));
	say("shutdown", shutdown(fd, SHUT_WR));
	say_bytes("the peer saw", buf, read_until(fd, buf, sizeof(buf)));
	close(fd);

	fd = call_peer(argv, PEER_MARK);
	say("three urgent bytes", send(fd, "xyz", 3, MSG_OOB));
	say("shutdown", shutdown(fd, SHUT_WR));
	say_bytes("the peer saw", buf, read_until(fd, buf, sizeof(buf)));
	close(fd);
}

int main(int argc, char **argv)
{
	char byte;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	say("fresh", recv(fd, &byte, 1, MSG_OOB));
	close(fd);
	fd = call_peer(argv, PEER_HOLD);
	say("none there", recv(fd, &byte, 1, MSG_OOB));
	printf("at mark %d\n", at_mark(fd));
	close(fd);
	out_of_band(argv);
	skipped(argv);
	in_line(argv);
	by_signal(argv);
	sending(argv);
	return 0;
}
