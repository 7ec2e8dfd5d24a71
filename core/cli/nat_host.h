/*
 * What `teecee nat` does to the machine: a TAP device with a private subnet, and rules by which the
 * kernel masquerades and forwards what comes from there.
 *
 * STATE. Nothing is kept in files. The device's alias says whose it is and which interfaces
 * forwarded before; the rules are the nftables table "teecee". Both live as long as the network
 * namespace. A firewall that flushes all rules does not take the alias along, so that down still
 * puts everything back, and a second up the rules.
 */
#ifndef TEECEE_CLI_NAT_HOST_H
#define TEECEE_CLI_NAT_HOST_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/base/addr.h"
#include "core/cli/forwarding.h"

#define NAT_DEVICE "teecee0"

enum { NAT_ERROR_LEN = 320 };

struct nat {
	bool has_device; /* there is a device of that name */
	bool is_ours;    /* and its alias says that it is ours: the next three are known */
	uid_t user;
	struct ipnet subnet; /* with the kernel's address in it */
	char forwarded[FORWARDING_LEN];
	bool has_rules; /* as far as we may know: listing them needs root */
};

void nat_look(struct nat *n);

/*
 * Makes what is missing of it. 0, or -errno with one clear line; then what had been made is gone
 * again.
 */
int nat_make(const struct nat *n, char error[static NAT_ERROR_LEN]);

/* Takes down what nat_look found, as far as it can; 0, or the first -errno with its line. */
int nat_remove(const struct nat *n, char error[static NAT_ERROR_LEN]);

#endif
