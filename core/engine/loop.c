/*
 * The loop: see engine.h for the order of a turn. Data sockets are edge-triggered and remember
 * their edges themselves (sock.events, engine.due); everything else is level-triggered.
 */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/engine/dgram.h"
#include "core/engine/lend.h"
#include "core/engine/resolver.h"
#include "core/engine/sock.h"
#include "core/engine/watch.h"
#include "core/host/host.h"
#include "core/link/link.h"
#include "core/stack/counters.h"

enum {
	EVENTS_PER_TURN = 512,
	PUMPED_MAX = 256 << 10, /* bytes from programs in step 4 before the stack sends */
	STACK_ROUNDS = 8, /* sending causes events, where the peer is ourselves */
};

/*
 * An address that somebody else has: the answer to our probe comes faster than the program that
 * started us can connect, so we stay to tell it, and whoever else asks meanwhile.
 */
#define REFUSAL_TIME (1 * SEC)

/*
 * Paused listeners are tried again even if none of our own fds was closed: the table was the
 * system's.
 */
#define RETRY_INTERVAL (100 * MSEC)

/* A sleep that took longer found the sources silent. */
#define LOOKED_LONG (5 * USEC)

int loop_open(struct engine *e)
{
	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	return e->epoll < 0 ? errno : 0;
}

int loop_add(struct engine *e, struct source *src, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = src};

	return epoll_ctl(e->epoll, EPOLL_CTL_ADD, src->fd, &ev) ? errno : 0;
}

void loop_rearm(struct engine *e, struct source *src, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = src};

	epoll_ctl(e->epoll, EPOLL_CTL_MOD, src->fd, &ev);
}

static uint64_t datagrams_so_far(const struct engine *e)
{
	const struct counters *c = stack_counters(e->stack);

	return c->v[CNT_UdpInDatagrams] + c->v[CNT_UdpRcvbufErrors];
}

void loop_datagram_sent(struct engine *e)
{
	moderation_sent(&e->dgram_moderation, datagrams_so_far(e), e->now);
}

void loop_bytes_sent(struct engine *e)
{
	moderation_sent(&e->bulk_moderation, e->received, e->now);
}

/* A link that does not receive datagrams apart holds back everything; for bytes, every link does. */
static void moderate(struct engine *e)
{
	bool dgrams = moderation_holds(&e->dgram_moderation, datagrams_so_far(e), e->now);
	bool link = moderation_holds(&e->bulk_moderation, e->received, e->now);

	if (!e->host)
		return;
	link &= host_link(e->host)->info.patient && !e->coarse;
	if (dgrams != e->dgrams_held)
		e->apart = host_hold_datagrams(e->host, dgrams);
	link |= dgrams && !e->apart;
	if (link != e->link_held)
		loop_rearm(e, &e->link, link ? 0 : EPOLLIN);
	e->dgrams_held = dgrams;
	e->link_held = link;
}

static nsec next_deadline(const struct engine *e)
{
	nsec at = e->host ? host_deadline(e->host) : stack_deadline(e->stack);

	at = nsec_min(nsec_min(at, e->linger_at), watch_deadline(e));

	at = nsec_min(nsec_min(at, e->leave_at), resolver_deadline(e));
	at = nsec_min(at, table_deadline(e));
	if (e->dgrams_held)
		at = nsec_min(at, e->dgram_moderation.until);
	if (e->link_held)
		at = nsec_min(at, e->bulk_moderation.until);
	if (!list_empty(&e->due))
		return 0;
	if (e->data_paused || !list_empty(&e->starved))
		at = nsec_min(at, nsec_max(e->retry_at, e->now + MSEC));
	if (e->idle_since != NSEC_NEVER)
		at = nsec_min(at, e->idle_since + e->settings.idle_s * SEC);
	return at;
}

static int sleep_for_events(struct engine *e, struct epoll_event *events, nsec at, nsec left)
{
	struct timespec t = {.tv_sec = left / SEC, .tv_nsec = left % SEC};
	int n = epoll_pwait2(e->epoll, events, EVENTS_PER_TURN, at == NSEC_NEVER ? NULL : &t, NULL);

	e->coarse = n < 0 && errno == ENOSYS; /* before Linux 5.11 */
	if (e->coarse)
		n = epoll_wait(e->epoll, events, EVENTS_PER_TURN,
			at == NSEC_NEVER ? -1 : (int)nsec_min((left + MSEC - 1) / MSEC, 60000));
	return n;
}

