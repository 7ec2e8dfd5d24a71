#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/ipc/proto.h"

enum { STOP_WAIT_MS = 5000 };

static int help(void)
{
	printf("usage: teecee stop [OPTIONS]\n\n"
	       "Ends the engine of an address now. Connections that are left are reset.\n\n");
	cli_print_options();
	printf("\nThe exit status is 0 when it has ended, 1 when there was none.\n");
	return fflush(stdout) ? EXIT_OURS : 0;
}

/* The engine of these settings: a descriptor, or -errno. Somebody else's is none. */
static int connect_engine(const struct settings *s)
{
	struct sockaddr_un name;
	socklen_t len = ipc_name(&name, s, geteuid(), NULL);
	uid_t uid;
	pid_t pid;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	int err =
		connect(fd, (struct sockaddr *)&name, len) < 0 ? -errno : ipc_peer(fd, &uid, &pid);
	if (!err && uid != geteuid())
		err = -ECONNREFUSED;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* HELLO and WELCOME, asking for nothing in particular: 0, or -errno. */
static int greet(int fd)
{
	struct ipc_hello hello = {.h = ipc_header(IPC_HELLO, sizeof hello)};
	union {
		struct ipc_welcome welcome;
		struct ipc_refused refused;
	} answer;
	int table;

	ssize_t n = ipc_send_fd(fd, &hello, sizeof hello, -1, 0);
	if (n >= 0)
		n = ipc_recv_fd(fd, &answer, sizeof answer, &table, 0);
	if (n < 0)
		return (int)n;
	if (table >= 0)
		close(table);
	if (ipc_check(&answer, (size_t)n, IPC_WELCOME, sizeof answer.welcome))
		return 0;
	if (ipc_check(&answer, (size_t)n, IPC_REFUSED, sizeof answer.refused))
		return -answer.refused.error;
	return -EPROTO;
}

static int tell(int fd)
{
	struct ipc_header stop = ipc_header(IPC_STOP, sizeof stop);
	struct timeval limit = {.tv_sec = STOP_WAIT_MS / 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	int err = greet(fd);
	if (err)
		return err;
	ssize_t n = ipc_send_fd(fd, &stop, sizeof stop, -1, 0);
	return n < 0 ? (int)n : 0;
}

/* It has ended when its side of the channel is closed. */
static bool wait_end(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, STOP_WAIT_MS) > 0;
}

int cli_stop(int argc, char **argv)
{
	struct cli_options o;

	if (!cli_options(&o, argc, argv))
		return EXIT_OURS;
	if (o.help)
		return help();
	if (o.first < argc) {
		log_line("stop: %s: only options are expected", argv[o.first]);
		return EXIT_OURS;
	}
	int fd = connect_engine(&o.settings);
	if (fd == -ECONNREFUSED || fd == -ENOENT) {
		log_line("no engine runs for %s on %s", o.settings.ip_spec, o.settings.iface);
		return 1;
	}
	int err = fd < 0 ? fd : tell(fd);
	bool ended = !err && wait_end(fd);
	if (fd >= 0)
		close(fd);
	if (err) {
		log_line("the engine for %s on %s cannot be told: %s", o.settings.ip_spec,
			o.settings.iface, strerror(-err));
		return EXIT_OURS;
	}
	if (!ended)
		log_line("the engine for %s on %s does not end", o.settings.ip_spec,
			o.settings.iface);
	else if (o.verbose)
		log_line("the engine for %s on %s has ended", o.settings.ip_spec, o.settings.iface);
	return ended ? 0 : EXIT_OURS;
}
