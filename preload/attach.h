/*
 * What the person wants of the engine besides the sockets: a capture, a trace, impairment. Files
 * are opened here, with the program's rights and in its directory, and passed on.
 */
#ifndef TEECEE_PRELOAD_ATTACH_H
#define TEECEE_PRELOAD_ATTACH_H

#include "core/ipc/proto.h"

/* Early: relative paths are of the directory that the program was started in. */
void attach_init(const struct settings *s);

/*
 * After the WELCOME on the channel `fd`. 0; or -ENETDOWN with one line, when the rules cannot be
 * had: a program that should meet a broken network must not meet a whole one. A file that cannot
 * be written is only a warning.
 */
int attach_all(int fd, const struct settings *s, char text[static IPC_TEXT_LEN]);

#endif
