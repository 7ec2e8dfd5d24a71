/*
 * teecee doctor, what concerns the network: the interface, the privilege to speak on it, the
 * address.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cli/dial.h"
#include "core/cli/doctor.h"
#include "core/engine/engine.h"
#include "core/host/kernel.h"

/* SIOCGIWNAME; <linux/wireless.h> and <net/if.h> do not go together. */
enum { ASK_WIRELESS_NAME = 0x8b01 };

void check_interface(struct doctor *d)
{
	struct settings *s = &d->settings;
	char error[HOST_ERROR_LEN];

	if (settings_resolve(s, error) < 0) {
		doctor_say(d, FAULT, "name one: -i IFACE or TEECEE_IFACE (ip link lists them)",
			"%s", "there is no default route to tell the interface");
		return;
	}
	if (iface_usable(s->iface, &d->iface, error) < 0) {
		doctor_say(d, FAULT,
			"a wired Ethernet interface that is up, or teecee nat up: -i IFACE", "%s",
			error);
		return;
	}
	d->has_iface = true;
	d->needs_raw = !d->iface.is_tap || s->link == LINK_PACKET || s->link == LINK_PCAP;

	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(req.ifr_name, s->iface, sizeof req.ifr_name);
	bool has_carrier =
		fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &req) == 0 && (req.ifr_flags & IFF_RUNNING);
	if (fd >= 0)
		close(fd);
	if (has_carrier || d->iface.is_tap)
		doctor_say(d, FINE, NULL, "%s, MTU %u%s", s->iface, d->iface.mtu,
			d->iface.is_tap ? ", a TAP device" : "");
	else
		doctor_say(d, WARNING, "plug in the cable, or choose another with -i",
			"%s is up and has no carrier", s->iface);
}

/* What TEECEE_MAC=own asks for, and a MAC of one's own choice. */
static bool has_foreign_mac(const struct doctor *d)
{
	return d->settings.mac_mode != MAC_NIC;
}

static bool is_wifi(const char *ifname)
{
	char path[sizeof "/sys/class/net//wireless" + IFNAMSIZ];
	struct ifreq req = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(req.ifr_name, ifname, strnlen(ifname, IFNAMSIZ - 1));
	bool answers = fd >= 0 && ioctl(fd, ASK_WIRELESS_NAME, &req) == 0;
	if (fd >= 0)
		close(fd);
	snprintf(path, sizeof path, "/sys/class/net/%s/wireless", ifname);
	return answers || access(path, F_OK) == 0;
}

void check_wifi(struct doctor *d)
{
	const char *ifname = d->settings.iface;

	if (!d->has_iface)
		return;
	if (!is_wifi(ifname))
		doctor_say(d, FINE, NULL, "%s is not Wi-Fi", ifname);
	else if (has_foreign_mac(d))
		doctor_say(d, FAULT,
			"--mac nic (TEECEE_MAC=nic), or a network of your own: teecee nat up",
			"%s is Wi-Fi: access points drop frames from a second MAC address", ifname);
	else
		doctor_say(d, FINE, NULL, "%s is Wi-Fi, with the card's own MAC address", ifname);
}

static int packet_socket(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

void check_promiscuous(struct doctor *d)
{
	struct packet_mreq all = {.mr_ifindex = d->iface.index, .mr_type = PACKET_MR_PROMISC};
	const char *ifname = d->settings.iface;

	if (!d->has_iface || !d->needs_raw)
		return;
	if (!has_foreign_mac(d)) {
		doctor_say(d, FINE, NULL, "not needed with the card's own MAC address");
		return;
	}
	int fd = packet_socket();
	if (fd < 0) {
		doctor_say(d, WARNING, "run teecee doctor as root to know",
			"cannot be tried without CAP_NET_RAW");
		return;
	}
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) == 0)
		doctor_say(d, FINE, NULL, "%s takes frames to other MAC addresses", ifname);
	else
		doctor_say(d, FAULT, "--mac nic (TEECEE_MAC=nic), or teecee nat up",
			"%s refuses promiscuous mode: %s", ifname, strerror(errno));
	close(fd);
}

/* An engine that runs holds the address: then it is what it is. */
static bool tell_engine(struct doctor *d)
{
	const struct settings *s = &d->settings;
	struct snapshot snap;
	int fd = dial(s);

	if (fd < 0)
		return false;
	int err = dial_snapshot(fd, &snap);
	close(fd);
	if (err) {
		doctor_say(d, FAULT, "teecee stop, or kill it",
			"the engine for %s on %s does not answer: %s", s->ip_spec, s->iface,
			strerror(-err));
		return true;
	}
	doctor_say(d, FINE, NULL, "%s: engine %d runs, sockets: %u", snap.head->ip,
		(int)snap.head->engine_pid, (unsigned)snap.head->nsocks);
	snapshot_close(&snap);
	return true;
}

void check_address(struct doctor *d)
{
	char error[HOST_ERROR_LEN], text[IPADDR_STRLEN], gateway[IPADDR_STRLEN];
	struct host_config config;
	struct host_plan plan;

	if (!d->has_iface || tell_engine(d))
		return;
	engine_host_config(&d->settings, &config);
	if (plan_make(&plan, &config, error) < 0) {
		doctor_say(d, FAULT, "--ip A.B.C.D/LEN: an address of the LAN that nobody has",
			"%s", error);
		return;
	}
	doctor_say(d, FINE, NULL, "%s/%u%s", ipaddr_format(&plan.address.addr, text),
		(plan.address.len - 96) & 0xffu,
		d->settings.ip_auto ? ", if nobody on the LAN has it" : "");
	if (ipaddr_is_any(&plan.gateway))
		doctor_say(d, WARNING, "--gateway A.B.C.D, if there is to be one",
			"no gateway: only the subnet can be reached");
	else
		doctor_say(d, FINE, NULL, "other subnets through %s",
			ipaddr_format(&plan.gateway, gateway));
	plan_release(&plan);
}

void check_forwarding(struct doctor *d)
{
	const char *ifname = d->settings.iface;
	char advice[128];

	if (!d->has_iface)
		return;
	bool on = kernel_forwards(ifname);
	snprintf(advice, sizeof advice, "sysctl net.ipv4.conf.%s.forwarding=0, or --mac own",
		ifname);
	if (!on)
		doctor_say(d, FINE, NULL, "the kernel does not forward on %s", ifname);
	else if (has_foreign_mac(d))
		doctor_say(d, FINE, NULL,
			"the kernel forwards on %s, and does not see frames to another MAC",
			ifname);
	else
		doctor_say(d, FAULT, advice,
			"the kernel forwards on %s, and would answer for our packets", ifname);
}
