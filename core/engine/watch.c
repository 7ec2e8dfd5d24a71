#include "core/engine/watch.h"

#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/engine/owner.h"
#include "core/engine/sock.h"
#include "core/engine/trace.h"
#include "core/host/host.h"
#include "core/link/impair.h"
#include "core/wire/ipv4.h"

enum { SINKS_MAX = 16 };

#define LINGER (5 * SEC)

/* A capture file or a trace. */
struct sink {
	struct engine *engine;
	struct watcher *watcher; /* NULL: free */
	bool is_trace, at_once;  /* ends with its last client */
	dev_t dev;
	ino_t ino;
	unsigned refs;
	nsec released; /* when refs became 0 */
};

struct watch {
	struct list clients;
	struct sink sink[SINKS_MAX];
	struct owners owners;
	struct watch_stats past; /* of sinks that are closed */
	struct {
		struct flow_key key;
		nsec at;
		uint32_t cwnd;
	} sending; /* whose congestion window a capture asked for last */
	struct {
		bool on;
		bool live; /* set by `teecee impair`: nobody's to end but its */
		unsigned refs;
		nsec released;
		uint64_t seed;
		char spec[IPC_SPEC_LEN];
	} rules;
};

static void answer(struct ipc_result *r, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void answer(struct ipc_result *r, int error, const char *format, ...)
{
	va_list args;

	r->error = error;
	va_start(args, format);
	vsnprintf(r->text, sizeof(r->text), format, args);
	va_end(args);
}

struct watch *watch_open(void)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w)
		list_init(&w->clients);
	return w;
}

void watch_client_init(struct client_watch *c)
{
	*c = (struct client_watch){.errors = -1};
	list_init(&c->link);
}

/* --- whose --- */

static bool is_watched(const struct engine *e)
{
	bool watched = false;

	for (unsigned i = 0; i < SINKS_MAX; i++)
		watched |= e->watch->sink[i].watcher != NULL;
	return watched;
}

void watch_owner(struct engine *e, const struct sock *s)
{
	struct flow_key key = {.protocol = IP_PROTO_TCP};

	if (!e->watch || !s->tcp)
		return;
	key.local = *tcp_local(s->tcp);
	key.remote = *tcp_remote(s->tcp);
	owner_add(&e->watch->owners, &key, s->pid, is_watched(e));
}

/*
 * A datagram's owner is who has the socket now, for one socket speaks with many. What has no program
 * is a lookup of the engine's own.
 */
static void find_datagram_owner(struct engine *e, const struct flow_key *key)
{
	const struct owner *known = owner_find(&e->watch->owners, key);
	struct dgram *d = dgram_find_udp(e->stack, &key->local, &key->remote);
	const struct sock *s = d ? dgram_user(d) : NULL;

	if (!d)
		return;
	pid_t pid = s ? s->pid : e->pid;
	if (!known || known->pid != pid)
		owner_add(&e->watch->owners, key, pid, true);
}

void watch_datagram(struct engine *e, const struct endpoint *local, const struct endpoint *remote)
{
	struct flow_key key = {.protocol = IP_PROTO_UDP, .local = *local, .remote = *remote};

	if (!e->watch || !is_watched(e))
		return;
	if (ipaddr_is_any(&key.local.addr))
		key.local.addr = host_address(e->host)->addr;
	find_datagram_owner(e, &key);
}

const struct owner *watch_owner_of(struct engine *e, const struct flow_key *key)
{
	if (key->protocol == IP_PROTO_UDP)
		find_datagram_owner(e, key);
	return owner_find(&e->watch->owners, key);
}

/* Of a connection that sends, 0: not known. All segments of a turn are sent with the same. */
static uint32_t cwnd_of(const struct engine *e, const struct seen_frame *f)
{
	struct watch *w = e->watch;
	struct tcp_stats stats;

	if (w->sending.at == f->at && flow_equal(&w->sending.key, &f->view->key))
		return w->sending.cwnd;
	struct tcp *t = tcp_find(e->stack, &f->view->key.local, &f->view->key.remote);
	w->sending.at = f->at;
	w->sending.key = f->view->key;
	w->sending.cwnd = 0;
	if (t) {
		tcp_get_stats(t, &stats);
		w->sending.cwnd = stats.cwnd;
	}
	return w->sending.cwnd;
}

