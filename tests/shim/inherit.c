/*
 * dup, fork, exec and SCM_RIGHTS, at every stage of a socket: the program calls itself to look at an inherited fd from
 * a new image (`inherit ADDRESS PORT look FD` and `… use FD`).
 */
#include "tests/shim/say.h"

#include <sys/resource.h>
#include <sys/wait.h>

static char **args;

static void look(int fd)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	char text[INET_ADDRSTRLEN];

	printf("type %d domain %d protocol %d\n", int_option(fd, SOL_SOCKET, SO_TYPE),
		int_option(fd, SOL_SOCKET, SO_DOMAIN), int_option(fd, SOL_SOCKET, SO_PROTOCOL));
	printf("nodelay %d listens %d\n", int_option(fd, IPPROTO_TCP, TCP_NODELAY),
		int_option(fd, SOL_SOCKET, SO_ACCEPTCONN));
	if (getpeername(fd, (struct sockaddr *)&a, &len) < 0)
		say("getpeername", -1);
	else
		printf("peer %s\n", inet_ntop(AF_INET, &a.sin_addr, text, sizeof(text)));
}

static void use(int fd)
{
	char buf[8];

	say("write", write(fd, "x", 1));
	say_bytes("read", buf, read(fd, buf, 1));
}

/* Runs this program again on `fd`; stdout is in order because it is flushed. */
static void in_new_image(const char *what, int fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	fflush(stdout);
	if (fork() == 0) {
		execl(args[0], args[0], args[1], args[2], what, number, NULL);
		_exit(9);
	}
	wait(NULL);
}

static int fresh_socket(void)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void across_exec(void)
{
	struct sockaddr_in a = peer_address(args);
	int fd = fresh_socket(), l = fresh_socket();

	puts("--- exec");
	connect_in(fd, &a);
	say("order an echo", write(fd, "e", 1));
	in_new_image("look", fd);
	in_new_image("use", fd);
	say("listen", listen(l, 1));
	in_new_image("look", l);
	close(fd);
	close(l);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	in_new_image("connect", fd);
	close(fd);
}

static void across_fork(void)
{
	struct sockaddr_in a = peer_address(args);
	int fd = fresh_socket(), status;

	puts("--- fork");
	fflush(stdout);
	if (fork() == 0) {
		/* A fresh socket connected by the child is connected for the parent. */
		say("child connects", connect_in(fd, &a));
		say("child writes", write(fd, "e", 1));
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	look(fd);
	use(fd);
	say("parent connects", connect_in(fd, &a));
	close(fd);
}

static void duplicates(void)
{
	struct sockaddr_in a = peer_address(args);
	int fd = fresh_socket(), two = dup(fd), three = fcntl(fd, F_DUPFD_CLOEXEC, 50);

	puts("--- dup");
	say("connect by a duplicate", connect_in(two, &a));
	say("write", write(three, "e", 1));
	close(two);
	use(fd);
	look(three);
	say("dup2 onto 60", dup2(three, 60));
	close(fd);
	close(three);
	use(60);
	close(60);
	fd = fresh_socket();
	two = dup(fd);
	close(fd);
	say("duplicate of a closed one", connect_in(two, &a));
	close(two);
}

static int send_fd(int channel, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = {.iov_base = "f", .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return (int)sendmsg(channel, &msg, 0);
}

static int receive_fd(int channel)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(channel, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

static void passed(void)
{
	int pair[2], fd = call_peer(args, PEER_ECHO);

	puts("--- SCM_RIGHTS");
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	fflush(stdout);
	if (fork() == 0) {
		int got = receive_fd(pair[1]);
		look(got);
		use(got);
		fflush(stdout);
		_exit(0);
	}
	say("send", send_fd(pair[0], fd));
	close(fd);
	wait(NULL);
	close(pair[0]);
	close(pair[1]);
}

/* All fds closed behind everybody's back, then a new connection. */
static void after_closing_all(void)
{
	puts("--- close_range");
	int fd = call_peer(args, PEER_ECHO);
	say("close_range", close_range(3, ~0U, 0));
	say("write to a closed one", write(fd, "x", 1));
	int pipes[2];
	say("pipe", pipe(pipes));
	fd = call_peer(args, PEER_ECHO);
	use(fd);
	say("the pipe still is one", write(pipes[1], "p", 1));
	close(fd);
}

int main(int argc, char **argv)
{
	args = argv;
	int fd = argc > 4 ? atoi(argv[4]) : -1;
	if (argc > 4 && strcmp(argv[3], "look") == 0) {
		look(fd);
	} else if (argc > 4 && strcmp(argv[3], "use") == 0) {
		use(fd);
	} else if (argc > 4) {
		struct sockaddr_in a = peer_address(argv);
		say("connect in a new image", connect_in(fd, &a));
	} else {
		across_exec();
		across_fork();
		duplicates();
		passed();
		after_closing_all();
	}
	return 0;
}
