#include "preload/epoll.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/real.h"

enum { BUFFER = 2048, LINE = 160 };

struct dirent64_head { /* of getdents64(2) */
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static bool is_epoll(int dir, const char *name)
{
	static const char wanted[] = "anon_inode:[eventpoll]";
	char target[sizeof wanted];
	long n = syscall(SYS_readlinkat, dir, name, target, sizeof target);

	return n == sizeof wanted - 1 && memcmp(target, wanted, sizeof wanted - 1) == 0;
}

/* "tfd:        5 events:       19 data:                5  pos:0 ino:… sdev:…" */
static bool parse_line(const char *line, int fd, struct epoll_event *out)
{
	unsigned events;
	unsigned long long data;
	int tfd;

	if (sscanf(line, "tfd: %d events: %x data: %llx", &tfd, &events, &data) != 3 || tfd != fd)
		return false;
	out->events = events;
	out->data.u64 = data;
	return true;
}

static bool find_in(int epfd, int fd, struct epoll_event *out)
{
	char path[64], chunk[BUFFER], line[LINE];
	size_t at = 0;
	bool found = false;
	long n;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epfd);
	int info = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	while (info >= 0 && !found && (n = syscall(SYS_read, info, chunk, sizeof chunk)) > 0) {
		for (long i = 0; i < n && !found; i++) {
			if (chunk[i] != '\n') {
				line[at] = chunk[i];
				at += at < sizeof line - 1;
				continue;
			}
			line[at] = '\0';
			at = 0;
			found = parse_line(line, fd, out);
		}
	}
	if (info >= 0)
		raw_close(info);
	return found;
}

static void consider(int dir, const char *name, int fd, struct epoll_saved *out)
{
	if (name[0] < '0' || name[0] > '9' || out->count == EPOLL_SAVED_MAX || !is_epoll(dir, name))
		return;
	int epfd = atoi(name);
	struct epoll_event *event = &out->at[out->count].event;
	if (!find_in(epfd, fd, event))
		return;
	out->at[out->count++].epfd = epfd;
	syscall(SYS_epoll_ctl, epfd, EPOLL_CTL_DEL, fd, event);
}

void epoll_take_out(int fd, struct epoll_saved *out)
{
	_Alignas(struct dirent64_head) char entries[BUFFER];
	int dir = (int)syscall(
		SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	out->count = 0;
	while (dir >= 0 && (n = syscall(SYS_getdents64, dir, entries, sizeof entries)) > 0) {
		for (long at = 0; at < n; at += ((struct dirent64_head *)(entries + at))->reclen)
			consider(dir, ((struct dirent64_head *)(entries + at))->name, fd, out);
	}
	if (dir >= 0)
		raw_close(dir);
}

void epoll_put_back(int fd, const struct epoll_saved *saved)
{
	for (int i = 0; i < saved->count; i++) {
		struct epoll_event event = saved->at[i].event;
		syscall(SYS_epoll_ctl, saved->at[i].epfd, EPOLL_CTL_ADD, fd, &event);
	}
}
