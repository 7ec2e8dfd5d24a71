/*
 * invisible ADDRESS PORT: opens a connection, which starts the engine, and looks for traces that a program could
 * stumble over: a child to wait for, a SIGCHLD, a descriptor that the engine inherited, a descriptor in the low
 * numbers, a changed working directory, umask, signal mask or alarm. One line per finding; status 1 if there is one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOW_FDS = 100 };

static volatile sig_atomic_t sigchld;
static int findings;

static void on_sigchld(int sig)
{
	sigchld = sig;
}

static void expect(bool ok, const char *what)
{
	if (ok)
		return;
	puts(what);
	findings++;
}

static unsigned low_fds(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < LOW_FDS; fd++)
		n += fcntl(fd, F_GETFD) != -1;
	return n;
}

static int talk(const char *address, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	char buf[4096];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return -1;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return -1;
	if (write(fd, "GET / HTTP/1.0\r\n\r\n", 18) != 18 || read(fd, buf, sizeof(buf)) <= 0)
		return -1;
	return fd;
}

int main(int argc, char **argv)
{
	struct sigaction act = {.sa_handler = on_sigchld};
	sigset_t before, after;
	char cwd_before[4096], cwd_after[4096];
	struct pollfd p;
	unsigned fds;
	int fd, inherited[2];
	mode_t mask = umask(027);

	if (argc != 3 || pipe(inherited) || sigaction(SIGCHLD, &act, NULL) ||
		!getcwd(cwd_before, sizeof(cwd_before)))
		return 2;
	sigprocmask(SIG_BLOCK, NULL, &before);
	fds = low_fds();

	fd = talk(argv[1], argv[2]);
	if (fd < 0) {
		fprintf(stderr, "invisible: %s\n", strerror(errno));
		return 2;
	}
	expect(low_fds() == fds + 1, "descriptors below 100 besides the socket");
	close(fd);

	expect(waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD, "a child to wait for");
	expect(!sigchld, "SIGCHLD");
	close(inherited[1]);
	p = (struct pollfd){.fd = inherited[0], .events = POLLIN};
	expect(poll(&p, 1, 1000) == 1 && p.revents == POLLHUP,
		"somebody holds the write end of a pipe");
	expect(umask(mask) == 027, "umask");
	sigprocmask(SIG_BLOCK, NULL, &after);
	for (int sig = 1; sig < SIGRTMAX; sig++)
		expect(sigismember(&before, sig) == sigismember(&after, sig), "signal mask");
	expect(getcwd(cwd_after, sizeof(cwd_after)) && !strcmp(cwd_before, cwd_after),
		"working directory");
	expect(alarm(0) == 0, "alarm");
	return findings ? 1 : 0;
}
