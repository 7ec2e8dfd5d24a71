/*
 * teecee run: the environment that the library reads, then exec. Everything that can be known to
 * fail is said here, where a person reads it, and not as a failed connect() in the program.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/cli/preloadable.h"

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
	if (!set_preload(library))
		return EXIT_OURS;
	if (o.verbose)
		log_line("%s on %s, address %s, through %s", path, o.settings.iface,
			o.settings.ip_spec, library);
	execvp(program[0], program);
	log_line("%s: %s", program[0], strerror(errno));
	return errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
