/*
 * A filter in pcap syntax (pcap-filter(7)), for Ethernet frames.
 */
#ifndef TEECEE_LINK_FILTER_H
#define TEECEE_LINK_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_program;

struct filter {
	struct bpf_program *program; /* NULL: everything matches */
};

enum { FILTER_ERROR_LEN = 256 };

/* "" matches everything. 0, -ENOMEM, or -EINVAL with libpcap's word on it and where. */
int filter_compile(struct filter *f, const char *text, char error[static FILTER_ERROR_LEN]);
void filter_free(struct filter *f);

/* `len` bytes of a frame of `whole` bytes are at hand; a look beyond them is no match. */
bool filter_match(const struct filter *f, const uint8_t *frame, size_t len, size_t whole);

#endif
