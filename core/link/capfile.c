#include "core/link/capfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/link/filter.h"
#include "core/wire/pcapng.h"

enum {
	BURST_MAX = 256 << 10, /* bytes gathered before a write: a super-segment's worth of packets */
	FRAME_ROOM = 65535 + 14 + 4 + PCAPNG_PACKET_MAX,
	SIZE_MIN = 64 << 10, /* of a rotated file: one burst fits into it anyway */
};

struct capfile {
	struct watcher watcher;
	struct capfile_config config;
	struct filter filter;
	char interface[32];
	unsigned at;     /* the file in hand */
	uint64_t length; /* of the file in hand: up to here it is whole */
	bool broken;     /* a write failed; the person was told */
	struct capfile_stats stats;
	size_t used; /* of burst */
	unsigned in_burst;
	uint8_t burst[BURST_MAX + FRAME_ROOM];
};

static struct capfile *of(const struct watcher *w)
{
	return CONTAINER_OF(w, struct capfile, watcher);
}

/* All of it or nothing: what a full disk took of it is taken back. 0 or -errno. */
static int append(struct capfile *c, const uint8_t *data, size_t len)
{
	int fd = c->config.fd[c->at];
	size_t done = 0;
	int err = 0;

	while (done < len && !err) {
		ssize_t n = pwrite(fd, data + done, len - done, (off_t)(c->length + done));
		if (n > 0)
			done += (size_t)n;
		else
			err = n < 0 ? -errno : -ENOSPC;
	}
	if (!err)
		c->length += len;
	else if (ftruncate(fd, (off_t)c->length) < 0)
		err = -errno;
	return err;
}

static int begin(struct capfile *c)
{
	uint8_t header[PCAPNG_BEGIN_MAX];

	return append(c, header, pcapng_begin(header, "libteecee", c->interface));
}

static void rotate(struct capfile *c)
{
	unsigned next = (c->at + 1) % c->config.nfds;

	if (!c->config.size || c->length < c->config.size)
		return;
	if (ftruncate(c->config.fd[next], 0) < 0)
		return;
	c->at = next;
	c->length = 0;
	begin(c);
}

static void flush(struct watcher *w)
{
	struct capfile *c = of(w);
	unsigned n = c->in_burst;

	if (!n)
		return;
	rotate(c);
	int err = append(c, c->burst, c->used);
	c->used = 0;
	c->in_burst = 0;
	if (!err) {
		c->stats.written += n;
		return;
	}
	c->stats.lost += n;
	if (!c->broken && c->config.failed)
		c->config.failed(c->config.ctx, -err);
	c->broken = true;
}

static void compose(struct capfile *c, const struct seen_frame *f, char *out, size_t len)
{
	out[0] = '\0';
	if (c->config.describe && f->view->key.protocol)
		c->config.describe(c->config.ctx, f, out, len);
	size_t at = strlen(out);
	if (f->note[0])
		snprintf(out + at, len - at, "%s%s", at ? "; " : "", f->note);
}

static void take(struct watcher *w, const struct seen_frame *f)
{
	struct capfile *c = of(w);
	char comment[PCAPNG_COMMENT_MAX + 1];

	if (!filter_match(&c->filter, f->data, f->len, f->len))
		return;
	if (c->used > BURST_MAX)
		flush(w);
	compose(c, f, comment, sizeof comment);
	struct pcapng_packet p = {.at = f->at + c->config.epoch, .out = f->out, .comment = comment, .len = f->len};
	uint8_t *block = c->burst + c->used;
	memcpy(pcapng_frame(block), f->data, f->len);
	c->used += pcapng_packet(block, &p);
	c->in_burst++;
}

static int refuse(char error[static CAPFILE_ERROR_LEN], int err, const char *text)
{
	snprintf(error, CAPFILE_ERROR_LEN, "%s", text);
	return err;
}

/* Where to go on in a file; -errno when it is not ours to write. */
static int64_t end_of(int fd, char error[static CAPFILE_ERROR_LEN])
{
	uint32_t magic = 0;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return refuse(error, -ENOTSUP, "a capture needs a regular file");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return refuse(error, -EBUSY, "the capture file is being written by another engine");
	if (st.st_size == 0)
		return 0;
	if (pread(fd, &magic, sizeof magic, 0) != sizeof magic || magic != PCAPNG_MAGIC)
		return refuse(error, -EEXIST, "the file is no capture of ours and stays as it is");
	return st.st_size;
}

static int open_files(struct capfile *c, char error[static CAPFILE_ERROR_LEN])
{
	for (unsigned i = 0; i < c->config.nfds; i++) {
		int64_t end = end_of(c->config.fd[i], error);
		if (end < 0)
			return (int)end;
		if (i == 0)
			c->length = (uint64_t)end;
	}
	int err = begin(c);
	if (err)
		snprintf(error, CAPFILE_ERROR_LEN, "the capture cannot be written: %s", strerror(-err));
	return err;
}

static void close_all(const struct capfile_config *config)
{
	for (unsigned i = 0; i < config->nfds; i++)
		close(config->fd[i]);
}

int capfile_open(
	struct watcher **out, const struct capfile_config *config, char error[static CAPFILE_ERROR_LEN])
{
	struct capfile *c = calloc(1, sizeof *c);

	if (!c) {
		close_all(config);
		return refuse(error, -ENOMEM, "out of memory");
	}
	c->config = *config;
	if (c->config.size)
		c->config.size = MAX(c->config.size, (uint64_t)SIZE_MIN);
	snprintf(c->interface, sizeof c->interface, "%s", config->interface);
	c->watcher.frame = take;
	c->watcher.flush = flush;
	list_init(&c->watcher.link);
	int err = filter_compile(&c->filter, config->filter, error);
	if (!err)
		err = open_files(c, error);
	if (err) {
		capfile_close(&c->watcher);
		return err;
	}
	*out = &c->watcher;
	return 0;
}

void capfile_stats(const struct watcher *w, struct capfile_stats *out)
{
	*out = of(w)->stats;
}

void capfile_close(struct watcher *w)
{
	struct capfile *c = of(w);

	flush(w);
	filter_free(&c->filter);
	close_all(&c->config);
	free(c);
}
