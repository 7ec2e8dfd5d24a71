/*
 * Waiting on behalf of a blocking call, with the kernel's answers to time limits and signals.
 */
#ifndef TEECEE_PRELOAD_WAIT_H
#define TEECEE_PRELOAD_WAIT_H

/*
 * Until one of `events` (or an error) shows on `fd`. `limit_option` is SO_SNDTIMEO or SO_RCVTIMEO.
 * The revents, 0 when the time was up, -EINTR when a signal asks for it. A cancellation point. For POLLOUT, which is a
 * connect's, the first microseconds are spent looking.
 */
int wait_for(int fd, short events, int limit_option);

#endif
