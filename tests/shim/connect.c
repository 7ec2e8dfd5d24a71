/*
 * connect(2): blocking, non-blocking, refused, again after a failure, twice, with time limits, bad addresses, and in a
 * sandbox.
 */
#include "tests/shim/say.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int new_socket(int flags)
{
	return socket(AF_INET, SOCK_STREAM | flags, 0);
}

static void blocking(char **argv)
{
	struct sockaddr_in a = peer_address(argv), closed = closed_address(argv);
	int fd = new_socket(0);

	errno = 77;
	say_poll("fresh", fd);
	say("blocking connect", connect_in(fd, &a));
	printf("errno kept: %d\n", errno == 77);
	say_poll("connected", fd);
	say("second connect", connect_in(fd, &a));
	say_error("connected", fd);
	close(fd);

	fd = new_socket(0);
	say("refused", connect_in(fd, &closed));
	say_error("after refused", fd);
	say("again, to a server", connect_in(fd, &a));
	say("write", write(fd, "e", 1));
	close(fd);
}

static void nonblocking(char **argv)
{
	struct sockaddr_in a = peer_address(argv);
	int fd = new_socket(SOCK_NONBLOCK);

	say("connect", connect_in(fd, &a));
	await(fd, POLLOUT);
	say_error("established", fd);
	say_poll("established", fd);
	say("connect when done", connect_in(fd, &a));
	say("and once more", connect_in(fd, &a));
	say("write", write(fd, "e123", 4));
	await(fd, POLLIN);
	char buf[8];
	say_bytes("read", buf, read(fd, buf, sizeof(buf)));
	say("read nothing", read(fd, buf, sizeof(buf)));
	close(fd);
}

static void nonblocking_refused(char **argv)
{
	struct sockaddr_in a = peer_address(argv), closed = closed_address(argv);
	int fd = new_socket(SOCK_NONBLOCK);

	say("connect", connect_in(fd, &closed));
	await(fd, POLLOUT);
	say_poll("refused", fd);
	say_error("refused", fd);
	say_error("asked again", fd);
	say("connect tells", connect_in(fd, &closed));
	set_nonblocking(fd, false);
	say("then a new one", connect_in(fd, &a));
	close(fd);

	fd = new_socket(SOCK_NONBLOCK);
	say("connect", connect_in(fd, &closed));
	await(fd, POLLOUT);
	say("connect tells", connect_in(fd, &closed));
	say("a new one", connect_in(fd, &a));
	await(fd, POLLOUT);
	say_error("connected", fd);
	close(fd);

	fd = new_socket(SOCK_NONBLOCK);
	say("connect", connect_in(fd, &closed));
	await(fd, POLLOUT);
	char buf[4];
	say("read tells", read(fd, buf, sizeof(buf)));
	say("then the end", read(fd, buf, sizeof(buf)));
	close(fd);
}

static void bad_addresses(char **argv)
{
	struct sockaddr_in a = peer_address(argv);
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	int fd = new_socket(0), fd6 = socket(AF_INET6, SOCK_STREAM, 0);

	say("no address", connect(fd, NULL, sizeof(a)));
	say("wild address", connect(fd, (struct sockaddr *)16, sizeof(a)));
	say("short address", connect(fd, (struct sockaddr *)&a, 8));
	say("one byte", connect(fd, (struct sockaddr *)&a, 1));
	say("huge address", connect(fd, (struct sockaddr *)&a, 4096));
	a.sin_family = 99;
	say("family 99", connect(fd, (struct sockaddr *)&a, sizeof(a)));
	say("v6 address", connect(fd, (struct sockaddr *)&six, sizeof(six)));
	if (fd6 >= 0)
		say("v4 address on v6", connect_in(fd6, &a));
	a = peer_address(argv);
	say("still connects", connect_in(fd, &a));
	close(fd);
}

static void disconnect(char **argv)
{
	struct sockaddr_in a = peer_address(argv);
	struct sockaddr unspec = {.sa_family = AF_UNSPEC};
	int fd = new_socket(0);

	say("unspec, fresh", connect(fd, &unspec, sizeof(unspec)));
	say("connect", connect_in(fd, &a));
	say("unspec, connected", connect(fd, &unspec, sizeof(unspec)));
	say("connect again", connect_in(fd, &a));
	say("write", send(fd, "e", 1, MSG_NOSIGNAL));
	close(fd);
}

/* It kills who gives up the CPU: that the library may, while it waits, is nothing that a program knows of. */
static int enter_sandbox(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_yield, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof code / sizeof code[0], code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

static void in_a_sandbox(char **argv)
{
	struct sockaddr_in a = peer_address(argv);
	int status = 0;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		say("a sandbox", enter_sandbox());
		for (int i = 0; i < 3; i++)
			say("connect in it", connect_in(new_socket(0), &a));
		fflush(stdout);
		_exit(0); /* what a sanitizer does at the end yields too */
	}
	waitpid(child, &status, 0);
	printf("the child's status: %d\n", status);
}

int main(int argc, char **argv)
{
	blocking(argv);
	nonblocking(argv);
	nonblocking_refused(argv);
	bad_addresses(argv);
	disconnect(argv);
	in_a_sandbox(argv);
	return 0;
}
