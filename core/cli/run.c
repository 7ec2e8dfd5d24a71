/*
 * teecee run: the environment that the library reads, then exec. Everything that can be known to
 * fail is said here, where a person reads it, and not as a failed connect() in the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/cli/preloadable.h"
#include "core/cli/repeat.h"
#include "core/host/host.h"

struct run {
	struct repeat repeat;
	bool fresh;
};

static size_t take_times(void *ctx, const char *value)
{
	struct run *r = ctx;

	return cli_number(value, 1, 1000000, &r->repeat.times);
}

static size_t take_timeout(void *ctx, const char *value)
{
	struct run *r = ctx;

	return cli_number(value, 1, 86400, &r->repeat.timeout_s);
}

static size_t take_keep(void *ctx, const char *value)
{
	struct run *r = ctx;

	r->repeat.keep = value;
	return !*value;
}

static const struct cli_option own[] = {
	{"repeat", 0, "N", "run it N times, and tell which runs failed", .take = take_times,
		.expected = "a number from 1 to 1000000, as in --repeat 100"},
	{"vary-seed", 0, NULL, "each time with the next seed",
		.flag = offsetof(struct run, repeat.vary_seed)},
	{"timeout", 0, "SECONDS", "a run that takes longer has failed", .take = take_timeout,
		.expected = "a number of seconds from 1 to 86400, as in --timeout 30"},
	{"keep", 0, "DIR", "where what is left of failed runs goes (default: teecee-repeat.*)",
		.take = take_keep, .expected = "a directory, as in --keep failures"},
	{"fresh", 0, NULL, "end the engine of this address first, unless others use it",
		.flag = offsetof(struct run, fresh)},
};

static const struct cli_spec spec = {
	.name = "run",
	.usage = "[OPTIONS] [--] PROGRAM [ARGUMENTS]",
	.about = "Runs PROGRAM on our own TCP/IP stack, with an address of its own on the LAN.\n",
	.settings = true,
	.words = true,
	.own = own,
	.nown = ARRAY_LEN(own),
	.end = "What stands for a TEECEE_* variable has its name. The exit status is the "
	       "program's; "
	       "125: teecee's own\n"
	       "fault, 126: the program cannot be run or preloaded, 127: it is not there. With "
	       "--repeat: 0 when all runs\n"
	       "succeeded, 1 when one failed.\n",
};

bool cli_find_library(char path[static PATH_MAX])
{
	static const char *const places[] = {"libteecee.so", "../lib/libteecee.so"};
	char self[PATH_MAX], candidate[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n <= 0)
		return false;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		snprintf(candidate, sizeof candidate, "%s/%s", self, places[i]);
		if (realpath(candidate, path) && access(path, R_OK) == 0)
			return true;
	}
	return false;
}

/* In front of what LD_PRELOAD names already. */
static bool set_preload(char library[static PATH_MAX])
{
	const char *old = getenv("LD_PRELOAD");
	char *value;

	if (!cli_find_library(library)) {
		log_line("libteecee.so is neither beside this command nor in ../lib");
		return false;
	}
	if (strpbrk(library, " :")) {
		log_line("%s: LD_PRELOAD takes no path with a space or colon", library);
		return false;
	}
	if (asprintf(&value, "%s%s%s", library, old && *old ? ":" : "", old ? old : "") < 0)
		return false;
	bool ok = setenv("LD_PRELOAD", value, 1) == 0;
	free(value);
	return ok;
}

static int find_program(const char *name, char path[static PATH_MAX])
{
	char reason[PRELOAD_REASON_LEN];
	int err = program_find(name, path);

	if (err == -ENOENT) {
		log_line("%s: not found", name);
		return EXIT_NOT_FOUND;
	}
	if (err) {
		log_line("%s: %s", name, strerror(-err));
		return EXIT_CANNOT_RUN;
	}
	if (program_preloadable(path, reason))
		return 0;
	log_line("%s", reason);
	return EXIT_CANNOT_RUN;
}

/* The library has no libpcap to ask; whether these are filters is said here, before it starts. */
static bool check_filters(const struct settings *s)
{
	char error[HOST_ERROR_LEN], text[IMPAIR_ERROR_LEN];
	struct impairment rules = {0};

	if (host_check_filter(s->pcap_filter, error) < 0) {
		log_line("TEECEE_PCAP_FILTER: %s", error);
		return false;
	}
	if (s->impair[0])
		impair_parse(&rules, s->impair, text);
	for (unsigned i = 0; i < rules.n; i++) {
		if (host_check_filter(rules.rule[i].match, error) == 0)
			continue;
		log_line("TEECEE_IMPAIR: position %d, match: %s",
			(int)(strstr(s->impair, rules.rule[i].match) - s->impair) + 1, error);
		return false;
	}
	return true;
}

/* A run begins its capture anew; but a file that is no capture is not overwritten. */
static bool begin_capture(const char *path)
{
	static const uint8_t magic[4] = {0x0a, 0x0d, 0x0d, 0x0a};
	uint8_t head[4];
	int fd = path[0] ? open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;

	if (fd < 0)
		return true;
	ssize_t n = read(fd, head, sizeof head);
	bool ours = n == 0 || (n == sizeof head && memcmp(head, magic, sizeof magic) == 0);
	if (n > 0 && ours && ftruncate(fd, 0) < 0)
		ours = false;
	close(fd);
	if (!ours)
		log_line("%s is no capture of ours and would be overwritten", path);
	return ours;
}

/* What makes no sense together: one line about it. */
static bool is_consistent(const struct run *r, const struct settings *s)
{
	const struct repeat *p = &r->repeat;

	if (!p->times && (p->vary_seed || p->timeout_s || p->keep))
		log_line("run: --%s goes with --repeat, as in --repeat 100 --%s",
			p->vary_seed   ? "vary-seed"
			: p->timeout_s ? "timeout"
				       : "keep",
			p->vary_seed   ? "vary-seed"
			: p->timeout_s ? "timeout 30"
				       : "keep failures");
	else if (p->times && (s->pcap[0] || s->trace[0]))
		log_line("run: each run of --repeat has a capture and a trace of its own: "
			 "--keep DIR instead of %s",
			s->pcap[0] ? "--pcap" : "--trace");
	else
		return true;
	return false;
}

static int become(char **program)
{
	execvp(program[0], program);
	log_line("%s: %s", program[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

int cli_run(int argc, char **argv)
{
	char library[PATH_MAX], path[PATH_MAX];
	struct run r = {0};
	struct cli_options o;

	if (!cli_options(&o, &spec, &r, argc, argv))
		return o.status;
	if (o.first == argc) {
		log_line("run: which program? (teecee run --help)");
		return EXIT_OURS;
	}
	if (!is_consistent(&r, &o.settings))
		return EXIT_OURS;
	char **program = argv + o.first;
	int status = find_program(program[0], path);
	if (status)
		return status;
	if (!check_filters(&o.settings))
		return EXIT_OURS;
	if ((r.fresh || r.repeat.times) && !engine_free(&o.settings))
		return EXIT_OURS;
	if (!begin_capture(o.settings.pcap) || !set_preload(library))
		return EXIT_OURS;
	if (o.verbose)
		log_line("%s on %s, address %s, through %s", path, o.settings.iface,
			o.settings.ip_spec, library);
	return r.repeat.times ? repeat(&r.repeat, &o, program) : become(program);
}
