/*
 * THE CONTROL CHANNEL. Opened by the first control call that needs it, by each process for itself.
 * Programs close every fd they did not open themselves (closefrom), and then open others under the
 * same numbers: so the channel is known by its SO_COOKIE, and asked for it before every use. It is
 * moved to a high number, out of the way of programs that count on the lowest free ones.
 *
 * Its users take no lock, they look at a copy of what is known about it. So nothing closes it but
 * its successor, which takes its number: who has asked for the cookie and then sends may meet the
 * next channel, to which the message means nothing, but no file of the program's.
 *
 * Threads that need it at the same moment each open one; the first to finish wins, the others close
 * theirs. So no lock is held while an engine starts, and Ctrl-C works meanwhile. Two engines
 * started at once agree among themselves, by who binds the name.
 *
 * A child keeps its parent's channel until it has one of its own. Options are single messages that
 * nobody answers and may go there: a child in another network namespace (vsftpd's, made by clone,
 * past all fork handlers) does not find the engine's name.
 */
#include "preload/engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "preload/attach.h"
#include "preload/config.h"
#include "preload/instance.h"
#include "preload/lend.h"
#include "preload/lock.h"
#include "preload/process.h"
#include "preload/real.h"
#include "preload/spawn.h"
#include "preload/words.h"

enum {
	STARTS_MAX = 3,            /* engines started for one call before giving up */
	NAPS_AFTER_START = 200,    /* of 1 ms: from the engine's "ok" to its listen() */
	ANSWER_TIMEOUT_MS = 30000, /* TEECEE_PROBE=rfc takes up to ten seconds */
	FD_HIGH = 1024 - 16,       /* the channel's fd is this or above, if the limit allows */
};

struct channel {
	int fd;         /* -1: none yet */
	bool lost;      /* of no use any more; its number waits for the next one */
	uint64_t owner; /* process_number() of who opened it */
	uint64_t cookie;
	struct ipc_lend *pool; /* NULL: none */
	struct engine_link link;
};

enum { CHANNEL_WORDS = sizeof(struct channel) / sizeof(uint64_t) };

union channel_words {
	struct channel channel;
	uint64_t word[CHANNEL_WORDS];
};

static_assert(sizeof(union channel_words) == sizeof(struct channel), "whole words");

static union channel_words known = {.channel = {.fd = -1}};
static _Atomic uint32_t known_gen; /* odd: `known` is being written, by the holder of the lock */

static uint8_t token[IPC_TOKEN_LEN]; /* outlives the channel: a dropped uid has no other proof */
static char last_text[IPC_TEXT_LEN]; /* what the person was told; twice the same is noise */

