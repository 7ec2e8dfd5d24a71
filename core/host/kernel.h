/*
 * What the host's kernel has that a foreign address must respect: its own addresses, its default
 * route, its forwarding switch. Asked when a host is opened, not kept.
 */
#ifndef TEECEE_HOST_KERNEL_H
#define TEECEE_HOST_KERNEL_H

#include <net/if.h>
#include <stdbool.h>

#include "core/base/addr.h"

/*
 * The IPv4 addresses with their prefixes on an interface, at most `max`; their number, or -errno.
 */
int kernel_subnets(const char *ifname, struct ipnet *out, unsigned max);

/* Whether the kernel owns `a` on any interface; its name goes to `ifname`. */
bool kernel_owns(const struct ipaddr *a, char ifname[static IFNAMSIZ]);

/* The gateway of the interface's IPv4 default route with the lowest metric, if it has one. */
bool kernel_gateway(const char *ifname, struct ipaddr *out);

/* The interface of the IPv4 default route with the lowest metric, if there is one. */
bool kernel_default_iface(char out[static IFNAMSIZ]);

/* Whether an address or route of the kernel's (other than the default) lies in `net` or around it. */
bool kernel_uses(const struct ipnet *net, char ifname[static IFNAMSIZ]);

/* Whether net.ipv4.conf.IFNAME.forwarding is on. */
bool kernel_forwards(const char *ifname);

#endif
