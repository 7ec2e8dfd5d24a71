#include <stdlib.h>
#include <string.h>

#include "core/cli/dial.h"
#include "core/cli/top.h"

static void push(struct top_series *s, double v)
{
	s->v[++s->n % TOP_HISTORY] = (float)v;
}

float top_last(const struct top_series *s)
{
	return s->n ? s->v[s->n % TOP_HISTORY] : -1;
}

struct sampling {
	struct top_data *d;
	double seconds; /* since the last sample; 0: there was none */
	uint64_t received, sent;
	double rtt_sum;
	unsigned rtts;
	bool failed;
};

static bool is_row(const struct top_row *r, int32_t engine, const struct ipc_snap_sock *s)
{
	return r->engine == engine && r->cookie == s->cookie &&
	       memcmp(&r->local, &s->local, sizeof r->local) == 0 &&
	       memcmp(&r->remote, &s->remote, sizeof r->remote) == 0;
}

/* The socket's row, made if there is none; NULL: no memory. */
static struct top_row *find_row(struct top_data *d, int32_t engine, const struct ipc_snap_sock *s)
{
	for (unsigned i = 0; i < d->n; i++)
		if (is_row(&d->row[i], engine, s))
			return &d->row[i];
	if (d->n == d->room) {
		unsigned room = d->room ? 2 * d->room : 64;
		struct top_row *more = reallocarray(d->row, room, sizeof *more);
		if (!more)
			return NULL;
		d->row = more;
		d->room = room;
	}
	struct top_row *r = &d->row[d->n++];
	*r = (struct top_row){.engine = engine,
		.cookie = s->cookie,
		.local = s->local,
		.remote = s->remote,
		.is_tcp = sock_is_tcp(s)};
	return r;
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
	return now >= before ? 8.0 * (double)(now - before) / seconds : 0;
}

static void sample_row(struct sampling *x, struct top_row *r, const struct ipc_snap_sock *s)
{
	struct tcp_info i = sock_info(s);
	bool is_known = r->is_tcp && (r->pid || r->rtt.n) && x->seconds > 0;

	r->seen = true;
	r->state = sock_state(s);
	if (r->pid != s->pid || !r->process[0])
		sock_process(s->pid, r->process);
	r->pid = s->pid;
	push(&r->rate[0], is_known ? rate(i.tcpi_bytes_received, r->received, x->seconds) : -1);
	push(&r->rate[1], is_known ? rate(i.tcpi_bytes_sent, r->sent, x->seconds) : -1);
	push(&r->rtt, i.tcpi_rtt ? i.tcpi_rtt : -1.0);
	r->received = i.tcpi_bytes_received;
	r->sent = i.tcpi_bytes_sent;
	r->again = i.tcpi_total_retrans;
	r->cwnd = i.tcpi_snd_cwnd;
	if (i.tcpi_rtt && s->tcp_state == SOCK_ESTABLISHED) {
		x->rtt_sum += i.tcpi_rtt;
		x->rtts++;
	}
}

static void sample_engine(int fd, const struct settings *settings, void *ctx)
{
	struct sampling *x = ctx;
	struct snapshot snap;

	if (dial_snapshot(fd, &snap))
		return;
	x->d->engines++;
	for (uint32_t i = 0; i < snap.head->nsocks && !x->failed; i++) {
		struct top_row *r = find_row(x->d, snap.head->engine_pid, &snap.sock[i]);
		x->failed = !r;
		if (r)
			sample_row(x, r, &snap.sock[i]);
	}
	for (uint32_t i = 0; i < snap.head->ncounters; i++) {
		const struct ipc_snap_counter *c = &snap.counter[i];
		if (strcmp(c->part, "link") == 0 && strcmp(c->name, "RxBytes") == 0)
			x->received += c->value;
		if (strcmp(c->part, "link") == 0 && strcmp(c->name, "TxBytes") == 0)
			x->sent += c->value;
	}
	snapshot_close(&snap);
}

bool top_sample(struct top_data *d, nsec now)
{
	struct sampling x = {.d = d};
	unsigned kept = 0;

	if (d->at)
		x.seconds = (double)(now - d->at) / SEC;
	for (unsigned i = 0; i < d->n; i++)
		d->row[i].seen = false;
	d->engines = 0;
	dial_each(sample_engine, &x);
	for (unsigned i = 0; i < d->n; i++)
		if (d->row[i].seen)
			d->row[kept++] = d->row[i];
	d->n = d->sockets = kept;
	if (x.seconds > 0) {
		push(&d->rate[0], rate(x.received, d->received, x.seconds));
		push(&d->rate[1], rate(x.sent, d->sent, x.seconds));
	}
	push(&d->rtt, x.rtts ? x.rtt_sum / x.rtts : -1);
	d->received = x.received;
	d->sent = x.sent;
	d->at = now;
	return !x.failed;
}

void top_free(struct top_data *d)
{
	free(d->row);
}