/* The lock is held. */
static void channel_write(const struct channel *c)
{
	union channel_words own = {.channel = *c};
	uint32_t gen = atomic_load_explicit(&known_gen, memory_order_relaxed);

	atomic_store_explicit(&known_gen, gen + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	words_store(known.word, own.word, CHANNEL_WORDS);
	atomic_store_explicit(&known_gen, gen + 2, memory_order_release);
}

/* False: somebody was writing. */
static bool channel_look(struct channel *out)
{
	union channel_words own;
	uint32_t gen = atomic_load_explicit(&known_gen, memory_order_acquire);

	words_load(own.word, known.word, CHANNEL_WORDS);
	atomic_thread_fence(memory_order_acquire);
	if ((gen & 1) || atomic_load_explicit(&known_gen, memory_order_relaxed) != gen)
		return false;
	*out = own.channel;
	return true;
}

static void channel_read(struct channel *out)
{
	sigset_t saved;

	if (channel_look(out))
		return;
	lock_take(&saved);
	*out = known.channel;
	lock_give(&saved);
}

static bool is_open(const struct channel *c)
{
	const struct ipc_table *t =
		c->fd >= 0 && !c->lost ? instance_table((unsigned)c->link.instance) : NULL;

	/* Killed this moment, it still seems to listen. */
	if (!t || !ipc_table_is_alive(t))
		return false;
	return raw_cookie(c->fd) == c->cookie;
}

static bool is_ours(const struct channel *c)
{
	return c->owner == process_number() && is_open(c);
}

static void lose_locked(void)
{
	struct channel c = known.channel;

	c.lost = true;
	channel_write(&c);
}

static void channel_lose(uint64_t cookie)
{
	sigset_t saved;

	lock_take(&saved);
	if (known.channel.cookie == cookie)
		lose_locked();
	lock_give(&saved);
}

void engine_lost(int instance)
{
	sigset_t saved;

	lock_take(&saved);
	if (known.channel.link.instance == instance)
		lose_locked();
	lock_give(&saved);
}

static bool channel_get(struct engine_link *out)
{
	struct channel c;

	channel_read(&c);
	if (!is_ours(&c))
		return false;
	*out = c.link;
	return true;
}

/* The lock is held. Puts the new one where the old one was, if the program has left it there. */
static void replace_locked(struct channel *fresh)
{
	const struct channel *old = &known.channel;

	if (old->fd >= 0 && raw_cookie(old->fd) == old->cookie &&
		syscall(SYS_dup3, fresh->fd, old->fd, O_CLOEXEC) >= 0) {
		raw_close(fresh->fd);
		fresh->fd = old->fd;
	}
	channel_write(fresh);
}

/* Keeps `fresh` as the channel unless another thread was faster. */
static void channel_keep(struct channel *fresh)
{
	sigset_t saved;

	lock_take(&saved);
	memcpy(token, fresh->link.token, sizeof token);
	if (is_ours(&known.channel)) {
		raw_close(fresh->fd);
		lend_unmap(fresh->pool);
	} else {
		replace_locked(fresh);
		lend_use(fresh->pool, fresh->link.id);
	}
	lock_give(&saved);
}

static void tell(const char *text)
{
	sigset_t saved;

	lock_take(&saved);
	bool news = strncmp(last_text, text, sizeof last_text - 1) != 0;
	snprintf(last_text, sizeof last_text, "%s", text);
	lock_give(&saved);
	if (news)
		log_line("%s", text);
}

static void move_high(int *fd)
{
	struct rlimit limit;
	int floor = FD_HIGH;

	if (syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit) == 0 &&
		limit.rlim_cur < FD_HIGH + 16)
		floor = limit.rlim_cur > 32 ? (int)limit.rlim_cur - 16 : 3;
	int high = raw_fcntl(*fd, F_DUPFD_CLOEXEC, floor);
	if (high < 0)
		return;
	raw_close(*fd);
	*fd = high;
}

static void fill_hello(struct ipc_hello *m, const struct settings *s)
{
	sigset_t saved;

	*m = (struct ipc_hello){
		.h = ipc_header(IPC_HELLO, sizeof *m),
		.has_gateway = s->has_gateway,
		.gateway = s->gateway,
		.mac_mode = s->mac_mode == MAC_OWN ? 0 : (uint8_t)(1 + s->mac_mode),
		.mac = s->mac,
		.link = s->link == LINK_AUTO ? 0 : (uint8_t)(1 + s->link),
		.mtu = (uint16_t)s->mtu,
		.lends = 1,
	};
	lock_take(&saved);
	memcpy(m->token, token, sizeof m->token);
	lock_give(&saved);
}

/* Takes what the WELCOME says; the fds that came with it stay the caller's. */
static int take_welcome(
	struct channel *c, const struct ipc_welcome *w, const int fd[IPC_FDS_MAX], const struct settings *s)
{
	int instance = instance_add(w->instance, fd, w->table_size);

