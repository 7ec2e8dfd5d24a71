#include "core/engine/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/engine/sock.h"
#include "core/engine/tcp_info.h"
#include "core/engine/watch.h"
#include "core/host/host.h"
#include "core/link/impair.h"
#include "core/wire/ipv4.h"

/* Bytes that grow. */
struct heap {
	uint8_t *data;
	size_t len, room;
	bool failed;
};

static void add(struct heap *h, const void *data, size_t len)
{
	if (h->len + len > h->room) {
		size_t room = 2 * (h->room + len);
		uint8_t *bigger = realloc(h->data, room);
		if (!bigger) {
			h->failed = true;
			return;
		}
		h->data = bigger;
		h->room = room;
	}
	memcpy(h->data + h->len, data, len);
	h->len += len;
}

/* --- sockets --- */

struct walk {
	struct engine *e;
	struct heap *to;
	uint32_t n;
};

static void add_tcp(void *ctx, struct tcp *t)
{
	struct walk *w = ctx;
	struct tcp_stats stats;
	struct tcp_info info;
	struct sock *s = tcp_user(t);
	struct ipc_snap_sock out = {.kind = IP_PROTO_TCP};

	tcp_get_stats(t, &stats);
	tcp_info_fill(&info, &stats, w->e->now);
	out.tcp_state = info.tcpi_state;
	out.family = s ? s->family : AF_INET;
	out.pid = s ? s->pid : 0;
	out.cookie = s ? s->cookie : 0;
	out.local = *tcp_local(t);
	out.remote = *tcp_remote(t);
	out.recv_queue = tcp_recv_queued(t);
	out.send_queue = tcp_send_queued(t);
	out.rcv_wnd = stats.rcv_wnd;
	out.snd_wnd = stats.snd_wnd;
	snprintf(out.congestion, sizeof(out.congestion), "%s", tcp_congestion(t));
	out.tcp_info_len = sizeof(info);
	memcpy(out.tcp_info, &info, sizeof(info));
	add(w->to, &out, sizeof(out));
	w->n++;
}

static uint32_t add_socks(struct engine *e, struct heap *h)
{
	struct walk w = {.e = e, .to = h};

	_Static_assert(sizeof(struct tcp_info) <= sizeof(((struct ipc_snap_sock *)0)->tcp_info),
		"struct tcp_info fits");
	tcp_each(e->stack, add_tcp, &w);
	/* What has a slot and no connection is a datagram socket. */
	LIST_FOR_EACH (link, &e->socks) {
		struct sock *s = LIST_ENTRY(link, struct sock, link);

		if (s->tcp || !s->slot)
			continue;
		const struct ipc_sock_info *info = &s->slot->info;
		struct ipc_snap_sock out = {.kind = IP_PROTO_UDP,
			.tcp_state = tcp_info_state(info->remote.port ? TCPS_ESTABLISHED : TCPS_CLOSED),
			.family = s->family,
			.pid = s->pid,
			.local = info->local,
			.remote = info->remote,
			.cookie = s->cookie};
		add(h, &out, sizeof(out));
		w.n++;
	}
	return w.n;
}

/* --- counters --- */

static void count(struct heap *h, const char *part, const char *name, const char *text, uint64_t v)
{
	struct ipc_snap_counter c = {.value = v};

	snprintf(c.part, sizeof(c.part), "%s", part);
	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.text, sizeof(c.text), "%s", text);
	add(h, &c, sizeof(c));
}

