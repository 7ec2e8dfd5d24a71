#include "core/link/iface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bytes.h"

static int ask(int fd, unsigned long request, const char *ifname, struct ifreq *req)
{
	memset(req, 0, sizeof *req);
	if (strlen(ifname) >= sizeof req->ifr_name)
		return -ENODEV;
	strcpy(req->ifr_name, ifname);
	return ioctl(fd, request, req) < 0 ? -errno : 0;
}

/*
 * /sys shows the network namespace it was mounted in. In another one the interface is missing there
 * and counts as virtual, which is what interfaces of private namespaces are.
 */
static bool has_device(const char *ifname)
{
	char path[sizeof "/sys/class/net//device" + IFNAMSIZ];

	snprintf(path, sizeof path, "/sys/class/net/%s/device", ifname);
	return access(path, F_OK) == 0;
}

static bool is_tap(int fd, const char *ifname)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq req = {.ifr_data = (void *)&driver};

	strcpy(req.ifr_name, ifname);
	return ioctl(fd, SIOCETHTOOL, &req) == 0 && strcmp(driver.driver, "tun") == 0 &&
	       strcmp(driver.bus_info, "tap") == 0;
}

static int query(int fd, const char *ifname, struct iface *out)
{
	struct ifreq req;
	int err;

	if ((err = ask(fd, SIOCGIFINDEX, ifname, &req)))
		return err;
	out->index = req.ifr_ifindex;
	if ((err = ask(fd, SIOCGIFFLAGS, ifname, &req)))
		return err;
	out->is_up = req.ifr_flags & IFF_UP;
	bool loopback = req.ifr_flags & IFF_LOOPBACK;
	if ((err = ask(fd, SIOCGIFMTU, ifname, &req)))
		return err;
	out->mtu = (uint16_t)MIN(req.ifr_mtu, UINT16_MAX);
	if ((err = ask(fd, SIOCGIFHWADDR, ifname, &req)))
		return err;
	out->is_ethernet = req.ifr_hwaddr.sa_family == ARPHRD_ETHER && !loopback;
	memcpy(out->mac.b, req.ifr_hwaddr.sa_data, sizeof out->mac.b);
	out->is_tap = is_tap(fd, ifname);
	out->is_virtual = !has_device(ifname);
	return 0;
}

int iface_query(const char *ifname, struct iface *out)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	int err = query(fd, ifname, out);
	close(fd);
	return err;
}

int iface_usable(const char *ifname, struct iface *out, char error[static LINK_ERROR_LEN])
{
	int err = iface_query(ifname, out);

	if (!err && !out->is_ethernet)
		err = -EPROTONOSUPPORT;
	if (!err && !out->is_up)
		err = -ENETDOWN;
	if (err == -ENODEV)
		snprintf(error, LINK_ERROR_LEN, "%.64s: no such interface", ifname);
	else if (err == -EPROTONOSUPPORT)
		snprintf(error, LINK_ERROR_LEN, "%s: not an Ethernet interface", ifname);
	else if (err == -ENETDOWN)
		snprintf(error, LINK_ERROR_LEN, "%s: the interface is down (ip link set %s up)",
			ifname, ifname);
	else if (err)
		snprintf(error, LINK_ERROR_LEN, "%s: %s", ifname, strerror(-err));
	return err;
}

int link_interface_mac(const char *ifname, struct macaddr *out)
{
	struct iface i;
	int err = iface_query(ifname, &i);

	if (!err)
		*out = i.mac;
	return err;
}