	if (instance < 0)
		return instance;
	c->pool = lend_map(fd[IPC_FD_POOL]);
	c->owner = process_number();
	c->cookie = raw_cookie(c->fd);
	c->link = (struct engine_link){.instance = instance, .mtu = w->mtu, .address = w->address};
	memcpy(c->link.id, w->instance, sizeof c->link.id);
	memcpy(c->link.token, w->token, sizeof c->link.token);
	c->link.data_len = ipc_name(&c->link.data, s, config_get()->uid, w->instance);
	c->link.dgram_len = ipc_dgram_name(&c->link.dgram, s, config_get()->uid, w->instance);
	return 0;
}

/* HELLO and the answer to it. -ECONNRESET: the engine left in between. */
static int greet(struct channel *c, const struct settings *s, char text[static IPC_TEXT_LEN])
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	union {
		struct ipc_header h;
		struct ipc_welcome welcome;
		struct ipc_refused refused;
	} m;
	struct ipc_hello hello;
	int fd[IPC_FDS_MAX], r;

	fill_hello(&hello, s);
	if (raw_send(c->fd, &hello, sizeof hello) != sizeof hello)
		return -ECONNRESET;
	do
		r = raw_poll(&p, ANSWER_TIMEOUT_MS);
	while (r == -EINTR);
	if (r == 0) {
		snprintf(text, IPC_TEXT_LEN, "the engine has not answered for %d s",
			ANSWER_TIMEOUT_MS / 1000);
		return -ENETDOWN;
	}
	ssize_t n = ipc_recv_fds(c->fd, &m, sizeof m, fd, IPC_FDS_MAX, MSG_DONTWAIT);
	if (n <= 0)
		return -ECONNRESET;
	if (ipc_check(&m, (size_t)n, IPC_WELCOME, sizeof m.welcome)) {
		r = take_welcome(c, &m.welcome, fd, s);
	} else if (ipc_check(&m, (size_t)n, IPC_REFUSED, sizeof m.refused)) {
		m.refused.text[IPC_TEXT_LEN - 1] = '\0';
		snprintf(text, IPC_TEXT_LEN, "%s", m.refused.text);
		r = m.refused.error > 0 && m.refused.error < 4096 ? -m.refused.error : -ENETDOWN;
	} else {
		r = -EPROTO;
	}
	for (int i = 0; i < IPC_FDS_MAX; i++)
		if (fd[i] >= 0)
			raw_close(fd[i]);
	if (r == -EPROTO)
		snprintf(text, IPC_TEXT_LEN,
			"the running engine is of another version: run teecee stop");
	return r == -EPROTO ? -ENETDOWN : r;
}

/* One try: -ECONNREFUSED when nobody listens. */
static int meet(struct channel *c, const struct settings *s, char text[static IPC_TEXT_LEN])
{
	struct sockaddr_un name;
	socklen_t len = ipc_name(&name, s, config_get()->uid, NULL);
	uid_t uid;
	pid_t pid;

	c->pool = NULL;
	c->fd = raw_socket(SOCK_SEQPACKET);
	if (c->fd < 0) {
		snprintf(text, IPC_TEXT_LEN, "cannot talk to the engine: socket: %s",
			strerrordesc_np(-c->fd));
		return -ENETDOWN;
	}
	move_high(&c->fd);
	int r = raw_result(syscall(SYS_connect, c->fd, &name, len));
	if (r == 0)
		r = ipc_peer(c->fd, &uid, &pid);
	if (r == 0 && uid != config_get()->uid) {
		snprintf(text, IPC_TEXT_LEN,
			"the engine's name @%s is taken by process %d of user %u",
			name.sun_path + 1, (int)pid, (unsigned)uid);
		r = -ENETDOWN;
	} else if (r == 0) {
		r = greet(c, s, text);
		if (r == 0)
			r = attach_all(c->fd, s, text);
	} else if (r != -ECONNREFUSED) {
		snprintf(text, IPC_TEXT_LEN, "cannot talk to the engine: connect: %s",
			strerrordesc_np(-r));
		r = -ENETDOWN;
	}
	if (r < 0) {
		raw_close(c->fd);
		lend_unmap(c->pool);
	}
	return r;
}

