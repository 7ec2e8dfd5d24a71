/*
 * The loop's body: a stack, a link, and the claim of an address between them. What address that is
 * was decided in plan.c. Read host.h first.
 */
#include "core/host/host.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/bytes.h"
#include "core/host/drop.h"
#include "core/host/plan.h"
#include "core/link/capture.h"
#include "core/link/filter.h"
#include "core/link/impair.h"

struct host {
	struct host_config config;
	struct host_plan plan;
	struct link *link; /* the outermost: impairment around capture around the driver */
	struct link *capture;
	struct stack *stack;
	enum address_state state;
	char error[HOST_ERROR_LEN];
};

static struct link *(*const open_driver[])(
	const char *ifname, const struct macaddr *mac, char error[static LINK_ERROR_LEN]) = {
	[HOST_LINK_AUTO] = link_auto_open,
	[HOST_LINK_PACKET] = link_packet_open,
	[HOST_LINK_PCAP] = link_pcap_open,
	[HOST_LINK_TAP] = link_tap_open,
};

nsec host_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * SEC + t.tv_nsec;
}

int host_check_filter(const char *filter, char error[static HOST_ERROR_LEN])
{
	struct filter f;
	int err = filter_compile(&f, filter, error);

	if (!err)
		filter_free(&f);
	return err;
}

nsec host_epoch(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * SEC + t.tv_nsec - host_clock();
}

/*
 * The stack knows two answers: sent, or no room. Anything else is a lost frame, which the link has
 * counted.
 */
static int emit(void *ctx, const struct tx_frame *f, nsec now)
{
	struct host *h = ctx;

	return h->link->ops->send(h->link, f, now) == -EAGAIN ? -EAGAIN : 0;
}

static size_t deliver(void *ctx, struct tcp *t, void *user, const struct iovec *data, unsigned n)
{
	struct host *h = ctx;

	return h->config.ops.deliver(h->config.ctx, t, user, data, n);
}

static bool deliver_dgram(void *ctx, struct dgram *d, void *user, const struct dgram_in *in)
{
	struct host *h = ctx;

	return h->config.ops.deliver_dgram(h->config.ctx, d, user, in);
}

static void trace_state(void *ctx, const struct tcp *t, int from, int to, nsec now)
{
	struct host *h = ctx;

	h->config.ops.trace_state(h->config.ctx, t, from, to, now);
}

static int open_link(struct host *h, char error[static HOST_ERROR_LEN])
{

	struct link *driver = open_driver[h->config.link](h->plan.ifname, &h->plan.mac, error);
	if (!driver)
		return -errno;
	h->capture = capture_wrap(driver);
	h->link = h->capture ? impair_wrap(h->capture) : NULL;
	return h->link ? 0 : refuse(error, -ENOMEM, "out of memory");
}

static void fill_secret(uint8_t secret[static 32], const struct host_config *c)
{
	uint8_t seed[randombytes_SEEDBYTES] = {0};

	if (!c->has_seed) {
		randombytes_buf(secret, 32);
		return;
	}
	put_be32(seed, (uint32_t)(c->seed >> 32));
	put_be32(seed + 4, (uint32_t)c->seed);
	randombytes_buf_deterministic(secret, 32, seed);
}

static int open_stack(struct host *h, char error[static HOST_ERROR_LEN], nsec now)
{
	struct stack_config config = {
		.mac = h->plan.mac,
		.mtu = h->plan.mtu,
		.gso_max = h->link->info.gso_max,
		.partial_csum_ok = h->link->info.partial_csum_ok,
		.gateway = h->plan.gateway,
		.tcp_mem_max = h->config.tcp_mem_max,
		.max_socks = h->config.max_socks,
	};
	struct stack_ops ops = {
		.emit = emit,
		.deliver = h->config.ops.deliver ? deliver : NULL,
		.deliver_dgram = h->config.ops.deliver_dgram ? deliver_dgram : NULL,
		.trace_state = h->config.ops.trace_state ? trace_state : NULL,
	};

	fill_secret(config.secret, &h->config);
	h->stack = stack_new(&config, &ops, h, now);
	if (!h->stack)
		return refuse(error, -ENOMEM, "out of memory");
	h->state = ADDRESS_PROBING;
	stack_claim(h->stack, &h->plan.address, h->config.probe, now);
	return 0;
}

static void free_host(struct host *h)
{
	if (h->stack)
		stack_free(h->stack);
	if (h->link)
		h->link->ops->close(h->link);
	plan_release(&h->plan);
	free(h);
}

struct host *host_open(
	const struct host_config *config, char error[static HOST_ERROR_LEN], nsec now)
{
	struct host *h = calloc(1, sizeof *h);

	if (!h || sodium_init() < 0) {
		free(h);
		errno = -refuse(error, -ENOMEM, "out of memory");
		return NULL;
	}
	h->config = *config;
	int err = plan_make(&h->plan, config, error);
	if (!err)
		err = open_link(h, error);
	if (!err) /* opening the link took 30 ms, for its ring: the first probe leaves now */
		err = open_stack(h, error, nsec_max(now, host_clock()));
	if (!err)
		return h;
	free_host(h);
	errno = -err;
	return NULL;
}

