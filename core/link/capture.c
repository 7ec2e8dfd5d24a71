#include "core/link/capture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/link/segment.h"

enum { FRAME_MAX = 65535 + 14 + 4 };

struct capture {
	struct link link;
	struct link *inner;
	struct list watchers;
	struct rx_frame held; /* received and not shown yet; data NULL: none */
	char held_note[CAPTURE_NOTE_LEN];
	char next_note[CAPTURE_NOTE_LEN];
	uint8_t frame[FRAME_MAX]; /* as the wire carries it */
};

static struct capture *of(const struct link *l)
{
	return CONTAINER_OF(l, struct capture, link);
}

bool capture_is_watched(const struct link *l)
{
	return !list_empty(&of(l)->watchers);
}

static void show(struct capture *c, const struct seen_frame *f)
{
	LIST_FOR_EACH (link, &c->watchers) {
		struct watcher *w = LIST_ENTRY(link, struct watcher, link);

		w->frame(w, f);
	}
}

static void flush(struct capture *c)
{
	LIST_FOR_EACH (link, &c->watchers) {
		struct watcher *w = LIST_ENTRY(link, struct watcher, link);

		if (w->flush)
			w->flush(w);
	}
}

/* One whole frame, its checksum completed in a copy when it is partial. */
static void show_frame(
	struct capture *c, const uint8_t *data, size_t len, struct seen_frame *f)
{
	struct flow_view view;

	flow_look(&view, data, len, f->out);
	f->data = data;
	f->len = len;
	f->view = &view;
	if (view.end <= len && len <= sizeof c->frame && flow_csum_is_partial(&view, data)) {
		if (data != c->frame)
			memcpy(c->frame, data, len);
		flow_csum_complete(&view, c->frame);
		f->data = c->frame;
	}
	show(c, f);
	f->view = NULL;
}

static void show_held(struct capture *c)
{
	struct seen_frame f = {.at = c->held.arrival, .note = c->held_note};

	if (!c->held.data)
		return;
	show_frame(c, c->held.data, c->held.len, &f);
	c->held.data = NULL;
	c->held_note[0] = '\0';
	flush(c);
}

static int cap_fd(struct link *l)
{
	return of(l)->inner->ops->fd(of(l)->inner);
}

static int cap_recv(struct link *l, struct rx_frame *f, nsec now)
{
	struct capture *c = of(l);

	show_held(c);
	int n = c->inner->ops->recv(c->inner, f, now);
	if (n > 0 && !list_empty(&c->watchers))
		c->held = *f;
	return n;
}

/* What the link has just sent. */
static void show_sent(struct capture *c, const struct tx_frame *f, nsec now)
{
	struct seen_frame seen = {.at = now, .out = true, .note = c->next_note};
	struct segmenter s;
	size_t len;

	if (segment_begin(&s, f) || segment_frame_max(&s) > sizeof c->frame)
		return;
	while ((len = segment_next(&s, c->frame)))
		show_frame(c, c->frame, len, &seen);
	flush(c);
}

static int cap_send(struct link *l, const struct tx_frame *f, nsec now)
{
	struct capture *c = of(l);

	show_held(c);
	int err = c->inner->ops->send(c->inner, f, now);
	if (!err && !list_empty(&c->watchers))
		show_sent(c, f, now);
	if (err != -EAGAIN)
		c->next_note[0] = '\0';
	return err;
}

static nsec cap_deadline(const struct link *l)
{
	const struct link *inner = of(l)->inner;

	return inner->ops->deadline ? inner->ops->deadline(inner) : NSEC_NEVER;
}

static void cap_poll(struct link *l, nsec now)
{
	struct capture *c = of(l);

	show_held(c);
	if (c->inner->ops->poll)
		c->inner->ops->poll(c->inner, now);
}

static bool cap_hold_datagrams(struct link *l, bool on)
{
	struct link *inner = of(l)->inner;

	return inner->ops->hold_datagrams && inner->ops->hold_datagrams(inner, on);
}

static void cap_stats(struct link *l, struct link_stats *out)
{
	of(l)->inner->ops->stats(of(l)->inner, out);
}

static void cap_close(struct link *l)
{
	struct capture *c = of(l);

	show_held(c);
	c->inner->ops->close(c->inner);
	free(c);
}

struct link *capture_wrap(struct link *inner)
{
	static const struct link_ops ops = {.fd = cap_fd,
		.recv = cap_recv,
		.send = cap_send,
		.deadline = cap_deadline,
		.poll = cap_poll,
		.hold_datagrams = cap_hold_datagrams,
		.stats = cap_stats,
		.close = cap_close,
		.name = "capture"};
	struct capture *c = calloc(1, sizeof *c);

	if (!c) {
		inner->ops->close(inner);
		return NULL;
	}
	c->link.ops = &ops;
	c->link.info = inner->info;
	c->inner = inner;
	list_init(&c->watchers);
	return &c->link;
}

void capture_watch(struct link *l, struct watcher *w)
{
	show_held(of(l));
	list_append(&of(l)->watchers, &w->link);
}

void capture_unwatch(struct link *l, struct watcher *w)
{
	show_held(of(l));
	list_remove(&w->link);
}

static void join(char note[static CAPTURE_NOTE_LEN], const char *more)
{
	size_t at = strlen(note);

	snprintf(note + at, CAPTURE_NOTE_LEN - at, "%s%s", at ? "; " : "", more);
}

void capture_note(struct link *l, const uint8_t *data, const char *note)
{
	struct capture *c = of(l);

	if (c->held.data && c->held.data == data)
		join(c->held_note, note);
}

void capture_note_next(struct link *l, const char *note)
{
	if (note)
		join(of(l)->next_note, note);
	else
		of(l)->next_note[0] = '\0';
}

void capture_settle(struct link *l)
{
	show_held(of(l));
}

void capture_show(
	struct link *l, const uint8_t *data, size_t len, bool out, const char *note, nsec now)
{
	struct capture *c = of(l);
	struct seen_frame f = {.at = now, .out = out, .off_wire = true, .note = note};

	if (list_empty(&c->watchers))
		return;
	show_held(c);
	show_frame(c, data, len, &f);
	flush(c);
}
