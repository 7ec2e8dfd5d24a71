/*
 * conversation FILE ADDRESS: what a capture holds of ADDRESS, told the way one tells a story, one
 * line per packet. ADDRESS is "us", the other side "server". Times are milliseconds since the first
 * packet, sequence numbers count from each side's SYN, and the first line of what is said stands at
 * the end.
 *
 *	   0.000  us      ARP   who has 10.77.0.2? tell 10.77.0.129
 *	   0.052  server  ARP   10.77.0.2 is at 02:00:00:00:00:02
 *	   0.071  us      SYN                 seq 0
 *	   0.099  server  SYN ACK             seq 0        ack 1
 *	   0.310  us      PSH ACK             seq 1        ack 1        len 130   GET / HTTP/1.1
 *
 * FIN and RST stand out in colour on a terminal (or with CLICOLOR_FORCE=1).
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/addr.h"
#include "core/base/bytes.h"
#include "core/base/seq.h"
#include "core/wire/arp.h"
#include "core/wire/eth.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcphdr.h"

enum { FLOWS_MAX = 64, FLAGS_LEN = 40, SAID_MAX = 44, LINE_LEN = 160 };

/* One direction of a connection, known by its first segment. */
struct flow {
	struct endpoint from, to;
	struct seq32 first;
};

struct teller {
	struct ipaddr us;
	double start; /* seconds, of the first packet; negative: none yet */
	bool colour;
	struct flow flow[FLOWS_MAX];
	unsigned nflow;
};

static const char *colour_of(const struct teller *t, bool ours, uint8_t flags)
{
	if (!t->colour)
		return "";
	if (flags & TH_RST)
		return "\033[31m";
	return ours ? "\033[36m" : "\033[33m";
}

/* The time and who speaks: the part that every line begins with. */
static void tell_begin(struct teller *t, double when, bool ours, uint8_t flags)
{
	if (t->start < 0)
		t->start = when;
	printf("%s%9.3f  %-7s", colour_of(t, ours, flags), (when - t->start) * 1e3,
		ours ? "us" : "server");
}

static void tell_end(const struct teller *t)
{
	puts(t->colour ? "\033[0m" : "");
}

static struct flow *flow_get(struct teller *t, const struct flow *f)
{
	for (unsigned i = 0; i < t->nflow; i++) {
		if (endpoint_equal(&t->flow[i].from, &f->from) &&
			endpoint_equal(&t->flow[i].to, &f->to))
			return &t->flow[i];
	}
	if (t->nflow == FLOWS_MAX)
		return NULL;
	t->flow[t->nflow] = *f;
	return &t->flow[t->nflow++];
}

static void format_flags(uint8_t flags, char out[static FLAGS_LEN])
{
	static const struct {
		uint8_t bit;
		const char *name;
	} names[] = {{TH_SYN, "SYN"}, {TH_FIN, "FIN"}, {TH_RST, "RST"}, {TH_PSH, "PSH"},
		{TH_URG, "URG"}, {TH_ACK, "ACK"}};
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (flags & names[i].bit)
			at += (size_t)snprintf(
				out + at, FLAGS_LEN - at, "%s%s", at ? " " : "", names[i].name);
	}
}

static size_t trimmed(const char *line)
{
	size_t n = strlen(line);

	while (n && line[n - 1] == ' ')
		n--;
	return n;
}

/* The first line of a payload, if it is text. */
static void tell_payload(const uint8_t *data, size_t len)
{
	size_t n = 0;

	while (n < len && n < SAID_MAX && data[n] >= ' ' && data[n] <= '~')
		n++;
	if (n == SAID_MAX || (n > 3 && n < len && (data[n] == '\r' || data[n] == '\n')))
		printf("  %.*s", (int)n, (const char *)data);
}

