#include "preload/ifaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "preload/config.h"
#include "preload/engine.h"
#include "preload/real.h"
#include "preload/usermem.h"

/* Who we are on the network. */
struct self {
	char iface[IFNAMSIZ];
	struct sockaddr_in address, mask, broadcast;
};

static struct sockaddr_in in_addr_of(uint32_t host_order)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(host_order)};
}

/* An automatic address is the engine's to tell; without one the kernel's view must do. */
static bool get_self(struct self *me)
{
	struct settings s = config_get()->settings;
	char text[SETTINGS_ERROR_LEN];
	struct engine_link link;

	if (config_get()->error || settings_resolve(&s, text) < 0)
		return false;
	if (s.ip_auto && engine_get(true, &link) < 0)
		return false;
	const struct ipnet *net = s.ip_auto ? &link.address : &s.ip;
	uint32_t a = ipaddr_to_v4(&net->addr);
	uint32_t host_bits = (uint32_t)(UINT64_C(0xffffffff) >> (net->len - 96));
	memcpy(me->iface, s.iface, sizeof me->iface);
	me->address = in_addr_of(a);
	me->mask = in_addr_of(~host_bits);
	me->broadcast = in_addr_of(a | host_bits);
	return true;
}

static bool is_shown(const struct self *me, const char *name)
{
	return strcmp(name, "lo") == 0 || strcmp(name, me->iface) == 0;
}

/* --- getifaddrs --- */

/* One entry with everything it points at. */
struct entry {
	struct ifaddrs ifa;
	char name[IFNAMSIZ];
	struct sockaddr_storage address, mask, broadcast;
};

static struct sockaddr *keep(struct sockaddr_storage *room, const struct sockaddr *a)
{
	if (!a)
		return NULL;
	size_t len = a->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
		     : a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						: sizeof(struct sockaddr_ll);
	memcpy(room, a, len);
	return (struct sockaddr *)room;
}

static void fill(struct entry *e, const struct ifaddrs *from)
{
	e->ifa = (struct ifaddrs){.ifa_name = e->name, .ifa_flags = from->ifa_flags};
	strncpy(e->name, from->ifa_name, sizeof e->name - 1);
	e->ifa.ifa_addr = keep(&e->address, from->ifa_addr);
	e->ifa.ifa_netmask = keep(&e->mask, from->ifa_netmask);
	e->ifa.ifa_broadaddr = keep(&e->broadcast, from->ifa_broadaddr);
}

/* Of our interface the link-level entry only: its addresses are the kernel's. */
static bool is_kept(const struct self *me, const struct ifaddrs *i)
{
	bool ours = strcmp(i->ifa_name, me->iface) == 0 && strcmp(me->iface, "lo") != 0;

	return ours ? i->ifa_addr && i->ifa_addr->sa_family == AF_PACKET : is_shown(me, i->ifa_name);
}

static struct ifaddrs *rewrite(const struct self *me, const struct ifaddrs *all)
{
	struct ifaddrs own = {.ifa_name = (char *)me->iface,
		.ifa_addr = (struct sockaddr *)&me->address,
		.ifa_netmask = (struct sockaddr *)&me->mask,
		.ifa_broadaddr = (struct sockaddr *)&me->broadcast,
		.ifa_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST};
	size_t n = 1, at = 0;

	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		n += is_kept(me, i);
		if (strcmp(i->ifa_name, me->iface) == 0)
			own.ifa_flags = i->ifa_flags;
	}
	struct entry *list = calloc(n, sizeof *list);
	if (!list)
		return NULL;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (is_kept(me, i))
			fill(&list[at++], i);
	}
	fill(&list[at], &own);
	for (size_t i = 0; i + 1 < n; i++)
		list[i].ifa.ifa_next = &list[i + 1].ifa;
	return &list[0].ifa;
}

int ifaddr_list(struct ifaddrs **out)
{
	struct ifaddrs *all;
	struct self me;

	if (real.getifaddrs(&all) < 0)
		return -errno;
	if (!get_self(&me)) {
		*out = all;
		return 0;
	}
	*out = rewrite(&me, all);
	freeifaddrs(all);
	return *out ? 0 : -ENOMEM;
}

struct if_nameindex *ifaddr_names(struct if_nameindex *all)
{
	struct self me;
	size_t kept = 0, i = 0;

	if (!all || !get_self(&me))
		return all;
	for (; all[i].if_name; i++) {
		if (is_shown(&me, all[i].if_name))
			all[kept++] = all[i];
		else
			free(all[i].if_name);
	}
	all[kept] = all[i];
	return all;
}

/* --- ioctl --- */

static int ask_kernel(unsigned long request, void *arg)
{
	int fd = raw_result(syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	if (fd < 0)
		return fd;
	int r = raw_result(syscall(SYS_ioctl, fd, request, arg));
	raw_close(fd);
	return r;
}

static const struct sockaddr_in *own_answer(const struct self *me, unsigned long request)
{
	switch (request) {
	case SIOCGIFADDR:
		return &me->address;
	case SIOCGIFNETMASK:
		return &me->mask;
	case SIOCGIFBRDADDR:
		return &me->broadcast;
	default:
		return NULL;
	}
}

/* SIOCGIFCONF: the list of addresses, cut to the program's room; without room its length. */
static int give_conf(const struct self *me, void *arg)
{
	struct ifreq r[2] = {{.ifr_name = "lo"}, {.ifr_name = ""}};
	struct sockaddr_in lo = in_addr_of(INADDR_LOOPBACK);
	struct ifconf c;
	int err = user_read(&c, arg, sizeof c);

	if (err < 0)
		return err;
	memcpy(&r[0].ifr_addr, &lo, sizeof lo);
	memcpy(r[1].ifr_name, me->iface, sizeof me->iface);
	memcpy(&r[1].ifr_addr, &me->address, sizeof me->address);
	size_t whole = MIN((size_t)MAX(c.ifc_len, 0), sizeof r) / sizeof r[0] * sizeof r[0];
	if (c.ifc_req)
		err = user_write(c.ifc_req, r, whole);
	c.ifc_len = (int)(c.ifc_req ? whole : sizeof r);
	return err < 0 ? err : user_write(arg, &c, sizeof c);
}

int ifaddr_ioctl(unsigned long request, void *arg)
{
	const struct sockaddr_in *answer;
	struct ifreq r;
	struct self me;

	if (request == SIOCGIFCONF)
		return get_self(&me) ? give_conf(&me, arg) : ask_kernel(request, arg);
	if (!own_answer(&me, request) || user_read(&r, arg, sizeof r) < 0 || !get_self(&me))
		return ask_kernel(request, arg);
	r.ifr_name[IFNAMSIZ - 1] = '\0';
	if (strcmp(r.ifr_name, me.iface) != 0)
		return ask_kernel(request, arg);
	answer = own_answer(&me, request);
	memcpy(&r.ifr_addr, answer, sizeof *answer);
	return user_write(arg, &r, sizeof r);
}
