/*
 * The link of Linux: a packet socket with PACKET_VNET_HDR, over which whole super-segments pass.
 *
 * Every frame is preceded by a struct virtio_net_hdr (vnet.h): one system call moves up to 45
 * frames of the wire, without a checksum computed anywhere between two namespaces of one machine. A
 * frame of the kernel's that is larger than 64 KiB (BIG TCP) does not exist in IPv4 unless somebody
 * raised gro_ipv4_max_size; it is counted as lost.
 *
 * THE LIMIT IS THAT OF THE WHOLE FRAME. A device whose gso_max_size is 65,536 gets frames below
 * that, Ethernet header included; one byte more and the kernel cuts it in software, 44 times.
 *
 * ORDER OF OPENING. The socket is made without a protocol, so it is deaf; then come the options and
 * the filter, and bind() with a protocol opens its ears. Nothing that the filter would refuse is
 * ever in its queue. Our own frames do not come back: PACKET_IGNORE_OUTGOING, and the filter
 * refuses our MAC as the source for those that a switch reflects. The kernel keeps the VLAN tag
 * that a NIC (or its own receive path) took off beside the frame; the filter refuses tagged frames,
 * which otherwise would pass for untagged ones.
 *
 * HOW MANY AT ONCE. Small frames (ACKs, requests) are received several at a time, and a call that
 * came back with fewer has seen the end of the queue: there is no other call that only says EAGAIN.
 * After a big frame the next are received one by one, into ROUND slots in turn, few enough to stay in the
 * processor's cache. A frame stays valid while the others of its batch, or of the round, are received and handed on.
 *
 * DATAGRAMS ARE RECEIVED APART, by a second socket with a ring (ring.h), for a sender of datagrams does
 * not wait for anybody: unicast UDP that is not fragmented and fits into a slot. The first socket's
 * filter refuses exactly these. Between the two there is no order, as between any two datagrams. The
 * ring gives ROW in a row, then the first socket is asked. Where the kernel gives no ring, all come by
 * the first.
 *
 * A RING CAN STICK. A frame that a virtio_net_hdr cannot describe (a virtual machine's UFO; before Linux
 * 6.2 what UDP_SEGMENT sends) is dropped, and the kernel then drops all that follow, for it forgets to
 * give the slot back to itself. So the ring is watched: drops without a single frame in WATCH are the
 * end of it, and all come by the first socket from then on.
 *
 * WHEN THE KERNEL REFUSES A GSO FRAME (EINVAL, EMSGSIZE: a driver of the unusual kind), this link
 * cuts it in software, and from then on every one.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/link/iface.h"
#include "core/link/link.h"
#include "core/link/ring.h"
#include "core/link/room.h"
#include "core/link/segment.h"
#include "core/link/vnet.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"

enum {
	FRAME_MAX = ETH_HDR_LEN + 65535,
	GSO_FRAME_MAX = 65535, /* see above */
	GSO_MAX = GSO_FRAME_MAX - ETH_HDR_LEN - IPV4_HDR_LEN - TCP_HDR_MAX,
	ALIGN = 2, /* in front of a received frame: puts its IP header on a multiple of four */
	RECEIVE_BUFFER = 64 << 20,
	PATIENT_BUFFER = 4 << 20,
	SEND_BUFFER = 8 << 20,
	FILTER_MAX = 96, /* instructions of a filter; the longer one has about 40 */
	BATCH = 8,       /* frames per call, as long as they are small */
	SMALL = 4096,
	ROUND = 8,
	ROW = 32, /* frames of the ring, before the first socket is asked */
	FILTER_TEXT = 200,
};

#define WATCH (100 * MSEC)

/* A received frame, its bytes behind `ALIGN` bytes of nothing. */
struct slot {
	struct virtio_net_hdr v;
	struct iovec io[2];
	uint8_t data[ALIGN + FRAME_MAX];
};

