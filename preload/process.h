/*
 * Which process this is, by a look at memory: for what belongs to the process that made it and is
 * found in the memory of its children too. It costs no system call, unlike getpid(). And whether it has
 * confined itself.
 */
#ifndef TEECEE_PRELOAD_PROCESS_H
#define TEECEE_PRELOAD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Once, before the first process_number(). */
void process_init(void);

/*
 * Never 0. The same for as long as the memory is this process's; another, that no ancestor had, in
 * a child of fork, or of clone past all fork handlers. Who shares the memory (threads, children of
 * vfork and posix_spawn) has its owner's: to tell those apart takes getpid().
 */
uint64_t process_number(void);

/*
 * This process is about to enter a sandbox (seccomp), which may forbid system calls other than the
 * program's own: what can be left out, is. (Of one that it was started in nothing is known.)
 */
void process_confine(void);
bool process_is_confined(void);

#endif
