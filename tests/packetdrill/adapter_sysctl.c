/*
 * Scripts configure the kernel with sysctl. The adapter reads what they wrote, in the network
 * namespace it runs in, and sets the options of the socket that is about to connect or listen,
 * unless the script did.
 */
#include <stdio.h>
#include <string.h>

#include "tests/packetdrill/adapter.h"

/* The bits of net.ipv4.tcp_fastopen. */
enum {
	FASTOPEN_CLIENT = 1,
	FASTOPEN_SERVER = 2,
	FASTOPEN_CLIENT_NO_COOKIE = 4,
	FASTOPEN_SERVER_NO_COOKIE = 0x200,
	FASTOPEN_ALL_LISTENERS = 0x400,
};

static bool sysctl_text(const char *name, char *out, int size)
{
	char path[128];

	snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
	FILE *f = fopen(path, "r");
	if (!f)
		return false;
	bool read = fgets(out, size, f) != NULL;
	fclose(f);
	return read;
}

static long sysctl_value(const char *name, long fallback)
{
	char text[128];
	long value;

	return sysctl_text(name, text, sizeof text) && sscanf(text, "%li", &value) == 1 ? value
											: fallback;
}

/* Four 32-bit words in hexadecimal; the kernel keeps each with its low byte first. */
static void apply_fastopen_key(struct psock *p)
{
	char text[128];
	uint32_t word[4];
	uint8_t key[16];

	if (!sysctl_text("tcp_fastopen_key", text, sizeof text) ||
		sscanf(text, "%x-%x-%x-%x", &word[0], &word[1], &word[2], &word[3]) != 4)
		return;
	for (int i = 0; i < 16; i++)
		key[i] = (uint8_t)(word[i / 4] >> 8 * (i % 4));
	if (!p->tcp_keys_set)
		tcp_fastopen_set_keys(p->tcp, key, 1);
}

static void apply_fastopen(struct psock *p, nsec now)
{
	long bits = sysctl_value("tcp_fastopen", 1);
	bool listening = p->state == PSOCK_LISTENING;
	long no_cookie = listening ? FASTOPEN_SERVER_NO_COOKIE : FASTOPEN_CLIENT_NO_COOKIE;

	p->no_fastopen = !(bits & FASTOPEN_CLIENT);
	tcp_set_option(p->tcp, TCP_OPT_FASTOPEN_NO_COOKIE, (bits & no_cookie) != 0, now);
	if (!(bits & FASTOPEN_SERVER))
		tcp_set_option(p->tcp, TCP_OPT_FASTOPEN, 0, now);
	else if ((bits & FASTOPEN_ALL_LISTENERS) && listening && !p->fastopen_set)
		tcp_set_option(p->tcp, TCP_OPT_FASTOPEN, SOMAXCONN, now);
	apply_fastopen_key(p);
}

void adapter_apply_sysctls(struct psock *p)
{
	nsec now = adapter.world.now;

	tcp_set_option(p->tcp, TCP_OPT_TIMESTAMPS, sysctl_value("tcp_timestamps", 1) != 0, now);
	tcp_set_option(p->tcp, TCP_OPT_ECN, sysctl_value("tcp_ecn", 2), now);
	tcp_set_option(p->tcp, TCP_OPT_IDLE_RESTART,
		sysctl_value("tcp_slow_start_after_idle", 1) != 0, now);
	if (!(p->option_set & 1u << IPC_OPT_SYNCNT))
		tcp_set_option(p->tcp, TCP_OPT_SYNCNT, sysctl_value("tcp_syn_retries", 6), now);
	apply_fastopen(p, now);
}
