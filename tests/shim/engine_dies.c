/*
 * The end of an engine that is killed is what the peer's RST is: ECONNRESET once, without a signal, then EPIPE and
 * SIGPIPE. Over the kernel's stack the peer sends one; under the shim the engine is killed, whose process the raw
 * socket names.
 */
#include "tests/shim/say.h"

#include <sys/syscall.h>

static volatile sig_atomic_t pipes;

static void on_sigpipe(int sig)
{
	pipes++;
}

/* A connection that has just been cut off; the fd is not asked for anything that would take the error. */
static int cut_off(char **argv)
{
	struct ucred engine = {0};
	socklen_t len = sizeof(engine);

	if (!getenv("TEECEE_IFACE")) {
		int fd = call_peer(argv, PEER_RESET);
		await(fd, POLLRDHUP);
		return fd;
	}
	int fd = call_peer(argv, PEER_HOLD);
	syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &engine, &len);
	if (engine.pid <= 0 || kill(engine.pid, SIGKILL) < 0)
		puts("no engine to kill");
	await(fd, POLLRDHUP);
	return fd;
}

static void say_write(const char *what, int fd)
{
	long r = write(fd, "x", 1);

	printf("%s: %s%s\n", what, result_name(r), pipes ? " SIGPIPE" : "");
	pipes = 0;
}

int main(int argc, char **argv)
{
	char buf[4];
	int fd;

	signal(SIGPIPE, on_sigpipe);
	fd = cut_off(argv);
	say_write("first write", fd);
	say_write("second write", fd);
	say("read", read(fd, buf, sizeof(buf)));
	close(fd);
	fd = cut_off(argv);
	say("first read", read(fd, buf, sizeof(buf)));
	say("second read", read(fd, buf, sizeof(buf)));
	say_write("then a write", fd);
	close(fd);
	fd = cut_off(argv);
	say_error("asked", fd);
	say_write("then a write", fd);
	close(fd);
	return 0;
}
