#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/cli/dial.h"
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

static int tell(int fd)
{
	struct ipc_header stop = ipc_header(IPC_STOP, sizeof stop);
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
	int fd = dial(&o.settings);
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
