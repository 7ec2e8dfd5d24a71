/*
 * A network namespace of the test's own with a veth pair in it, va and vb, both ends up. It goes
 * with the process. Without root it is made inside a user namespace; where that is not allowed
 * either, the test fails.
 */
#ifndef TEECEE_TESTS_OWN_NET_H
#define TEECEE_TESTS_OWN_NET_H

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/time.h"
#include "core/host/host.h"

static inline bool own_net_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static inline bool own_net_unshare(void)
{
	char map[64];

	snprintf(map, sizeof map, "0 %u 1", (unsigned)geteuid());
	if (unshare(CLONE_NEWNET) == 0)
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	return own_net_write("/proc/self/uid_map", map);
}

static inline bool own_net_running(const char *ifname)
{
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(req.ifr_name, ifname);
	bool running = ioctl(fd, SIOCGIFFLAGS, &req) == 0 && (req.ifr_flags & IFF_RUNNING);
	close(fd);
	return running;
}

/* Waits until both ends carry. */
static inline bool own_net_carries(void)
{
	for (nsec limit = host_clock() + 5 * SEC; host_clock() < limit;)
		if (own_net_running("va") && own_net_running("vb"))
			return true;
	return false;
}

/* Returns when both ends carry. False, and a line that says why, when it cannot be made here. */
static inline bool own_net_make(void)
{
	if (!own_net_unshare()) {
		perror("a network namespace of our own");
		return false;
	}
	own_net_write("/proc/sys/net/ipv6/conf/default/disable_ipv6",
		"1"); /* a quiet wire; absent without IPv6 */
	if (system("ip link add va address 02:aa:00:00:00:01 type veth peer name vb address "
		   "02:bb:00:00:00:01 && "
		   "ip link set lo up && ip link set va up && ip link set vb up") != 0)
		return false;
	return own_net_carries();
}

#endif
