/*
 * Running the system's own administration programs, where they know more about the machine than a
 * library of ours should: ip(8), nft(8).
 */
#ifndef TEECEE_CLI_TOOL_H
#define TEECEE_CLI_TOOL_H

#include <stddef.h>

/*
 * Runs argv, found in PATH or the system's sbin directories, without our library, with `input` as
 * its standard input; what it prints, errors included, goes to `said`, cut to `room` with its NUL.
 * Its exit status, or -errno: -ENOENT, it is not installed.
 */
int tool_run(const char *const argv[], const char *input, char *said, size_t room);

#endif