static void describe(void *ctx, const struct seen_frame *f, char *out, size_t len)
{
	const struct sink *k = ctx;
	const struct flow_view *v = f->view;
	const struct owner *o = watch_owner_of(k->engine, &v->key);
	bool data = f->out && v->key.protocol == IP_PROTO_TCP && v->payload && v->end > v->payload;
	uint32_t cwnd = data ? cwnd_of(k->engine, f) : 0;

	out[0] = '\0';
	if (o)
		snprintf(out, len, "%s[%d]", o->name[0] ? o->name : "?", (int)o->pid);
	size_t at = strlen(out);
	if (cwnd)
		snprintf(out + at, len - at, "%scwnd %u", at ? "; " : "", cwnd);
}

void watch_state(void *ctx, const struct tcp *t, int from, int to, nsec now)
{
	struct engine *e = ctx;

	for (unsigned i = 0; e->watch && i < SINKS_MAX; i++) {
		struct sink *k = &e->watch->sink[i];

		if (!k->watcher || !k->is_trace)
			continue;
		capture_settle(host_capture(e->host));
		trace_state(k->watcher, t, from, to, now);
	}
}

/* --- sinks --- */

/* The first write that failed: one line to one of those who asked for the file. */
static void failed(void *ctx, int error)
{
	struct sink *k = ctx;
	uint32_t bit = 1u << (k - k->engine->watch->sink);
	char line[160];
	int n = snprintf(line, sizeof(line),
		"teecee: the capture file takes no more (%s); the program goes on without\n",
		strerror(error));

	LIST_FOR_EACH (link, &k->engine->watch->clients) {
		struct client_watch *c = LIST_ENTRY(link, struct client_watch, link);

		if ((c->sinks & bit) && c->errors >= 0 && trace_can_write(c->errors)) {
			if (write(c->errors, line, (size_t)n) == n)
				return;
		}
	}
}

static void add_stats(struct watch_stats *out, const struct sink *k)
{
	struct capfile_stats file;

	if (k->is_trace) {
		trace_stats(k->watcher, &out->traced, &out->trace_lost);
		return;
	}
	capfile_stats(k->watcher, &file);
	out->captured += file.written;
	out->capture_lost += file.lost;
}

static void sink_close(struct engine *e, struct sink *k)
{
	capture_unwatch(host_capture(e->host), k->watcher);
	add_stats(&e->watch->past, k);
	if (k->is_trace)
		trace_close(k->watcher);
	else
		capfile_close(k->watcher);
	*k = (struct sink){0};
}

/* The sink of the file, or a free one; NULL: too many. */
static struct sink *find_sink(struct engine *e, int fd, bool is_trace)
{
	struct sink *free_one = NULL;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	for (unsigned i = 0; i < SINKS_MAX; i++) {
		struct sink *k = &e->watch->sink[i];

		if (k->watcher && k->is_trace == is_trace && k->dev == st.st_dev && k->ino == st.st_ino)
			return k;
		if (!k->watcher && !free_one)
			free_one = k;
	}
	if (free_one)
		*free_one = (struct sink){
			.engine = e, .is_trace = is_trace, .dev = st.st_dev, .ino = st.st_ino};
	return free_one;
}

static void hold_sink(struct engine *e, struct client_watch *c, struct sink *k)
{
	uint32_t bit = 1u << (k - e->watch->sink);

	if (!(c->sinks & bit))
		k->refs++;
	c->sinks |= bit;
}

static void drop_files(struct client_watch *c)
{
	for (; c->nfiles > 0; c->nfiles--)
		close(c->file[c->nfiles - 1]);
}

