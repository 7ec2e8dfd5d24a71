/*
 * teecee doctor: what a check says.
 */
#ifndef TEECEE_CLI_DOCTOR_H
#define TEECEE_CLI_DOCTOR_H

#include <stdbool.h>

#include "core/cli/json.h"
#include "core/host/plan.h"
#include "core/ipc/settings.h"

enum verdict { FINE, WARNING, FAULT };

struct doctor {
	struct settings settings; /* the interface resolved, or "" */
	struct iface iface;       /* when has_iface */
	bool has_iface;
	bool needs_raw; /* a packet socket: not on a TAP device */
	bool json;
	struct json j;
	const char *check; /* the name of the one that speaks */
	unsigned warnings, faults;
};

/* One line of a check, and what to do about it (NULL or "": nothing). */
void doctor_say(struct doctor *d, enum verdict v, const char *advice, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The checks, in the order in which each makes sense after those before it. */
void check_library(struct doctor *d);
void check_engine(struct doctor *d);
void check_privilege(struct doctor *d);
void check_interface(struct doctor *d);
void check_wifi(struct doctor *d);
void check_promiscuous(struct doctor *d);
void check_address(struct doctor *d);
void check_forwarding(struct doctor *d);
void check_kernel(struct doctor *d);
void check_namespaces(struct doctor *d);
void check_descriptors(struct doctor *d);
void check_names(struct doctor *d);

#endif
