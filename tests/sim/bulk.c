#include "tests/sim/bulk.h"

#include <string.h>

enum { PORT = 5001, WRITE_LEN = 256 << 10 };

static void write_more(struct sim *s, struct tcp *t)
{
	struct iovec iov[2];
	int n;

	while ((n = tcp_send_room(t, WRITE_LEN, iov)) > 0) {
		size_t total = 0;
		for (int k = 0; k < n; total += iov[k++].iov_len)
			memset(iov[k].iov_base, 0, iov[k].iov_len);
		tcp_send_commit(t, total, s->now);
	}
}

static struct bulk_flow *flow_of(struct bulk *b, const struct endpoint *local)
{
	for (unsigned i = 0; i < b->nflows; i++) {
		if (b->flow[i].from && endpoint_equal(tcp_local(b->flow[i].from), local))
			return &b->flow[i];
	}
	return NULL;
}

static void read_all(struct sim *s, struct bulk *b, struct tcp *t, nsec counts_from)
{
	size_t n = tcp_recv_queued(t);
	struct bulk_flow *f = flow_of(b, tcp_remote(t));

	tcp_recv_consume(t, n, s->now);
	if (f)
		f->to = t;
	if (f && s->now >= counts_from)
		f->received += n;
}

static void pump(struct sim *s, struct bulk *b, struct tcp *listener, nsec counts_from)
{
	unsigned events;
	struct tcp *t;

	while ((t = stack_next_event(s->side[0].stack, &events)))
		write_more(s, t);
	stack_poll(s->side[0].stack, s->now);
	while ((t = stack_next_event(s->side[1].stack, &events))) {
		if (t == listener)
			t = tcp_accept(listener);
		if (t)
			read_all(s, b, t, counts_from);
	}
	stack_poll(s->side[1].stack, s->now);
}

static void start_flow(struct sim *s, struct bulk_flow *f)
{
	struct endpoint server = sim_endpoint(1, PORT);

	f->from = tcp_new(s->side[0].stack, NULL);
	if (f->congestion)
		tcp_set_congestion(f->from, f->congestion, s->now);
	tcp_connect(f->from, &server, s->now);
	sim_poll(s);
}

void bulk_run(struct sim *s, struct bulk *b)
{
	struct endpoint server = sim_endpoint(1, PORT);
	struct tcp *listener = tcp_new(s->side[1].stack, NULL);
	nsec began = s->now, counts_from = began + b->warmup, end = counts_from + b->duration;

	tcp_bind(listener, &server);
	tcp_listen(listener, BULK_FLOWS_MAX, s->now);
	while (s->now < end) {
		nsec next = end;
		for (unsigned i = 0; i < b->nflows; i++) {
			if (!b->flow[i].from && s->now >= began + b->flow[i].start)
				start_flow(s, &b->flow[i]);
			else if (!b->flow[i].from)
				next = nsec_min(next, began + b->flow[i].start);
		}
		if (!sim_step(s, next))
			s->now = next;
		pump(s, b, listener, counts_from);
	}
	for (unsigned i = 0; i < b->nflows; i++) {
		if (b->flow[i].from)
			tcp_abort(b->flow[i].from, s->now);
		if (b->flow[i].to)
			tcp_abort(b->flow[i].to, s->now);
	}
	tcp_close(listener, s->now);
	sim_poll(s);
}

double bulk_goodput(const struct bulk *b, unsigned flow)
{
	return (double)b->flow[flow].received * 8 * SEC / (double)b->duration;
}

double bulk_fairness(const struct bulk *b)
{
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < b->nflows; i++) {
		double x = bulk_goodput(b, i);
		sum += x;
		squares += x * x;
	}
	return squares > 0 ? sum * sum / (b->nflows * squares) : 0;
}
