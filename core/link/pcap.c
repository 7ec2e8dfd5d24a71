/*
 * The link that runs wherever libpcap does: libpcap captures, libnet injects.
 *
 * Capture is immediate (no batching delay), non-blocking, inbound only, and filtered in the kernel
 * to what is ours: frames to our MAC, to multicast and broadcast, and none that we sent. libpcap
 * puts VLAN tags that the NIC stripped back into the frame, so tagged traffic of other networks is
 * seen as such and dropped above as an unknown EtherType; it can never pass for ours.
 *
 * Frames are larger than the MTU: GRO merges received ones and local senders hand over 64 KiB at
 * once. With a snap length above 64 KiB the kernel's ring has one slot of that size per frame,
 * hence the large buffer: 64 MiB are 1,023 slots. (Slots lie in blocks of a power of two, so they
 * cost 128 MiB while the link is open; on interfaces without offloads libpcap makes them as small
 * as the MTU, and far more.) libpcap takes less by itself when the kernel refuses it.
 *
 * A super-segment is cut here (segment.c) and injected with one system call, sendmmsg on libnet's
 * socket: libnet's own write asks for the interface's index first, each time, which is a second
 * system call per frame of the wire. The contract says that -EAGAIN means "nothing was sent", so
 * room for all frames is asked for before the first leaves. libnet's socket is a packet socket too
 * and would receive a copy of everything nobody reads: it gets a filter that refuses all.
 */
#include <errno.h>
#include <fcntl.h>
#include <libnet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/bytes.h"
#include "core/link/iface.h"
#include "core/link/link.h"
#include "core/link/room.h"
#include "core/link/segment.h"
#include "core/wire/eth.h"

enum {
	SNAP_LEN = 65535 + ETH_HDR_LEN + 4, /* the largest IPv4 packet, with a VLAN tag */
	CAPTURE_BUFFER = 64 << 20,
	SEND_BUFFER =
		4 << 20, /* of the injecting socket: about 1,000 frames that wait for the wire */
	GSO_MAX = 65535 - 20 - 60, /* IPv4 total length less the largest headers */
	BATCH = 64,                /* frames of one system call */
	BATCH_BYTES = 128 << 10,   /* room for two of the largest */
};

/* Frames that are cut and wait to be injected together. */
struct batch {
	unsigned n;
	size_t bytes;
	struct mmsghdr message[BATCH];
	struct iovec frame[BATCH];
	uint8_t data[BATCH_BYTES];
};

struct pcap_link {
	struct link link;
	char ifname[IFNAMSIZ];
	pcap_t *capture;
	libnet_t *inject;
	int send_buffer; /* bytes the kernel really gave, as it counts them */
	struct link_stats stats;
	unsigned last_drop; /* ps_drop when last read: 32 bits that wrap */
	bool drained;       /* the last recv found nothing: the next one follows a wake-up */
	bool send_found_down;
	struct batch batch;
};

static struct pcap_link *of(struct link *l)
{
	return CONTAINER_OF(l, struct pcap_link, link);
}

static int pl_fd(struct link *l)
{
	return pcap_get_selectable_fd(of(l)->capture);
}

/*
 * An interface that goes down is an error of the socket, told once. libpcap takes it, goes on
 * waiting and says nothing, so it must not be the first to ask: once per wake-up we do. What a send
 * finds out counts too.
 */
static bool went_down(struct pcap_link *p)
{
	int err = 0;
	socklen_t len = sizeof err;

	if (!p->drained)
		return false;
	p->drained = false;
	getsockopt(pcap_fileno(p->capture), SOL_SOCKET, SO_ERROR, &err, &len);
	return err == ENETDOWN || err == ENODEV || p->send_found_down;
}

/* libpcap reports an interface that is gone in words only: look what has become of it. */
static int capture_error(const struct pcap_link *p)
{
	struct iface i;

	return iface_query(p->ifname, &i) || !i.is_up ? -ENETDOWN : -EIO;
}

static int pl_recv(struct link *l, struct rx_frame *f, nsec now)
{
	struct pcap_link *p = of(l);
	struct pcap_pkthdr *header;
	const u_char *data;

	if (went_down(p)) {
		p->drained = true;
		p->send_found_down = false;
		return -ENETDOWN;
	}
	do {
		int n = pcap_next_ex(p->capture, &header, &data);
		p->drained = n <= 0;
		if (n == 0)
			return 0;
		if (n < 0)
			return capture_error(p);
		p->stats.rx_frames++;
		p->stats.rx_bytes += header->len;
		p->stats.rx_dropped +=
			header->caplen < header->len; /* cut off: no use to anybody */
	} while (header->caplen < header->len);
	*f = (struct rx_frame){
		.data = data, .len = header->caplen, .csum = FRAME_CSUM_UNVERIFIED, .arrival = now};
	return 1;
}

