/*
 * teecee-engine: started by libteecee.so when a program needs it and there is none, or by hand. It
 * takes no arguments; the TEECEE_* variables of its environment are its configuration (settings.h).
 *
 * Whoever starts it may pass a pipe as fd 3 and gets one line: "ok" when programs can connect to
 * the control name (of this engine, or of the one that was there first), with a note behind it if
 * there is one for the person, or "ERRNO TEXT". Without a pipe the text goes to stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/engine/engine.h"
#include "core/host/host.h"

enum { STATUS_FD = 3 };

extern char **environ;

static bool has_status_pipe(void)
{
	struct stat st;

	return fstat(STATUS_FD, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/* The one line, once. */
static void tell(bool piped, int error, const char *text)
{
	char line[IPC_TEXT_LEN + 16];
	int n = error ? snprintf(line, sizeof(line), "%d %s\n", error, text)
		      : snprintf(line, sizeof(line), "ok%s%s\n", text[0] ? " " : "", text);

	if (!piped && text[0])
		log_line("%s", text);
	if (!piped)
		return;
	/* Whoever asked may have died waiting. */
	if (write(STATUS_FD, line, (size_t)MIN(n, (int)sizeof(line) - 1)) < 0)
		errno = 0;
	close(STATUS_FD);
}

static int run(bool piped, const struct settings *settings)
{
	static struct engine engine;
	char error[IPC_TEXT_LEN] = "";
	int err;

	engine_init(&engine, settings);
	err = engine_claim_name(&engine, error);
	if (err == EADDRINUSE) {
		tell(piped, 0, "");
		return EXIT_SUCCESS;
	}
	if (!err)
		err = engine_start(&engine, error);
	tell(piped, err, err ? error : host_link(engine.host)->info.note);
	if (!err)
		loop_run(&engine);
	engine_stop(&engine);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct settings settings;
	char error[SETTINGS_ERROR_LEN] = "";
	bool piped = has_status_pipe();

	if (argc > 1) {
		fprintf(stderr,
			"usage: %s\nServes programs under libteecee.so; configured by TEECEE_* "
			"variables.\n",
			argv[0]);
		return strcmp(argv[1], "--help") == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	if (piped)
		fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC);
	int err = settings_load(&settings, environ, error);
	if (!err)
		err = settings_resolve(&settings, error);
	if (err) {
		tell(piped, -err, error);
		return EXIT_FAILURE;
	}
	return run(piped, &settings);
}
