/*
 * What the person wants, read once and early: programs wipe their environment, change their root
 * and drop their rights.
 */
#ifndef TEECEE_PRELOAD_CONFIG_H
#define TEECEE_PRELOAD_CONFIG_H

#include <sys/types.h>

#include "core/ipc/settings.h"

struct config {
	struct settings settings;
	uid_t uid; /* whose engine: the effective user when the program started */
	int error; /* negative errno: the variables make no sense, `text` says why */
	char text[SETTINGS_ERROR_LEN];
};

/*
 * Reads it at the first call, which is the constructor's unless somebody else's constructor makes
 * sockets.
 */
const struct config *config_get(void);

/* False in a child of vfork, which writes into our memory but not into our fds. */
bool config_is_this_process(void);

enum { CONFIG_PATH_LEN = 4096, CONFIG_ENV_MAX = 32 };

/*
 * How to start the engine: its path (TEECEE_ENGINE, else beside this library or in
 * ../libexec/teecee), and as environment the TEECEE_* variables that the program was started with,
 * TEECEE_IFACE set to `iface`, nothing else.
 */
struct launch {
	char path[CONFIG_PATH_LEN];
	char iface[IFNAMSIZ + 16];
	char *env[CONFIG_ENV_MAX + 2];
};

void config_launch(struct launch *out, const char *iface);

#endif
