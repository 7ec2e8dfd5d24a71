/*
 * A link moves whole Ethernet frames in and out of one interface. It never blocks and knows no
 * protocol beyond what segmentation needs. Drivers: packet, pcap and tap (here), sim (tests);
 * capture and impairment are links around a link.
 *
 * One thread uses a link. Errors are negative errno values.
 */
#ifndef TEECEE_LINK_LINK_H
#define TEECEE_LINK_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/wire/frame.h"

struct link;

enum { LINK_ERROR_LEN = 256 };

/* What a link can do and has counted. Counters only grow. */
struct link_info {
	struct macaddr nic_mac; /* the interface's own address */
	uint16_t mtu;           /* IP bytes per packet */
	/* largest TCP payload of one tx_frame; the driver cuts it if the wire needs that */
	uint32_t gso_max;
	/* no physical device behind: a received checksum may be the pseudo-header sum only */
	bool partial_csum_ok;
	bool is_up; /* IFF_UP, when the link was opened */
	bool patient; /* what comes in a tenth of a millisecond, at any rate, waits for us */
	/* One line for the person: why it is not the driver that would be best. "": it is. */
	char note[LINK_ERROR_LEN];
};

struct link_stats {
	uint64_t rx_frames, rx_bytes;
	uint64_t tx_frames, tx_bytes; /* on the wire: after segmentation */
	uint64_t rx_dropped;          /* lost before we saw them (pcap's ps_drop, the ring's) */
	uint64_t tx_errors;           /* the kernel refused the frame */
};

struct link_ops {
	const char *name;

	/* A descriptor that polls readable when recv has something; level-triggered. */
	int (*fd)(struct link *l);

	/*
	 * The next frame: 1 and *f filled, 0 when there is none now, or -errno (ENETDOWN: the
	 * interface went down).
	 */
	int (*recv)(struct link *l, struct rx_frame *f, nsec now);

	/*
	 * Sends one frame or super-segment: 0, -EAGAIN when the queue is full (nothing of it was
	 * sent), or -errno.
	 */
	int (*send)(struct link *l, const struct tx_frame *f, nsec now);

	/*
	 * Both or neither. When the link itself has something to do, NSEC_NEVER: nothing; and that
	 * work. After it recv may have frames although fd is silent. Only links that hold frames
	 * need it.
	 */
	nsec (*deadline)(const struct link *l);
	void (*poll)(struct link *l, nsec now);

	/*
	 * NULL, or: while on, recv gives none of the datagrams that the link receives apart, and fd does
	 * not tell of them. False: it receives none apart.
	 */
	bool (*hold_datagrams)(struct link *l, bool on);

	void (*stats)(struct link *l, struct link_stats *out);
	void (*close)(struct link *l); /* frees l */
};

struct link {
	const struct link_ops *ops;
	struct link_info info;
};

/*
 * Opens the interface `ifname` with libpcap for capture and libnet for injection; only frames to
 * `mac`, to multicast and to broadcast are delivered, never our own. On failure returns NULL, sets
 * errno (EPERM: no CAP_NET_RAW; ENODEV: no such interface; ENETDOWN: it is down) and fills `error`
 * with one clear line.
 */
struct link *link_pcap_open(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN]);

/*
 * The same over a packet socket that takes and gives whole super-segments (Linux). Also fails with
 * what setsockopt(2) says when the kernel is too old for it.
 */
struct link *link_packet_open(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN]);

/*
 * The same over a TAP device that exists and is up, with the kernel at its other end (Linux). Needs
 * no privilege when the device belongs to the user. EPROTONOSUPPORT: it is not a TAP device; EBUSY:
 * another program has it; EPERM: it is another user's; EINVAL: `mac` is the device's own.
 */
struct link *link_tap_open(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN]);

/*
 * For a TAP device link_tap_open, or else link_packet_open, or else link_pcap_open and a note that
 * says why.
 */
struct link *link_auto_open(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN]);

/* The MAC of an interface, without opening a link: 0 or -errno. */
int link_interface_mac(const char *ifname, struct macaddr *out);

#endif
