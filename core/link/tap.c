/*
 * The link over a TAP device: /dev/net/tun with IFF_VNET_HDR and offloads. The kernel is not beside
 * us on this wire but at its other end, as the neighbour, the router or the port of a bridge: what
 * is behind it decides who is reached (teecee-nat(8)).
 *
 * Each read and write is one frame with a struct virtio_net_hdr in front (vnet.h). TUNSETOFFLOAD
 * lets the kernel hand us super-segments and checksums it has not computed; ours to it need no
 * permission.
 *
 * NO PRIVILEGE. A TAP device that belongs to a user (ip tuntap add … user NAME) is opened by that
 * user without any capability, where /dev/net/tun may be opened at all. It must exist: a name that
 * does not would be made by the ioctl that attaches to it.
 *
 * NO FILTER. The kernel sends what is for the neighbour; a bridge also sends what it floods. What
 * is not for us is passed over here: TUNSETTXFILTER would stay behind on the device if we are
 * killed.
 *
 * WHEN IT GOES. A device that is removed is ENETDOWN. One that is taken down says nothing to its
 * reader and EIO to its writer: a cable that is pulled, and connections go on when it is plugged in
 * again.
 */
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/link/iface.h"
#include "core/link/link.h"
#include "core/link/vnet.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"

enum {
	FRAME_MAX = ETH_HDR_LEN + 65535,
	/* Beyond the device: the NIC that it is routed to takes 65,535 bytes with the Ethernet header. */
	GSO_MAX = 65535 - ETH_HDR_LEN - IPV4_HDR_LEN - TCP_HDR_MAX,
	ALIGN = 2, /* in front of a received frame: puts its IP header on a multiple of four */
	OFFLOADS = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN,
};

struct tap_link {
	struct link link;
	char ifname[IFNAMSIZ];
	struct macaddr mac;
	int fd;
	uint32_t dropped; /* the device's count when it was asked last */
	struct link_stats stats;
	uint8_t in[ALIGN + FRAME_MAX];
};

static struct tap_link *of(struct link *l)
{
	return CONTAINER_OF(l, struct tap_link, link);
}

static int tap_fd(struct link *l)
{
	return of(l)->fd;
}

static int receive_error(int err)
{
	switch (err) {
	case EAGAIN:
	case EINTR:
		return 0;
	case EBADFD: /* the device was removed */
	case EFAULT:
	case EIO:
		return -ENETDOWN;
	default:
		return -err;
	}
}

static bool is_for_us(const struct tap_link *t, const uint8_t *frame, size_t len)
{
	if (len < ETH_HDR_LEN || memcmp(frame + 6, t->mac.b, 6) == 0)
		return false;
	return (frame[0] & 1) || memcmp(frame, t->mac.b, 6) == 0;
}

static int tap_recv(struct link *l, struct rx_frame *f, nsec now)
{
	struct tap_link *t = of(l);
	struct virtio_net_hdr v;
	struct iovec io[] = {{&v, sizeof v}, {t->in + ALIGN, FRAME_MAX}};

	for (;;) {
		ssize_t n = readv(t->fd, io, ARRAY_LEN(io));
		if (n < 0)
			return receive_error(errno);
		if ((size_t)n < sizeof v || !is_for_us(t, t->in + ALIGN, (size_t)n - sizeof v))
			continue;
		*f = vnet_received(&v, t->in + ALIGN, (size_t)n - sizeof v, now);
		t->stats.rx_frames++;
		t->stats.rx_bytes += f->len;
		return 1;
	}
}

static int tap_send(struct link *l, const struct tx_frame *f, nsec now)
{
	struct tap_link *t = of(l);
	size_t head = tx_frame_head_len(f), payload = tx_frame_payload_len(f);
	struct virtio_net_hdr v;
	struct iovec io[2 + TX_PAYLOAD_MAX] = {
		{&v, sizeof v}, {(void *)(f->head + f->head_at), head}};

	if (f->l4_from_end > head)
		return -EINVAL;
	if (!vnet_is_super(f) && head + payload > (size_t)l->info.mtu + ETH_HDR_LEN) {
		t->stats.tx_errors++; /* the device would take it, and whom it is routed to not */
		return -EMSGSIZE;
	}
	vnet_describe(&v, f);
	memcpy(io + 2, f->payload, f->npayload * sizeof f->payload[0]);
	if (writev(t->fd, io, 2 + f->npayload) >= 0) {
		t->stats.tx_frames += vnet_count(f);
		t->stats.tx_bytes += vnet_count(f) * head + payload;
		return 0;
	}
	if (errno == EAGAIN || errno == ENOBUFS)
		return -EAGAIN;
	t->stats.tx_errors++;
	return errno == EIO || errno == EBADFD ? -ENETDOWN : -errno;
}

