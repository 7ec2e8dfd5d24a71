/*
 * The rules for a foreign address on a network that belongs to others.
 *
 *	inside a subnet of the interface
 *		the neighbours route nothing else to us, and a typing error must not become an
 *		address that answers for somebody else's network
 *	not the kernel's own
 *		it would answer our peers with RST
 *	not held on this machine
 *		two hosts on one interface cannot hear each other's ARP probes: what one injects
 *		does not come in at the same interface. So each holds an abstract AF_UNIX name while it
 *		lives; the kernel frees it with the process
 *	own MAC
 *		locally administered, so it collides with no vendor's
 *	the NIC's MAC
 *		not while the kernel forwards on the interface: it would receive our frames too, take
 *		us for a neighbour behind it, and send redirects and unreachables to our peers
 *
 * Whether another machine has the address is for the claim to find out (RFC 5227, in the stack).
 */
#include "core/host/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/host/kernel.h"
#include "core/wire/eth.h"

enum {
	SUBNETS_MAX = 32, /* IPv4 addresses of one interface that we look at */
	MTU_MIN = 576,    /* RFC 791: what every network carries */
	V4_PREFIX = 96,   /* bits of ::ffff:0:0 in front of an IPv4 address */
	V4_HOST_PREFIX = 128,
	IPNET_STRLEN = IPADDR_STRLEN + 4,
};

int refuse(char error[static HOST_ERROR_LEN], int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, HOST_ERROR_LEN, format, args);
	va_end(args);
	return err;
}

static char *format_net(const struct ipnet *net, char buf[static IPNET_STRLEN])
{
	char addr[IPADDR_STRLEN];

	snprintf(buf, IPNET_STRLEN, "%s/%u", ipaddr_format(&net->addr, addr),
		(net->len - V4_PREFIX) & 0xffu);
	return buf;
}

/*
 * Holds the machine-wide name of an address: a descriptor, or -errno (EADDRINUSE: another host has
 * it).
 */
static int lock_address(const char *ifname, const struct ipaddr *a)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	char addr[IPADDR_STRLEN];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "teecee-address/%s/%s",
		ifname, ipaddr_format(a, addr));
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	if (bind(fd, (struct sockaddr *)&name, len) == 0)
		return fd;
	int err = -errno;
	close(fd);
	return err;
}

static bool is_end_of_subnet(const struct ipnet *net)
{
	unsigned host_bits = V4_HOST_PREFIX - net->len;
	uint32_t host =
		host_bits < 32 ? ipaddr_to_v4(&net->addr) & (((uint32_t)1 << host_bits) - 1) : 1;

	return host_bits > 1 && (host == 0 || ipnet_is_broadcast(net, &net->addr));
}

/*
 * The given address is inside one of the interface's subnets, if it has any; without a length it
 * takes theirs.
 */
static int fit_subnet(struct host_plan *p, char error[static HOST_ERROR_LEN])
{
	struct ipnet subnet[SUBNETS_MAX];
	char own[IPNET_STRLEN], addr[IPADDR_STRLEN];
	int n = kernel_subnets(p->ifname, subnet, SUBNETS_MAX), in = 0;

	ipaddr_format(&p->address.addr, addr);
	if (n < 0)
		return refuse(
			error, n, "%s: cannot read its addresses: %s", p->ifname, strerror(-n));
	while (in < n && !ipnet_contains(&subnet[in], &p->address.addr))
		in++;
	if (n > 0 && in == n)
		return refuse(error, -EADDRNOTAVAIL, "%s is not in a subnet of %s (%s%s)", addr,
			p->ifname, format_net(&subnet[0], own), n > 1 ? ", …" : "");
	if (p->address.len == V4_HOST_PREFIX && n > 0)
		p->address.len = subnet[in].len;
	if (p->address.len == V4_HOST_PREFIX)
		return refuse(error, -EINVAL,
			"%s has no IPv4 subnet: give the address with its prefix length, as in "
			"%s/24",
			p->ifname, addr);
	return 0;
}

static int take_given(
	struct host_plan *p, const struct ipnet *ip, char error[static HOST_ERROR_LEN])
{
	char owner[IFNAMSIZ], addr[IPADDR_STRLEN], net[IPNET_STRLEN];

	p->address = *ip;
	ipaddr_format(&ip->addr, addr);
	if (!ipaddr_is_v4(&ip->addr) || ip->len < V4_PREFIX)
		return refuse(error, -EAFNOSUPPORT, "%s: only IPv4 addresses so far", addr);
	if (ipaddr_is_any(&ip->addr) || ipaddr_is_loopback(&ip->addr) ||
		ipaddr_is_multicast(&ip->addr) || ipaddr_is_broadcast(&ip->addr))
		return refuse(error, -EADDRNOTAVAIL, "%s is not an address a host can have", addr);
	if (kernel_owns(&ip->addr, owner))
		return refuse(error, -EADDRINUSE,
			"%s is the kernel's own address (on %s): choose one nobody has", addr,
			owner);
	int err = fit_subnet(p, error);
	if (err)
		return err;
	if (is_end_of_subnet(&p->address))
		return refuse(error, -EADDRNOTAVAIL,
			"%s is the network or broadcast address of its subnet",
			format_net(&p->address, net));
	p->lock = lock_address(p->ifname, &ip->addr);
	if (p->lock == -EADDRINUSE)
		return refuse(error, -EADDRINUSE,
			"%s is in use on %s by another program of this machine", addr, p->ifname);
	return p->lock < 0
		       ? refuse(error, p->lock, "cannot reserve %s: %s", addr, strerror(-p->lock))
		       : 0;
}

