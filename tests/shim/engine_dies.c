/*
 * The end of an engine that is killed is what the peer's RST is: ECONNRESET once, without a signal, then EPIPE and
 * SIGPIPE. Over the kernel's stack the peer sends one; under the shim the engine is killed.
 */
#include "tests/shim/say.h"

#include <dirent.h>

static volatile sig_atomic_t pipes;

static void on_sigpipe(int sig)
{
	pipes++;
}

/* The one engine of this pid namespace (tests/tools/private). */
static bool kill_engine(void)
{
	char path[300], target[300];
	DIR *proc = opendir("/proc");
	bool done = false;

	for (struct dirent *d; proc && (d = readdir(proc));) {
		snprintf(path, sizeof(path), "/proc/%s/exe", d->d_name);
		ssize_t n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strstr(target, "/teecee-engine"))
			done |= kill(atoi(d->d_name), SIGKILL) == 0;
	}
	if (proc)
		closedir(proc);
	return done;
}

/* A connection that has just been cut off; the fd is not asked for anything that would take the error. */
static int cut_off(char **argv)
{
	if (!getenv("TEECEE_IFACE")) {
		int fd = call_peer(argv, PEER_RESET);
		await(fd, POLLRDHUP);
		return fd;
	}
	int fd = call_peer(argv, PEER_HOLD);
	if (!kill_engine())
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
