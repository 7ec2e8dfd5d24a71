#include "preload/config.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "preload/attach.h"
#include "preload/dgram.h"
#include "preload/lock.h"
#include "preload/process.h"
#include "preload/real.h"

enum { ENV_BYTES = 8192 };

static struct config config;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pid_t process;
static char library_dir[PATH_MAX];
static char path_given[PATH_MAX]; /* TEECEE_ENGINE made absolute */

/* Copies of the TEECEE_* entries of the environment. */
static char env_bytes[ENV_BYTES];
static char *env_entries[CONFIG_ENV_MAX];
static unsigned env_count;

static bool is_named(const char *entry, const char *name)
{
	size_t len = strlen(name);

	return strncmp(entry, name, len) == 0 && entry[len] == '=';
}

static void keep_environment(char *const *environment)
{
	size_t used = 0;

	for (; environment && *environment; environment++) {
		const char *entry = *environment;
		size_t len = strlen(entry) + 1;
		if (strncmp(entry, "TEECEE_", 7) != 0 || is_named(entry, "TEECEE_IFACE"))
			continue;
		if (used + len > sizeof env_bytes || env_count == CONFIG_ENV_MAX) {
			config.error = -E2BIG;
			snprintf(config.text, sizeof config.text,
				"more TEECEE_* variables than fit in %d bytes", ENV_BYTES);
			return;
		}
		env_entries[env_count++] = memcpy(env_bytes + used, entry, len);
		used += len;
	}
}

/*
 * Where this library lies, absolute: LD_PRELOAD may be relative and the program may change its
 * directory.
 */
static void find_library(void)
{
	Dl_info info;
	char full[PATH_MAX];

	if (!dladdr(&config, &info) || !info.dli_fname || !realpath(info.dli_fname, full))
		return;
	char *slash = strrchr(full, '/');
	if (slash)
		*slash = '\0';
	memcpy(library_dir, full, sizeof library_dir);
}

static void after_fork(void)
{
	process = getpid();
}

bool config_is_this_process(void)
{
	return process == getpid();
}

static void init(void)
{
	int saved_errno = errno;

	real_init();
	process_init();
	lock_init(after_fork);
	process = getpid();
	config.uid = geteuid();
	config.error = settings_load(&config.settings, environ, config.text);
	if (config.error == 0)
		keep_environment(environ);
	find_library();
	attach_init(&config.settings);
	if (config.settings.engine[0] && !realpath(config.settings.engine, path_given))
		snprintf(path_given, sizeof path_given, "%s", config.settings.engine);
	errno = saved_errno;
}

const struct config *config_get(void)
{
	pthread_once(&once, init);
	return &config;
}

__attribute__((constructor)) static void early(void)
{
	config_get();
	dgram_find_inherited();
}

static void choose_path(char out[static CONFIG_PATH_LEN])
{
	static const char *const places[] = {"/../libexec/teecee/teecee-engine", "/teecee-engine"};

	if (path_given[0]) {
		snprintf(out, CONFIG_PATH_LEN, "%s", path_given);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		snprintf(out, CONFIG_PATH_LEN, "%.4000s%s", library_dir, places[i]);
		if (access(out, X_OK) == 0)
			return;
	}
}

void config_launch(struct launch *out, const char *iface)
{
	unsigned n = 0;

	choose_path(out->path);
	for (; n < env_count; n++)
		out->env[n] = env_entries[n];
	snprintf(out->iface, sizeof out->iface, "TEECEE_IFACE=%s", iface);
	out->env[n++] = out->iface;
	out->env[n] = NULL;
}