static void add_link(struct engine *e, struct heap *h)
{
	struct link *l = host_link(e->host);
	struct link_stats s = {0};
	struct impair_stats i;

	l->ops->stats(l, &s);
	count(h, "link", "RxFrames", "frames received", s.rx_frames);
	count(h, "link", "RxBytes", "bytes of them", s.rx_bytes);
	count(h, "link", "RxDropped", "frames lost before we saw them", s.rx_dropped);
	count(h, "link", "TxFrames", "frames sent, after segmentation", s.tx_frames);
	count(h, "link", "TxBytes", "bytes of them", s.tx_bytes);
	count(h, "link", "TxErrors", "frames the kernel refused", s.tx_errors);
	impair_stats(l, &i);
	count(h, "impair", "Seen", "segments that some rule was about", i.seen);
	count(h, "impair", "Lost", "lost by loss or gemodel", i.lost);
	count(h, "impair", "OverLimit", "lost because as many as limit were held", i.over_limit);
	count(h, "impair", "Duplicated", "that arrived twice", i.duplicated);
	count(h, "impair", "Corrupted", "with a bit flipped", i.corrupted);
	count(h, "impair", "Reordered", "that skipped the delay", i.reordered);
	count(h, "impair", "Delayed", "that were held back", i.delayed);
	count(h, "impair", "Truncated", "UDP datagrams that were cut", i.truncated);
	count(h, "impair", "Faulted", "dropped or changed by a scripted fault", i.faulted);
	count(h, "impair", "Forged", "made or let go late by a scripted fault", i.forged);
}

static void add_engine(struct engine *e, struct heap *h)
{
	const struct engine_counters *c = &e->counters;
	struct watch_stats w;

	watch_stats(e, &w);
	count(h, "engine", "Clients", "processes now", e->nclients);
	count(h, "engine", "Socks", "their sockets now", e->nsocks);
	count(h, "engine", "Memory", "bytes in buffers and queues now", stack_memory(e->stack));
	count(h, "engine", "BadRequests", "malformed, or without the right", c->bad_requests);
	count(h, "engine", "BadControl", "malformed control messages", c->bad_control);
	count(h, "engine", "ClientsRefused", "processes sent away", c->clients_refused);
	count(h, "engine", "SocksRefused", "no descriptor, memory or slot", c->socks_refused);
	count(h, "engine", "AcceptFailures", "accept or socket said no", c->accept_failures);
	count(h, "engine", "CaptureFrames", "frames written to capture files", w.captured);
	count(h, "engine", "CaptureLost", "frames a capture file did not take", w.capture_lost);
	count(h, "engine", "TraceLines", "lines traced", w.traced);
	count(h, "engine", "TraceLost", "lines nobody could take", w.trace_lost);
}

static uint32_t add_counters(struct engine *e, struct heap *h)
{
	const struct counters *c = stack_counters(e->stack);
	size_t before = h->len;

	for (int i = 0; i < CNT_COUNT; i++)
		count(h, "stack", counter_info[i].name, counter_info[i].text, c->v[i]);
	add_link(e, h);
	add_engine(e, h);
	return (uint32_t)((h->len - before) / sizeof(struct ipc_snap_counter));
}

static int to_memfd(const struct heap *h)
{
	int fd = memfd_create("teecee-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -errno;
	if (write(fd, h->data, h->len) == (ssize_t)h->len &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) == 0)
		return fd;
	int err = -errno;
	close(fd);
	return err;
}

int snapshot_take(struct engine *e)
{
	struct heap h = {0};
	struct ipc_snapshot head = {
		.magic = IPC_MAGIC,
		.version = IPC_VERSION,
		.sock_size = sizeof(struct ipc_snap_sock),
		.counter_size = sizeof(struct ipc_snap_counter),
		.engine_pid = (int32_t)e->pid,
		.up = e->now - e->started,
	};
	char ip[IPADDR_STRLEN];

	const struct ipnet *net = host_address(e->host);
	snprintf(head.ip, sizeof(head.ip), "%.20s/%d", ipaddr_format(&net->addr, ip), net->len - 96);
	memcpy(head.iface, e->settings.iface, sizeof(head.iface));
	add(&h, &head, sizeof(head));
	head.nsocks = add_socks(e, &h);
	head.ncounters = add_counters(e, &h);
	int fd = -ENOMEM;
	if (!h.failed) {
		memcpy(h.data, &head, sizeof(head));
		fd = to_memfd(&h);
	}
	free(h.data);
	return fd;
}
