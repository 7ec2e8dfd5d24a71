/*
 * From settings to a running engine, and back. The order matters: the control name first, for
 * binding it is what makes the engine unique, and programs may queue there while the rest happens;
 * capabilities are dropped when the link is open. The loop answers the programs when the address is
 * ours.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/engine/dgram.h"
#include "core/engine/lend.h"
#include "core/engine/resolver.h"
#include "core/engine/sock.h"
#include "core/engine/watch.h"
#include "core/host/host.h"

/* What of TEECEE_MEM is for the kernel's side of it, the AF_UNIX sockets of programs that read slowly. */
enum { RAISED_SHARE = 4 };

static unsigned cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

static int fail(char error[static IPC_TEXT_LEN], const char *what)
{
	int err = errno;

	snprintf(error, IPC_TEXT_LEN, "%s: %s", what, strerror(err));
	return err;
}

void engine_init(struct engine *e, const struct settings *settings)
{
	memset(e, 0, sizeof(*e));
	e->settings = *settings;
	e->uid = geteuid();
	e->pid = getpid();
	e->epoll = e->table_fd = e->corks_fd = e->crowd.fd = -1;
	e->control.fd = e->data.fd = e->dgrams.fd = e->link.fd = e->signals.fd = -1;
	struct list *lists[] = {&e->clients, &e->pools, &e->socks, &e->due, &e->dirty, &e->aging,
		&e->lingering, &e->selfs, &e->starved, &e->unread, &e->blocked,
		&e->dead};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		list_init(lists[i]);
	e->linger_at = e->leave_at = NSEC_NEVER;
	moderation_init(&e->dgram_moderation, MODERATION_DGRAMS);
	moderation_init(&e->bulk_moderation, MODERATION_BYTES);
	e->idle_since = NSEC_NEVER;
	e->raised_max = settings->mem / RAISED_SHARE;
	spin_init(&e->spin, settings->busy_poll_us * USEC, cpus());
}

static int listen_on(int type, const struct sockaddr_un *name, socklen_t len)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)name, len) == 0 && listen(fd, ENGINE_BACKLOG) == 0)
		return fd;
	int err = errno;
	close(fd);
	errno = err;
	return -1;
}

int engine_claim_name(struct engine *e, char error[static IPC_TEXT_LEN])
{
	struct sockaddr_un name;
	socklen_t len = ipc_name(&name, &e->settings, e->uid, NULL);

	e->control.fd = listen_on(SOCK_SEQPACKET, &name, len);
	return e->control.fd < 0 ? fail(error, "cannot listen for programs") : 0;
}

static unsigned raise_fd_limit(void)
{
	struct rlimit r = {0};

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r))
		getrlimit(RLIMIT_NOFILE, &r);
	return (unsigned)MIN(r.rlim_cur, (rlim_t)ENGINE_SOCKS_MAX + ENGINE_FD_RESERVE);
}

/*
 * The rings of connections come and go: from the heap, not each by mmap and munmap with their page
 * faults.
 */
static void keep_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

