/*
 * A capture file as packets: libpcap reads it (pcap and pcapng, times in nanoseconds), and the
 * comments of pcapng, which libpcap does not hand out, are listened for on the way in.
 */
#ifndef TEECEE_REPORT_SOURCE_H
#define TEECEE_REPORT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "core/base/time.h"
#include "core/wire/pcapng_walk.h"

enum { SOURCE_ERROR_LEN = 320 };

struct source;

/* One packet; what is pointed at is valid until the next is read. */
struct raw_packet {
	uint64_t number; /* from 1, as Wireshark counts */
	nsec at;         /* since 1970 */
	const uint8_t *data;
	size_t len;          /* bytes that are there */
	size_t whole;        /* bytes that the frame had */
	int linktype;        /* DLT_… */
	const char *comment; /* "": none */
	enum pcapng_way way;
};

/*
 * Takes the stream, which need not be seekable, and closes it also when it fails. NULL: it is no
 * capture that libpcap reads, with one clear line in `error`; `name` is what it is called there.
 */
struct source *source_open(FILE *in, const char *name, char error[static SOURCE_ERROR_LEN]);

/* The next packet: 1; 0 at the end; -1: the rest of the file cannot be read, and the line says why. */
int source_next(struct source *s, struct raw_packet *out, char error[static SOURCE_ERROR_LEN]);

/* A filter in pcap syntax for what this file holds; "" matches all. False with the line. */
bool source_filter(struct source *s, const char *filter, char error[static SOURCE_ERROR_LEN]);
bool source_matches(const struct source *s, const struct raw_packet *p);

void source_close(struct source *s);

#endif
