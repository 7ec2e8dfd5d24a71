/*
 * The TEECEE_* variables: parsed in one place, by the shim (in its constructor: programs wipe their
 * environment), by the engine and by the command. Names never change: other people's scripts use
 * them.
 */
#ifndef TEECEE_IPC_SETTINGS_H
#define TEECEE_IPC_SETTINGS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/ipc/impair_spec.h"

enum {
	SETTINGS_ERROR_LEN = 256,
	SETTINGS_BYPASS_MAX = 32,
	SETTINGS_PATH_LEN = 256,
	SETTINGS_IP_SPEC_LEN = 44,
	SETTINGS_DNS_MAX = 4,
};

enum settings_mac { MAC_OWN, MAC_NIC, MAC_GIVEN };
enum settings_loopback { LOOPBACK_AUTO, LOOPBACK_STACK, LOOPBACK_HOST };
enum settings_link { LINK_AUTO, LINK_PACKET, LINK_PCAP, LINK_TAP };

struct settings {
	/* The engine's: a client that asks a running engine for others is refused. */
	char iface[IFNAMSIZ];                /* TEECEE_IFACE; "" until settings_resolve */
	/* TEECEE_IP as canonical text, "auto" by default: part of the engine's name */
	char ip_spec[SETTINGS_IP_SPEC_LEN];
	bool ip_auto;
	struct ipnet ip;                     /* when not auto */
	bool has_gateway;
	struct ipaddr gateway;               /* TEECEE_GATEWAY */
	enum settings_mac mac_mode;          /* TEECEE_MAC: own (default), nic, xx:xx:xx:xx:xx:xx */
	struct macaddr mac;                  /* when MAC_GIVEN */
	enum settings_link link;             /* TEECEE_LINK */
	unsigned mtu;                        /* TEECEE_MTU; 0: the interface's */
	bool probe_rfc;                      /* TEECEE_PROBE=rfc */
	unsigned idle_s;                     /* TEECEE_IDLE, default 30 */
	unsigned busy_poll_us;               /* TEECEE_BUSY_POLL, default 50; 0: never */
	uint64_t mem;                        /* TEECEE_MEM: bytes of all buffers, default 1 GiB */
	bool has_seed;
	uint64_t seed;                       /* TEECEE_SEED */

	/* The client's. */
	enum settings_loopback loopback;     /* TEECEE_LOOPBACK: who serves 127.0.0.0/8 and ::1 */
	bool reno;                           /* TEECEE_CC: cubic (default) or reno */
	unsigned nbypass;
	/* TEECEE_BYPASS: comma-separated CIDRs left to the kernel */
	struct ipnet bypass[SETTINGS_BYPASS_MAX];
	unsigned ndns;
	struct endpoint dns[SETTINGS_DNS_MAX];    /* TEECEE_DNS: instead of resolv.conf's servers */
	char engine[SETTINGS_PATH_LEN];           /* TEECEE_ENGINE; "": found beside the library */
	char pcap[SETTINGS_PATH_LEN];             /* TEECEE_PCAP; "": no capture */
	char pcap_filter[SETTINGS_PATH_LEN];      /* TEECEE_PCAP_FILTER; syntax unchecked */
	/* TEECEE_PCAP_ROTATE: bytes per file; 0: no end */
	uint64_t pcap_size;
	unsigned pcap_files;                      /* and how many are kept */
	char trace[SETTINGS_PATH_LEN];            /* TEECEE_TRACE; "-": stderr */
	char impair[IMPAIR_SPEC_LEN];             /* TEECEE_IMPAIR, which impair_parse takes */
};

/* A variable as a person is told of it. The command's option is its name: TEECEE_IP is --ip. */
struct settings_variable {
	const char *name, *value, *text;
	const char *expected; /* "should be …", when the value cannot be taken */
};
enum { SETTINGS_VARIABLES = 21 };

/* The i-th of the variables that settings_load knows; NULL: no more. */
const struct settings_variable *settings_variable(unsigned i);

/*
 * Reads every TEECEE_* variable of `environment` ("NAME=value", NULL at the end); what is not set
 * gets its default. 0, or -EINVAL with one clear line in `error` that names the variable, the value
 * and what it should be. Calls no function that allocates.
 */
int settings_load(struct settings *s, char *const environment[], char error[static SETTINGS_ERROR_LEN]);

/*
 * Fills an empty iface with that of the IPv4 default route (/proc/net/route): 0 or -ENETUNREACH
 * with `error`.
 */
int settings_resolve(struct settings *s, char error[static SETTINGS_ERROR_LEN]);

bool settings_is_bypassed(const struct settings *s, const struct ipaddr *a);

#endif
