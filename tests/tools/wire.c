/*
 * wire INTERFACE INTERFACE [SPEC]: joins two veth (or tap) ends like a cable, and makes a bad network of it,
 * the same for whoever is at its far ends: two kernels, two stacks of ours, or one of each. Where the kernel
 * has no netem this is how their TCPs are compared.
 *
 * SPEC is the language of TEECEE_IMPAIR (core/ipc/impair_spec.h): "out" is from the first interface to the
 * second, "in" the way back, neither is both. What it says of frames is done here, in this order:
 *
 *	loss, gemodel	drawn per frame: the n-th of a direction has the same fate under the same seed
 *	corrupt		one bit behind the Ethernet header is flipped
 *	rate		a bottleneck: frames leave one after the other, each taking its length (with its
 *			Ethernet header, without preamble and FCS) divided by the rate
 *	--queue		what may wait in front of it; a frame that finds it full is lost (drop-tail)
 *	delay, jitter	after the bottleneck, of any number of frames at once; jitter never reorders
 *	reorder		such a frame skips the delay
 *	limit		frames held in all, waiting and under way
 *
 * ARP is only delayed: a lost answer costs a second, and no TCP can do anything about it.
 *
 * OFFLOADS. A veth hands over what the sender's kernel gave to it: 64 KiB at once, without a checksum. A wire
 * carries neither. So GSO frames are cut and checksums completed here, as by the sender's NIC (the offloads of
 * our own two ends are off), and they leave without a word about their checksum: the receiver verifies it,
 * and sees a flipped bit.
 *
 * TIME. A frame's clock starts with the kernel's stamp of its arrival, so that being late to read it costs
 * nothing while there is delay to hide it in. The report says how late frames left at worst.
 *
 * It runs only where nothing can be harmed: under tests/tools/private (its marker in the environment), on
 * interfaces that are veth or tap, for a bounded time.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/ipc/impair_spec.h"
#include "core/link/fate.h"
#include "core/link/segment.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"

enum {
	FRAME_MAX = ETH_HDR_LEN + 65535,
	SOCKET_BUFFER = 64 << 20,
	FRAMES_PER_TURN = 256, /* of one direction, before the other gets its turn */
	SECONDS_DEFAULT = 600,
	SECONDS_MAX = 24 * 3600,
	STATUS_USAGE = 2,
	STATUS_REFUSED = 77,
};

#define RETRY (100 * USEC) /* a full interface is tried again */

struct frame {
	nsec due;
	uint64_t nth; /* those due at the same time leave in the order they came */
	size_t len;
	uint8_t data[];
};

struct counts {
	uint64_t in, in_bytes, out, out_bytes;
	uint64_t lost, queue, limit, duplicated, corrupted, overtook;
	uint64_t missed, unfit, errors;
	uint64_t queue_max; /* bytes */
	nsec late_max;
};

struct end {
	const char *name;
	int index, fd;
};

/* One direction. */
struct path {
	struct end *from, *to;
	const struct impair_rule *rule; /* NULL: a perfect wire */
	uint64_t seed, nth, order;
	bool out, bad; /* bad: gemodel's state */
	int64_t queue; /* bytes in front of the bottleneck; 0: no bound */
	nsec busy_until, last_due;
	struct frame **held; /* a heap, the next one due at [0] */
	unsigned nheld, room;
	nsec retry_at;
	struct counts n;
};

static uint8_t in_buffer[FRAME_MAX], cut_buffer[FRAME_MAX];

