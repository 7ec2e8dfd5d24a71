/*
 * Scripts configure the kernel with sysctl. The adapter reads what they wrote, in the network namespace it runs in, and sets the
 * options of the socket that is about to connect or listen, unless the script did.
 */
#include <stdio.h>

#include "tests/packetdrill/adapter.h"

static long sysctl_value(const char *name, long fallback)
{
	char path[128];
	long value = fallback;

	snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
	FILE *f = fopen(path, "r");
	if (!f)
		return fallback;
	if (fscanf(f, "%li", &value) != 1)
		value = fallback;
	fclose(f);
	return value;
}

void adapter_apply_sysctls(struct psock *p)
{
	nsec now = adapter.world.now;

	tcp_set_option(p->tcp, TCP_OPT_TIMESTAMPS, sysctl_value("tcp_timestamps", 1) != 0, now);
	if (!(p->option_set & 1u << IPC_OPT_SYNCNT))
		tcp_set_option(p->tcp, TCP_OPT_SYNCNT, sysctl_value("tcp_syn_retries", 6), now);
}
