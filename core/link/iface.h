/*
 * What the kernel says about an Ethernet interface, asked by name without opening a link.
 */
#ifndef TEECEE_LINK_IFACE_H
#define TEECEE_LINK_IFACE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/link/link.h"

struct iface {
	int index;
	struct macaddr mac;
	uint16_t mtu;     /* IP bytes per packet, at most 65,535 */
	bool is_up;       /* IFF_UP */
	bool is_ethernet; /* ARPHRD_ETHER and not the loopback */
	bool is_tap;      /* a TAP device: link_tap_open is for it */
	bool is_virtual;  /* no device behind it: veth, bridge, tap. Checksums may be partial */
};

/* 0; -ENODEV: no such interface; another -errno of socket(2) or ioctl(2). */
int iface_query(const char *ifname, struct iface *out);

/*
 * As iface_query, for an interface a link can be opened on: Ethernet and up (-EPROTONOSUPPORT,
 * -ENETDOWN); says why not.
 */
int iface_usable(const char *ifname, struct iface *out, char error[static LINK_ERROR_LEN]);

#endif
