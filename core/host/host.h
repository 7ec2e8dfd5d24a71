/*
 * One host: a stack with an address of its own on one link, in this process. The engine, the
 * examples and the tests build on it; read examples/curl.c for the shortest whole program.
 *
 *	h = host_open(&config, error, host_clock());  begins to claim the address, does not block
 *	for (;;) {
 *		poll host_fd(h) until host_deadline(h)
 *		now = host_clock();
 *		host_input(h, HOST_INPUT_BUDGET, now, now);  frames into the stack
 *		... socket calls on host_stack(h) ...   before READY nothing of theirs is sent
 *		host_poll(h, now);                      timers run, segments leave
 *		... stack_next_event(host_stack(h), …) ...
 *	}
 *
 * The address is claimed as RFC 5227 says. No two hosts of one machine can hear each other's ARP (a
 * frame injected into an interface does not come back from it), so each also holds the abstract
 * AF_UNIX name "teecee-address/IFACE/ADDRESS" of its network namespace: the second one to ask is
 * told so.
 *
 * Not thread-safe: one thread per host. Errors are negative errno values.
 */
#ifndef TEECEE_HOST_HOST_H
#define TEECEE_HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/addr.h"
#include "core/base/time.h"
#include "core/link/link.h"
#include "core/stack/stack.h"
#include "core/stack/tcp.h"

struct host;

enum {
	HOST_ERROR_LEN = 256,
	HOST_INPUT_BUDGET =
		256, /* frames per turn: bounds how long calls and timers wait for the network */
};

enum host_mac_mode {
	HOST_MAC_OWN,   /* locally administered; the same next time for the same address */
	HOST_MAC_NIC,   /* the NIC's own (Wi-Fi); refused while the kernel forwards there */
	HOST_MAC_GIVEN, /* config.mac, a unicast address */
};

enum host_link_kind {
	HOST_LINK_AUTO, /* the best driver there is for the interface */
	HOST_LINK_PACKET,
	HOST_LINK_PCAP,
	HOST_LINK_TAP,
};

/* Handed through to the stack: see struct stack_ops. Each may be NULL. */
struct host_ops {
	size_t (*deliver)(void *ctx, struct tcp *t, void *user, const struct iovec *data, unsigned n);
	bool (*deliver_dgram)(void *ctx, struct dgram *d, void *user, const struct dgram_in *in);
	void (*trace_state)(void *ctx, const struct tcp *t, int from, int to, nsec now);
};

struct host_config {
	const char *ifname; /* NULL: that of the default route */
	bool ip_auto;       /* find a free address in the interface's subnet; else `ip` */
	struct ipnet ip;    /* inside one of the interface's IPv4 subnets if it has any */
	bool has_gateway;   /* else that of the interface's default route, when in our subnet */
	struct ipaddr gateway;
	enum host_mac_mode mac_mode;
	struct macaddr mac; /* HOST_MAC_GIVEN */
	enum host_link_kind link;
	unsigned mtu; /* IP bytes per packet; 0: the interface's */
	enum probe_timing probe;
	bool has_seed; /* reproducible ISNs and ports from `seed`, for tests; else random */
	uint64_t seed;
	size_t tcp_mem_max; /* as in struct stack_config; 0: the stack's default */
	unsigned max_socks;
	struct host_ops ops;
	void *ctx; /* for ops */
};

/*
 * Checks the configuration, opens the link and begins to claim the address. `config` is copied. On
 * failure NULL, errno (EPERM, ENODEV, ENETDOWN, EADDRINUSE, EADDRNOTAVAIL, EINVAL, …) and one clear
 * line in `error`, without "teecee: " and newline.
 */
struct host *host_open(
	const struct host_config *config, char error[static HOST_ERROR_LEN], nsec now);

/*
 * Resets every connection that is left, so that the next user of the address is not hit by them;
 * frees h.
 */
void host_close(struct host *h, nsec now);

/* A descriptor that polls readable when frames wait; level-triggered. */
int host_fd(const struct host *h);

/*
 * Hands at most `budget` frames, which wait since `since` at the earliest, to the stack: their number, or -errno
 * (ENETDOWN: the interface went down).
 */
int host_input(struct host *h, unsigned budget, nsec since, nsec now);

/*
 * While on, datagrams stay with the link, and host_fd does not tell of them. False: this link cannot
 * tell them from the rest, nothing has changed.
 */
bool host_hold_datagrams(struct host *h, bool on);

/* Runs the stack's timers, sends what is due, goes on with the claim. */
void host_poll(struct host *h, nsec now);

/* When host_poll must run next if nothing else happens; NSEC_NEVER: not at all. */
nsec host_deadline(const struct host *h);

/*
 * PROBING, READY or CONFLICT. Automatic candidates are tried behind PROBING; CONFLICT is final:
 * host_error says in one line who holds the address (or that none is free).
 */
enum address_state host_address_state(const struct host *h);
const char *host_error(const struct host *h);
const struct ipnet *host_address(const struct host *h);
const struct macaddr *host_mac(const struct host *h);

struct stack *host_stack(struct host *h);

/* The link as the stack sees it, which impair_set (impair.h) is for; and as watchers do (capture.h). */
struct link *host_link(struct host *h);
struct link *host_capture(struct host *h);

/* The clock of every `now`: CLOCK_MONOTONIC, and the only place that reads it. */
nsec host_clock(void);

/* What to add to it now for the time since 1970. */
nsec host_epoch(void);

/*
 * For programs that do nothing else (examples, tests), one turn of the loop above: sends what the
 * socket calls before it left due, waits until a frame comes or the stack's deadline or `limit`
 * passes, takes the frames in and polls. 0, or -errno of the link; *now is the turn's time.
 */
int host_turn(struct host *h, nsec limit, nsec *now);

/*
 * Takes turns until what closed sockets still have to send is sent and acknowledged, or `limit`
 * passes: host_close resets the rest.
 */
void host_settle(struct host *h, nsec limit);

/* Whether libpcap takes a filter ("": it does): 0, or -EINVAL with its word on it. */
int host_check_filter(const char *filter, char error[static HOST_ERROR_LEN]);

#endif