/* Another frame of the batch; its length, 0: there is none. */
static size_t add_frame(struct batch *b, struct segmenter *s)
{
	uint8_t *at = b->data + b->bytes;
	size_t len = segment_next(s, at);

	if (len == 0)
		return 0;
	b->frame[b->n] = (struct iovec){at, len};
	b->message[b->n] =
		(struct mmsghdr){.msg_hdr = {.msg_iov = &b->frame[b->n], .msg_iovlen = 1}};
	b->n++;
	b->bytes += len;
	return len;
}

static int refusal(struct pcap_link *p)
{
	if (errno != ENXIO && errno != ENODEV && errno != ENETDOWN)
		return -errno;
	p->send_found_down = true;
	return -ENETDOWN;
}

/*
 * A refusal once part of a super-segment has left (or ENOBUFS, a full queue further down) is a
 * loss, as on any wire.
 */
static bool is_loss(int err, size_t sent)
{
	return err == -ENOBUFS || (err == -EAGAIN && sent > 0);
}

/* Injects the batch, `sent` frames having been tried before it; empties it. */
static int inject(struct pcap_link *p, size_t *sent)
{
	struct batch *b = &p->batch;
	int err = 0;

	for (unsigned i = 0; i < b->n && !err;) {
		int n = sendmmsg(libnet_getfd(p->inject), b->message + i, b->n - i, 0);
		for (int j = 0; j < n; j++)
			p->stats.tx_bytes += b->frame[i + (unsigned)j].iov_len;
		if (n > 0) {
			p->stats.tx_frames += (unsigned)n;
			*sent += (unsigned)n;
			i += (unsigned)n;
			continue;
		}
		err = refusal(p);
		p->stats.tx_errors += err != -EAGAIN || *sent > 0;
		if (is_loss(err, *sent)) {
			err = 0;
			i++;
			++*sent;
		}
	}
	b->n = 0;
	b->bytes = 0;
	return err;
}

static int pl_send(struct link *l, const struct tx_frame *f, nsec now)
{
	struct pcap_link *p = of(l);
	struct batch *b = &p->batch;
	struct segmenter s;
	size_t sent = 0;
	int err = segment_begin(&s, f);

	if (err)
		return err;
	size_t largest = segment_frame_max(&s);
	if (largest > sizeof b->data)
		return -EMSGSIZE;
	if (segment_count(&s) > 1 &&
		!room_for(libnet_getfd(p->inject), p->send_buffer, segment_count(&s), largest))
		return -EAGAIN;
	while (!err && add_frame(b, &s))
		if (b->n == BATCH || b->bytes + largest > sizeof b->data)
			err = inject(p, &sent);
	return err ? err : inject(p, &sent);
}

static void pl_stats(struct link *l, struct link_stats *out)
{
	struct pcap_link *p = of(l);
	struct pcap_stat st;

	if (pcap_stats(p->capture, &st) == 0) {
		p->stats.rx_dropped += st.ps_drop - p->last_drop;
		p->last_drop = st.ps_drop;
	}
	*out = p->stats;
}

static void pl_close(struct link *l)
{
	struct pcap_link *p = of(l);

	if (p->capture)
		pcap_close(p->capture);
	if (p->inject)
		libnet_destroy(p->inject);
	free(p);
}

static const struct link_ops pcap_ops = {
	.name = "pcap",
	.fd = pl_fd,
	.recv = pl_recv,
	.send = pl_send,
	.stats = pl_stats,
	.close = pl_close,
};

static int activate_errno(int status)
{
	switch (status) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return ENODEV;
	case PCAP_ERROR_IFACE_NOT_UP:
		return ENETDOWN;
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return EPERM;
	default:
		return EIO;
	}
}

/*
 * Not "inbound and …": libpcap runs the filter itself on the first ringful of frames, and its own
 * interpreter knows nothing of a frame's direction and drops them all.
 */
static int filter(struct pcap_link *p, const struct macaddr *mac, char error[static LINK_ERROR_LEN])
{
	char text[160], m[MACADDR_STRLEN];
	struct bpf_program program;

	macaddr_format(mac, m);
	snprintf(text, sizeof text, "(ether dst %s or ether multicast) and not ether src %s", m, m);
	int err = pcap_compile(p->capture, &program, text, 1, PCAP_NETMASK_UNKNOWN);
	if (!err) {
		err = pcap_setfilter(p->capture, &program);
		pcap_freecode(&program);
	}
	if (err)
		snprintf(error, LINK_ERROR_LEN, "%s: capture filter: %.200s", p->ifname,
			pcap_geterr(p->capture));
	return err ? -EIO : 0;
}

