#include "core/ipc/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"

enum {
	IDLE_DEFAULT_S = 30,
	IDLE_MAX_S = 86400,
	BUSY_POLL_DEFAULT_US = 50,
	BUSY_POLL_MAX_US = 1000,
	MEM_DEFAULT = 1 << 30,
	MEM_MIN = 1 << 20,
	MTU_MIN = 576,   /* RFC 1122 §3.3.3: every host takes that */
	MTU_MAX = 65535, /* what an IPv4 length can say */
};

/* A decimal number with nothing around it. */
static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	unsigned long long v = strtoull(text, &end, 10);
	if (errno || *end || v < min || v > max)
		return false;
	*out = v;
	return true;
}

/* Like strcpy, but false when it does not fit. */
static bool copy_text(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len >= size)
		return false;
	memcpy(out, text, len + 1);
	return true;
}

static bool parse_choice(const char *text, const char *const names[], int count, int *out)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool set_iface(struct settings *s, const char *v)
{
	/* What the kernel allows as a name; a slash would also break ours. */
	if (strpbrk(v, "/ \t\n:") || strcmp(v, ".") == 0 || strcmp(v, "..") == 0)
		return false;
	return copy_text(s->iface, sizeof s->iface, v);
}

/* An address that a host can have: IPv4 unicast, and not its own subnet's first or last. */
static bool is_host_address(const struct ipnet *net)
{
	const struct ipaddr *a = &net->addr;

	if (!ipaddr_is_v4(a) || net->len < 96 + 1)
		return false;
	if (ipaddr_is_any(a) || ipaddr_is_loopback(a) || ipaddr_is_multicast(a) ||
		ipaddr_to_v4(a) >> 28 == 0xf)
		return false;
	uint32_t host_bits = (uint32_t)(UINT64_C(0xffffffff) >> (net->len - 96));
	bool is_network = net->len <= 126 && (ipaddr_to_v4(a) & host_bits) == 0;
	return !is_network && !ipnet_is_broadcast(net, a);
}

static bool set_ip(struct settings *s, const char *v)
{
	char address[IPADDR_STRLEN];

	if (strcmp(v, "auto") == 0)
		return true;
	if (!strchr(v, '/') || !ipnet_parse(&s->ip, v) || !is_host_address(&s->ip))
		return false;
	s->ip_auto = false;
	snprintf(s->ip_spec, sizeof s->ip_spec, "%.15s/%d", ipaddr_format(&s->ip.addr, address),
		s->ip.len - 96);
	return true;
}

static bool set_gateway(struct settings *s, const char *v)
{
	if (!ipaddr_parse(&s->gateway, v) || !ipaddr_is_v4(&s->gateway) ||
		ipaddr_is_any(&s->gateway) || ipaddr_is_loopback(&s->gateway) ||
		ipaddr_is_multicast(&s->gateway))
		return false;
	s->has_gateway = true;
	return true;
}

static bool set_mac(struct settings *s, const char *v)
{
	static const struct macaddr zero;
	static const char *const names[] = {[MAC_OWN] = "own", [MAC_NIC] = "nic"};
	int i;

	if (parse_choice(v, names, ARRAY_LEN(names), &i)) {
		s->mac_mode = (enum settings_mac)i;
		return true;
	}
	if (!macaddr_parse(&s->mac, v) || (s->mac.b[0] & 1) || macaddr_equal(&s->mac, &zero))
		return false;
	s->mac_mode = MAC_GIVEN;
	return true;
}

static bool set_link(struct settings *s, const char *v)
{
	static const char *const names[] = {[LINK_AUTO] = "auto",
		[LINK_PACKET] = "packet",
		[LINK_PCAP] = "pcap",
		[LINK_TAP] = "tap"};
	int i;

	if (!parse_choice(v, names, ARRAY_LEN(names), &i))
		return false;
	s->link = (enum settings_link)i;
	return true;
}

static bool set_mtu(struct settings *s, const char *v)
{
	uint64_t n;

	if (!parse_number(v, MTU_MIN, MTU_MAX, &n))
		return false;
	s->mtu = (unsigned)n;
	return true;
}

