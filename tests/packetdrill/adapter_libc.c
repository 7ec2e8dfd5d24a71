/*
 * What packetdrill calls directly on the plugin's descriptors: with LD_PRELOAD of this very file it
 * comes here. packetdrill loads plugins with RTLD_DEEPBIND, so these win inside the plugin too: the
 * raw system calls are used.
 */
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/packetdrill/adapter.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT int close(int fd)
{
	if (adapter.running)
		adapter_close(fd);
	return (int)syscall(SYS_close, fd);
}

EXPORT int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
	if (adapter.running && adapter_sock(fd))
		return adapter_getsockopt(fd, level, name, value, len);
	return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t count)
{
	char chunk[16384];
	size_t total = 0;

	if (!adapter.running || !adapter_sock(out))
		return syscall(SYS_sendfile, out, in, offset, count);
	while (total < count) {
		size_t want = count - total < sizeof chunk ? count - total : sizeof chunk;
		ssize_t n = offset ? pread(in, chunk, want, *offset) : read(in, chunk, want);
		if (n <= 0)
			return total ? (ssize_t)total : n;
		ssize_t sent = adapter_send(out, &(struct iovec){chunk, (size_t)n}, 1,
			(size_t)n < count - total ? MSG_MORE : 0);
		if (sent < 0)
			return total ? (ssize_t)total : -1;
		if (offset)
			*offset += sent;
		total += (size_t)sent;
	}
	return (ssize_t)total;
}