static void attach_capture(struct engine *e, struct client_watch *c, const struct ipc_attach *m,
	int fd, struct ipc_result *r)
{
	char error[CAPFILE_ERROR_LEN];

	if (m->index != c->nfiles || m->index >= CAPFILE_FILES_MAX || fd < 0) {
		drop_files(c);
		close(fd);
		answer(r, EINVAL, "a capture without its file");
		return;
	}
	c->file[c->nfiles++] = fd;
	if (m->index + 1 < m->count)
		return;
	struct sink *k = find_sink(e, c->file[0], false);
	if (!k || k->watcher) {
		drop_files(c);
		if (k)
			hold_sink(e, c, k);
		else
			answer(r, ENOSPC, "there are %d captures and traces already", SINKS_MAX);
		return;
	}
	struct capfile_config config = {.interface = e->settings.iface,
		.filter = m->text,
		.nfds = c->nfiles,
		.size = m->size,
		.epoch = host_epoch(),
		.describe = describe,
		.failed = failed,
		.ctx = k};
	memcpy(config.fd, c->file, sizeof(config.fd));
	c->nfiles = 0;
	int err = capfile_open(&k->watcher, &config, error);
	if (err) {
		k->watcher = NULL;
		answer(r, -err, "%s", error);
		return;
	}
	hold_sink(e, c, k);
	capture_watch(host_capture(e->host), k->watcher);
}

static void attach_trace(struct engine *e, struct client_watch *c, const struct ipc_attach *m,
	int fd, struct ipc_result *r)
{
	bool to_stderr = fd < 0;

	if (to_stderr)
		fd = c->errors >= 0 ? dup(c->errors) : -1;
	struct sink *k = fd >= 0 ? find_sink(e, fd, true) : NULL;
	if (k && !k->watcher) {
		k->at_once = to_stderr;
		k->watcher = trace_open(e, fd, m->colour);
		fd = -1;
		if (k->watcher)
			capture_watch(host_capture(e->host), k->watcher);
	}
	if (fd >= 0)
		close(fd);
	if (k && k->watcher)
		hold_sink(e, c, k);
	else
		answer(r, ENOSPC, "no room for another trace");
}

/* --- impairment --- */

static int set_rules(struct engine *e, const char *spec, uint64_t seed, struct ipc_result *r)
{
	struct watch *w = e->watch;
	struct impairment rules;
	char error[IMPAIR_ERROR_LEN];
	int err = impair_parse(&rules, spec, error);

	if (!err)
		err = impair_set(host_link(e->host), &rules, seed, error);
	if (err) {
		answer(r, -err, "%s", error);
		return err;
	}
	w->rules.on = true;
	w->rules.seed = seed;
	snprintf(w->rules.spec, sizeof(w->rules.spec), "%s", spec);
	return 0;
}

static void clear_rules(struct engine *e)
{
	char error[FILTER_ERROR_LEN];

	impair_set(host_link(e->host), NULL, 0, error);
	e->watch->rules.on = e->watch->rules.live = false;
}

static uint64_t seed_of(const struct ipc_attach *m)
{
	uint64_t seed = m->seed;

	if (!m->has_seed)
		randombytes_buf(&seed, sizeof(seed));
	return seed;
}

static void attach_rules(
	struct engine *e, struct client_watch *c, const struct ipc_attach *m, struct ipc_result *r)
{
	struct watch *w = e->watch;
	bool same = w->rules.on && strcmp(w->rules.spec, m->text) == 0 &&
		    (!m->has_seed || w->rules.seed == m->seed);

	if (w->rules.on && !same && (w->rules.live || w->rules.refs > 0)) {
		answer(r, EBUSY, "the engine of %s is impaired by others' rules already: %.200s",
			e->settings.iface, w->rules.spec);
		return;
	}
	if (!w->rules.live && w->rules.refs == 0 && set_rules(e, m->text, seed_of(m), r))
		return;
	if (!c->impairs)
		w->rules.refs++;
	c->impairs = true;
}

