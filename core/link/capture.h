/*
 * A link around a link that lets watchers see every frame: capture files, traces. Without a
 * watcher it costs one look at an empty list.
 *
 * WHAT IS SEEN. Frames as the wire carries them: a super-segment that we send is cut first, a
 * received one is shown as it came. Checksums are complete, also where the link or the sender left
 * that to hardware. A sent frame is shown when the link has taken it. A received one is shown at
 * the next call of any kind, so that whoever handled it may say with capture_note what became of
 * it. Frames that the wire does not carry (dropped before it, or made above it) are shown with
 * capture_show.
 */
#ifndef TEECEE_LINK_CAPTURE_H
#define TEECEE_LINK_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/list.h"
#include "core/base/time.h"
#include "core/link/flow.h"
#include "core/link/link.h"

struct seen_frame {
	const uint8_t *data; /* valid during the call */
	size_t len;
	const struct flow_view *view;
	nsec at;          /* on the clock of `now` */
	bool out;         /* sent by us */
	bool off_wire;    /* never there: `note` says what it is */
	const char *note; /* "": nothing */
};

/* Embedded in whoever watches. */
struct watcher {
	struct list link;
	void (*frame)(struct watcher *w, const struct seen_frame *f);
	void (*flush)(struct watcher *w); /* no more frames for the moment; NULL: no interest */
};

enum { CAPTURE_NOTE_LEN = 160 };

/* Takes over `inner`, also when it fails: NULL, no memory. */
struct link *capture_wrap(struct link *inner);

void capture_watch(struct link *l, struct watcher *w);
void capture_unwatch(struct link *l, struct watcher *w);
bool capture_is_watched(const struct link *l);

/*
 * What became of the received frame whose data begins at `data`, if it is the last one that recv
 * gave; several notes are joined. And of the next frame that will be sent (NULL: nothing after all).
 */
void capture_note(struct link *l, const uint8_t *data, const char *note);
void capture_note_next(struct link *l, const char *note);

/* The received frame is shown now: what follows from it is about to be told. */
void capture_settle(struct link *l);

/* A frame that the wire does not carry; `note` says why it is worth seeing. */
void capture_show(
	struct link *l, const uint8_t *data, size_t len, bool out, const char *note, nsec now);

#endif
