/*
 * teecee doctor, what concerns the system: our files, privileges, the kernel, the resolver.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/if_packet.h>

#include "core/base/bytes.h"
#include "core/cli/cli.h"
#include "core/cli/doctor.h"
#include "core/cli/tool.h"

enum { SAID_LEN = 512, DESCRIPTORS_FEW = 1024 };

/* --- our files --- */

void check_library(struct doctor *d)
{
	char path[PATH_MAX], preload[PATH_MAX + 32], said[SAID_LEN];

	if (!cli_find_library(path)) {
		doctor_say(d, FAULT, "make, or make install",
			"libteecee.so is neither beside this command nor in ../lib");
		return;
	}
	snprintf(preload, sizeof preload, "LD_PRELOAD=%s", path);
	const char *const argv[] = {"env", preload, "true", NULL};
	int status = tool_run(argv, "", said, sizeof said);
	said[strcspn(said, "\n")] = '\0';
	if (strpbrk(path, " :"))
		doctor_say(d, FAULT, "install it elsewhere",
			"%s: LD_PRELOAD takes no path with a space or colon", path);
	else if (status || said[0])
		doctor_say(d, FAULT,
			"a glibc of this system, a file system without noexec, and a "
			"library of this build",
			"%s cannot be preloaded: %s", path,
			said[0] ? said : "true(1) fails with it");
	else
		doctor_say(d, FINE, NULL, "%s", path);
}

static bool find_engine(const struct doctor *d, char out[static PATH_MAX])
{
	static const char *const places[] = {"../libexec/teecee/teecee-engine", "teecee-engine"};
	char library[PATH_MAX], path[PATH_MAX + 64];

	if (d->settings.engine[0]) {
		snprintf(out, PATH_MAX, "%s", d->settings.engine);
		return access(out, X_OK) == 0;
	}
	if (!cli_find_library(library))
		return false;
	*strrchr(library, '/') = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		snprintf(path, sizeof path, "%s/%s", library, places[i]);
		if (realpath(path, out) && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

void check_engine(struct doctor *d)
{
	char path[PATH_MAX];

	if (find_engine(d, path))
		doctor_say(d, FINE, NULL, "%s", path);
	else
		doctor_say(d, FAULT, "make install, or --engine PATH (TEECEE_ENGINE)",
			"%s cannot be executed",
			d->settings.engine[0] ? d->settings.engine
					      : "teecee-engine is not beside the library and");
}

/* --- privilege --- */

static bool file_has_net_raw(const char *path)
{
	cap_t caps = cap_get_file(path);
	cap_flag_value_t permitted = CAP_CLEAR;

	if (caps)
		cap_get_flag(caps, CAP_NET_RAW, CAP_PERMITTED, &permitted);
	cap_free(caps);
	return permitted == CAP_SET;
}

/* Whether a program that we execute has it: as root by the bounding set, else as an ambient one. */
static bool is_inherited(void)
{
	if (geteuid() == 0)
		return cap_get_bound(CAP_NET_RAW) == 1;
	return cap_get_ambient(CAP_NET_RAW) == CAP_SET;
}

/* A file's capabilities are not given everywhere. NULL: here they are. */
static const char *why_withheld(const char *path)
{
	struct statvfs fs;

	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return "no_new_privs is set here (a container, or a systemd unit)";
	if (cap_get_bound(CAP_NET_RAW) != 1)
		return "CAP_NET_RAW is not in the bounding set (a container)";
	if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID))
		return "its file system is mounted nosuid";
	return NULL;
}

void check_privilege(struct doctor *d)
{
	char path[PATH_MAX] = "teecee-engine", advice[PATH_MAX + 64];
	bool has_file = find_engine(d, path);

	if (d->has_iface && !d->needs_raw) {
		doctor_say(d, FINE, NULL, "a TAP device needs none, for its user");
		return;
	}
	snprintf(advice, sizeof advice,
		"sudo setcap cap_net_raw+p %s, or be root, or teecee nat up", path);
	if (is_inherited()) {
		int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		if (fd >= 0)
			doctor_say(d, FINE, NULL, "CAP_NET_RAW");
		else
			doctor_say(
				d, FAULT, advice, "CAP_NET_RAW does not help: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	const char *why = has_file && file_has_net_raw(path) ? why_withheld(path) : NULL;
	if (!has_file || !file_has_net_raw(path))
		doctor_say(d, FAULT, advice, "neither we nor %s have CAP_NET_RAW", path);
	else if (why)
		doctor_say(d, FAULT, "run it where that is not so", "%s has CAP_NET_RAW, but %s",
			path, why);
	else
		doctor_say(d, FINE, NULL, "%s has CAP_NET_RAW", path);
}

/* --- kernel --- */

static void check_vnet_hdr(struct doctor *d)
{
	int fd = d->needs_raw ? socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) : -1;

	if (fd < 0)
		return;
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &(int){1}, sizeof(int)) == 0)
		doctor_say(d, FINE, NULL, "PACKET_VNET_HDR: whole super-segments");
	else
		doctor_say(d, d->settings.link == LINK_PACKET ? FAULT : WARNING,
			"--link pcap works, at a fraction of the speed", "no PACKET_VNET_HDR: %s",
			strerror(errno));
	close(fd);
}

