/*
 * A capture file: a watcher (capture.h) that writes pcapng. Each burst of frames is one write(2),
 * so that whatever ends the process loses at most the last one, and a file that can take no more is
 * cut back to its last whole packet.
 *
 * ROTATION. Several descriptors may be given: when the file in hand has reached its size, the next
 * one is emptied and written, round and round; the oldest packets go. Whoever opens them (another
 * process, with rights of its own) decides where they are.
 */
#ifndef TEECEE_LINK_CAPFILE_H
#define TEECEE_LINK_CAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/link/capture.h"

enum { CAPFILE_ERROR_LEN = 256, CAPFILE_FILES_MAX = 16 };

struct capfile_config {
	const char *interface;
	const char *filter; /* in pcap syntax; "": everything */
	int fd[CAPFILE_FILES_MAX]; /* regular files opened for writing; taken over, also on failure */
	unsigned nfds;
	uint64_t size; /* bytes after which to go on with the next file; 0: never */
	nsec epoch;    /* what to add to `now` for the time since 1970 */

	/*
	 * Writes what else is to be said of an IP frame, whose conversation it is for one
	 * ("wget[4711]"), or ""; NULL: nobody knows anything.
	 */
	void (*describe)(void *ctx, const struct seen_frame *f, char *out, size_t len);
	/* The first time that a write fails, with its errno; NULL: nobody is told. */
	void (*failed)(void *ctx, int error);
	void *ctx;
};

struct capfile_stats {
	uint64_t written; /* packets */
	uint64_t lost;    /* packets that could not be written */
};

/*
 * A file that is empty gets a header; behind a capture a new section is begun; anything else is not
 * overwritten: -EEXIST. -ENOTSUP: not a regular file. -EINVAL: the filter is wrong. -EBUSY: another
 * process writes it. -ENOMEM, or what write(2) said. One clear line in `error`.
 */
int capfile_open(
	struct watcher **out, const struct capfile_config *config, char error[static CAPFILE_ERROR_LEN]);

void capfile_stats(const struct watcher *w, struct capfile_stats *out);

/* Must not be watching any more. */
void capfile_close(struct watcher *w);

#endif
