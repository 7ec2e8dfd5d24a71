/*
 * The TCP connections of a capture: packets go in, in the order of the file; each comes out as a
 * segment with what it meant. The text, the picture and the page are all drawn from that.
 *
 * WHAT IS KNOWN. Only what passed where the capture was taken. A frame that our impairment lost on
 * the way out is in the capture (with a comment that says so) and counts as sent, in its place: it
 * may stand there before those that a delay holds back. One that was lost before it got to the
 * capture is not there, and shows as a hole. "In flight" is what one side has sent and the
 * other has not acknowledged *here*; a congestion window is known only from the comments of our own
 * captures.
 *
 * AGAIN OR OUT OF ORDER. A segment whose bytes were seen before is a retransmission. One that fills
 * a hole may be either: what was sent after the segments behind the hole is a retransmission
 * (timestamps tell), and without timestamps what comes later than a round trip could.
 */
#ifndef TEECEE_REPORT_CONN_H
#define TEECEE_REPORT_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/report/dissect.h"
#include "core/report/note.h"
#include "core/report/sent.h"
#include "core/report/source.h"

enum { CONNS_MAX = 1 << 16, CONN_ECHOES = 64, LOST_AHEAD_MAX = 128 };

/* What can be said of a segment; mark_info names each. */
enum mark {
	MARK_AGAIN,        /* all of it was sent before */
	MARK_NEEDLESS,     /* and was acknowledged already */
	MARK_OUT_OF_ORDER, /* overtaken by later ones */
	MARK_HOLE,         /* bytes before it are missing */
	MARK_DUP_ACK,      /* the same acknowledgement once more, while data is on its way */
	MARK_DSACK,        /* reports data that arrived twice */
	MARK_ACK_UNSEEN,   /* acknowledges what the capture does not have */
	MARK_ZERO_WINDOW,
	MARK_WINDOW_FULL,   /* fills the other side's window to its end */
	MARK_WINDOW_UPDATE, /* nothing but a new window */
	MARK_PROBE,         /* a byte or none, to be answered: keep-alive or zero-window probe */
	MARK_RESET,
	MARK_CE,       /* a router says that it is congested */
	MARK_LOST,     /* impairment lost it, or some of it */
	MARK_DROPPED,  /* our stack refused it; the note says why */
	MARK_IMPAIRED, /* delayed, damaged, doubled, forged …: the note says how */
	MARKS,
};

struct mark_info {
	const char *key;    /* a word for files */
	const char *remark; /* behind a segment; "" when the note says it */
	const char *plural; /* heading of a count */
	bool is_trouble;
};

extern const struct mark_info mark_info[MARKS];

struct round_trips {
	uint64_t n;
	nsec min, max, sum;
};

/* A segment that impairment lost on the way out, while those before it are still to come. */
struct lost_ahead {
	int64_t seq, end;
	nsec at;
	uint32_t tsval;
};

/* One side of a connection, as a sender. */
struct side {
	struct endpoint end;
	bool known, syn, fin;
	bool scales; /* its SYN had a window scale */
	uint8_t wscale, opts;
	uint16_t mss;                     /* 0: it told none */
	uint64_t packets, payload, fresh; /* bytes of payload: all, and for the first time */
	uint64_t lost; /* segments that impairment lost, as the capture's comments say */
	uint64_t count[MARKS];
	struct round_trips rtt; /* of its data, from here to the other side and back */
	uint64_t flight_max;
	uint32_t cwnd_max; /* 0: not known */

	/* The analysis' own. */
	uint32_t base;       /* where relative numbers begin */
	int64_t next, acked; /* end of what it has sent; the highest it has acknowledged */
	uint64_t window;     /* in bytes, as it told last */
	uint32_t tsval;      /* newest it sent, and when the newest data went */
	nsec last_data;
	unsigned dup_acks;
	struct sent sent;
	struct lost_ahead *ahead; /* LOST_AHEAD_MAX of them, NULL: none yet */
	unsigned nahead;
	/* When its data-less segments with a new timestamp passed: round trips of a mere receiver. */
	struct {
		uint32_t tsval;
		nsec at;
	} echo[CONN_ECHOES];
	unsigned echo_from, nechoes;
};

struct conn {
	unsigned number;     /* from 1, in order of appearance */
	struct side side[2]; /* the client, as far as can be told, is side 0 */
	nsec first, last;    /* since the capture's first packet */
	nsec handshake;      /* from SYN to the ACK that ends it; 0: not seen */
	nsec syn_at;
	bool established, reset;
	char process[NOTE_PROCESS_LEN]; /* "wget[4711]", from the comments; "": not known */
	struct conn *older;             /* of the same hash */
};

struct segment {
	uint64_t number; /* of the packet */
	nsec at;         /* since the capture's first packet */
	struct conn *conn;
	unsigned from; /* which side sent it */
	enum pcapng_way way;
	struct tcp_hdr tcp;
	uint32_t len;      /* payload */
	int64_t seq, end;  /* relative; end counts SYN and FIN */
	int64_t ack;       /* relative; only with the ACK flag */
	uint64_t window;   /* bytes */
	uint32_t marks;    /* 1 << enum mark */
	unsigned dup_acks; /* the how manieth duplicate */
	int64_t hole;      /* bytes missing before it */
	nsec since;        /* MARK_AGAIN: after the last time; 0: not known */
	nsec rtt;          /* what it tells of the other side's data; 0: nothing */
	nsec echo_rtt;     /* what it tells of its own sender's distance; 0: nothing */
	uint64_t flight;   /* the sender's, behind it */
	struct note note;
};

struct conns;

struct conns *conns_new(void);
void conns_begin(struct conns *c, nsec epoch); /* when the capture's first packet came */

/*
 * The next packet of the file, dissected, its comment read. False: too many connections, or no
 * memory for another; the packet is not counted anywhere but here.
 */
bool conns_add(struct conns *c, const struct raw_packet *p, const struct dissected *d,
	struct segment *out);

unsigned conns_count(const struct conns *c);
struct conn *conns_get(const struct conns *c, unsigned number); /* from 1 */
void conns_free(struct conns *c);

#endif
