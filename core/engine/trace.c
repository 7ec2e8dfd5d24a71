#include "core/engine/trace.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine/owner.h"
#include "core/engine/sock.h"
#include "core/engine/watch.h"
#include "core/link/capture.h"
#include "core/wire/arp.h"
#include "core/wire/eth.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"

enum { LINE_LEN = 512, TALKS = 1024, IN = 0, OUT = 1 };

/* Where the numbers of a conversation begin: each direction's first sequence number, and its top. */
struct talk {
	struct flow_key key;
	bool knows[2];
	struct seq32 first[2], top[2];
};

struct trace {
	struct watcher watcher;
	struct engine *engine;
	int fd;
	bool colour;
	nsec began;       /* NSEC_NEVER: no line yet */
	uint64_t timeouts, probes; /* the stack's counters when the last line was written */
	uint64_t written, lost, told_lost;
	struct talk talk[TALKS];
};

struct line {
	char text[LINE_LEN];
	size_t len;
};

static struct trace *of(const struct watcher *w)
{
	return CONTAINER_OF(w, struct trace, watcher);
}

static void put(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *l, const char *format, ...)
{
	size_t room = sizeof(l->text) - 2 - l->len;
	va_list args;

	va_start(args, format);
	int n = vsnprintf(l->text + l->len, room, format, args);
	va_end(args);
	l->len += (size_t)(n < 0 ? 0 : MIN((size_t)n, room - 1));
}

bool trace_can_write(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLOUT | POLLERR | POLLHUP)) == POLLOUT;
}

static void send_line(struct trace *t, struct line *l)
{
	l->text[l->len++] = '\n';
	if (trace_can_write(t->fd) && write(t->fd, l->text, l->len) == (ssize_t)l->len)
		t->written++;
	else
		t->lost++;
}

static struct talk *talk_of(struct trace *t, const struct flow_view *v, bool out)
{
	struct talk *k = &t->talk[flow_hash(&v->key) % TALKS];
	bool begins = (v->flags & (TH_SYN | TH_ACK)) == TH_SYN;

	if (!flow_equal(&k->key, &v->key) || (begins && k->knows[out] && !seq_eq(k->first[out], v->seq)))
		*k = (struct talk){.key = v->key};
	if (!k->knows[out]) {
		k->knows[out] = true;
		k->first[out] = k->top[out] = v->seq;
	}
	if ((v->flags & TH_ACK) && !k->knows[!out]) {
		k->knows[!out] = true;
		k->first[!out] = k->top[!out] = seq_add(v->ack, (uint32_t)-1);
	}
	return k;
}

static void put_flags(struct line *l, uint8_t flags)
{
	static const struct {
		uint8_t bit;
		char letter;
	} letters[] = {{TH_SYN, 'S'}, {TH_FIN, 'F'}, {TH_RST, 'R'}, {TH_PSH, 'P'}, {TH_ACK, '.'},
		{TH_URG, 'U'}, {TH_ECE, 'E'}, {TH_CWR, 'W'}};
	char text[9] = "";
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (flags & letters[i].bit)
			text[n++] = letters[i].letter;
	put(l, "%-4s", text);
}

static void put_options(struct line *l, const struct tcp_hdr *h)
{
	if (h->opts & TO_MSS)
		put(l, " mss %u", h->mss);
	if (h->opts & TO_WSCALE)
		put(l, " wscale %u", h->wscale);
	if (h->opts & TO_SACK_OK)
		put(l, " sackOK");
	for (unsigned i = 0; i < h->nsack; i++)
		put(l, " sack +%u:+%u", (unsigned)seq_diff(h->sack[i].left, h->ack),
			(unsigned)seq_diff(h->sack[i].right, h->ack));
}

/* Sent before: and which of the stack's counters says why. */
static const char *why_again(const struct trace *t)
{
	const struct counters *c = stack_counters(t->engine->stack);

	if (c->v[CNT_TcpExtLossProbes] != t->probes)
		return "again: tail loss probe";
	if (c->v[CNT_TcpExtTimeouts] != t->timeouts)
		return "again: retransmission timeout";
	return "again: fast retransmission";
}

static void put_cwnd(const struct trace *t, struct line *l, const struct flow_key *key, bool again)
{
	struct tcp_stats stats;
	struct tcp *tcp = tcp_find(t->engine->stack, &key->local, &key->remote);

	if (!tcp)
		return;
	tcp_get_stats(tcp, &stats);
	put(l, "  cwnd %u", stats.cwnd);
	if (again && stats.ssthresh < UINT32_MAX / 2)
		put(l, " ssthresh %u", (unsigned)stats.ssthresh);
}

static void put_tcp(struct trace *t, struct line *l, const struct seen_frame *f)
{
	const struct flow_view *v = f->view;
	struct talk *k = talk_of(t, v, f->out);
	uint32_t len = v->end - v->payload;
	uint32_t all = len + ((v->flags & TH_SYN) != 0) + ((v->flags & TH_FIN) != 0);
	struct seq32 end = seq_add(v->seq, all);
	bool again = f->out && all && seq_le(end, k->top[OUT]) && !(v->flags & TH_RST);
	struct tcp_hdr h;

	put_flags(l, v->flags);
	put(l, " %10u:%-10u", (unsigned)seq_diff(v->seq, k->first[f->out]),
		(unsigned)seq_diff(end, k->first[f->out]));
	if (v->flags & TH_ACK)
		put(l, " ack %-10u", (unsigned)seq_diff(v->ack, k->first[!f->out]));
	else
		put(l, " %14s", "");
	put(l, " len %-5u win %-5u", len, v->window);
	if (tcp_hdr_parse(&h, f->data + v->l4, v->end - v->l4))
		put_options(l, &h);
	if (f->out && len)
		put_cwnd(t, l, &v->key, again);
	if (again)
		put(l, "  %s", why_again(t));
	if (seq_gt(end, k->top[f->out]))
		k->top[f->out] = end;
}

