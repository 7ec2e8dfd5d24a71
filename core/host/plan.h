/*
 * What a host will be, decided before anything is sent: which address, which MAC, which gateway.
 * Every refusal is one clear line.
 */
#ifndef TEECEE_HOST_PLAN_H
#define TEECEE_HOST_PLAN_H

#include <net/if.h>

#include "core/host/candidate.h"
#include "core/host/host.h"
#include "core/link/iface.h"

struct host_plan {
	char ifname[IFNAMSIZ];
	struct iface iface;
	struct ipnet address;     /* the first one to claim */
	struct candidates others; /* when automatic: what to claim next if that one is taken */
	struct ipaddr gateway;    /* unspecified: none */
	struct macaddr mac;
	uint16_t mtu;
	int lock; /* holds the abstract name of `address`; -1: none yet */
};

/* Fills the plan: 0, or -errno with `error`. After 0, plan_release gives the lock back. */
int plan_make(struct host_plan *p, const struct host_config *c, char error[static HOST_ERROR_LEN]);

/*
 * Moves to the next automatic candidate that neither the kernel nor another host of this machine
 * has; false: none left.
 */
bool plan_next(struct host_plan *p);

void plan_release(struct host_plan *p);

/* Writes the line of a refusal and returns `err`. */
int refuse(char error[static HOST_ERROR_LEN], int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