struct packet_link {
	struct link link;
	char ifname[IFNAMSIZ];
	int fd;
	int ring_fd, both; /* the second socket; an epoll of the two; -1: none */
	struct ring ring;
	unsigned row;           /* frames that came from the ring in a row */
	nsec watch_at;          /* the next look whether it sticks */
	bool gave;              /* it has given frames since the last look */
	unsigned drops;         /* it has dropped */
	char ours[FILTER_TEXT]; /* what the first socket hears where there is no ring */
	bool held;       /* nothing is taken from the ring */
	bool had_none;   /* the last call had nothing to give */
	int send_buffer; /* bytes the kernel really gave, as it counts them */
	bool cuts;       /* super-segments are cut here: the kernel refused one */
	struct link_stats stats;
	struct mmsghdr message[BATCH + ROUND]; /* of the slots */
	struct slot slot[BATCH + ROUND];
	unsigned turn;                 /* in the round */
	unsigned next, received; /* slots that hold frames: from `next` to before `received` */
	unsigned batch;          /* to be asked for in the next call */
	bool drained;            /* the last call found the queue's end */
	uint8_t out[TX_HEAD_ROOM + 65535]; /* one frame, when they are cut here */
};

static struct packet_link *of(struct link *l)
{
	return CONTAINER_OF(l, struct packet_link, link);
}

static int pk_fd(struct link *l)
{
	const struct packet_link *p = of(l);

	return p->both >= 0 ? p->both : p->fd;
}

static bool is_down(int err)
{
	return err == ENETDOWN || err == ENODEV || err == ENXIO;
}

/* EINVAL: a frame that the header cannot describe. The kernel has dropped it. */
static int receive_error(struct packet_link *p)
{
	switch (errno) {
	case EAGAIN:
	case EINTR:
		return 0;
	case EINVAL:
		p->stats.rx_dropped++;
		return 0;
	default:
		return is_down(errno) ? -ENETDOWN : -errno;
	}
}

static void prepare_slots(struct packet_link *p)
{
	for (unsigned i = 0; i < BATCH + ROUND; i++) {
		struct slot *t = &p->slot[i];
		t->io[0] = (struct iovec){&t->v, sizeof t->v};
		t->io[1] = (struct iovec){t->data + ALIGN, FRAME_MAX};
		p->message[i].msg_hdr =
			(struct msghdr){.msg_iov = t->io, .msg_iovlen = ARRAY_LEN(t->io)};
	}
	p->batch = BATCH;
}

static bool is_whole(const struct mmsghdr *m)
{
	return m->msg_len >= sizeof(struct virtio_net_hdr) && !(m->msg_hdr.msg_flags & MSG_TRUNC);
}

/* So many calls of recv leave what was handed on last alone. */
static unsigned stays(const struct packet_link *p)
{
	unsigned n = 0;

	if (p->received > BATCH)
		return ROUND - 1;
	for (unsigned i = p->next; i < p->received; i++)
		n += is_whole(&p->message[i]);
	return n;
}

/* The frame in the next slot; false: it is none. */
static bool take(struct packet_link *p, struct rx_frame *f, nsec now)
{
	unsigned i = p->next++;
	struct slot *t = &p->slot[i];

	if (!is_whole(&p->message[i])) {
		p->stats.rx_dropped++;
		return false;
	}
	*f = vnet_received(&t->v, t->data + ALIGN, p->message[i].msg_len - sizeof t->v, now);
	f->stays = (uint8_t)stays(p);
	if (i >= BATCH)
		p->turn = (p->turn + 1) % ROUND;
	p->batch = f->len > SMALL ? 1 : BATCH;
	p->stats.rx_frames++;
	p->stats.rx_bytes += f->len;
	return true;
}

/* The next frame of the first socket. */
static int recv_message(struct packet_link *p, struct rx_frame *f, nsec now)
{
	while (p->next < p->received) {
		if (take(p, f, now))
			return 1;
	}
	if (p->drained) {
		p->drained = false;
		return 0;
	}
	unsigned first = p->batch == 1 ? BATCH + p->turn : 0;
	int n = recvmmsg(p->fd, p->message + first, p->batch, MSG_DONTWAIT, NULL);
	if (n < 0)
		return receive_error(p);
	p->drained = (unsigned)n < p->batch;
	p->next = first;
	p->received = first + (unsigned)n;
	return recv_message(p, f, now);
}

static bool recv_datagram(struct packet_link *p, struct rx_frame *f, nsec now)
{
	if (!p->ring.slots || p->held || p->row == ROW || !ring_recv(&p->ring, f, now))
		return false;
	p->row++;
	p->gave = true;
	p->stats.rx_frames++;
	p->stats.rx_bytes += f->len;
	return true;
}

