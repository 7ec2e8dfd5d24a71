#include "preload/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/log.h"
#include "preload/real.h"

enum { ANSWER_TIMEOUT_MS = 10000, STDERR = 2 };

static char pcap_path[PATH_MAX], trace_path[PATH_MAX];

/* A file was passed on once, by us or by a process before us: that it cannot be opened any more is
 * no news (chroot, setuid). */
static atomic_bool was_passed;
static atomic_flag told = ATOMIC_FLAG_INIT;

static void make_absolute(char out[static PATH_MAX], const char *path)
{
	char here[PATH_MAX];

	if (path[0] == '/' || !path[0] || !getcwd(here, sizeof here))
		snprintf(out, PATH_MAX, "%s", path);
	else
		snprintf(out, PATH_MAX, "%.3800s/%s", here, path);
}

void attach_init(const struct settings *s)
{
	make_absolute(pcap_path, s->pcap);
	make_absolute(trace_path, s->trace);
}

/* Sends one message and waits for its answer: 0 or -errno, with the engine's words in `r`. */
static int ask(int fd, struct ipc_attach *m, int passed, struct ipc_result *r)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int extra, ready;

	m->h = ipc_header(IPC_ATTACH, sizeof *m);
	if (ipc_send_fd(fd, m, sizeof *m, passed, 0) != sizeof *m)
		return -ECONNRESET;
	do
		ready = raw_poll(&p, ANSWER_TIMEOUT_MS);
	while (ready == -EINTR);
	if (ready <= 0 || ipc_recv_fd(fd, r, sizeof *r, &extra, MSG_DONTWAIT) != sizeof *r ||
		!ipc_check(r, sizeof *r, IPC_RESULT, sizeof *r))
		return -ECONNRESET;
	if (extra >= 0)
		raw_close(extra);
	r->text[sizeof r->text - 1] = '\0';
	return r->error > 0 && r->error < 4096 ? -r->error : 0;
}

static void warn(const char *variable, const char *path, const char *why)
{
	if (!was_passed && !atomic_flag_test_and_set(&told))
		log_line("%s=%s: %s; the program goes on without", variable, path, why);
}

static int open_file(const char *path, int flags)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, flags | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);

	return fd < 0 ? -errno : (int)fd;
}

/* The person's, unless it is a socket: then it may well be one of ours. */
static bool has_stderr(void)
{
	struct stat st;

	return fstat(STDERR, &st) == 0 && !S_ISSOCK(st.st_mode);
}

static bool is_terminal(void)
{
	struct winsize size;

	return syscall(SYS_ioctl, STDERR, TIOCGWINSZ, &size) == 0 && !getenv("NO_COLOR");
}

/* out.pcap, out.pcap.1, out.pcap.2 … each in a message of its own. */
static int pass_capture(int fd, const struct settings *s, struct ipc_result *r)
{
	struct ipc_attach m = {.kind = IPC_ATTACH_CAPTURE, .count = 1, .size = s->pcap_size};
	char path[PATH_MAX + 8];
	int err = 0;

	if (s->pcap_files > 1)
		m.count = (uint8_t)s->pcap_files;
	snprintf(m.text, sizeof m.text, "%s", s->pcap_filter);
	for (; m.index < m.count && err >= 0; m.index++) {
		snprintf(path, sizeof path, m.index ? "%s.%u" : "%s", pcap_path, m.index);
		int file = open_file(path, O_RDWR);
		if (file < 0) {
			warn("TEECEE_PCAP", path, strerrordesc_np(-file));
			return 0;
		}
		err = ask(fd, &m, file, r);
		raw_close(file);
	}
	return err;
}

static int pass_trace(int fd, const struct settings *s, struct ipc_result *r)
{
	struct ipc_attach m = {.kind = IPC_ATTACH_TRACE};
	int file = -1, err;

	if (strcmp(s->trace, "-") == 0) {
		if (!has_stderr())
			return 0;
		m.colour = is_terminal();
	} else {
		file = open_file(trace_path, O_WRONLY | O_APPEND);
		if (file < 0) {
			warn("TEECEE_TRACE", trace_path, strerrordesc_np(-file));
			return 0;
		}
	}
	err = ask(fd, &m, file, r);
	if (file >= 0)
		raw_close(file);
	return err;
}

static int pass_rules(int fd, const struct settings *s, struct ipc_result *r)
{
	struct ipc_attach m = {
		.kind = IPC_ATTACH_IMPAIR, .has_seed = s->has_seed, .seed = s->seed};

	snprintf(m.text, sizeof m.text, "%s", s->impair);
	return ask(fd, &m, -1, r);
}

static int refuse(char text[static IPC_TEXT_LEN], const char *variable, const struct ipc_result *r)
{
	snprintf(text, IPC_TEXT_LEN, "%s: %.220s", variable, r->text);
	return -ENETDOWN;
}

int attach_all(int fd, const struct settings *s, char text[static IPC_TEXT_LEN])
{
	struct ipc_attach errors = {.kind = IPC_ATTACH_STDERR};
	struct ipc_result r;
	int err = 0;

	if ((s->pcap[0] || s->trace[0]) && has_stderr())
		err = ask(fd, &errors, STDERR, &r);
	if (!err && s->pcap[0]) {
		err = pass_capture(fd, s, &r);
		if (err == -EINVAL)
			return refuse(text, "TEECEE_PCAP_FILTER", &r);
		if (err < 0 && err != -ECONNRESET) {
			warn("TEECEE_PCAP", pcap_path, r.text);
			err = 0;
		}
	}
	if (!err && s->trace[0]) {
		err = pass_trace(fd, s, &r);
		if (err < 0 && err != -ECONNRESET) {
			warn("TEECEE_TRACE", trace_path, r.text);
			err = 0;
		}
	}
	was_passed |= !err;
	if (!err && s->impair[0]) {
		err = pass_rules(fd, s, &r);
		if (err < 0 && err != -ECONNRESET)
			return refuse(text, "TEECEE_IMPAIR", &r);
	}
	return err;
}
