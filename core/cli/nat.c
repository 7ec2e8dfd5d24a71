/*
 * teecee nat: a network of our own behind the host, for where a second MAC address is not taken
 * (Wi-Fi, clouds, port security). What it does to the machine is in nat_host.c.
 */
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/cli/nat_host.h"
#include "core/host/kernel.h"

enum {
	V4 = 96, /* prefix bits in front of an IPv4 address */
	LEN_MIN = V4 + 8,
	LEN_MAX = V4 + 30, /* the kernel's address and one of ours */
};

struct nat_options {
	bool has_subnet, has_user;
	struct ipnet subnet;
	uid_t user;
};

static int help(void)
{
	printf("usage: teecee nat up [--subnet A.B.C.D/LEN] [--user NAME]\n"
	       "       teecee nat down | status\n\n"
	       "A TAP device, " NAT_DEVICE
	       ", with a private subnet whose traffic the kernel masquerades: for "
	       "networks\nthat refuse a second MAC address. Needs root, ip and nft; using it "
	       "afterwards "
	       "needs no\nprivilege: teecee run -i " NAT_DEVICE " -- PROGRAM\n\n"
	       "  --subnet A.B.C.D/LEN       the subnet (default: a free one of 10.231.0.0/16)\n"
	       "  --user NAME                who may use it (default: who called sudo, or root)\n\n"
	       "teecee-nat(8) says more. The exit status is 0 when done, and of status 1 when it "
	       "is not "
	       "up.\n");
	return fflush(stdout) ? EXIT_OURS : 0;
}

/* The subnet with the kernel's address, its first. */
static bool parse_subnet(struct ipnet *out, const char *text)
{
	if (!strchr(text, '/') || !ipnet_parse(out, text) || !ipaddr_is_v4(&out->addr) ||
		out->len < LEN_MIN || out->len > LEN_MAX)
		return false;
	uint32_t host_bits = UINT32_MAX >> (out->len - V4), a = ipaddr_to_v4(&out->addr);
	out->addr = ipaddr_v4((a & ~host_bits) + 1);
	return !ipaddr_is_loopback(&out->addr) && a >> 28 < 0xe && a >> 24 != 0;
}

static bool parse_user(uid_t *out, const char *text)
{
	struct passwd *p = getpwnam(text);
	char *end;

	*out = p ? p->pw_uid : (uid_t)strtoul(text, &end, 10);
	return p || (*text >= '0' && *text <= '9' && !*end);
}

static bool take_option(struct nat_options *o, int c, const char *word)
{
	switch (c) {
	case 's':
		o->has_subnet = parse_subnet(&o->subnet, optarg);
		if (!o->has_subnet)
			log_line("nat: %.64s is not an IPv4 subnet of /8 to /30, as in "
				 "10.231.0.0/24",
				optarg);
		return o->has_subnet;
	case 'u':
		o->has_user = parse_user(&o->user, optarg);
		if (!o->has_user)
			log_line("nat: there is no user %.64s", optarg);
		return o->has_user;
	default:
		log_line("nat: %s is not an option, or its value is missing (teecee nat --help)",
			word);
		return false;
	}
}

static bool parse_options(struct nat_options *o, int argc, char **argv)
{
	static const struct option table[] = {
		{"subnet", required_argument, NULL, 's'},
		{"user", required_argument, NULL, 'u'},
		{0},
	};
	const char *caller = getenv("SUDO_UID");
	int c;

	*o = (struct nat_options){.user = geteuid()};
	if (caller)
		parse_user(&o->user, caller);
	opterr = 0;
	for (int at = optind = 1; (c = getopt_long(argc, argv, "+:", table, NULL)) >= 0;
		at = optind)
		if (!take_option(o, c, argv[at]))
			return false;
	if (optind < argc)
		log_line("nat %s: %s: only options are expected", argv[0], argv[optind]);
	return optind == argc;
}

