/* getifaddrs, if_nameindex and SIOCGIF: lo and the address that connections come from. */
#include "tests/shim/say.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	struct sockaddr_in own;
	socklen_t len = sizeof(own);
	struct ifaddrs *list, *i;
	struct ifreq r = {.ifr_name = "lo"}, all[8];
	struct ifconf c = {.ifc_len = sizeof(all), .ifc_req = all};
	int lo = 0, ours = 0, v4 = 0, fd = call_peer(argv, PEER_HOLD);

	getsockname(fd, (struct sockaddr *)&own, &len);
	say("getifaddrs", getifaddrs(&list));
	for (i = list; i; i = i->ifa_next) {
		struct sockaddr_in *a = (struct sockaddr_in *)i->ifa_addr;
		if (!a || a->sin_family != AF_INET)
			continue;
		v4++;
		lo += strcmp(i->ifa_name, "lo") == 0 && a->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
		ours += a->sin_addr.s_addr == own.sin_addr.s_addr && i->ifa_netmask && (i->ifa_flags & 1);
	}
	freeifaddrs(list);
	printf("IPv4 addresses %d, lo %d, ours %d\n", v4, lo, ours);
	struct if_nameindex *names = if_nameindex();
	int n = 0;
	while (names[n].if_index)
		n++;
	if_freenameindex(names);
	printf("interfaces %d\n", n);
	say("SIOCGIFADDR", ioctl(fd, SIOCGIFADDR, &r));
	printf("lo %d\n", ((struct sockaddr_in *)&r.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	strcpy(r.ifr_name, "none");
	say("no such interface", ioctl(fd, SIOCGIFADDR, &r));
	say("SIOCGIFCONF", ioctl(fd, SIOCGIFCONF, &c));
	printf("entries %d\n", c.ifc_len / (int)sizeof(all[0]));
	return 0;
}
