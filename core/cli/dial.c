#include "core/cli/dial.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/cli/cli.h"

enum { ANSWER_WAIT_S = 5, STOP_WAIT_MS = 5000, NAME_LINE_MAX = 512 };

static int connect_engine(const struct settings *s)
{
	struct sockaddr_un name;
	socklen_t len = ipc_name(&name, s, geteuid(), NULL);
	struct timeval limit = {.tv_sec = ANSWER_WAIT_S};
	uid_t uid;
	pid_t pid;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	int err = connect(fd, (struct sockaddr *)&name, len) < 0 ? -errno : ipc_peer(fd, &uid, &pid);
	if (!err && uid != geteuid())
		err = -ECONNREFUSED;
	if (err) {
		close(fd);
		return err;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return fd;
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

int dial(const struct settings *s)
{
	int fd = connect_engine(s);
	int err = fd < 0 ? fd : greet(fd);

	if (fd >= 0 && err)
		close(fd);
	return err ? err : fd;
}

static int receive_result(int fd, struct ipc_result *r, int *passed)
{
	ssize_t n = ipc_recv_fd(fd, r, sizeof *r, passed, 0);

	if (n < 0)
		return (int)n;
	r->text[sizeof r->text - 1] = '\0';
	return ipc_check(r, (size_t)n, IPC_RESULT, sizeof *r) ? -r->error : -EPROTO;
}

int dial_attach(int fd, const struct ipc_attach *m, struct ipc_result *r)
{
	int passed = -1;
	ssize_t n = ipc_send_fd(fd, m, sizeof *m, -1, 0);
	int err = n < 0 ? (int)n : receive_result(fd, r, &passed);

	if (passed >= 0)
		close(passed);
	return err;
}

int dial_stop(const struct settings *s)
{
	struct ipc_header stop = ipc_header(IPC_STOP, sizeof stop);
	int fd = dial(s);

	if (fd < 0)
		return fd == -ENOENT ? -ECONNREFUSED : fd;
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};
	ssize_t n = ipc_send_fd(fd, &stop, sizeof stop, -1, 0);
	/* It has ended when its side of the channel is closed. */
	int err = n < 0 ? (int)n : poll(&p, 1, STOP_WAIT_MS) > 0 ? 0 : -ETIMEDOUT;
	close(fd);
	return err;
}

/* "…@teecee/UID/IFACE/IPSPEC" at the end of a line of /proc/net/unix, and nothing behind it. */
static bool read_name(const char *line, struct settings *s)
{
	const char *at = strstr(line, "@teecee/");
	unsigned uid;
	char iface[IFNAMSIZ], spec[SETTINGS_IP_SPEC_LEN];
	struct ipnet net;

	if (!at || sscanf(at, "@teecee/%u/%15[^/]/%43s", &uid, iface, spec) != 3 || uid != geteuid())
		return false;
	if (strcmp(spec, "auto") != 0 && strcmp(spec, "dhcp") != 0 && !ipnet_parse(&net, spec))
		return false;
	*s = (struct settings){0};
	memcpy(s->iface, iface, sizeof s->iface);
	memcpy(s->ip_spec, spec, sizeof s->ip_spec);
	return true;
}

/* A listening name stands there once, and again for each connection to it. */
static bool is_listening(const char *line)
{
	unsigned flags, type;

	return sscanf(line, "%*[^:]: %*x %*x %x %x", &flags, &type) == 2 && (flags & 0x10000) &&
	       type == SOCK_SEQPACKET;
}

unsigned dial_each(void (*fn)(int fd, const struct settings *s, void *ctx), void *ctx)
{
	FILE *f = fopen("/proc/net/unix", "re");
	char line[NAME_LINE_MAX];
	struct settings s;
	unsigned n = 0;

	while (f && fgets(line, sizeof line, f)) {
		int fd = is_listening(line) && read_name(line, &s) ? dial(&s) : -1;
		if (fd < 0)
			continue;
		fn(fd, &s, ctx);
		close(fd);
		n++;
	}
	if (f)
		fclose(f);
	return n;
}

static bool is_sound(const struct snapshot *s)
{
	const struct ipc_snapshot *h = s->head;

	if (s->size < sizeof *h || h->magic != IPC_MAGIC || h->version != IPC_VERSION)
		return false;
	return h->sock_size == sizeof *s->sock && h->counter_size == sizeof *s->counter &&
	       s->size == sizeof *h + (size_t)h->nsocks * h->sock_size +
				  (size_t)h->ncounters * h->counter_size;
}

int dial_snapshot(int fd, struct snapshot *out)
{
	struct ipc_header ask = ipc_header(IPC_SNAPSHOT, sizeof ask);
	struct ipc_result r;
	struct stat st;
	int memfd = -1;

	ssize_t n = ipc_send_fd(fd, &ask, sizeof ask, -1, 0);
	int err = n < 0 ? (int)n : receive_result(fd, &r, &memfd);
	if (memfd < 0)
		return err ? err : -EPROTO;
	out->map = MAP_FAILED;
	if (fstat(memfd, &st) == 0 && st.st_size > 0) {
		out->size = (size_t)st.st_size;
		out->map = mmap(NULL, out->size, PROT_READ, MAP_PRIVATE, memfd, 0);
	}
	close(memfd);
	if (out->map == MAP_FAILED)
		return -EPROTO;
	out->head = out->map;
	if (!is_sound(out)) {
		snapshot_close(out);
		return -EPROTO;
	}
	out->sock = (const void *)(out->head + 1);
	out->counter = (const void *)(out->sock + out->head->nsocks);
	return 0;
}

void snapshot_close(struct snapshot *s)
{
	munmap(s->map, s->size);
}
