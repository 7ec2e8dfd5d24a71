/*
 * teecee stat: every counter of every engine by its name, those that are not zero unless all are
 * asked for.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/cli/dial.h"
#include "core/cli/json.h"

struct show {
	bool all, json, failed;
	struct json j;
};

static void show_text(const struct show *o, const struct snapshot *s)
{
	printf("%s on %s, engine %d, up %lld s\n", s->head->ip, s->head->iface,
		(int)s->head->engine_pid, (long long)(s->head->up / 1000000000));
	for (uint32_t i = 0; i < s->head->ncounters; i++) {
		const struct ipc_snap_counter *c = &s->counter[i];

		if (c->value || o->all)
			printf("%-7s %-24s %14llu  %s\n", c->part, c->name,
				(unsigned long long)c->value, c->text);
	}
}

static void show_json(struct show *o, const struct snapshot *s)
{
	json_open(&o->j, NULL, '{');
	json_text(&o->j, "ip", s->head->ip);
	json_text(&o->j, "iface", s->head->iface);
	json_number(&o->j, "pid", (uint64_t)s->head->engine_pid);
	json_number(&o->j, "up_ns", (uint64_t)s->head->up);
	for (uint32_t i = 0; i < s->head->ncounters; i++) {
		const struct ipc_snap_counter *c = &s->counter[i];

		if (i == 0 || strcmp(c->part, c[-1].part) != 0) {
			if (i)
				json_close(&o->j, '}');
			json_open(&o->j, c->part, '{');
		}
		json_number(&o->j, c->name, c->value);
	}
	if (s->head->ncounters)
		json_close(&o->j, '}');
	json_close(&o->j, '}');
}

static void show_engine(int fd, const struct settings *settings, void *ctx)
{
	struct show *o = ctx;
	struct snapshot snap;
	int err = dial_snapshot(fd, &snap);

	if (err) {
		log_line("stat: the engine for %s on %s does not answer: %s", settings->ip_spec,
			settings->iface, strerror(-err));
		o->failed = true;
		return;
	}
	if (o->json)
		show_json(o, &snap);
	else
		show_text(o, &snap);
	snapshot_close(&snap);
}

static const struct cli_option own[] = {
	{"all", 'a', NULL, "also those that are zero", .flag = offsetof(struct show, all)},
	{"json", 0, NULL, "a list of objects, with all of them", .flag = offsetof(struct show, json)},
};

static const struct cli_spec spec = {
	.name = "stat",
	.usage = "[OPTIONS]",
	.about = "Prints the counters of every engine in this network namespace that is ours.\n",
	.own = own,
	.nown = ARRAY_LEN(own),
	.end = "The exit status is 1 when no engine runs.\n",
};

int cli_stat(int argc, char **argv)
{
	struct show o = {0};
	struct cli_options options;

	if (!cli_options(&options, &spec, &o, argc, argv))
		return options.status;
	if (o.json)
		json_open(&o.j, NULL, '[');
	unsigned n = dial_each(show_engine, &o);
	if (o.json) {
		json_close(&o.j, ']');
		printf("\n");
	} else if (n == 0) {
		log_line("no engine runs here");
	}
	if (fflush(stdout) || o.failed)
		return EXIT_OURS;
	return n == 0;
}