static nsec clock_of(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

/* --- frames under way --- */

static bool sooner(const struct frame *a, const struct frame *b)
{
	return a->due != b->due ? a->due < b->due : a->nth < b->nth;
}

static void swap(struct frame **a, struct frame **b)
{
	struct frame *t = *a;

	*a = *b;
	*b = t;
}

static bool hold(struct path *p, struct frame *f)
{
	if (p->nheld == p->room) {
		unsigned room = p->room ? 2 * p->room : 1024;
		struct frame **held = realloc(p->held, room * sizeof *held);
		if (!held)
			return false;
		p->held = held;
		p->room = room;
	}
	unsigned i = p->nheld++;
	p->held[i] = f;
	for (; i > 0 && sooner(p->held[i], p->held[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&p->held[i], &p->held[(i - 1) / 2]);
	return true;
}

static void remove_first(struct path *p)
{
	free(p->held[0]);
	p->held[0] = p->held[--p->nheld];
	for (unsigned i = 0, least = 0;; i = least) {
		for (unsigned child = 2 * i + 1; child <= 2 * i + 2 && child < p->nheld; child++)
			least = sooner(p->held[child], p->held[least]) ? child : least;
		if (least == i)
			return;
		swap(&p->held[i], &p->held[least]);
	}
}

/* --- what becomes of a frame --- */

/* When it has passed the bottleneck; NSEC_NEVER: the queue is full. */
static nsec pass_bottleneck(struct path *p, size_t len, nsec arrival)
{
	uint64_t rate = p->rule ? p->rule->rate : 0;
	nsec start = nsec_max(p->busy_until, arrival);

	if (!rate)
		return arrival;
	uint64_t waiting = (uint64_t)((double)(start - arrival) * (double)rate / 8e9);
	if (p->queue && waiting + len > (uint64_t)p->queue)
		return NSEC_NEVER;
	p->n.queue_max = MAX(p->n.queue_max, waiting + len);
	p->busy_until = start + (nsec)((double)len * 8e9 / (double)rate);
	return p->busy_until;
}

static void flip(struct frame *f, uint32_t random)
{
	size_t bits = (f->len - ETH_HDR_LEN) * 8;

	if (bits)
		f->data[ETH_HDR_LEN + random % bits / 8] ^= (uint8_t)(1 << random % 8);
}

static void send_one(
	struct path *p, const uint8_t *data, size_t len, const struct fate *fate, nsec arrival)
{
	nsec passed = pass_bottleneck(p, len, arrival);
	struct frame *f;

	p->n.queue += passed == NSEC_NEVER;
	if (passed == NSEC_NEVER)
		return;
	if (p->nheld >= (p->rule ? p->rule->limit : IMPAIR_LIMIT_DEFAULT) ||
		!(f = malloc(sizeof *f + len))) {
		p->n.limit++;
		return;
	}
	*f = (struct frame){.nth = p->order++, .len = len};
	memcpy(f->data, data, len);
	f->due = fate->overtakes ? passed : nsec_max(passed + fate->delay, p->last_due);
	p->last_due = nsec_max(p->last_due, f->due);
	if (fate->corrupt)
		flip(f, fate->random);
	p->n.corrupted += fate->corrupt;
	p->n.overtook += fate->overtakes;
	if (!hold(p, f)) {
		p->n.limit++;
		free(f);
	}
}

static bool is_arp(const uint8_t *data, size_t len)
{
	struct eth_hdr eth;

	return eth_parse(&eth, data, len) && eth.ethertype == ETH_TYPE_ARP;
}

static void carry(struct path *p, const uint8_t *data, size_t len, nsec arrival)
{
	struct fate fate = {.delay = p->rule ? p->rule->delay : 0};

	p->n.in++;
	p->n.in_bytes += len;
	if (p->rule && !is_arp(data, len)) {
		struct fate_of of = {.seed = p->seed, .out = p->out, .nth = p->nth++};
		fate = fate_draw(p->rule, &of, &p->bad);
	}
	p->n.lost += fate.lost;
	if (fate.lost)
		return;
	send_one(p, data, len, &fate, arrival);
	if (!fate.duplicate)
		return;
	p->n.duplicated++;
	fate.corrupt = false;
	send_one(p, data, len, &fate, arrival);
}

/* --- in --- */

/* The frame as the segmenter wants it; false: of a kind that no NIC could cut. */
static bool describe(struct tx_frame *f, const struct virtio_net_hdr *v, uint8_t *data, size_t len)
{
	bool is_super = v->gso_type != VIRTIO_NET_HDR_GSO_NONE;
	bool is_tcp = (v->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_TCPV4;
	size_t l4 = v->csum_start, head = l4;

	if ((is_super && !is_tcp) || l4 + v->csum_offset + 2u > len)
		return false;
	if (v->csum_offset == TCP_CSUM_OFFSET && l4 + TCP_HDR_LEN <= len)
		head += (size_t)(data[l4 + 12] >> 4) * 4;
	else
		head += MIN(8u, len - l4);
	if (head > len || head > TX_HEAD_ROOM)
		return false;
	tx_frame_init(f);
	memcpy(tx_frame_push(f, head), data, head);
	f->l4_from_end = (uint16_t)(head - l4);
	f->csum = FRAME_CSUM_PARTIAL;
	f->csum_offset = v->csum_offset;
	f->gso_size = is_super ? v->gso_size : 0;
	f->payload[0] = (struct iovec){data + head, len - head};
	f->npayload = 1;
	return true;
}

static void take(
	struct path *p, const struct virtio_net_hdr *v, uint8_t *data, size_t len, nsec arrival)
{
	struct tx_frame f;
	struct segmenter s;
	size_t n;

	if (!(v->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && v->gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		carry(p, data, len, arrival);
		return;
	}
	if (!describe(&f, v, data, len) || segment_begin(&s, &f) < 0) {
		p->n.unfit++;
		return;
	}
	while ((n = segment_next(&s, cut_buffer)))
		carry(p, cut_buffer, n, arrival);
}

/* The kernel's stamp of the arrival, on our clock. */
static nsec stamp_of(struct msghdr *m, nsec to_monotonic)
{
	nsec now = clock_of(CLOCK_MONOTONIC);
	struct timespec t;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&t, CMSG_DATA(c), sizeof t);
		return nsec_min(now, t.tv_sec * SEC + t.tv_nsec + to_monotonic);
	}
	return now;
}

static void receive(struct path *p)
{
	nsec wall = clock_of(CLOCK_REALTIME); /* first: a pause in between delays, nothing is early */
	nsec to_monotonic = clock_of(CLOCK_MONOTONIC) - wall;
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct virtio_net_hdr v;
	struct iovec io[] = {{&v, sizeof v}, {in_buffer, sizeof in_buffer}};

	for (int i = 0; i < FRAMES_PER_TURN; i++) {
		struct msghdr m = {.msg_iov = io,
			.msg_iovlen = ARRAY_LEN(io),
			.msg_control = control,
			.msg_controllen = sizeof control};
		ssize_t n = recvmsg(p->from->fd, &m, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < (ssize_t)(sizeof v + ETH_HDR_LEN) || (m.msg_flags & MSG_TRUNC)) {
			p->n.unfit++;
			continue;
		}
		take(p, &v, in_buffer, (size_t)n - sizeof v, stamp_of(&m, to_monotonic));
	}
}

/* --- out --- */

static void deliver_due(struct path *p, nsec now)
{
	static struct virtio_net_hdr nothing;

	while (p->nheld > 0 && p->held[0]->due <= now && p->retry_at <= now) {
		struct frame *f = p->held[0];
		struct iovec io[] = {{&nothing, sizeof nothing}, {f->data, f->len}};
		struct msghdr m = {.msg_iov = io, .msg_iovlen = ARRAY_LEN(io)};

		bool sent = sendmsg(p->to->fd, &m, MSG_DONTWAIT) >= 0;
		if (!sent && (errno == EAGAIN || errno == ENOBUFS)) {
			p->retry_at = now + RETRY;
			return;
		}
		p->n.errors += !sent;
		p->n.out += sent;
		p->n.out_bytes += sent ? f->len : 0;
		p->n.late_max = nsec_max(p->n.late_max, now - f->due);
		remove_first(p);
	}
}

static nsec next_due(const struct path *p)
{
	return p->nheld ? nsec_max(p->held[0]->due, p->retry_at) : NSEC_NEVER;
}

static void count_missed(struct path *p)
{
	struct tpacket_stats st;
	socklen_t len = sizeof st;

	if (getsockopt(p->from->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
		p->n.missed += st.tp_drops;
}

static void report(struct path *p)
{
	struct counts *n = &p->n;

	count_missed(p);
	printf("%s to %s: in %" PRIu64 " (%" PRIu64 " bytes), out %" PRIu64 " (%" PRIu64 " bytes), "
	       "lost %" PRIu64 ", queue %" PRIu64 ", limit %" PRIu64 ", duplicated %" PRIu64
	       ", corrupted %" PRIu64 ", overtook %" PRIu64 ", missed %" PRIu64 ", unfit %" PRIu64
	       ", errors %" PRIu64 "; queue at most %" PRIu64 " bytes, late at most %.3f ms\n",
		p->from->name, p->to->name, n->in, n->in_bytes, n->out, n->out_bytes, n->lost,
		n->queue, n->limit, n->duplicated, n->corrupted, n->overtook, n->missed, n->unfit,
		n->errors, n->queue_max, (double)n->late_max / 1e6);
	fflush(stdout);
}

/* --- setting up --- */

static void die(const char *name, const char *what)
{
	fprintf(stderr, "wire: %s: %s: %s\n", name, what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void refuse(const char *name, const char *why)
{
	fprintf(stderr, "wire: %s%s%s\n", name, *name ? ": " : "", why);
	exit(STATUS_REFUSED);
}

static int ask_ethtool(int fd, const char *ifname, void *command)
{
	struct ifreq r = {.ifr_data = command};

	memcpy(r.ifr_name, ifname, strnlen(ifname, sizeof r.ifr_name - 1));
	return ioctl(fd, SIOCETHTOOL, &r);
}

/* Nothing but the two kinds of interfaces that have no cable of their own. */
static void check_kind(const struct end *e)
{
	struct ethtool_drvinfo d = {.cmd = ETHTOOL_GDRVINFO};

	if (ask_ethtool(e->fd, e->name, &d) < 0 ||
		(strcmp(d.driver, "veth") != 0 && strcmp(d.driver, "tun") != 0))
		refuse(e->name, "neither veth nor tap: this tool joins no real interfaces");
}

static void switch_offloads_off(const struct end *e)
{
	static const uint32_t which[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM};

	for (size_t i = 0; i < ARRAY_LEN(which); i++) {
		struct ethtool_value v = {.cmd = which[i], .data = 0};
		if (ask_ethtool(e->fd, e->name, &v) < 0 && errno != EOPNOTSUPP)
			die(e->name, "switching its offloads off");
	}
}

static void set_buffer(int fd, int force, int plain)
{
	int size = SOCKET_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

static void open_end(struct end *e, const char *name)
{
	int on = 1;

	e->name = name;
	e->index = (int)if_nametoindex(name);
	if (!e->index)
		die(name, "no such interface");
	e->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->fd < 0)
		die(name, "packet socket");
	check_kind(e);
	switch_offloads_off(e);
	struct packet_mreq all = {.mr_ifindex = e->index, .mr_type = PACKET_MR_PROMISC};
	struct sockaddr_ll where = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = e->index};
	if (setsockopt(e->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0 ||
		setsockopt(e->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0 ||
		setsockopt(e->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0 ||
		setsockopt(e->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0 ||
		setsockopt(e->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0)
		die(name, "packet socket");
	set_buffer(e->fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(e->fd, SO_SNDBUFFORCE, SO_SNDBUF);
	if (bind(e->fd, (struct sockaddr *)&where, sizeof where) < 0)
		die(name, "bind");
}

static const struct impair_rule *rule_for(const struct impairment *all, bool out)
{
	enum impair_direction other = out ? IMPAIR_IN : IMPAIR_OUT;

	for (unsigned i = 0; i < all->n; i++)
		if (all->rule[i].direction != other)
			return &all->rule[i];
	return NULL;
}

static void check_rules(const struct impairment *all)
{
	for (unsigned i = 0; i < all->n; i++) {
		const struct impair_rule *r = &all->rule[i];
		if (r->match[0] || r->slot_max || r->truncate_udp ||
			impair_rule_is_of_connections(r)) {
			fprintf(stderr,
				"wire: rule %u: a wire knows no match, slot or faults of "
				"connections\n",
				i + 1);
			exit(STATUS_USAGE);
		}
	}
}

struct options {
	uint64_t seed, queue;
	bool queue_bdp;
	unsigned seconds;
	struct impairment spec;
};

/* One bandwidth-delay product: the direction's rate times the delays of both. */
static int64_t queue_of(const struct options *o, const struct impair_rule *r)
{
	const struct impair_rule *out = rule_for(&o->spec, true), *in = rule_for(&o->spec, false);
	nsec round_trip = (out ? out->delay : 0) + (in ? in->delay : 0);

	if (!o->queue_bdp)
		return (int64_t)o->queue;
	return r ? (int64_t)((double)r->rate / 8e9 * (double)round_trip) : 0;
}

static void usage(int status)
{
	const char *example, *meaning;

	fprintf(status ? stderr : stdout,
		"usage: wire [--seed N] [--queue BYTES|bdp] [--seconds N] INTERFACE INTERFACE "
		"[SPEC]\n"
		"Joins two veth or tap ends; inside tests/tools/private only. Statistics on "
		"SIGUSR1 "
		"and at the end.\n"
		"  --seed N        the same frames meet the same fate again (1)\n"
		"  --queue BYTES   what may wait in front of the rate; bdp: rate times round trip "
		"(no bound)\n"
		"  --seconds N     then it ends (%d)\n"
		"SPEC is that of TEECEE_IMPAIR, for example \"delay=20ms rate=100mbit; in "
		"delay=20ms loss=1%%\".\n"
		"out: from the first interface to the second. Words (those of connections, match "
		"and slot excepted):\n",
		SECONDS_DEFAULT);
	for (unsigned i = 0; impair_word(i, &example, &meaning); i++)
		fprintf(status ? stderr : stdout, "  %-32s %s\n", example, meaning);
	exit(status);
}

static uint64_t number(const char *text, uint64_t most)
{
	char *end;

	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || n > most) {
		fprintf(stderr, "wire: %s: not a number up to %" PRIu64 "\n", text, most);
		exit(STATUS_USAGE);
	}
	return n;
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option known[] = {
		{"seed", required_argument, NULL, 's'},
		{"queue", required_argument, NULL, 'q'},
		{"seconds", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	char error[IMPAIR_ERROR_LEN];

	*o = (struct options){.seed = 1, .seconds = SECONDS_DEFAULT};
	for (int c; (c = getopt_long(argc, argv, "s:q:t:h", known, NULL)) >= 0;) {
		if (c == 's')
			o->seed = number(optarg, UINT64_MAX);
		else if (c == 't')
			o->seconds = (unsigned)number(optarg, SECONDS_MAX);
		else if (c == 'q' && !strcmp(optarg, "bdp"))
			o->queue_bdp = true;
		else if (c != 'q' || !impair_parse_size(optarg, &o->queue))
			usage(c == 'h' ? EXIT_SUCCESS : STATUS_USAGE);
	}
	if (argc - optind < 2 || argc - optind > 3)
		usage(STATUS_USAGE);
	if (argc - optind == 3 && impair_parse(&o->spec, argv[optind + 2], error) < 0) {
		fprintf(stderr, "wire: %s\n", error);
		exit(STATUS_USAGE);
	}
	check_rules(&o->spec);
}

/* --- the loop --- */

static int watch(struct path *path, int *signals)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	*signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	int fds[] = {path[0].from->fd, path[1].from->fd, *signals};
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		struct epoll_event ev = {.events = EPOLLIN, .data.fd = fds[i]};
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &ev) < 0)
			die("epoll", "adding a descriptor");
	}
	return epoll;
}

/* False: it is time to go. */
static bool obey_signals(int fd, struct path *path)
{
	struct signalfd_siginfo si;

	while (read(fd, &si, sizeof si) == sizeof si) {
		if (si.ssi_signo != SIGUSR1)
			return false;
		report(&path[0]);
		report(&path[1]);
	}
	return true;
}

static void run(struct path *path, nsec end)
{
	struct epoll_event ev[4];
	int signals, epoll = watch(path, &signals);

	for (nsec now = clock_of(CLOCK_MONOTONIC); now < end && obey_signals(signals, path);) {
		nsec until = nsec_min(end, nsec_min(next_due(&path[0]), next_due(&path[1])));
		nsec wait = nsec_max(until - now, 0);
		struct timespec t = {.tv_sec = wait / SEC, .tv_nsec = wait % SEC};

		if (epoll_pwait2(epoll, ev, ARRAY_LEN(ev), &t, NULL) < 0 && errno != EINTR)
			die("epoll", "waiting");
		now = clock_of(CLOCK_MONOTONIC);
		for (int i = 0; i < 2; i++) {
			receive(&path[i]);
			deliver_due(&path[i], clock_of(CLOCK_MONOTONIC));
		}
		now = clock_of(CLOCK_MONOTONIC);
	}
}

int main(int argc, char **argv)
{
	struct options o;
	struct end ends[2];
	struct path path[2] = {{.from = &ends[0], .to = &ends[1], .out = true},
		{.from = &ends[1], .to = &ends[0]}};

	parse(&o, argc, argv);
	if (!getenv("TEECEE_PRIVATE"))
		refuse("", "this tool runs only inside tests/tools/private");
	for (int i = 0; i < 2; i++) {
		open_end(&ends[i], argv[optind + i]);
		path[i].seed = o.seed;
		path[i].rule = rule_for(&o.spec, path[i].out);
		path[i].queue = queue_of(&o, path[i].rule);
	}
	prctl(PR_SET_TIMERSLACK, 1);
	setpriority(PRIO_PROCESS, 0, -20); /* where allowed: others' work is not the network's */
	printf("joined %s and %s, seed %" PRIu64 "\n", ends[0].name, ends[1].name, o.seed);
	fflush(stdout);
	run(path, clock_of(CLOCK_MONOTONIC) + o.seconds * SEC);
	for (int i = 0; i < 2; i++) {
		report(&path[i]);
		while (path[i].nheld > 0)
			remove_first(&path[i]);
		free(path[i].held);
	}
	return EXIT_SUCCESS;
}