static bool can_seal(void)
{
	int fd = memfd_create("teecee-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool ok = fd >= 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* TCP's urgent data is AF_UNIX's MSG_OOB here: since 5.15, and an option of the kernel's. */
static bool has_unix_oob(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return false;
	bool ok = send(pair[0], "!", 1, MSG_OOB | MSG_NOSIGNAL) == 1;
	close(pair[0]);
	close(pair[1]);
	return ok;
}

void check_kernel(struct doctor *d)
{
	struct utsname name;

	if (uname(&name) < 0)
		memset(&name, 0, sizeof name);
	if (can_seal())
		doctor_say(d, FINE, NULL, "Linux %.60s", name.release);
	else
		doctor_say(d, FAULT, "a kernel of 5.1 or later",
			"Linux %.60s cannot seal memory for others to read", name.release);
	if (!has_unix_oob())
		doctor_say(d, WARNING, "a kernel of 5.15 or later, with CONFIG_AF_UNIX_OOB",
			"no MSG_OOB on AF_UNIX: TCP's urgent data does not work");
	check_vnet_hdr(d);
}

static bool may_have_user_namespace(void)
{
	int status = 1;
	pid_t child = fork();

	if (child == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 ? 0 : 1);
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

void check_namespaces(struct doctor *d)
{
	if (may_have_user_namespace())
		doctor_say(d, FINE, NULL, "user namespaces are allowed");
	else if (geteuid() == 0)
		doctor_say(
			d, FINE, NULL, "user namespaces are not allowed, which root does not need");
	else
		doctor_say(d, WARNING,
			"sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
			"kernel.apparmor_restrict_unprivileged_userns",
			"user namespaces are not allowed: make demo, make test and teecee.bash "
			"need root");
}

void check_descriptors(struct doctor *d)
{
	struct rlimit limit = {0};

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < DESCRIPTORS_FEW)
		doctor_say(d, WARNING, "ulimit -Hn 4096, or more",
			"at most %llu descriptors, one for each socket of all programs",
			(unsigned long long)limit.rlim_max);
	else
		doctor_say(d, FINE, NULL, "%llu descriptors for the engine",
			(unsigned long long)limit.rlim_max);
}

/* --- names --- */

struct servers {
	unsigned v4, v6, loopback;
};

static void count_server(const char *line, struct servers *n)
{
	struct ipaddr a;
	char text[64];

	if (sscanf(line, "nameserver %63s", text) != 1)
		return;
	if (!ipaddr_parse(&a, text) || !ipaddr_is_v4(&a))
		n->v6++;
	else if (ipaddr_is_loopback(&a))
		n->loopback++;
	else
		n->v4++;
}

void check_names(struct doctor *d)
{
	static const char path[] = "/etc/resolv.conf", advice[] = "--dns A.B.C.D (TEECEE_DNS)";
	struct servers n = {0};
	char line[512];
	FILE *f = fopen(path, "re");

	if (d->settings.ndns) {
		doctor_say(d, FINE, NULL, "servers of TEECEE_DNS: %u", d->settings.ndns);
	} else if (!f) {
		doctor_say(d, WARNING, advice, "%s: %s", path, strerror(errno));
	} else {
		while (fgets(line, sizeof line, f))
			count_server(line, &n);
		if (n.v4 + n.loopback)
			doctor_say(d, FINE, NULL,
				"%s: servers: %u over the stack, %u over the host's kernel", path,
				n.v4, n.loopback);
		else
			doctor_say(d, WARNING, advice,
				"%s names no IPv4 server: names are not found%s", path,
				n.v6 ? " (IPv6 is not served)" : "");
	}
	if (f)
		fclose(f);
}