/* How: '>' we to them, '<' they to us, '=' nothing on the wire. */
static void put_who(struct trace *t, struct line *l, const struct flow_key *key, char how)
{
	char local[ENDPOINT_STRLEN], remote[ENDPOINT_STRLEN], pair[2 * ENDPOINT_STRLEN + 4];
	const struct owner *o = watch_owner_of(t->engine, key);
	char who[OWNER_NAME_LEN + 16] = "-";

	if (o)
		snprintf(who, sizeof(who), "%s[%d]", o->name[0] ? o->name : "?", (int)o->pid);
	endpoint_format(&key->local, local);
	endpoint_format(&key->remote, remote);
	snprintf(pair, sizeof(pair), "%s %c %s", local, how, remote);
	put(l, "%-16s %-42s ", who, pair);
}

static void put_other(struct line *l, const struct seen_frame *f)
{
	const struct flow_view *v = f->view;

	if (v->key.protocol == IP_PROTO_UDP)
		put(l, "UDP  len %u", v->end - v->payload);
	else if (v->key.protocol == IP_PROTO_ICMP && v->l4)
		put(l, "ICMP type %u code %u", f->data[v->l4], f->data[v->l4 + 1]);
	else
		put(l, "IP protocol %u", v->key.protocol);
}

static void put_arp(struct line *l, const struct seen_frame *f)
{
	char who[IPADDR_STRLEN], about[IPADDR_STRLEN], mac[MACADDR_STRLEN];
	struct arp_packet a;

	if (!arp_parse(&a, f->data + ETH_HDR_LEN, f->len - ETH_HDR_LEN)) {
		put(l, "%-16s ethertype %04x", "-", get_be16(f->data + 12));
		return;
	}
	ipaddr_format(&a.sender_ip, who);
	ipaddr_format(&a.target_ip, about);
	if (a.op == ARP_REQUEST)
		put(l, "%-16s ARP  %s asks who has %s", "-", who, about);
	else
		put(l, "%-16s ARP  %s is at %s", "-", who, macaddr_format(&a.sender_mac, mac));
}

static void begin_line(struct trace *t, struct line *l, nsec at, const char *colour)
{
	if (t->began == NSEC_NEVER)
		t->began = at;
	if (t->colour)
		put(l, "%s", colour);
	put(l, "%11.6f ", (double)(at - t->began) / SEC);
}

static void end_line(struct trace *t, struct line *l)
{
	if (t->lost > t->told_lost)
		put(l, "  (%llu lines lost before this)", (unsigned long long)(t->lost - t->told_lost));
	if (t->colour)
		put(l, "\033[0m");
	uint64_t lost = t->lost;
	send_line(t, l);
	t->told_lost = t->lost == lost ? lost : t->told_lost;
}

static void frame(struct watcher *w, const struct seen_frame *f)
{
	struct trace *t = of(w);
	const struct counters *c = stack_counters(t->engine->stack);
	struct line l = {.len = 0};

	begin_line(t, &l, f->at, f->off_wire ? "\033[31m" : f->out ? "\033[36m" : "\033[32m");
	if (f->view->key.protocol)
		put_who(t, &l, &f->view->key, f->out ? '>' : '<');
	if (f->view->key.protocol == IP_PROTO_TCP && f->view->payload)
		put_tcp(t, &l, f);
	else if (f->view->key.protocol)
		put_other(&l, f);
	else
		put_arp(&l, f);
	if (f->note[0])
		put(&l, "  [%s]", f->note);
	end_line(t, &l);
	t->probes = c->v[CNT_TcpExtLossProbes];
	t->timeouts = c->v[CNT_TcpExtTimeouts];
}

void trace_state(struct watcher *w, const struct tcp *t, int from, int to, nsec now)
{
	struct flow_key key = {.protocol = IP_PROTO_TCP, .local = *tcp_local(t), .remote = *tcp_remote(t)};
	struct line l = {.len = 0};

	begin_line(of(w), &l, now, "\033[33m");
	put_who(of(w), &l, &key, '=');
	put(&l, "%s -> %s", tcp_state_name[from], tcp_state_name[to]);
	if (to == TCPS_CLOSED && tcp_error(t))
		put(&l, "  %s", strerrordesc_np(tcp_error(t)));
	end_line(of(w), &l);
}

struct watcher *trace_open(struct engine *e, int fd, bool colour)
{
	struct trace *t = calloc(1, sizeof(*t));

	if (!t) {
		close(fd);
		return NULL;
	}
	t->watcher.frame = frame;
	list_init(&t->watcher.link);
	t->engine = e;
	t->fd = fd;
	t->colour = colour;
	t->began = NSEC_NEVER;
	return &t->watcher;
}

void trace_close(struct watcher *w)
{
	close(of(w)->fd);
	free(of(w));
}

void trace_stats(const struct watcher *w, uint64_t *written, uint64_t *lost)
{
	*written += of(w)->written;
	*lost += of(w)->lost;
}
