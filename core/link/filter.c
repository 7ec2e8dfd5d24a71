#include "core/link/filter.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

int filter_compile(struct filter *f, const char *text, char error[static FILTER_ERROR_LEN])
{
	f->program = NULL;
	if (!text[0])
		return 0;
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, 65535 + 14);
	struct bpf_program *program = calloc(1, sizeof *program);
	int err = dead && program ? 0 : -ENOMEM;
	if (!err && pcap_compile(dead, program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		err = -EINVAL;
	if (err == -EINVAL)
		snprintf(error, FILTER_ERROR_LEN, "filter \"%.100s\": %.120s", text, pcap_geterr(dead));
	else if (err)
		snprintf(error, FILTER_ERROR_LEN, "out of memory");
	if (dead)
		pcap_close(dead);
	if (err)
		free(program);
	else
		f->program = program;
	return err;
}

void filter_free(struct filter *f)
{
	if (f->program)
		pcap_freecode(f->program);
	free(f->program);
	f->program = NULL;
}

bool filter_match(const struct filter *f, const uint8_t *frame, size_t len, size_t whole)
{
	struct pcap_pkthdr h = {.caplen = (bpf_u_int32)len, .len = (bpf_u_int32)whole};

	return !f->program || pcap_offline_filter(f->program, &h, frame) != 0;
}