static void make_secrets(struct engine *e)
{
	static const char digit[] = "0123456789abcdef";
	uint8_t random[IPC_INSTANCE_LEN];

	randombytes_buf(e->token, sizeof(e->token));
	randombytes_buf(&e->lend_secret, sizeof(e->lend_secret));
	randombytes_buf(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		e->instance[i] = digit[random[i] & 15];
}

/* The settings' words for what core/host knows by its own. */
static const enum host_mac_mode mac_mode[] = {
	[MAC_OWN] = HOST_MAC_OWN,
	[MAC_NIC] = HOST_MAC_NIC,
	[MAC_GIVEN] = HOST_MAC_GIVEN,
};
static const enum host_link_kind link_kind[] = {
	[LINK_AUTO] = HOST_LINK_AUTO,
	[LINK_PACKET] = HOST_LINK_PACKET,
	[LINK_PCAP] = HOST_LINK_PCAP,
	[LINK_TAP] = HOST_LINK_TAP,
};

void engine_host_config(const struct settings *s, struct host_config *out)
{
	*out = (struct host_config){
		.ifname = s->iface,
		.ip_auto = s->ip_auto,
		.ip = s->ip,
		.has_gateway = s->has_gateway,
		.gateway = s->gateway,
		.mac_mode = mac_mode[s->mac_mode],
		.mac = s->mac,
		.link = link_kind[s->link],
		.mtu = s->mtu,
		.probe = s->probe_rfc ? PROBE_RFC : PROBE_FAST,
		.has_seed = s->has_seed,
		.seed = s->seed,
		.tcp_mem_max = s->mem - s->mem / RAISED_SHARE,
	};
}

static int open_host(struct engine *e, char error[static IPC_TEXT_LEN])
{
	char text[HOST_ERROR_LEN] = "";
	struct host_config config;

	engine_host_config(&e->settings, &config);
	config.ops.deliver = pump_deliver;
	config.ops.deliver_dgram = dgram_hand_over;
	config.ops.trace_state = watch_state;
	config.ctx = e;
	e->now = host_clock();
	e->host = host_open(&config, text, e->now);
	if (!e->host) {
		int err = errno;

		snprintf(error, IPC_TEXT_LEN, "%s", text);
		return err ? err : EIO;
	}
	e->stack = host_stack(e->host);
	e->address = host_address_state(e->host);
	e->started = e->now;
	e->watch = watch_open();
	if (!e->watch)
		return fail(error, "cannot start");
	return 0;
}

/* A file capability (setcap cap_net_raw+p) is ours to use, but not in use. */
static void raise_net_raw(void)
{
	static const cap_value_t raw[] = {CAP_NET_RAW};
	cap_t caps = cap_get_proc();
	cap_flag_value_t have = CAP_CLEAR;

	if (caps && cap_get_flag(caps, CAP_NET_RAW, CAP_PERMITTED, &have) == 0 && have == CAP_SET &&
		cap_set_flag(caps, CAP_EFFECTIVE, 1, raw, CAP_SET) == 0)
		cap_set_proc(caps);
	cap_free(caps);
}

/*
 * Only raw sockets are needed from here on (the link may have to be opened again), by nobody but
 * us.
 */
static int drop_privileges(void)
{
	static const cap_value_t keep[] = {CAP_NET_RAW};
	cap_t now = cap_get_proc(), wanted = cap_init();
	cap_flag_value_t have = CAP_CLEAR;
	int err = 0;

	if (!now || !wanted)
		err = errno;
	if (!err && cap_get_flag(now, CAP_NET_RAW, CAP_PERMITTED, &have) == 0 && have == CAP_SET) {
		cap_set_flag(wanted, CAP_PERMITTED, 1, keep, CAP_SET);
		cap_set_flag(wanted, CAP_EFFECTIVE, 1, keep, CAP_SET);
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (!err && cap_set_proc(wanted))
		err = errno;
	cap_free(now);
	cap_free(wanted);
	errno = err;
	return err;
}

static int catch_signals(struct engine *e)
{
	static const int ignored[] = {SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM,
		SIGXFSZ}; /* the program's limit concerns its files; ours says EFBIG */
	sigset_t set;

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	/* The mask is whatever the program that started us had: all else must get through. */
	sigprocmask(SIG_SETMASK, &set, NULL);
	e->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return e->signals.fd < 0 ? errno : 0;
}

static int open_parts(struct engine *e, char error[static IPC_TEXT_LEN])
{
	struct sockaddr_un name;
	socklen_t len;
	int err;

	if (sodium_init() < 0)
		return fail(error, "libsodium");
	make_secrets(e);
	e->fd_limit = raise_fd_limit();
	keep_heap();
	crowd_open(&e->crowd);
	prctl(PR_SET_TIMERSLACK, 1UL); /* ns; by default sleeps are 50 us too long */
	if (catch_signals(e) || loop_open(e))
		return fail(error, "cannot start");
	if ((errno = table_open(e, e->fd_limit)))
		return fail(error, "cannot make the table of sockets");
	len = ipc_name(&name, &e->settings, e->uid, e->instance);
	e->data.fd = listen_on(SOCK_STREAM, &name, len);
	len = ipc_dgram_name(&name, &e->settings, e->uid, e->instance);
	e->dgrams.fd = listen_on(SOCK_SEQPACKET, &name, len);
	if (e->data.fd < 0 || e->dgrams.fd < 0)
		return fail(error, "cannot listen for connections");
	raise_net_raw();
	err = open_host(e, error);
	if (err)
		return err;
	return drop_privileges() ? fail(error, "cannot drop privileges") : 0;
}

int engine_start(struct engine *e, char error[static IPC_TEXT_LEN])
{
	int err = open_parts(e, error);

	if (!err)
		loop_sources(e);
	else if (e->control.fd >= 0)
		clients_refuse(e, err, error);
	return err;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void engine_stop(struct engine *e)
{
	/* From here on new programs start a new engine. */
	close_fd(&e->control.fd);
	close_fd(&e->data.fd);
	close_fd(&e->dgrams.fd);
	resolver_close(e);
	watch_mend(e);
	if (e->stack) {
		stack_abort_all(e->stack, e->now);
		loop_run_events(e);
	}
	LIST_FOR_EACH (link, &e->socks)
		sock_free(e, LIST_ENTRY(link, struct sock, link), ENETDOWN);
	if (e->host) {
		host_poll(e->host, e->now);
		watch_close(e);
		host_close(e->host, e->now);
	}
	if (e->table)
		table_close(e);
	loop_bury(e);
	clients_close(e);
	lend_bury(e);
	crowd_close(&e->crowd);
	close_fd(&e->signals.fd);
	close_fd(&e->epoll);
}
