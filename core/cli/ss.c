/*
 * teecee ss: the sockets of all engines of this network namespace that are ours, in ss(8)'s words
 * and columns.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/cli/dial.h"
#include "core/cli/json.h"
#include "core/cli/socktext.h"

struct show {
	bool info, summary, json;
	struct json j;
	unsigned count[SOCK_STATES], tcp, udp, engines;
	bool failed;
};

/* What ss -i shows of struct tcp_info, under its names. */
static void show_info(const struct ipc_snap_sock *s)
{
	struct tcp_info i = sock_info(s);

	if (!sock_is_tcp(s) || s->tcp_state == SOCK_LISTEN)
		return;
	printf("\t %s%s%s%s", i.tcpi_options & TCPI_OPT_TIMESTAMPS ? "ts " : "",
		i.tcpi_options & TCPI_OPT_SACK ? "sack " : "",
		i.tcpi_options & TCPI_OPT_ECN ? "ecn " : "", s->congestion);
	if (i.tcpi_options & TCPI_OPT_WSCALE)
		printf(" wscale:%u,%u", i.tcpi_snd_wscale, i.tcpi_rcv_wscale);
	printf(" rto:%.3g rtt:%.3f/%.3f ato:%.3g mss:%u pmtu:%u rcvmss:%u advmss:%u cwnd:%u",
		i.tcpi_rto / 1000.0, i.tcpi_rtt / 1000.0, i.tcpi_rttvar / 1000.0,
		i.tcpi_ato / 1000.0, i.tcpi_snd_mss, i.tcpi_pmtu, i.tcpi_rcv_mss, i.tcpi_advmss,
		i.tcpi_snd_cwnd);
	if (i.tcpi_snd_ssthresh < 0x7fffffff / MAX(i.tcpi_snd_mss, 1u))
		printf(" ssthresh:%u", i.tcpi_snd_ssthresh);
	printf(" bytes_sent:%llu bytes_acked:%llu bytes_received:%llu segs_out:%u segs_in:%u",
		(unsigned long long)i.tcpi_bytes_sent, (unsigned long long)i.tcpi_bytes_acked,
		(unsigned long long)i.tcpi_bytes_received, i.tcpi_segs_out, i.tcpi_segs_in);
	if (i.tcpi_rtt)
		printf(" send %.0fbps", 8e6 * i.tcpi_snd_mss * i.tcpi_snd_cwnd / i.tcpi_rtt);
	printf(" lastsnd:%u lastrcv:%u lastack:%u", i.tcpi_last_data_sent, i.tcpi_last_data_recv,
		i.tcpi_last_ack_recv);
	if (i.tcpi_unacked)
		printf(" unacked:%u", i.tcpi_unacked);
	if (i.tcpi_total_retrans)
		printf(" retrans:%u/%u", i.tcpi_retrans, i.tcpi_total_retrans);
	if (i.tcpi_lost)
		printf(" lost:%u", i.tcpi_lost);
	if (i.tcpi_sacked)
		printf(" sacked:%u", i.tcpi_sacked);
	printf(" rcv_wnd:%llu snd_wnd:%llu minrtt:%.3g\n", (unsigned long long)s->rcv_wnd,
		(unsigned long long)s->snd_wnd, i.tcpi_min_rtt / 1000.0);
}

static void show_line(const struct show *o, const struct ipc_snap_sock *s)
{
	char local[END_LEN], remote[END_LEN], name[COMM_LEN];

	sock_end(&s->local, local);
	sock_end(&s->remote, remote);
	sock_process(s->pid, name);
	printf("%-5s %-10s %-8llu %-8llu %-24s %-24s", sock_is_tcp(s) ? "tcp" : "udp",
		sock_state(s), (unsigned long long)s->recv_queue, (unsigned long long)s->send_queue,
		local, remote);
	if (s->pid)
		printf(" users:((\"%s\",pid=%d))", name, (int)s->pid);
	printf("\n");
	if (o->info)
		show_info(s);
}