static void attach_live(struct engine *e, const struct ipc_attach *m, struct ipc_result *r)
{
	struct watch *w = e->watch;

	if (m->kind == IPC_ATTACH_IMPAIR_CLEAR)
		clear_rules(e);
	else if (m->kind == IPC_ATTACH_IMPAIR_SET)
		w->rules.live = set_rules(e, m->text, seed_of(m), r) == 0 || w->rules.live;
	else if (w->rules.on)
		answer(r, 0, "seed %llu: %.980s", (unsigned long long)w->rules.seed, w->rules.spec);
}

/* --- clients --- */

void watch_attach(struct engine *e, struct client_watch *c, const struct ipc_attach *m, int fd,
	struct ipc_result *r)
{
	if (!c->known)
		list_append(&e->watch->clients, &c->link);
	c->known = true;
	switch (m->kind) {
	case IPC_ATTACH_STDERR:
		if (c->errors >= 0)
			close(c->errors);
		c->errors = fd;
		return;
	case IPC_ATTACH_CAPTURE:
		attach_capture(e, c, m, fd, r);
		return;
	case IPC_ATTACH_TRACE:
		attach_trace(e, c, m, fd, r);
		return;
	case IPC_ATTACH_IMPAIR:
		attach_rules(e, c, m, r);
		break;
	case IPC_ATTACH_IMPAIR_SET:
	case IPC_ATTACH_IMPAIR_SHOW:
	case IPC_ATTACH_IMPAIR_CLEAR:
		attach_live(e, m, r);
		break;
	default:
		answer(r, EINVAL, "not known to this engine");
	}
	if (fd >= 0)
		close(fd);
}

void watch_leave(struct engine *e, struct client_watch *c)
{
	if (!c->known)
		return;
	list_remove(&c->link);
	drop_files(c);
	for (unsigned i = 0; i < SINKS_MAX; i++) {
		struct sink *k = &e->watch->sink[i];

		if (!(c->sinks & 1u << i) || --k->refs > 0)
			continue;
		k->released = e->now;
		if (k->at_once)
			sink_close(e, k);
	}
	if (c->impairs && --e->watch->rules.refs == 0)
		e->watch->rules.released = e->now;
	if (c->errors >= 0)
		close(c->errors);
	c->known = false;
}

static bool is_over(const struct engine *e, nsec released)
{
	return stack_socket_count(e->stack) == 0 || e->now >= released + LINGER;
}

void watch_turn(struct engine *e)
{
	struct watch *w = e->watch;

	if (!w)
		return;
	for (unsigned i = 0; i < SINKS_MAX; i++) {
		struct sink *k = &w->sink[i];

		if (k->watcher && k->refs == 0 && is_over(e, k->released))
			sink_close(e, k);
	}
	if (w->rules.on && !w->rules.live && w->rules.refs == 0 && is_over(e, w->rules.released))
		clear_rules(e);
}

nsec watch_deadline(const struct engine *e)
{
	const struct watch *w = e->watch;
	nsec at = NSEC_NEVER;

	if (!w)
		return at;
	for (unsigned i = 0; i < SINKS_MAX; i++)
		if (w->sink[i].watcher && w->sink[i].refs == 0)
			at = nsec_min(at, w->sink[i].released + LINGER);
	if (w->rules.on && !w->rules.live && w->rules.refs == 0)
		at = nsec_min(at, w->rules.released + LINGER);
	return at;
}

void watch_mend(struct engine *e)
{
	if (e->watch && e->watch->rules.on)
		clear_rules(e);
}

void watch_close(struct engine *e)
{
	if (!e->watch)
		return;
	for (unsigned i = 0; i < SINKS_MAX; i++)
		if (e->watch->sink[i].watcher)
			sink_close(e, &e->watch->sink[i]);
	free(e->watch);
	e->watch = NULL;
}

void watch_stats(const struct engine *e, struct watch_stats *out)
{
	*out = (struct watch_stats){0};
	if (!e->watch)
		return;
	*out = e->watch->past;
	for (unsigned i = 0; i < SINKS_MAX; i++)
		if (e->watch->sink[i].watcher)
			add_stats(out, &e->watch->sink[i]);
}