static bool set_probe(struct settings *s, const char *v)
{
	static const char *const names[] = {"fast", "rfc"};
	int i;

	if (!parse_choice(v, names, ARRAY_LEN(names), &i))
		return false;
	s->probe_rfc = i == 1;
	return true;
}

static bool set_idle(struct settings *s, const char *v)
{
	uint64_t n;

	if (!parse_number(v, 0, IDLE_MAX_S, &n))
		return false;
	s->idle_s = (unsigned)n;
	return true;
}

static bool set_busy_poll(struct settings *s, const char *v)
{
	uint64_t n;

	if (!parse_number(v, 0, BUSY_POLL_MAX_US, &n))
		return false;
	s->busy_poll_us = (unsigned)n;
	return true;
}

static bool set_cc(struct settings *s, const char *v)
{
	s->reno = strcmp(v, "reno") == 0;
	return s->reno || strcmp(v, "cubic") == 0;
}

static bool set_mem(struct settings *s, const char *v)
{
	return impair_parse_size(v, &s->mem) && s->mem >= MEM_MIN;
}

static bool set_seed(struct settings *s, const char *v)
{
	return s->has_seed = parse_number(v, 0, UINT64_MAX, &s->seed);
}

static bool set_bypass(struct settings *s, const char *v)
{
	char item[IPADDR_STRLEN + 4];

	for (;;) {
		size_t len = strcspn(v, ",");
		if (len >= sizeof item || s->nbypass == SETTINGS_BYPASS_MAX)
			return false;
		memcpy(item, v, len);
		item[len] = '\0';
		if (!ipnet_parse(&s->bypass[s->nbypass], item))
			return false;
		s->nbypass++;
		if (!v[len])
			return true;
		v += len + 1;
	}
}

/* 10.0.0.1 or 10.0.0.1:5353; the port is 53 unless said. */
static bool parse_server(const char *text, struct endpoint *out)
{
	const char *colon = strchr(text, ':');
	char address[IPADDR_STRLEN];
	uint64_t port = 53;
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (len >= sizeof address || (colon && !parse_number(colon + 1, 1, 65535, &port)))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	out->port = (uint16_t)port;
	return ipaddr_parse(&out->addr, address) && ipaddr_is_v4(&out->addr) &&
	       !ipaddr_is_any(&out->addr) && !ipaddr_is_multicast(&out->addr);
}

static bool set_dns(struct settings *s, const char *v)
{
	char item[IPADDR_STRLEN + 8];

	for (;;) {
		size_t len = strcspn(v, ",");
		if (len >= sizeof item || s->ndns == SETTINGS_DNS_MAX)
			return false;
		memcpy(item, v, len);
		item[len] = '\0';
		if (!parse_server(item, &s->dns[s->ndns]))
			return false;
		s->ndns++;
		if (!v[len])
			return true;
		v += len + 1;
	}
}

static bool set_loopback(struct settings *s, const char *v)
{
	static const char *const names[] = {
		[LOOPBACK_AUTO] = "auto", [LOOPBACK_STACK] = "stack", [LOOPBACK_HOST] = "host"};
	int i;

	if (!parse_choice(v, names, ARRAY_LEN(names), &i))
		return false;
	s->loopback = (enum settings_loopback)i;
	return true;
}

static bool set_engine(struct settings *s, const char *v)
{
	return copy_text(s->engine, sizeof s->engine, v);
}

static bool set_pcap(struct settings *s, const char *v)
{
	return copy_text(s->pcap, sizeof s->pcap, v);
}

static bool set_pcap_filter(struct settings *s, const char *v)
{
	return copy_text(s->pcap_filter, sizeof s->pcap_filter, v);
}

/* 100MiB,4: the size of a file and how many. */
static bool set_pcap_rotate(struct settings *s, const char *v)
{
	enum { FILES_MAX = 16 };
	char size[32];
	uint64_t n, files = 2;
	size_t len = strcspn(v, ",");

	if (len >= sizeof size)
		return false;
	memcpy(size, v, len);
	size[len] = '\0';
	if (!impair_parse_size(size, &n) || n == 0)
		return false;
	if (v[len] && !parse_number(v + len + 1, 2, FILES_MAX, &files))
		return false;
	s->pcap_size = n;
	s->pcap_files = (unsigned)files;
	return true;
}

