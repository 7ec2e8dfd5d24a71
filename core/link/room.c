#include "core/link/room.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int room_set(int fd, int force, int plain, int bytes)
{
	socklen_t len = sizeof bytes;

	if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof bytes) < 0)
		setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof bytes);
	getsockopt(fd, SOL_SOCKET, plain, &bytes, &len);
	return bytes;
}

bool room_for(int fd, int buffer, size_t count, size_t size)
{
	int queued;

	if (ioctl(fd, SIOCOUTQ, &queued) < 0 || queued == 0)
		return true;
	return (size_t)queued + count * (2 * size + 1024) <= (size_t)buffer;
}
