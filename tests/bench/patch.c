/*
 * A patch cable between two TAP devices: what goes into one comes out of the other, super-segments
 * whole. So the kernel's TCP is measured over TAP devices, as ours is: somebody has to be at the
 * other end.
 *
 *	patch NAMESPACE DEVICE NAMESPACE DEVICE     names of ip-netns(8); says "patched" and runs until it is ended
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { FRAME_MAX = 10 + 14 + 65535, BURST = 64 };

static _Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

static void enter(const char *namespace)
{
	char path[256];

	snprintf(path, sizeof path, "/run/netns/%s", namespace);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		die(path);
	close(fd);
}

static int open_tap(const char *namespace, const char *device)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	enter(namespace);
	snprintf(req.ifr_name, sizeof req.ifr_name, "%s", device);
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &req) < 0 ||
		ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN) < 0)
		die(device);
	return fd;
}

static void move(int from, int to)
{
	static uint8_t frame[FRAME_MAX];

	for (int i = 0; i < BURST; i++) {
		ssize_t n = read(from, frame, sizeof frame);
		if (n <= 0)
			return;
		if (write(to, frame, (size_t)n) < 0)
			continue; /* the device is full or down: lost, as on any wire */
	}
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: patch NAMESPACE DEVICE NAMESPACE DEVICE\n");
		return 2;
	}
	struct pollfd p[2] = {{.fd = open_tap(argv[1], argv[2]), .events = POLLIN},
		{.fd = open_tap(argv[3], argv[4]), .events = POLLIN}};
	puts("patched");
	fflush(stdout);
	while (poll(p, 2, -1) >= 0) {
		for (int i = 0; i < 2; i++)
			if (p[i].revents)
				move(p[i].fd, p[!i].fd);
	}
	return 1;
}
