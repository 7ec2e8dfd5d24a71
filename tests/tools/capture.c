/*
 * capture INTERFACE FILE: writes every frame it sees into FILE, says "listening" once it does, and on SIGINT ends with
 * "N frames, N dropped". Unlike tcpdump it also works as root of a user namespace, where there is no other
 * user to become.
 *
 * capture -c FILE FILTER: how many frames of FILE the filter (pcap-filter(7)) matches.
 */
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 64 << 20, SNAP_DEFAULT = 262144, TIMEOUT_MS = 10, STATUS_USAGE = 2 };

static pcap_t *running;

static void stop(int sig)
{
	pcap_breakloop(running);
}

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "capture: %s: %s\n", what, why);
	return EXIT_FAILURE;
}

static pcap_t *open_live(const char *ifname, int snap)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_create(ifname, error);

	if (!p) {
		fail(ifname, error);
		return NULL;
	}
	pcap_set_snaplen(p, snap);
	pcap_set_promisc(p, 1);
	/* Not immediate: then every frame, of 60 bytes or 60,000, takes one of 1,023 slots. */
	pcap_set_timeout(p, TIMEOUT_MS);
	pcap_set_buffer_size(p, BUFFER_BYTES);
	if (pcap_activate(p) < 0) {
		fail(ifname, pcap_geterr(p));
		pcap_close(p);
		return NULL;
	}
	return p;
}

static void write_frame(u_char *dumper, const struct pcap_pkthdr *h, const u_char *data)
{
	pcap_dump(dumper, h, data);
	pcap_dump_flush((pcap_dumper_t *)dumper);
}

static int record(const char *ifname, const char *file, int snap)
{
	struct sigaction act = {.sa_handler = stop};
	struct pcap_stat stat = {0};
	pcap_dumper_t *dumper;
	int end;

	running = open_live(ifname, snap);
	if (!running)
		return EXIT_FAILURE;
	dumper = pcap_dump_open(running, file);
	if (!dumper)
		return fail(file, pcap_geterr(running));
	sigaction(SIGINT, &act, NULL);
	pcap_dump_flush(dumper);
	fprintf(stderr, "listening\n");
	end = pcap_loop(running, -1, write_frame, (u_char *)dumper);
	if (end == PCAP_ERROR)
		return fail(ifname, pcap_geterr(running));
	pcap_stats(running, &stat);
	pcap_dump_close(dumper);
	fprintf(stderr, "%u frames, %u dropped\n", stat.ps_recv, stat.ps_drop);
	return EXIT_SUCCESS;
}

static void count_frame(u_char *count, const struct pcap_pkthdr *h, const u_char *data)
{
	++*(unsigned *)(void *)count;
}

static int count(const char *file, const char *filter)
{
	char error[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(file, error);
	struct bpf_program program;
	unsigned n = 0;

	if (!p)
		return fail(file, error);
	if (pcap_compile(p, &program, filter, 1, PCAP_NETMASK_UNKNOWN) ||
		pcap_setfilter(p, &program))
		return fail(filter, pcap_geterr(p));
	if (pcap_loop(p, -1, count_frame, (u_char *)(void *)&n))
		return fail(file, pcap_geterr(p));
	pcap_freecode(&program);
	pcap_close(p);
	printf("%u\n", n);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "-c"))
		return count(argv[2], argv[3]);
	if (argc == 3 || argc == 4)
		return record(argv[1], argv[2], argc == 4 ? atoi(argv[3]) : SNAP_DEFAULT);
	fprintf(stderr, "usage: capture INTERFACE FILE [SNAPLEN]\n       capture -c FILE FILTER\n");
	return STATUS_USAGE;
}
