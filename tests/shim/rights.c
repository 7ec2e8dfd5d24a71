/*
 * A server that gives up its rights or its root directory before its first socket, and a child in a
 * network namespace of its own, made past the fork handlers, that works on with a connection of its
 * parent's (what memcached, ngircd and vsftpd do). Each in a child process; the first one begins
 * without an engine.
 */
#include "tests/shim/say.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { NOBODY = 65534 };

static void talk(int fd)
{
	char buf[8];

	say("write", write(fd, "x", 1));
	say_bytes("read", buf, read(fd, buf, 1));
}

static void call_and_talk(char **argv)
{
	int fd = call_peer(argv, "e");

	talk(fd);
	close(fd);
}

static void as_nobody_in_a_chroot(char **argv)
{
	say("chroot", chroot("/proc/self/fdinfo"));
	say("setuid", setuid(NOBODY));
	call_and_talk(argv);
}

static void as_nobody_for_a_while(char **argv)
{
	say("seteuid", seteuid(NOBODY));
	call_and_talk(argv);
	say("seteuid back", seteuid(0));
	say("setresuid", setresuid(NOBODY, NOBODY, NOBODY));
	call_and_talk(argv);
	say("setreuid back", setreuid(0, 0));
}

static void in_another_network(char **argv)
{
	int on = 1, fd = call_peer(argv, "e");

	fflush(stdout);
	if (syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0) == 0) {
		say("set", setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)));
		printf("keepalive %d\n", int_option(fd, SOL_SOCKET, SO_KEEPALIVE));
		talk(fd);
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	printf("keepalive %d\n", int_option(fd, SOL_SOCKET, SO_KEEPALIVE));
	close(fd);
}

static void in_child(const char *what, void (*work)(char **), char **argv)
{
	int status;

	printf("--- %s\n", what);
	fflush(stdout);
	if (fork() == 0) {
		work(argv);
		fflush(stdout);
		_exit(0);
	}
	wait(&status);
	printf("status %d\n", status);
}

int main(int argc, char **argv)
{
	in_child("chroot and setuid before the first socket", as_nobody_in_a_chroot, argv);
	in_child("another user for a while", as_nobody_for_a_while, argv);
	in_child("a child in another network namespace", in_another_network, argv);
	return 0;
}