static bool set_trace(struct settings *s, const char *v)
{
	return copy_text(s->trace, sizeof s->trace, v);
}

static bool set_impair(struct settings *s, const char *v)
{
	return copy_text(s->impair, sizeof s->impair, v);
}

static const struct variable {
	struct settings_variable say;
	bool (*set)(struct settings *s, const char *value);
} variables[] = {
	{{"TEECEE_IFACE", "IFACE", "the interface (default: that of the default route)",
		 "the name of a network interface, at most 15 characters"},
		set_iface},
	{{"TEECEE_IP", "A.B.C.D/LEN", "our address there, or auto (default): a free one is found",
		 "a free host address of the LAN with its prefix length, as in 10.0.0.9/24, or "
		 "auto"},
		set_ip},
	{{"TEECEE_GATEWAY", "A.B.C.D", "the way out (default: the interface's default route)",
		 "an IPv4 address"},
		set_gateway},
	{{"TEECEE_MAC", "MAC", "own (default), nic, or an address",
		 "own, nic or a unicast address as in 02:00:00:00:00:01"},
		set_mac},
	{{"TEECEE_LINK", "DRIVER", "auto (default), packet, pcap or tap", "auto, packet, pcap or tap"},
		set_link},
	{{"TEECEE_MTU", "BYTES", "IP bytes per packet (default: the interface's)",
		 "a number from 576 to 65535"},
		set_mtu},
	{{"TEECEE_PROBE", "TIMING", "fast (default) or rfc: all of RFC 5227's waits", "fast or rfc"},
		set_probe},
	{{"TEECEE_IDLE", "SECONDS", "how long the engine stays after the last socket (default 30)",
		 "a number of seconds from 0 to 86400"},
		set_idle},
	{{"TEECEE_BUSY_POLL", "MICROSECONDS",
		 "the engine looks so long before it sleeps, while that pays (default 50); 0: never",
		 "a number of microseconds from 0 to 1000"},
		set_busy_poll},
	{{"TEECEE_MEM", "SIZE", "most that buffers of connections may take in all (default 1GiB)",
		 "a size of 1MiB or more, as in 256MiB"},
		set_mem},
	{{"TEECEE_CC", "NAME", "congestion control of new connections: cubic (default) or reno", "cubic or reno"},
		set_cc},
	{{"TEECEE_BYPASS", "NET/LEN,...", "destinations left to the host's kernel",
		 "up to 32 prefixes, separated by commas, as in 10.0.0.0/8,192.0.2.1"},
		set_bypass},
	{{"TEECEE_DNS", "SERVERS", "name servers, instead of /etc/resolv.conf's",
		 "up to 4 IPv4 addresses, separated by commas, as in 10.0.0.1,192.0.2.1:5353"},
		set_dns},
	{{"TEECEE_LOOPBACK", "WHO", "who serves 127.0.0.0/8: auto (default), stack or host",
		 "auto, stack or host"},
		set_loopback},
	{{"TEECEE_ENGINE", "PATH", "the engine (default: found beside the library)",
		 "a path of at most 255 characters"},
		set_engine},
	{{"TEECEE_PCAP", "FILE", "write every frame there, as pcapng",
		 "a path of at most 255 characters"},
		set_pcap},
	{{"TEECEE_PCAP_FILTER", "FILTER", "only these, in pcap syntax",
		 "a filter in pcap syntax of at most 255 characters"},
		set_pcap_filter},
	{{"TEECEE_PCAP_ROTATE", "SIZE,N", "go on in FILE.1, FILE.2, ..., N files in all",
		 "a size and from 2 to 16 files, as in 100MiB,4"},
		set_pcap_rotate},
	{{"TEECEE_TRACE", "FILE", "a line per segment; -: on stderr",
		 "a path of at most 255 characters, or - for stderr"},
		set_trace},
	{{"TEECEE_IMPAIR", "RULES", "break the network: teecee impair --help",
		 "rules of at most 1023 characters, as in loss=2%"},
		set_impair},
	{{"TEECEE_SEED", "N", "equal seeds, equal runs", "a number below 2^64"}, set_seed},
};
_Static_assert(ARRAY_LEN(variables) == SETTINGS_VARIABLES, "settings.h counts them");