static int take_automatic(struct host_plan *p, char error[static HOST_ERROR_LEN])
{
	struct ipnet subnet[SUBNETS_MAX];
	char own[IPNET_STRLEN];
	int n = kernel_subnets(p->ifname, subnet, SUBNETS_MAX), i = 0;

	if (n < 0)
		return refuse(
			error, n, "%s: cannot read its addresses: %s", p->ifname, strerror(-n));
	while (i < n && subnet[i].len == V4_HOST_PREFIX)
		i++;
	if (i == n)
		return refuse(error, -EADDRNOTAVAIL,
			"%s has no IPv4 subnet to find a free address in: give one, as in "
			"192.0.2.7/24",
			p->ifname);
	candidates_init(&p->others, &subnet[i], &p->iface.mac, geteuid());
	if (!plan_next(p))
		return refuse(error, -EADDRNOTAVAIL, "no address of %s is free on %s",
			format_net(&subnet[i], own), p->ifname);
	return 0;
}

bool plan_next(struct host_plan *p)
{
	struct ipnet next;
	char owner[IFNAMSIZ];

	while (candidates_next(&p->others, &next)) {
		if (ipaddr_equal(&next.addr, &p->gateway) || kernel_owns(&next.addr, owner))
			continue;
		int lock = lock_address(p->ifname, &next.addr);
		if (lock < 0)
			continue;
		plan_release(p);
		p->lock = lock;
		p->address = next;
		return true;
	}
	return false;
}

void plan_release(struct host_plan *p)
{
	if (p->lock >= 0)
		close(p->lock);
	p->lock = -1;
}

/* Before the address is chosen, so that the automatic one is not the gateway's. */
static void find_gateway(struct host_plan *p, const struct host_config *c)
{
	struct ipnet own;

	p->gateway = (struct ipaddr){0};
	if (c->has_gateway)
		p->gateway = c->gateway;
	else if (!kernel_gateway(p->ifname, &p->gateway) && p->iface.is_tap &&
		 kernel_forwards(p->ifname) && kernel_subnets(p->ifname, &own, 1) == 1)
		p->gateway = own.addr; /* the kernel is our neighbour there, and a router */
}

static int check_gateway(
	struct host_plan *p, const struct host_config *c, char error[static HOST_ERROR_LEN])
{
	char gateway[IPADDR_STRLEN], net[IPNET_STRLEN];
	bool ours = ipaddr_equal(&p->gateway, &p->address.addr);

	if (ipaddr_is_any(&p->gateway) || (ipnet_contains(&p->address, &p->gateway) && !ours))
		return 0;
	ipaddr_format(&p->gateway, gateway);
	if (ours)
		return refuse(error, -EADDRINUSE, "%s is the gateway's address", gateway);
	if (c->has_gateway)
		return refuse(error, -EINVAL, "the gateway %s is not in our subnet %s", gateway,
			format_net(&p->address, net));
	/* The default route belongs to another of the interface's subnets. */
	p->gateway = (struct ipaddr){0};
	return 0;
}

static int choose_mac(
	struct host_plan *p, const struct host_config *c, char error[static HOST_ERROR_LEN])
{
	static const struct macaddr zero;
	char mac[MACADDR_STRLEN];

	if (c->mac_mode == HOST_MAC_NIC)
		p->mac = p->iface.mac;
	else if (c->mac_mode == HOST_MAC_GIVEN)
		p->mac = c->mac;
	else
		p->mac = candidate_mac(&p->address.addr, &p->iface.mac, geteuid());
	if (eth_is_multicast(&p->mac) || macaddr_equal(&p->mac, &zero))
		return refuse(error, -EINVAL, "%s is not a MAC address a host can have",
			macaddr_format(&p->mac, mac));
	if (macaddr_equal(&p->mac, &p->iface.mac) && kernel_forwards(p->ifname))
		return refuse(error, -EINVAL,
			"the MAC of %s cannot be shared while the kernel forwards there "
			"(sysctl net.ipv4.conf.%s.forwarding=0, or an own MAC)",
			p->ifname, p->ifname);
	return 0;
}

static int choose_mtu(
	struct host_plan *p, const struct host_config *c, char error[static HOST_ERROR_LEN])
{
	unsigned mtu = c->mtu ? c->mtu : p->iface.mtu;

	if (mtu < MTU_MIN || mtu > p->iface.mtu)
		return refuse(error, -EINVAL, "MTU %u is not between %d and that of %s, %u", mtu,
			MTU_MIN, p->ifname, p->iface.mtu);
	p->mtu = (uint16_t)mtu;
	return 0;
}

static int decide(
	struct host_plan *p, const struct host_config *c, char error[static HOST_ERROR_LEN])
{
	int err = iface_usable(p->ifname, &p->iface, error);

	if (!err)
		err = choose_mtu(p, c, error);
	if (err)
		return err;
	find_gateway(p, c);
	err = c->ip_auto ? take_automatic(p, error) : take_given(p, &c->ip, error);
	if (!err)
		err = check_gateway(p, c, error);
	return err ? err : choose_mac(p, c, error);
}

static int name_interface(
	struct host_plan *p, const char *ifname, char error[static HOST_ERROR_LEN])
{
	if (!ifname && kernel_default_iface(p->ifname))
		return 0;
	if (!ifname)
		return refuse(error, -ENETUNREACH,
			"there is no default route to tell the interface: name one");
	if (strlen(ifname) >= sizeof p->ifname)
		return refuse(error, -ENODEV, "%.64s: no such interface", ifname);
	strcpy(p->ifname, ifname);
	return 0;
}

int plan_make(struct host_plan *p, const struct host_config *c, char error[static HOST_ERROR_LEN])
{
	memset(p, 0, sizeof *p);
	p->lock = -1;
	int err = name_interface(p, c->ifname, error);
	if (!err)
		err = decide(p, c, error);
	if (err)
		plan_release(p);
	return err;
}