static void tell_tcp(struct teller *t, double when, const struct ipv4_hdr *ip, const uint8_t *data,
	size_t captured)
{
	struct tcp_hdr h;
	struct flow key = {0}, back, *f, *other;
	size_t len;
	char flags[FLAGS_LEN], ack[32] = "", count[32] = "", line[LINE_LEN];

	if (!tcp_hdr_parse(&h, data, captured))
		return;
	if (!ipaddr_equal(&ip->src, &t->us) && !ipaddr_equal(&ip->dst, &t->us))
		return;
	key.from = (struct endpoint){ip->src, h.src_port};
	key.to = (struct endpoint){ip->dst, h.dst_port};
	key.first = h.seq;
	back = (struct flow){key.to, key.from, h.ack};
	f = flow_get(t, &key);
	other = flow_get(t, &back);
	if (!f || !other)
		return;
	if (h.flags & TH_SYN)
		f->first = h.seq;

	len = (size_t)ip->total_len - ip->hdr_len - h.hdr_len;
	format_flags(h.flags, flags);
	if (h.flags & TH_ACK)
		snprintf(ack, sizeof(ack), "ack %d", seq_diff(h.ack, other->first));
	if (len)
		snprintf(count, sizeof(count), "len %zu", len);
	tell_begin(t, when, ipaddr_equal(&ip->src, &t->us), h.flags);
	snprintf(line, sizeof(line), " %-8s seq %-8d %-12s %-10s", flags, seq_diff(h.seq, f->first),
		ack, count);
	printf("%.*s", (int)trimmed(line), line);
	if (len && captured > h.hdr_len)
		tell_payload(data + h.hdr_len, captured - h.hdr_len);
	tell_end(t);
}

static void tell_arp(struct teller *t, double when, const uint8_t *data, size_t len)
{
	struct arp_packet p;
	char target[IPADDR_STRLEN], sender[IPADDR_STRLEN], mac[MACADDR_STRLEN];

	if (!arp_parse(&p, data, len))
		return;
	if (!ipaddr_equal(&p.sender_ip, &t->us) && !ipaddr_equal(&p.target_ip, &t->us))
		return;
	ipaddr_format(&p.target_ip, target);
	ipaddr_format(&p.sender_ip, sender);
	macaddr_format(&p.sender_mac, mac);
	tell_begin(t, when, ipaddr_equal(&p.sender_ip, &t->us) || ipaddr_is_any(&p.sender_ip), 0);
	if (p.op == ARP_REPLY)
		printf(" ARP      %s is at %s", sender, mac);
	else if (ipaddr_is_any(&p.sender_ip))
		printf(" ARP      does anybody have %s?", target);
	else if (ipaddr_equal(&p.sender_ip, &p.target_ip))
		printf(" ARP      %s is mine now, at %s", sender, mac);
	else
		printf(" ARP      who has %s? tell %s", target, sender);
	tell_end(t);
}

static void tell_frame(struct teller *t, const struct pcap_pkthdr *h, const uint8_t *data)
{
	double when = (double)h->ts.tv_sec + (double)h->ts.tv_usec / 1e6;
	struct eth_hdr eth;
	struct ipv4_hdr ip;
	size_t len = h->caplen;

	if (!eth_parse(&eth, data, len))
		return;
	data += ETH_HDR_LEN;
	len -= ETH_HDR_LEN;
	if (eth.ethertype == ETH_TYPE_ARP)
		tell_arp(t, when, data, len);
	else if (eth.ethertype == ETH_TYPE_IPV4 && ipv4_parse(&ip, data, len) == IPV4_OK &&
		 ip.protocol == IP_PROTO_TCP)
		tell_tcp(t, when, &ip, data + ip.hdr_len, (size_t)ip.total_len - ip.hdr_len);
}

int main(int argc, char **argv)
{
	static struct teller t = {.start = -1};
	char error[PCAP_ERRBUF_SIZE];
	const char *force = getenv("CLICOLOR_FORCE");
	struct pcap_pkthdr *header;
	const uint8_t *data;
	pcap_t *p;
	int got;

	if (argc != 3 || !ipaddr_parse(&t.us, argv[2])) {
		fprintf(stderr, "usage: conversation FILE ADDRESS\n");
		return 2;
	}
	p = pcap_open_offline(argv[1], error);
	if (!p) {
		fprintf(stderr, "conversation: %s\n", error);
		return 1;
	}
	t.colour = isatty(STDOUT_FILENO) || (force && *force && strcmp(force, "0"));
	while ((got = pcap_next_ex(p, &header, &data)) == 1)
		tell_frame(&t, header, data);
	if (got == PCAP_ERROR)
		fprintf(stderr, "conversation: %s\n", pcap_geterr(p));
	pcap_close(p);
	return got == PCAP_ERROR;
}