/* Looks again and again without sleeping; e->now goes on. */
static int spin_for_events(struct engine *e, struct epoll_event *events, nsec until)
{
	int n = 0;

	while (n == 0 && e->now < until) {
		sched_yield(); /* to a program that could run here instead */
		n = epoll_wait(e->epoll, events, EVENTS_PER_TURN, 0);
		e->now = host_clock();
		if (n == 0)
			e->frames_since = e->now;
		if (n == 0 && !spin_goes_on(&e->spin, e->now))
			break;
	}
	return n;
}

static nsec spin_deadline(struct engine *e, nsec began, nsec at)
{
	if (spin_asks(&e->spin, began))
		spin_answer(&e->spin, crowd_is(&e->crowd));
	return spin_until(&e->spin, began, at);
}

/* Waits until something happens; e->now is the time after it. The number of events. */
static int wait_for_events(struct engine *e, struct epoll_event *events)
{
	nsec last = e->now, began = e->now = host_clock();

	if (!e->frames_left)
		e->frames_since = last;
	moderate(e);
	nsec at = next_deadline(e);
	bool spins = at != 0 && !e->dgrams_held && !e->link_held;
	int n = spin_for_events(e, events, spins ? spin_deadline(e, began, at) : 0);

	if (n == 0) {
		pump_catch_up_all(e);
		nsec slept = host_clock();
		n = sleep_for_events(e, events, at, at == 0 ? 0 : nsec_max(at - e->now, 0));
		e->now = host_clock();
		if (!e->link_held && e->now - slept > LOOKED_LONG)
			e->frames_since = e->now;
	}
	if (n > 0 && spins)
		spin_ended(&e->spin, began, e->now);
	return MAX(n, 0);
}

static void dispatch(struct engine *e, struct epoll_event *events, int n, enum source_class class)
{
	static struct source served = {.fd = -1, .class = SOURCE_CLASSES};

	for (int i = 0; i < n; i++) {
		struct source *src = events[i].data.ptr;

		if (src->class != class)
			continue;
		events[i].data.ptr = &served; /* it may free itself: not to be looked at again */
		src->ready(e, src, events[i].events);
	}
}

/* What a program sent leaves while the cache still has it, not behind what all others sent. */
static void serve_due(struct engine *e)
{
	struct list due;

	dgram_retry(e);
	list_init(&due);
	list_splice(&due, &e->due);
	e->pumped = 0;
	for (struct list *link; (link = list_first(&due));) {
		conn_serve(e, LIST_ENTRY(link, struct sock, due_link));
		if (e->pumped >= PUMPED_MAX) {
			stack_poll(e->stack, e->now);
			e->pumped = 0;
		}
	}
}

bool loop_run_events(struct engine *e)
{
	bool any = false;
	unsigned events;
	struct tcp *t;

	while ((t = stack_next_event(e->stack, &events))) {
		struct sock *s = tcp_user(t);

		any = true;
		if (s)
			conn_event(e, s, events);
	}
	any |= dgram_run_events(e);
	return resolver_run_events(e) || any;
}

void loop_bury(struct engine *e)
{
	bool freed = !list_empty(&e->dead);

	for (struct list *link; (link = list_first(&e->dead));) {
		list_remove(link);
		free(LIST_ENTRY(link, struct sock, link));
	}
	if (e->norphans > 0)
		lend_bury(e);
	if (!e->data_paused && list_empty(&e->starved))
		return;
	if (!freed && e->now < e->retry_at)
		return;
	e->retry_at = e->now + RETRY_INTERVAL;
	if (e->data_paused) {
		loop_rearm(e, &e->data, EPOLLIN);
		loop_rearm(e, &e->dgrams, EPOLLIN);
	}
	e->data_paused = false;
	accept_starved(e);
}

/* Every connection ends; what follows is leaving. */
static void end_connections(struct engine *e)
{
	LIST_FOR_EACH(link, &e->socks)
		sock_free(e, LIST_ENTRY(link, struct sock, link), ENETDOWN);
}