static bool find_subnet(struct ipnet *out, const struct nat_options *o)
{
	char ifname[IFNAMSIZ], addr[IPADDR_STRLEN];

	*out = o->subnet;
	if (o->has_subnet && !kernel_uses(out, ifname))
		return true;
	if (o->has_subnet) {
		log_line("nat: the subnet of %s/%u is in use on %s: choose another with --subnet",
			ipaddr_format(&out->addr, addr), out->len - (unsigned)V4, ifname);
		return false;
	}
	for (uint32_t i = 0; i < 256; i++) {
		*out = (struct ipnet){ipaddr_v4(0x0ae70001 + (i << 8)), V4 + 24};
		if (!kernel_uses(out, ifname))
			return true;
	}
	log_line("nat: no subnet of 10.231.0.0/16 is free: choose one with --subnet");
	return false;
}

static const char *user_name(uid_t user, char buf[static 16])
{
	struct passwd *p = getpwuid(user);

	snprintf(buf, 16, "%u", (unsigned)user);
	return p ? p->pw_name : buf;
}

static int print_state(const struct nat *n)
{
	char addr[IPADDR_STRLEN], buf[16];

	printf(NAT_DEVICE " is up: %s/%u is the kernel's, for user %s; teecee run -i " NAT_DEVICE
			  " -- PROGRAM\n",
		ipaddr_format(&n->subnet.addr, addr), n->subnet.len - (unsigned)V4,
		user_name(n->user, buf));
	return fflush(stdout) ? EXIT_OURS : 0;
}

static int refuse_foreign(void)
{
	log_line("nat: there is a " NAT_DEVICE " that is not ours (ip link del " NAT_DEVICE
		 " removes it)");
	return EXIT_OURS;
}

/* What was asked for, against what is there. */
static bool fits(const struct nat *n, const struct nat_options *o)
{
	if (o->has_subnet &&
		(n->subnet.len != o->subnet.len || !ipaddr_equal(&n->subnet.addr, &o->subnet.addr)))
		return false;
	return !o->has_user || n->user == o->user;
}

static int up(const struct nat_options *o, struct nat *n)
{
	char error[NAT_ERROR_LEN];

	if (n->has_device && !n->is_ours)
		return refuse_foreign();
	if (n->is_ours && !fits(n, o)) {
		log_line("nat: it is up with another subnet or user: teecee nat down first");
		return EXIT_OURS;
	}
	if (!n->is_ours) {
		n->user = o->user;
		if (!find_subnet(&n->subnet, o))
			return EXIT_OURS;
		if (forwarding_list(n->forwarded) < 0) {
			log_line("nat: cannot tell which interfaces forward now");
			return EXIT_OURS;
		}
	}
	if (nat_make(n, error) < 0) {
		log_line("nat: %s", error);
		return EXIT_OURS;
	}
	return print_state(n);
}

static int down(const struct nat_options *o, struct nat *n)
{
	char error[NAT_ERROR_LEN];

	if (n->has_device && !n->is_ours)
		return refuse_foreign();
	if (n->has_rules && !n->has_device)
		log_line(
			"nat: " NAT_DEVICE " was gone already: net.ipv4.ip_forward stays as it is");
	if (nat_remove(n, error) < 0) {
		log_line("nat: %s", error);
		return EXIT_OURS;
	}
	return 0;
}

static int status(const struct nat_options *o, struct nat *n)
{
	if (!n->is_ours) {
		printf("nat is not up\n");
		return fflush(stdout) ? EXIT_OURS : 1;
	}
	if (!n->has_rules && geteuid() == 0) {
		printf(NAT_DEVICE
			" is there, its rules are gone: teecee nat up makes them again\n");
		return fflush(stdout) ? EXIT_OURS : 1;
	}
	return print_state(n);
}

int cli_nat(int argc, char **argv)
{
	static const struct verb {
		const char *name;
		int (*run)(const struct nat_options *o, struct nat *n);
		bool needs_root;
	} verbs[] = {{"up", up, true}, {"down", down, true}, {"status", status, false}};
	const char *name = argc > 1 ? argv[1] : "";
	struct nat_options o;
	struct nat n;

	if (strcmp(name, "--help") == 0)
		return help();
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(name, verbs[i].name) != 0)
			continue;
		if (verbs[i].needs_root && geteuid() != 0) {
			log_line("nat %s needs root", name);
			return EXIT_OURS;
		}
		if (!parse_options(&o, argc - 1, argv + 1))
			return EXIT_OURS;
		nat_look(&n);
		return verbs[i].run(&o, &n);
	}
	log_line("nat: up, down or status? (teecee nat --help)");
	return EXIT_OURS;
}
