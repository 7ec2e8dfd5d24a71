/*
 * The best driver there is: packet, and where the kernel will not have it, pcap. For a TAP device
 * tap, unless a program has it at its other end already (a virtual machine): then it is an
 * interface like others.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/link/iface.h"
#include "core/link/link.h"

struct link *link_auto_open(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN])
{
	char why_not[LINK_ERROR_LEN] = "";
	struct link *l;
	struct iface i;

	if (iface_query(ifname, &i) == 0 && i.is_tap) {
		l = link_tap_open(ifname, mac, error);
		if (l || errno != EBUSY)
			return l;
	}
	l = link_packet_open(ifname, mac, why_not);
	if (l)
		return l;
	l = link_pcap_open(ifname, mac, error);
	if (l)
		snprintf(l->info.note, sizeof l->info.note, "%.180s: using libpcap, slower",
			why_not);
	return l;
}
