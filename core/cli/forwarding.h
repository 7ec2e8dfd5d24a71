/*
 * Whether the kernel forwards IPv4 packets: remembered, switched on, and put back as it was.
 *
 * net.ipv4.ip_forward is more than a switch: writing it sets every interface's own
 * (conf.NAME.forwarding) as well. So what has to be remembered are the names that were on; "all" is
 * ip_forward itself, and while it is on nothing is changed.
 */
#ifndef TEECEE_CLI_FORWARDING_H
#define TEECEE_CLI_FORWARDING_H

#include <stdbool.h>
#include <stddef.h>

enum { FORWARDING_LEN = 160 };

/* The names that are on, separated by commas; "all" alone. -E2BIG: they do not fit; -errno. */
int forwarding_list(char out[static FORWARDING_LEN]);

/* Switches it on for all interfaces: 0 or -errno. */
int forwarding_enable(void);

/* Makes it what the list says: 0 or -errno. */
int forwarding_restore(const char *list);

/* One interface's own: 0 or -errno. */
int forwarding_set(const char *ifname, bool on);

#endif