/* An error of the second socket stays, and its fd readable, until it is asked for. */
static int ring_error(struct packet_link *p)
{
	int err = 0;
	socklen_t len = sizeof err;

	if (!p->ring.slots || getsockopt(p->ring_fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
		return 0;
	return is_down(err) ? -ENETDOWN : -err;
}

static int say(const struct packet_link *p, const char *what, char error[static LINK_ERROR_LEN])
{
	int err = errno;

	if (err == EPERM || err == EACCES)
		snprintf(error, LINK_ERROR_LEN, "%s: a packet socket needs root or CAP_NET_RAW",
			p->ifname);
	else
		snprintf(error, LINK_ERROR_LEN, "%s: %s: %s", p->ifname, what, strerror(err));
	return -err;
}

/*
 * libpcap compiles what is ours; in front of it stands what it has no words for without a live
 * capture: frames with a VLAN tag are not.
 */
static int attach_filter(
	struct packet_link *p, int fd, const char *text, char error[static LINK_ERROR_LEN])
{
	struct sock_filter code[FILTER_MAX] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	enum { PREAMBLE = 3 };
	struct bpf_program compiled;

	pcap_t *nowhere = pcap_open_dead(DLT_EN10MB, FRAME_MAX);
	if (!nowhere || pcap_compile(nowhere, &compiled, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		snprintf(error, LINK_ERROR_LEN, "%s: capture filter: %.200s", p->ifname,
			nowhere ? pcap_geterr(nowhere) : "out of memory");
		if (nowhere)
			pcap_close(nowhere);
		return -EIO;
	}
	unsigned n = MIN(compiled.bf_len, FILTER_MAX - PREAMBLE);
	memcpy(code + PREAMBLE, compiled.bf_insns, n * sizeof code[0]); /* the same layout */
	struct sock_fprog program = {.len = (unsigned short)(PREAMBLE + n), .filter = code};
	pcap_freecode(&compiled);
	pcap_close(nowhere);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
		return say(p, "capture filter", error);
	return 0;
}

static void close_ring(struct packet_link *p)
{
	ring_close(&p->ring);
	if (p->ring_fd >= 0)
		close(p->ring_fd);
	p->ring_fd = -1;
}

/* Each asking sets the kernel's count back to zero. */
static unsigned count_drops(struct packet_link *p, int fd)
{
	struct tpacket_stats st;
	socklen_t len = sizeof st;

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) < 0)
		return 0;
	p->stats.rx_dropped += st.tp_drops;
	return st.tp_drops;
}

static void watch_ring(struct packet_link *p, nsec now)
{
	char unsaid[LINK_ERROR_LEN];

	if (!p->ring.slots || now < p->watch_at)
		return;
	p->drops += count_drops(p, p->ring_fd);
	bool sticks = p->drops > 0 && !p->gave && !p->held && !p->ring.holds &&
		      ring_is_empty(&p->ring);
	p->watch_at = now + WATCH;
	p->gave = false;
	p->drops = 0;
	if (sticks && attach_filter(p, p->fd, p->ours, unsaid) == 0)
		close_ring(p);
}

static int pk_recv(struct link *l, struct rx_frame *f, nsec now)
{
	struct packet_link *p = of(l);
	bool more;
	int n = 0;

	watch_ring(p, now);
	do {
		if (p->next == p->received && recv_datagram(p, f, now))
			n = 1;
		more = n == 0 && p->row == ROW;
		if (n == 0) {
			p->row = 0;
			n = recv_message(p, f, now);
		}
	} while (n == 0 && more);
	if (n < 0) /* and both say so at once */
		ring_error(p);
	if (n == 0 && p->had_none)
		n = ring_error(p);
	p->had_none = n == 0;
	return n;
}

/* Frames that were received and not yet asked for: the fd does not tell of them. */
static nsec pk_deadline(const struct link *l)
{
	const struct packet_link *p = CONTAINER_OF(l, const struct packet_link, link);

	return p->next < p->received ? 0 : NSEC_NEVER;
}

static void pk_poll(struct link *l, nsec now)
{
}

/* What send(2) and sendmsg(2) said, in the words of the contract. */
static int send_result(struct packet_link *p, ssize_t n, size_t frames, size_t bytes)
{
	if (n >= 0) {
		p->stats.tx_frames += frames;
		p->stats.tx_bytes += bytes;
		return 0;
	}
	/* ENOBUFS: the queue of the interface is full. Either way nothing has left. */
	if (errno == EAGAIN || errno == ENOBUFS)
		return -EAGAIN;
	p->stats.tx_errors++;
	return errno == ENXIO || errno == ENODEV ? -ENETDOWN : -errno;
}

/* Sends the frame in p->out, behind the header that asks for nothing. */
static int send_cut(struct packet_link *p, size_t len)
{
	static const struct virtio_net_hdr nothing;

	memcpy(p->out, &nothing, sizeof nothing);
	ssize_t n = send(p->fd, p->out, sizeof nothing + len, MSG_DONTWAIT);
	return send_result(p, n, 1, len);
}

static int cut_and_send(struct packet_link *p, const struct tx_frame *f)
{
	struct segmenter s;
	size_t len;
	int err = segment_begin(&s, f);

	if (err)
		return err;
	if (!room_for(p->fd, p->send_buffer, segment_count(&s), segment_frame_max(&s)))
		return -EAGAIN;
	uint8_t *at = p->out + sizeof(struct virtio_net_hdr);
	for (size_t sent = 0; (len = segment_next(&s, at)); sent++) {
		err = send_cut(p, len);
		if (err && (err != -EAGAIN || sent == 0))
			return err;
		p->stats.tx_errors += err != 0; /* part of it has left: a loss, as on any wire */
	}
	return 0;
}

static int pk_send(struct link *l, const struct tx_frame *f, nsec now)
{
	struct packet_link *p = of(l);
	size_t head = tx_frame_head_len(f), payload = tx_frame_payload_len(f);
	bool is_super = vnet_is_super(f);
	size_t frames = vnet_count(f);
	struct virtio_net_hdr v;
	struct iovec io[2 + TX_PAYLOAD_MAX] = {
		{&v, sizeof v}, {(void *)(f->head + f->head_at), head}};
	struct msghdr m = {.msg_iov = io, .msg_iovlen = 2u + f->npayload};

	if (f->l4_from_end > head)
		return -EINVAL;
	watch_ring(p, now);
	if (is_super && p->cuts)
		return cut_and_send(p, f);
	vnet_describe(&v, f);
	memcpy(io + 2, f->payload, f->npayload * sizeof f->payload[0]);
	ssize_t n = sendmsg(p->fd, &m, MSG_DONTWAIT);
	if (n < 0 && is_super && (errno == EINVAL || errno == EMSGSIZE)) {
		int err = cut_and_send(p, f);
		p->cuts = err == 0;
		return err;
	}
	return send_result(p, n, frames, frames * head + payload);
}

static bool pk_hold_datagrams(struct link *l, bool on)
{
	struct packet_link *p = of(l);
	struct epoll_event in = {.events = on ? 0 : EPOLLIN};

	p->held = on && p->ring.slots;
	return p->ring.slots && epoll_ctl(p->both, EPOLL_CTL_MOD, p->ring_fd, &in) == 0;
}

static void pk_stats(struct link *l, struct link_stats *out)
{
	struct packet_link *p = of(l);

	count_drops(p, p->fd);
	if (p->ring.slots)
		p->drops += count_drops(p, p->ring_fd);
	*out = p->stats;
}

static void pk_close(struct link *l)
{
	struct packet_link *p = of(l);

	close_ring(p);
	if (p->both >= 0)
		close(p->both);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

static const struct link_ops packet_ops = {
	.name = "packet",
	.fd = pk_fd,
	.recv = pk_recv,
	.send = pk_send,
	.deadline = pk_deadline,
	.poll = pk_poll,
	.hold_datagrams = pk_hold_datagrams,
	.stats = pk_stats,
	.close = pk_close,
};

/* What the ring is for; in libpcap's words. `room` bytes. */
static int datagrams(char *out, size_t room, const char *mac)
{
	return snprintf(out, room,
		"(ether dst %s and not ether src %s and ip proto 17 and ip[6:2] & 0x3fff = 0 "
		"and less %d)",
		mac, mac, RING_FRAME_MAX);
}

static int start_hearing(
	struct packet_link *p, int fd, const struct iface *i, char error[static LINK_ERROR_LEN])
{
	struct sockaddr_ll where = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = i->index,
	};

	return bind(fd, (struct sockaddr *)&where, sizeof where) < 0
		       ? say(p, "binding a packet socket", error)
		       : 0;
}

static int be_promiscuous(
	struct packet_link *p, const struct iface *i, char error[static LINK_ERROR_LEN])
{
	struct packet_mreq all = {.mr_ifindex = i->index, .mr_type = PACKET_MR_PROMISC};

	return setsockopt(p->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0
		       ? say(p, "promiscuous mode", error)
		       : 0;
}

/* A deaf one. */
static int new_socket(struct packet_link *p, int *fd, char error[static LINK_ERROR_LEN])
{
	*fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return say(p, "a packet socket", error);
	if (setsockopt(*fd, SOL_PACKET, PACKET_VNET_HDR, &(int){1}, sizeof(int)) < 0)
		return say(p, "PACKET_VNET_HDR", error);
	/* Kernel 4.20; before, the filter does it. */
	setsockopt(*fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &(int){1}, sizeof(int));
	return 0;
}

static int open_socket(struct packet_link *p, const struct iface *i, const struct macaddr *mac,
	char error[static LINK_ERROR_LEN])
{
	char m[MACADDR_STRLEN], apart[FILTER_TEXT], text[2 * FILTER_TEXT + 16];
	int err = new_socket(p, &p->fd, error);

	if (err)
		return err;
	p->link.info.patient =
		room_set(p->fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER) >= PATIENT_BUFFER;
	p->send_buffer = room_set(p->fd, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER);
	macaddr_format(mac, m);
	datagrams(apart, sizeof apart, m);
	snprintf(p->ours, sizeof p->ours, "(ether dst %s or ether multicast) and not ether src %s",
		m, m);
	snprintf(text, sizeof text, "%s%s%s", p->ours, p->ring.slots ? " and not " : "",
		p->ring.slots ? apart : "");
	if ((err = attach_filter(p, p->fd, text, error)))
		return err;
	if (!macaddr_equal(mac, &i->mac) && (err = be_promiscuous(p, i, error)))
		return err;
	return start_hearing(p, p->fd, i, error);
}

/* The second socket, deaf as yet. No ring is no error. */
static void open_ring(struct packet_link *p, const struct macaddr *mac)
{
	char m[MACADDR_STRLEN], text[FILTER_TEXT], unsaid[LINK_ERROR_LEN];

	macaddr_format(mac, m);
	datagrams(text, sizeof text, m);
	if (new_socket(p, &p->ring_fd, unsaid) || ring_open(&p->ring, p->ring_fd) ||
		attach_filter(p, p->ring_fd, text, unsaid))
		close_ring(p);
}

/* Hears from now on what the first does not. */
static int join_ring(
	struct packet_link *p, const struct iface *i, char error[static LINK_ERROR_LEN])
{
	struct epoll_event in = {.events = EPOLLIN};

	if (!p->ring.slots)
		return 0;
	p->both = epoll_create1(EPOLL_CLOEXEC);
	if (p->both < 0 || epoll_ctl(p->both, EPOLL_CTL_ADD, p->fd, &in) < 0 ||
		epoll_ctl(p->both, EPOLL_CTL_ADD, p->ring_fd, &in) < 0)
		return say(p, "an epoll of its sockets", error);
	return start_hearing(p, p->ring_fd, i, error);
}

struct link *link_packet_open(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN])
{
	struct packet_link *p = calloc(1, sizeof *p);
	struct iface i;

	if (!p) {
		snprintf(error, LINK_ERROR_LEN, "out of memory");
		errno = ENOMEM;
		return NULL;
	}
	p->fd = p->ring_fd = p->both = -1;
	prepare_slots(p);
	p->link.ops = &packet_ops;
	snprintf(p->ifname, sizeof p->ifname, "%s", ifname);
	int err = iface_usable(p->ifname, &i, error);
	if (!err) {
		p->link.info = (struct link_info){
			.nic_mac = i.mac,
			.mtu = i.mtu,
			.gso_max = GSO_MAX,
			.is_up = i.is_up,
		};
		open_ring(p, mac);
		err = open_socket(p, &i, mac, error);
		if (!err)
			err = join_ring(p, &i, error);
	}
	if (!err)
		return &p->link;
	pk_close(&p->link);
	errno = -err;
	return NULL;
}
