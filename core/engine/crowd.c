#include "core/engine/crowd.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

void crowd_open(struct crowd *c)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	c->ncpus = n > 0 ? (unsigned)n : 1;
	c->fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
}

void crowd_close(struct crowd *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

bool crowd_is(const struct crowd *c)
{
	char line[100];
	ssize_t len = c->fd < 0 ? -1 : pread(c->fd, line, sizeof(line) - 1, 0);
	unsigned running;

	if (len <= 0)
		return false;
	line[len] = '\0';
	return sscanf(line, "%*s %*s %*s %u/", &running) == 1 && running > c->ncpus;
}