/*
 * The link said ENETDOWN. A connect asks again and again whether it still is; see engine.h for what
 * follows.
 */
static void look_at_interface(struct engine *e)
{
	struct ifreq r = {0};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(r.ifr_name, e->settings.iface, sizeof(r.ifr_name));
	e->link_down = false;
	if (fd < 0)
		return;
	bool exists = ioctl(fd, SIOCGIFFLAGS, &r) == 0 || errno != ENODEV;
	e->link_down = exists && !(r.ifr_flags & IFF_UP);
	if (!exists) {
		end_connections(e);
		e->stopping = true;
	}
	close(fd);
}

static void link_ready(struct engine *e, struct source *src, uint32_t events)
{
	int n = host_input(e->host, HOST_INPUT_BUDGET, e->frames_since, e->now);

	if (n < 0)
		look_at_interface(e);
	else
		e->link_down = false;
	e->frames_left = n == HOST_INPUT_BUDGET;
	loop_run_events(e);
}

static void signal_ready(struct engine *e, struct source *src, uint32_t events)
{
	struct signalfd_siginfo si;

	if (read(src->fd, &si, sizeof(si)) == sizeof(si))
		e->stopping = true;
}

void loop_sources(struct engine *e)
{
	e->link.fd = host_fd(e->host);
	e->link.class = SOURCE_LINK;
	e->link.ready = link_ready;
	e->signals.class = SOURCE_CONTROL;
	e->signals.ready = signal_ready;
	e->control.class = SOURCE_ACCEPT;
	e->control.ready = client_accept_ready;
	e->data.class = SOURCE_ACCEPT;
	e->data.ready = sock_accept_ready;
	e->dgrams.class = SOURCE_ACCEPT;
	e->dgrams.ready = sock_accept_ready;
	loop_add(e, &e->link, EPOLLIN);
	loop_add(e, &e->signals, EPOLLIN);
	loop_add(e, &e->control, EPOLLIN);
	loop_add(e, &e->data, EPOLLIN);
	loop_add(e, &e->dgrams, EPOLLIN);
}

/* What became of the address: waiting clients are answered, or told who has it. */
static void follow_address(struct engine *e)
{
	enum address_state state = host_address_state(e->host);

	if (state == e->address)
		return;
	e->address = state;
	if (state == ADDRESS_READY)
		clients_answer(e);
	if (state == ADDRESS_CONFLICT) {
		clients_refuse(e, EADDRINUSE, host_error(e->host));
		end_connections(e);
		e->leave_at = e->now + REFUSAL_TIME;
	}
}

/* Step 5. The sending of data causes events only rarely, so mostly this is one round. */
static void run_stack(struct engine *e)
{
	for (int i = 0; i < STACK_ROUNDS; i++) {
		if (e->host)
			host_poll(e->host, e->now);
		else
			stack_poll(e->stack, e->now);
		if (!loop_run_events(e))
			break;
	}
	if (e->host)
		follow_address(e);
}

static void watch_idleness(struct engine *e)
{
	e->stopping |= e->now >= e->leave_at;
	if (e->nsocks > 0 || stack_socket_count(e->stack) > 0)
		e->idle_since = NSEC_NEVER;
	else if (e->idle_since == NSEC_NEVER)
		e->idle_since = e->now;
	else if (e->now >= e->idle_since + e->settings.idle_s * SEC)
		e->stopping = true;
}

void loop_turn(struct engine *e, struct epoll_event *events, int n)
{
	e->turn++;
	for (unsigned class = 0; class < SOURCE_CLASSES; class ++)
		dispatch(e, events, n, class);
	serve_due(e);
	if (e->now >= e->linger_at)
		conn_ask_lingering(e);
	resolver_turn(e);
	if (e->host)
		e->now = host_clock(); /* to receive may have taken long; from here on is sent */
	run_stack(e);
	pump_catch_up_late(e);
	table_flush(e);
	loop_bury(e);
	watch_turn(e);
	watch_idleness(e);
}

void loop_run(struct engine *e)
{
	struct epoll_event events[EVENTS_PER_TURN];

	while (!e->stopping)
		loop_turn(e, events, wait_for_events(e, events));
}
