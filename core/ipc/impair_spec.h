/*
 * Impairments as text, in netem's words: "out delay=20ms jitter=5ms loss=2%; match='udp port 53'
 * loss=100%". Rules are separated by semicolons, what a rule says by blanks or commas.
 */
#ifndef TEECEE_IPC_IMPAIR_SPEC_H
#define TEECEE_IPC_IMPAIR_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/impairment.h"

enum { IMPAIR_SPEC_LEN = 1024, IMPAIR_ERROR_LEN = 256 };

/*
 * Reads a spec: 0, or -EINVAL with one clear line that tells the position of the error (the first
 * character is 1) and gives an example. `match` is only taken over: whether it is a filter is for
 * those to say who have libpcap. Allocates nothing.
 */
int impair_parse(struct impairment *out, const char *spec, char error[static IMPAIR_ERROR_LEN]);

/* A size on its own, as the language writes them: "64KiB", "1.5MB", "4096". */
bool impair_parse_size(const char *text, uint64_t *out);

/* The words of the language, for help: the i-th one's example and meaning; false: no more. */
bool impair_word(unsigned i, const char **example, const char **meaning);

#endif