/* What the device could not queue for us since it was made. */
static uint32_t device_drops(const char *ifname)
{
	struct ifaddrs *all;
	uint32_t n = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (i->ifa_addr && i->ifa_addr->sa_family == AF_PACKET && i->ifa_data &&
			strcmp(i->ifa_name, ifname) == 0)
			n = ((const struct rtnl_link_stats *)i->ifa_data)->tx_dropped;
	}
	freeifaddrs(all);
	return n;
}

static void tap_stats(struct link *l, struct link_stats *out)
{
	struct tap_link *t = of(l);
	uint32_t dropped = device_drops(t->ifname);

	t->stats.rx_dropped += dropped - t->dropped;
	t->dropped = dropped;
	*out = t->stats;
}

static void tap_close(struct link *l)
{
	struct tap_link *t = of(l);

	if (t->fd >= 0) {
		ioctl(t->fd, TUNSETOFFLOAD, 0); /* it outlives us as it was */
		close(t->fd);
	}
	free(t);
}

static const struct link_ops tap_ops = {
	.name = "tap",
	.fd = tap_fd,
	.recv = tap_recv,
	.send = tap_send,
	.stats = tap_stats,
	.close = tap_close,
};

/* One made for several queues must be attached to as such. */
static int attach(struct tap_link *t)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

	memcpy(req.ifr_name, t->ifname, sizeof req.ifr_name);
	if (ioctl(t->fd, TUNSETIFF, &req) == 0)
		return 0;
	if (errno != EINVAL)
		return -errno;
	req.ifr_flags |= IFF_MULTI_QUEUE;
	return ioctl(t->fd, TUNSETIFF, &req) < 0 ? -errno : 0;
}

static int open_device(struct tap_link *t, char error[static LINK_ERROR_LEN])
{
	int header = sizeof(struct virtio_net_hdr), err;

	t->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (t->fd < 0) {
		err = -errno;
		snprintf(error, LINK_ERROR_LEN, "%s: /dev/net/tun: %s", t->ifname, strerror(-err));
		return err;
	}
	err = attach(t);
	if (err == -EPERM)
		snprintf(
			error, LINK_ERROR_LEN, "%s: the device belongs to another user", t->ifname);
	else if (err == -EBUSY)
		snprintf(error, LINK_ERROR_LEN, "%s: another program has the device open",
			t->ifname);
	else if (err)
		snprintf(error, LINK_ERROR_LEN, "%s: attaching to it: %s", t->ifname,
			strerror(-err));
	if (err)
		return err;
	if (ioctl(t->fd, TUNSETVNETHDRSZ, &header) < 0 ||
		ioctl(t->fd, TUNSETOFFLOAD, OFFLOADS) < 0) {
		err = -errno;
		snprintf(error, LINK_ERROR_LEN, "%s: offloads: %s", t->ifname, strerror(-err));
	}
	return err;
}

static int open_tap(struct tap_link *t, char error[static LINK_ERROR_LEN])
{
	struct iface i;
	int err = iface_usable(t->ifname, &i, error);

	if (err)
		return err;
	if (!i.is_tap) {
		snprintf(error, LINK_ERROR_LEN, "%s: not a TAP device", t->ifname);
		return -EPROTONOSUPPORT;
	}
	if (macaddr_equal(&t->mac, &i.mac)) {
		snprintf(error, LINK_ERROR_LEN,
			"%s: its own MAC address is the kernel's, at the other end", t->ifname);
		return -EINVAL;
	}
	t->link.info = (struct link_info){
		.nic_mac = i.mac,
		.mtu = i.mtu,
		.gso_max = GSO_MAX,
		.patient = true, /* txqueuelen frames */
		.is_up = i.is_up,
	};
	t->dropped = device_drops(t->ifname);
	return open_device(t, error);
}

struct link *link_tap_open(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN])
{
	struct tap_link *t = calloc(1, sizeof *t);

	if (!t) {
		snprintf(error, LINK_ERROR_LEN, "out of memory");
		errno = ENOMEM;
		return NULL;
	}
	t->fd = -1;
	t->mac = *mac;
	t->link.ops = &tap_ops;
	snprintf(t->ifname, sizeof t->ifname, "%s", ifname);
	int err = open_tap(t, error);
	if (!err)
		return &t->link;
	tap_close(&t->link);
	errno = -err;
	return NULL;
}