const struct settings_variable *settings_variable(unsigned i)
{
	return i < ARRAY_LEN(variables) ? &variables[i].say : NULL;
}

/* The variable's value; NULL when it is not set or empty, which means the same. */
static const char *lookup(char *const environment[], const char *name)
{
	size_t len = strlen(name);

	for (; environment && *environment; environment++) {
		const char *entry = *environment;
		if (strncmp(entry, name, len) == 0 && entry[len] == '=')
			return entry[len + 1] ? entry + len + 1 : NULL;
	}
	return NULL;
}

static int check_impair(const char *spec, char error[static SETTINGS_ERROR_LEN])
{
	char text[IMPAIR_ERROR_LEN];
	struct impairment rules;
	int err = spec[0] ? impair_parse(&rules, spec, text) : 0;

	if (err)
		snprintf(error, SETTINGS_ERROR_LEN, "TEECEE_IMPAIR: %.230s", text);
	return err;
}

int settings_load(
	struct settings *s, char *const environment[], char error[static SETTINGS_ERROR_LEN])
{
	*s = (struct settings){.ip_spec = "auto",
		.ip_auto = true,
		.idle_s = IDLE_DEFAULT_S,
		.busy_poll_us = BUSY_POLL_DEFAULT_US,
		.mem = MEM_DEFAULT};
	error[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = lookup(environment, variables[i].say.name);
		if (!value || variables[i].set(s, value))
			continue;
		snprintf(error, SETTINGS_ERROR_LEN, "%s=%.64s: should be %s",
			variables[i].say.name, value, variables[i].say.expected);
		return -EINVAL;
	}
	return check_impair(s->impair, error);
}

/*
 * One line of /proc/net/route: Iface Destination Gateway Flags RefCnt Use Metric Mask …, the
 * addresses as eight hex digits. The default route is the one with destination and mask zero; among
 * several the smallest metric.
 */
static bool is_default_route(const char *line, char name[static IFNAMSIZ], unsigned *metric)
{
	enum { RTF_IS_UP = 1, RTF_IS_REJECT = 0x200 };
	unsigned destination, flags, mask;

	if (sscanf(line, "%15s %x %*x %x %*d %*d %u %x", name, &destination, &flags, metric,
		    &mask) != 5)
		return false;
	return destination == 0 && mask == 0 && (flags & RTF_IS_UP) && !(flags & RTF_IS_REJECT);
}

static void take_best_route(struct settings *s, const char *line, unsigned *best)
{
	char name[IFNAMSIZ];
	unsigned metric;

	if (!is_default_route(line, name, &metric) || (s->iface[0] && metric >= *best))
		return;
	memcpy(s->iface, name, sizeof name);
	*best = metric;
}

int settings_resolve(struct settings *s, char error[static SETTINGS_ERROR_LEN])
{
	enum { LINE_LEN = 128 }; /* the kernel pads every line to 127 bytes and a newline */
	char line[LINE_LEN + 1];
	unsigned best = 0;

	if (s->iface[0])
		return 0;
	int fd = open("/proc/net/route", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		while (read(fd, line, LINE_LEN) == LINE_LEN) {
			line[LINE_LEN] = '\0';
			take_best_route(s, line, &best);
		}
		close(fd);
	}
	if (s->iface[0])
		return 0;
	snprintf(error, SETTINGS_ERROR_LEN,
		"there is no default route to tell the interface: set TEECEE_IFACE");
	return -ENETUNREACH;
}

bool settings_is_bypassed(const struct settings *s, const struct ipaddr *a)
{
	for (unsigned i = 0; i < s->nbypass; i++) {
		if (ipnet_contains(&s->bypass[i], a))
			return true;
	}
	return false;
}
