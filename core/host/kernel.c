#include "core/host/kernel.h"

#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/route.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* An address may carry a label: "eth0:1" is on eth0. */
static bool is_on(const char *label, const char *ifname)
{
	size_t n = strlen(ifname);

	return strncmp(label, ifname, n) == 0 && (label[n] == '\0' || label[n] == ':');
}

static struct ipaddr v4_of(const struct sockaddr *sa)
{
	return ipaddr_v4(ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr));
}

static bool is_v4(const struct ifaddrs *i)
{
	return i->ifa_addr && i->ifa_addr->sa_family == AF_INET && i->ifa_netmask;
}

int kernel_subnets(const char *ifname, struct ipnet *out, unsigned max)
{
	struct ifaddrs *all;
	unsigned n = 0;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (struct ifaddrs *i = all; i && n < max; i = i->ifa_next) {
		if (!is_v4(i) || !is_on(i->ifa_name, ifname))
			continue;
		struct ipaddr mask = v4_of(i->ifa_netmask);
		out[n].addr = v4_of(i->ifa_addr);
		out[n].len = (uint8_t)(96 + __builtin_popcount(ipaddr_to_v4(&mask)));
		n++;
	}
	freeifaddrs(all);
	return (int)n;
}

bool kernel_owns(const struct ipaddr *a, char ifname[static IFNAMSIZ])
{
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		struct ipaddr own;
		if (!is_v4(i))
			continue;
		own = v4_of(i->ifa_addr);
		found = ipaddr_equal(&own, a);
		if (found)
			snprintf(ifname, IFNAMSIZ, "%s", i->ifa_name);
	}
	freeifaddrs(all);
	return found;
}

struct default_route {
	char ifname[IFNAMSIZ];
	struct ipaddr gateway;
	unsigned flags, metric;
};

/* One line of /proc/net/route: addresses are the raw 32 bits, printed as the machine reads them. */
static bool parse_default(const char *line, struct default_route *r)
{
	uint32_t dst, gateway, mask;

	if (sscanf(line, "%15s %" SCNx32 " %" SCNx32 " %x %*u %*u %u %" SCNx32, r->ifname, &dst,
		    &gateway, &r->flags, &r->metric, &mask) != 6)
		return false;
	r->gateway = ipaddr_v4(ntohl(gateway));
	return dst == 0 && mask == 0 && (r->flags & RTF_UP) && !(r->flags & RTF_REJECT);
}

/* The default route with the lowest metric, of one interface or (NULL) of any. */
static bool find_default(const char *ifname, struct default_route *best)
{
	FILE *f = fopen("/proc/net/route", "re");
	struct default_route r;
	bool found = false;
	char line[256];

	if (!f)
		return false;
	while (fgets(line, sizeof line, f)) {
		if (!parse_default(line, &r) || (ifname && strcmp(r.ifname, ifname) != 0))
			continue;
		if (!found || r.metric < best->metric)
			*best = r;
		found = true;
	}
	fclose(f);
	return found;
}

bool kernel_gateway(const char *ifname, struct ipaddr *out)
{
	struct default_route r;

	if (!find_default(ifname, &r) || !(r.flags & RTF_GATEWAY))
		return false;
	*out = r.gateway;
	return true;
}

bool kernel_default_iface(char out[static IFNAMSIZ])
{
	struct default_route r;

	if (!find_default(NULL, &r))
		return false;
	memcpy(out, r.ifname, IFNAMSIZ);
	return true;
}

static bool overlap(const struct ipnet *a, const struct ipnet *b)
{
	return ipnet_contains(a, &b->addr) || ipnet_contains(b, &a->addr);
}

static bool has_address_in(const struct ipnet *net, char ifname[static IFNAMSIZ])
{
	struct ifaddrs *all;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
		if (!is_v4(i))
			continue;
		struct ipaddr mask = v4_of(i->ifa_netmask);
		struct ipnet own = {v4_of(i->ifa_addr),
			(uint8_t)(96 + __builtin_popcount(ipaddr_to_v4(&mask)))};
		found = overlap(&own, net);
		if (found)
			snprintf(ifname, IFNAMSIZ, "%s", i->ifa_name);
	}
	freeifaddrs(all);
	return found;
}

static bool has_route_to(const struct ipnet *net, char ifname[static IFNAMSIZ])
{
	FILE *f = fopen("/proc/net/route", "re");
	char line[256];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof line, f)) {
		uint32_t dst, mask;
		if (sscanf(line, "%15s %" SCNx32 " %*x %*x %*u %*u %*u %" SCNx32, ifname, &dst,
			    &mask) != 3 ||
			mask == 0)
			continue;
		struct ipnet to = {ipaddr_v4(ntohl(dst)), (uint8_t)(96 + __builtin_popcount(mask))};
		found = overlap(&to, net);
	}
	fclose(f);
	return found;
}

bool kernel_uses(const struct ipnet *net, char ifname[static IFNAMSIZ])
{
	return has_address_in(net, ifname) || has_route_to(net, ifname);
}

bool kernel_forwards(const char *ifname)
{
	char path[sizeof "/proc/sys/net/ipv4/conf//forwarding" + IFNAMSIZ];

	snprintf(path, sizeof path, "/proc/sys/net/ipv4/conf/%s/forwarding", ifname);
	FILE *f = fopen(path, "re");
	if (!f)
		return false;
	bool on = fgetc(f) == '1';
	fclose(f);
	return on;
}
