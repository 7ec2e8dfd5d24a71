#include "core/cli/nat_host.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/cli/tool.h"
#include "core/host/kernel.h"

#define ALIAS "teecee nat user="

static int fail(char error[static NAT_ERROR_LEN], int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(char error[static NAT_ERROR_LEN], int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, NAT_ERROR_LEN, format, args);
	va_end(args);
	error[strcspn(error, "\n")] = '\0';
	return err;
}

/* A tool with its lines; what it complains about is the error. */
static int run(const char *const argv[], const char *input, char error[static NAT_ERROR_LEN])
{
	char said[1024];
	int status = tool_run(argv, input, said, sizeof said);

	if (status == -ENOENT)
		return fail(error, status, "%s is not installed (Debian: %s)", argv[0],
			strcmp(argv[0], "nft") == 0 ? "nftables" : "iproute2");
	if (status < 0)
		return fail(error, status, "%s: %s", argv[0], strerror(-status));
	if (status > 0)
		return fail(error, -EIO, "%s: %.280s", argv[0], said);
	return 0;
}

static const char *const ip_batch[] = {"ip", "-batch", "-", NULL};
static const char *const nft_file[] = {"nft", "-f", "-", NULL};

/* teecee nat user=1000 forwarded=eth1,eth2 */
static void read_alias(struct nat *n, const char *alias)
{
	char *rest;

	n->user = (uid_t)strtoul(alias + strlen(ALIAS), &rest, 10);
	if (sscanf(rest, " forwarded=%159s", n->forwarded) != 1)
		n->forwarded[0] = '\0';
	n->is_ours = kernel_subnets(NAT_DEVICE, &n->subnet, 1) >= 0;
}

void nat_look(struct nat *n)
{
	const char *const link[] = {"ip", "-oneline", "link", "show", "dev", NAT_DEVICE, NULL};
	const char *const rules[] = {"nft", "list", "table", "ip", "teecee", NULL};
	char said[2048];

	*n = (struct nat){.has_device = if_nametoindex(NAT_DEVICE) != 0};
	if (n->has_device && tool_run(link, "", said, sizeof said) == 0) {
		const char *alias = strstr(said, ALIAS);
		if (alias)
			read_alias(n, alias);
	}
	n->has_rules = tool_run(rules, "", said, sizeof said) == 0;
}

/* A host that is alone with the kernel on this wire needs no IPv6 of the kernel's there. */
static void quieten(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/" NAT_DEVICE "/disable_ipv6", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return; /* there is no IPv6 at all */
	if (write(fd, "1", 1) != 1)
		errno = 0;
	close(fd);
}

static int make_device(const struct nat *n, char error[static NAT_ERROR_LEN])
{
	char lines[512], addr[IPADDR_STRLEN];

	snprintf(lines, sizeof lines,
		"tuntap add dev " NAT_DEVICE " mode tap user %u\n"
		"link set dev " NAT_DEVICE " alias \"" ALIAS "%u forwarded=%s\"\n",
		(unsigned)n->user, (unsigned)n->user, n->forwarded);
	int err = run(ip_batch, lines, error);
	if (err)
		return err;
	quieten();
	snprintf(lines, sizeof lines,
		"address add %s/%u dev " NAT_DEVICE "\nlink set dev " NAT_DEVICE " up\n",
		ipaddr_format(&n->subnet.addr, addr), n->subnet.len - 96u);
	return run(ip_batch, lines, error);
}

/*
 * Names of interfaces that forwarded before, as what follows the device's in a set of nft's.
 */
static void quote_names(char *out, size_t room, const char *list)
{
	size_t at = 0;

	for (*out = '\0'; *list && at < room; list += *list == ',') {
		size_t len = strcspn(list, ",");
		at += (size_t)snprintf(out + at, room - at, ", \"%.*s\"", (int)len, list);
		list += len;
	}
}

/*
 * From the subnet anywhere, and the answers back; nobody else gets in. What the machine did not
 * forward before it does not forward now.
 */
static int make_rules(const struct nat *n, char error[static NAT_ERROR_LEN])
{
	char lines[2048], addr[IPADDR_STRLEN], names[2 * FORWARDING_LEN], others[512] = "";

	quote_names(names, sizeof names, n->forwarded);
	if (strcmp(n->forwarded, "all") != 0)
		snprintf(others, sizeof others,
			"iifname != { \"" NAT_DEVICE "\"%s } oifname != \"" NAT_DEVICE "\" drop",
			names);
	snprintf(lines, sizeof lines,
		"table ip teecee {\n"
		" chain postrouting {\n"
		"  type nat hook postrouting priority 100; policy accept;\n"
		"  ip saddr %s/%u oifname != \"" NAT_DEVICE "\" masquerade\n"
		" }\n"
		" chain forward {\n"
		"  type filter hook forward priority 0; policy accept;\n"
		"  %s\n"
		"  iifname != \"" NAT_DEVICE "\" oifname \"" NAT_DEVICE "\" "
		"ct state != { established, related } drop\n"
		" }\n"
		"}\n",
		ipaddr_format(&n->subnet.addr, addr), n->subnet.len - 96u, others);
	return run(nft_file, lines, error);
}

static int forward(char error[static NAT_ERROR_LEN])
{
	int err = forwarding_enable();

	if (!err)
		err = forwarding_set(NAT_DEVICE, true);
	return err ? fail(error, err, "net.ipv4.ip_forward: %s", strerror(-err)) : 0;
}

static int make_missing(const struct nat *n, char error[static NAT_ERROR_LEN])
{
	int err = n->has_device ? 0 : make_device(n, error);

	if (!err && !n->has_rules)
		err = make_rules(n, error);
	return err ? err : forward(error);
}

int nat_make(const struct nat *n, char error[static NAT_ERROR_LEN])
{
	char ignored[NAT_ERROR_LEN];
	struct nat made;
	int err = make_missing(n, error);

	if (err) {
		nat_look(&made);
		nat_remove(&made, ignored);
	}
	return err;
}

int nat_remove(const struct nat *n, char error[static NAT_ERROR_LEN])
{
	char later[NAT_ERROR_LEN] = "";
	int err = 0, more;

	if (n->is_ours && (err = forwarding_restore(n->forwarded)))
		fail(error, err, "net.ipv4.ip_forward: %s", strerror(-err));
	if (n->has_rules && (more = run(nft_file, "delete table ip teecee\n", err ? later : error)))
		err = err ? err : more;
	if (n->is_ours &&
		(more = run(ip_batch, "link del dev " NAT_DEVICE "\n", err ? later : error)))
		err = err ? err : more;
	return err;
}
