/*
 * The interfaces as a host with only our address would have them: lo, and the engine's interface
 * with the spoofed address in place of the kernel's own.
 */
#ifndef TEECEE_PRELOAD_IFADDR_H
#define TEECEE_PRELOAD_IFADDR_H

#include <ifaddrs.h>
#include <net/if.h>

/* getifaddrs(3): 0 or -errno. One block, which glibc's freeifaddrs frees. */
int ifaddr_list(struct ifaddrs **out);

/* if_nameindex(3), from the real one's result, which is filtered in place. */
struct if_nameindex *ifaddr_names(struct if_nameindex *all);

/* A SIOC… request about interfaces, on any socket of ours: 0 or -errno. */
int ifaddr_ioctl(unsigned long request, void *arg);

#endif