static int open_capture(
	struct pcap_link *p, const struct macaddr *mac, char error[static LINK_ERROR_LEN])
{
	char text[PCAP_ERRBUF_SIZE] = "";

	p->capture = pcap_create(p->ifname, text);
	if (!p->capture) {
		snprintf(error, LINK_ERROR_LEN, "%s: libpcap: %.200s", p->ifname, text);
		return -ENOMEM;
	}
	pcap_set_snaplen(p->capture, SNAP_LEN);
	pcap_set_buffer_size(p->capture, CAPTURE_BUFFER);
	pcap_set_immediate_mode(p->capture, 1);
	pcap_set_promisc(p->capture, !macaddr_equal(mac, &p->link.info.nic_mac));

	int status = pcap_activate(p->capture);
	if (status < 0) {
		int err = activate_errno(status);
		if (err == EPERM)
			snprintf(error, LINK_ERROR_LEN, "%s: capturing needs root or CAP_NET_RAW",
				p->ifname);
		else
			snprintf(error, LINK_ERROR_LEN, "%s: libpcap: %.200s", p->ifname,
				pcap_geterr(p->capture));
		return -err;
	}
	if (pcap_datalink(p->capture) != DLT_EN10MB) {
		snprintf(error, LINK_ERROR_LEN, "%s: not an Ethernet interface", p->ifname);
		return -EPROTONOSUPPORT;
	}
	pcap_setnonblock(p->capture, 1, text);
	pcap_setdirection(p->capture, PCAP_D_IN);
	/*
	 * What others send on this interface is not even offered to us (kernel 4.20; the filter
	 * does the rest).
	 */
	setsockopt(pcap_fileno(p->capture), SOL_PACKET, PACKET_IGNORE_OUTGOING, &(int){1},
		sizeof(int));
	return filter(p, mac, error);
}

/* A packet socket receives whether it is read or not: refuse everything. */
static void make_deaf(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = {.len = 1, .filter = &nothing};

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &(int){1}, sizeof(int));
}

/* Then a send needs no address. */
static int bind_to(int fd, const char *ifname)
{
	struct sockaddr_ll where = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifname),
	};

	return bind(fd, (struct sockaddr *)&where, sizeof where);
}

static int open_inject(struct pcap_link *p, char error[static LINK_ERROR_LEN])
{
	char text[LIBNET_ERRBUF_SIZE] = "";

	errno = 0;
	p->inject = libnet_init(LIBNET_LINK_ADV, p->ifname, text);
	if (!p->inject) {
		int err = errno ? errno : EPERM;
		if (err == EPERM)
			snprintf(error, LINK_ERROR_LEN, "%s: injecting needs root or CAP_NET_RAW",
				p->ifname);
		else
			snprintf(error, LINK_ERROR_LEN, "%s: libnet: %.200s", p->ifname, text);
		return -err;
	}
	int fd = libnet_getfd(p->inject);
	make_deaf(fd);
	if (bind_to(fd, p->ifname) < 0) {
		int err = errno;
		snprintf(error, LINK_ERROR_LEN, "%s: binding libnet's socket: %s", p->ifname,
			strerror(err));
		return -err;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(pcap_fileno(p->capture), F_SETFD, FD_CLOEXEC);
	p->send_buffer = room_set(fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
	return 0;
}

/* What the interface is, before libpcap is asked to open it: the answers are clearer from here. */
static int look_at(struct pcap_link *p, char error[static LINK_ERROR_LEN])
{
	struct iface i;
	int err = iface_usable(p->ifname, &i, error);

	if (err)
		return err;
	p->link.info = (struct link_info){
		.nic_mac = i.mac,
		.mtu = i.mtu,
		.gso_max = GSO_MAX,
		.partial_csum_ok = i.is_virtual,
		.patient = true,
		.is_up = i.is_up,
	};
	return 0;
}

struct link *link_pcap_open(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN])
{
	struct pcap_link *p = calloc(1, sizeof *p);

	if (!p) {
		snprintf(error, LINK_ERROR_LEN, "out of memory");
		errno = ENOMEM;
		return NULL;
	}
	p->link.ops = &pcap_ops;
	p->drained = true;
	snprintf(p->ifname, sizeof p->ifname, "%s", ifname);
	int err = look_at(p, error);
	if (!err)
		err = open_capture(p, mac, error);
	if (!err)
		err = open_inject(p, error);
	if (!err)
		return &p->link;
	pl_close(&p->link);
	errno = -err;
	return NULL;
}