void host_close(struct host *h, nsec now)
{
	stack_abort_all(h->stack, now);
	free_host(h);
}

int host_fd(const struct host *h)
{
	return h->link->ops->fd(h->link);
}

/* One frame; a capture is told what the stack dropped it for, so each is then looked at by itself. */
static void input(struct host *h, struct rx_frame *f, nsec now)
{
	struct counters before;
	const char *reason;

	if (!capture_is_watched(h->capture)) {
		stack_input(h->stack, f, now);
		return;
	}
	before = *stack_counters(h->stack);
	f->stays = 0;
	stack_input(h->stack, f, now);
	reason = drop_reason(&before, stack_counters(h->stack));
	if (reason)
		capture_note(h->capture, f->data, reason);
}

int host_input(struct host *h, unsigned budget, nsec since, nsec now)
{
	struct rx_frame f;
	unsigned n = 0;
	int got = 0;

	while (n < budget && (got = h->link->ops->recv(h->link, &f, now)) > 0) {
		f.waited = now - since;
		input(h, &f, now);
		n++;
	}
	stack_input_end(h->stack, now);
	return got < 0 ? got : (int)n;
}

bool host_hold_datagrams(struct host *h, bool on)
{
	return h->link->ops->hold_datagrams(h->link, on);
}

static void explain_conflict(struct host *h, const struct macaddr *holder)
{
	char addr[IPADDR_STRLEN], mac[MACADDR_STRLEN];

	ipaddr_format(&h->plan.address.addr, addr);
	macaddr_format(holder, mac);
	if (h->state == ADDRESS_READY)
		refuse(h->error, 0, "%s was taken over by %s on %s", addr, mac, h->plan.ifname);
	else if (h->config.ip_auto)
		refuse(h->error, 0,
			"no free address found on %s: %u tried, the last one, %s, is held by %s",
			h->plan.ifname, h->plan.others.given, addr, mac);
	else
		refuse(h->error, 0, "%s is in use on %s by %s", addr, h->plan.ifname, mac);
}

/*
 * What became of the claim. An automatic address that somebody else has is followed by the next
 * candidate.
 */
static void follow_claim(struct host *h, nsec now)
{
	struct macaddr holder = {0};
	enum address_state state = stack_address_state(h->stack, &holder);

	if (h->state == ADDRESS_CONFLICT)
		return;
	if (state != ADDRESS_CONFLICT) {
		h->state = state;
		return;
	}
	if (h->config.ip_auto && h->state == ADDRESS_PROBING && plan_next(&h->plan)) {
		stack_claim(h->stack, &h->plan.address, h->config.probe, now);
		return;
	}
	explain_conflict(h, &holder);
	h->state = ADDRESS_CONFLICT;
}

void host_poll(struct host *h, nsec now)
{
	/* Frames that impairment held back, of both directions. */
	if (h->link->ops->deadline(h->link) <= now) {
		h->link->ops->poll(h->link, now);
		host_input(h, HOST_INPUT_BUDGET, now, now);
	}
	stack_poll(h->stack, now);
	follow_claim(h, now);
}

nsec host_deadline(const struct host *h)
{
	return nsec_min(stack_deadline(h->stack), h->link->ops->deadline(h->link));
}

enum address_state host_address_state(const struct host *h)
{
	return h->state;
}

const char *host_error(const struct host *h)
{
	return h->error;
}

const struct ipnet *host_address(const struct host *h)
{
	return &h->plan.address;
}

const struct macaddr *host_mac(const struct host *h)
{
	return &h->plan.mac;
}

struct stack *host_stack(struct host *h)
{
	return h->stack;
}

struct link *host_link(struct host *h)
{
	return h->link;
}

struct link *host_capture(struct host *h)
{
	return h->capture;
}

int host_turn(struct host *h, nsec limit, nsec *now)
{
	struct pollfd p = {.fd = host_fd(h), .events = POLLIN};

	*now = host_clock();
	bool is_late =
		host_deadline(h) <= *now; /* then the caller has news to look at: no waiting */
	host_poll(h, *now);
	nsec until = is_late ? *now : nsec_min(host_deadline(h), limit);
	nsec wait = nsec_max(until - *now, 0);
	struct timespec t = {.tv_sec = wait / SEC, .tv_nsec = wait % SEC};
	if (ppoll(&p, 1, until == NSEC_NEVER ? NULL : &t, NULL) < 0 && errno != EINTR)
		return -errno;
	*now = host_clock();
	int n = host_input(h, HOST_INPUT_BUDGET, *now, *now);
	host_poll(h, *now);
	return n < 0 ? n : 0;
}

void host_settle(struct host *h, nsec limit)
{
	nsec now = host_clock();

	while (stack_socket_count(h->stack) > 0 && now < limit)
		if (host_turn(h, limit, &now) < 0)
			return;
}
