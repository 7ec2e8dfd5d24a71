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
#include "core/host/host.h"

static int help(void)
{
	printf("usage: teecee run [OPTIONS] [--] PROGRAM [ARGUMENTS]\n\n"
	       "Runs PROGRAM on our own TCP/IP stack, with an address of its own on the LAN.\n\n");
	cli_print_options();
	printf("\nEach option stands for a TEECEE_* variable. The exit status is the program's; "
	       "125: teecee's own\n"
	       "fault, 126: the program cannot be run or preloaded, 127: it is not there.\n");
	return fflush(stdout) ? EXIT_OURS : 0;
}

/* The library lies beside the command (in the build tree) or in ../lib (installed). */
static bool find_library(char path[static PATH_MAX])
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

	if (!find_library(library)) {
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

int cli_run(int argc, char **argv)
{
	char library[PATH_MAX], path[PATH_MAX];
	struct cli_options o;

	if (!cli_options(&o, argc, argv))
		return EXIT_OURS;
	if (o.help)
		return help();
	if (o.first == argc) {
		log_line("run: which program? (teecee run --help)");
		return EXIT_OURS;
	}
	char **program = argv + o.first;
	int status = find_program(program[0], path);
	if (status)
		return status;
	if (!check_filters(&o.settings) || !begin_capture(o.settings.pcap) || !set_preload(library))
		return EXIT_OURS;
	if (o.verbose)
		log_line("%s on %s, address %s, through %s", path, o.settings.iface,
			o.settings.ip_spec, library);
	execvp(program[0], program);
	log_line("%s: %s", program[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
