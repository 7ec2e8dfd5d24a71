/*
 * Whether LD_PRELOAD will work for a program. A program it does not work for would silently use the
 * host's kernel and the host's address, so `teecee run` refuses it.
 */
#ifndef TEECEE_CLI_PRELOADABLE_H
#define TEECEE_CLI_PRELOADABLE_H

#include <limits.h>
#include <stdbool.h>

enum { PRELOAD_REASON_LEN = 128 + PATH_MAX };

/*
 * The file that execvp(3) would run for `name`: 0, or -ENOENT, or -EACCES (it is there but cannot
 * be executed).
 */
int program_find(const char *name, char path[static PATH_MAX]);

/*
 * Whether the dynamic linker will load our library into the program in file `path`: looks at its
 * mode, its capabilities, its ELF header, and for a script at its interpreter. False with the
 * reason: one line that names the file. A file that cannot be read gets the benefit of the doubt.
 */
bool program_preloadable(const char *path, char reason[static PRELOAD_REASON_LEN]);

#endif