static void json_info(struct json *j, const struct ipc_snap_sock *s)
{
	struct tcp_info i = sock_info(s);

	json_number(j, "rtt_us", i.tcpi_rtt);
	json_number(j, "rttvar_us", i.tcpi_rttvar);
	json_number(j, "min_rtt_us", i.tcpi_min_rtt);
	json_number(j, "rto_us", i.tcpi_rto);
	json_number(j, "mss", i.tcpi_snd_mss);
	json_number(j, "pmtu", i.tcpi_pmtu);
	json_number(j, "cwnd", i.tcpi_snd_cwnd);
	json_number(j, "unacked", i.tcpi_unacked);
	json_number(j, "lost", i.tcpi_lost);
	json_number(j, "retrans", i.tcpi_retrans);
	json_number(j, "total_retrans", i.tcpi_total_retrans);
	json_number(j, "bytes_sent", i.tcpi_bytes_sent);
	json_number(j, "bytes_acked", i.tcpi_bytes_acked);
	json_number(j, "bytes_received", i.tcpi_bytes_received);
	json_number(j, "segs_in", i.tcpi_segs_in);
	json_number(j, "segs_out", i.tcpi_segs_out);
	json_number(j, "rcv_wnd", s->rcv_wnd);
	json_number(j, "snd_wnd", s->snd_wnd);
	json_text(j, "congestion", s->congestion);
}

static void show_json(struct show *o, const struct ipc_snapshot *h, const struct ipc_snap_sock *s)
{
	char local[END_LEN], remote[END_LEN], name[COMM_LEN];

	sock_end(&s->local, local);
	sock_end(&s->remote, remote);
	sock_process(s->pid, name);
	json_open(&o->j, NULL, '{');
	json_text(&o->j, "iface", h->iface);
	json_text(&o->j, "netid", sock_is_tcp(s) ? "tcp" : "udp");
	json_text(&o->j, "state", sock_state(s));
	json_number(&o->j, "recv_q", s->recv_queue);
	json_number(&o->j, "send_q", s->send_queue);
	json_text(&o->j, "local", local);
	json_text(&o->j, "peer", remote);
	if (s->pid) {
		json_text(&o->j, "process", name);
		json_number(&o->j, "pid", (uint64_t)s->pid);
	}
	if (sock_is_tcp(s))
		json_info(&o->j, s);
	json_close(&o->j, '}');
}

static void show_engine(int fd, const struct settings *settings, void *ctx)
{
	struct show *o = ctx;
	struct snapshot snap;
	int err = dial_snapshot(fd, &snap);

	if (err) {
		log_line("ss: the engine for %s on %s does not answer: %s", settings->ip_spec,
			settings->iface, strerror(-err));
		o->failed = true;
		return;
	}
	o->engines++;
	for (uint32_t i = 0; i < snap.head->nsocks; i++) {
		const struct ipc_snap_sock *s = &snap.sock[i];

		*(sock_is_tcp(s) ? &o->tcp : &o->udp) += 1;
		if (sock_is_tcp(s) && s->tcp_state < SOCK_STATES)
			o->count[s->tcp_state]++;
		if (o->json)
			show_json(o, snap.head, s);
		else if (!o->summary)
			show_line(o, s);
	}
	snapshot_close(&snap);
}

static void show_summary(const struct show *o)
{
	printf("Engines: %u\nTCP:   %u (estab %u, closed %u, timewait %u, listen %u)\nUDP:   %u\n",
		o->engines, o->tcp, o->count[SOCK_ESTABLISHED], o->count[SOCK_CLOSED],
		o->count[SOCK_TIME_WAIT], o->count[SOCK_LISTEN], o->udp);
}

static const struct cli_option own[] = {
	{"info", 'i', NULL, "round trips, windows, retransmissions, in ss's words",
		.flag = offsetof(struct show, info)},
	{"summary", 's', NULL, "counts only", .flag = offsetof(struct show, summary)},
	{"json", 0, NULL, "a list of objects, with everything",
		.flag = offsetof(struct show, json)},
};

static const struct cli_spec spec = {
	.name = "ss",
	.usage = "[OPTIONS]",
	.about = "Lists the sockets of every engine in this network namespace that is ours.\n",
	.own = own,
	.nown = ARRAY_LEN(own),
	.end = "The exit status is 0, also when there is nothing to list.\n",
};

int cli_ss(int argc, char **argv)
{
	struct show o = {0};
	struct cli_options options;

	if (!cli_options(&options, &spec, &o, argc, argv))
		return options.status;
	if (o.json)
		json_open(&o.j, NULL, '[');
	else if (!o.summary)
		printf("%-5s %-10s %-8s %-8s %-24s %-24s %s\n", "Netid", "State", "Recv-Q",
			"Send-Q", "Local Address:Port", "Peer Address:Port", "Process");
	dial_each(show_engine, &o);
	if (o.json) {
		json_close(&o.j, ']');
		printf("\n");
	} else if (o.summary) {
		show_summary(&o);
	}
	return fflush(stdout) || o.failed ? EXIT_OURS : 0;
}