static int start(const struct settings *s, char text[static IPC_TEXT_LEN])
{
	struct launch launch;

	config_launch(&launch, s->iface);
	return -spawn_engine(launch.path, launch.env, text);
}

static bool is_absent(int r)
{
	return r == -ECONNREFUSED || r == -ECONNRESET;
}

static int meet_or_start(
	struct channel *c, const struct settings *s, char text[static IPC_TEXT_LEN])
{
	int r = meet(c, s, text);

	for (int i = 0; i < STARTS_MAX && is_absent(r); i++) {
		r = start(s, text);
		if (r < 0)
			return r;
		r = meet(c, s, text);
		for (int nap = 0; nap < NAPS_AFTER_START && r == -ECONNREFUSED; nap++) {
			raw_poll(NULL, 1);
			r = meet(c, s, text);
		}
	}
	if (is_absent(r)) {
		snprintf(text, IPC_TEXT_LEN, "the engine was started %d times and left each time",
			STARTS_MAX);
		r = -ENETDOWN;
	}
	return r;
}

int engine_get(bool may_start, struct engine_link *out)
{
	struct settings s = config_get()->settings;
	char text[IPC_TEXT_LEN] = "";
	struct channel c = {.fd = -1};
	int cancel;

	if (channel_get(out))
		return 0;
	int r = settings_resolve(&s, text);
	if (r == 0) {
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
		r = may_start ? meet_or_start(&c, &s, text) : meet(&c, &s, text);
		pthread_setcancelstate(cancel, &cancel);
	}
	if (may_start && text[0])
		tell(text); /* why not, or a note about how */
	if (r < 0)
		return r;
	*out = c.link;
	channel_keep(&c);
	return 0;
}

/* `any`: over the channel of the process we were forked from as well. */
static ssize_t send_option(bool any, int instance, const struct ipc_setopt *m)
{
	struct channel c;

	channel_read(&c);
	if (c.link.instance != instance || !(any ? is_open(&c) : is_ours(&c)))
		return -ENOTCONN;
	ssize_t n = raw_send(c.fd, m, sizeof *m);
	if (n < 0 && n != -EAGAIN)
		channel_lose(c.cookie);
	return n;
}

/* sendmsg by the bare system call: it must be neither ours nor a cancellation point. */
static ssize_t pass(const void *data, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {(void *)data, len};
	struct msghdr m = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control};
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);
	struct channel c;

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(head), &fd, sizeof fd);
	channel_read(&c);
	if (!is_ours(&c))
		return -ENOTCONN;
	int n = raw_result(syscall(SYS_sendmsg, c.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL));
	if (n == -ETOOMANYREFS)
		return -EAGAIN;
	if (n < 0 && n != -EAGAIN)
		channel_lose(c.cookie);
	return n;
}

int engine_pass(const void *data, size_t len, int fd)
{
	struct engine_link link;

	for (int tries = 0; tries < 10000; tries++) {
		int r = engine_get(true, &link);
		if (r < 0)
			return r;
		ssize_t n = pass(data, len, fd);
		if (n == (ssize_t)len)
			return 0;
		if (n == -EAGAIN)
			raw_poll(NULL, 1);
	}
	return -ENETDOWN;
}

int engine_set_option(int instance, uint64_t cookie, enum ipc_option o, int64_t value)
{
	struct ipc_setopt m = {.h = ipc_header(IPC_SETOPT, sizeof m),
		.cookie = cookie,
		.option = o,
		.value = value};
	struct engine_link link;
	bool any = false;

	/* A queue full of options is not a state that lasts: the engine reads them first. */
	for (int tries = 0; tries < 1000; tries++) {
		ssize_t n = send_option(any, instance, &m);
		if (n == sizeof m)
			return 0;
		if (n == -EAGAIN)
			raw_poll(NULL, 1);
		else if (any)
			return -ENETDOWN;
		else
			any = engine_get(false, &link) < 0 || link.instance != instance;
	}
	return -ENETDOWN;
}
