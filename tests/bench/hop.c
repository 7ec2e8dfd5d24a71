/*
 * What the AF_UNIX hop costs by itself: a relay that puts it in front of the kernel's own TCP and
 * UDP. A program's socket is one end of an AF_UNIX connection, as it is under libteecee; the other
 * end is here, and what it carries goes to a socket of the kernel's instead of a stack of ours. So
 * its ratio to the kernel is the floor of the design: what that comes to with a stack as fast as
 * the kernel's.
 *
 *	hop out            for programs that connect (hop_preload.c); hop.h has how they say whereto
 *	hop in PORT PATH   for a server that listens on an AF_UNIX path: connections to PORT go there
 *
 * It runs until it is ended. One thread, one buffer that stays in the cache, and as few system
 * calls as will do: a descriptor is watched once, for edges, and read until there is nothing more.
 * An edge makes an end readable, a read that finds nothing or leaves nothing makes it not so;
 * whoever stops while it is readable asks for the edge again, which would not come by itself. A
 * direction is read only while nothing of it is held, and what the other end does not take is held
 * until that is writable: so bytes wait in the kernel's buffers, as they do without the hop.
 * Datagrams that find the program's socket full are lost, as the kernel loses them. Like the
 * engine it looks for a while before it sleeps, and offers the CPU between two looks.
 *
 * A pair is closed when both directions have ended, or when one end fails: the program then sees an
 * end where TCP would have told it why. It is freed after the turn, whose later events may name it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/hop.h"

/*
 * Towards the program, and from the network. The kernel doubles both: the first lies between what
 * the engine gives a socket that was full (2 MiB) and one that was full again (8).
 */
enum { PROGRAM_SNDBUF = 2 << 20, DATAGRAM_RCVBUF = 4 << 20 };

/* A read of less than LARGE has left nothing. After TURN_MAX bytes it is another direction's turn. */
enum { BUFFER = 256 << 10, LARGE = 64 << 10, TURN_MAX = 1 << 20 };

/* Datagrams per system call and calls per turn, and the largest that passes. */
enum { BATCH = 64, BATCHES = 4, DATAGRAM_MAX = 2048 };

enum { EVENTS = 64, BACKLOG = 4096 };

#define LOOKS_FOR UINT64_C(50000) /* nanoseconds, as the engine does (TEECEE_BUSY_POLL) */

/* A socket, and what is on its way from it to the other one of its pair. */
struct end {
	int fd;            /* -1: not yet there */
	struct pair *pair; /* NULL: it listens */
	bool datagrams;
	bool connecting;
	bool readable;
	bool hung_up;  /* the peer sends no more: read on until the end, no edge will tell of it */
	bool ended;    /* the end has been read */
	uint8_t *held; /* BUFFER bytes, once they were needed */
	size_t held_from, held_to;
};

struct pair {
	struct end end[2]; /* the one that was accepted, the one that was dialled */
	bool closed;
	struct pair *next; /* also closed, not yet freed */
};

static int epoll;
static struct sockaddr_un server; /* AF_UNSPEC: the program says whereto */
static struct pair *closed_pairs;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "hop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* With EPOLL_CTL_MOD: what is there already is an edge once more. */
static void watch(struct end *e, int op)
{
	uint32_t events = e->pair ? EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET : EPOLLIN;
	struct epoll_event v = {.events = events, .data.ptr = e};

	if (epoll_ctl(epoll, op, e->fd, &v) < 0)
		die("epoll_ctl");
}

/* --- pairs --- */

static struct end *other(struct end *e)
{
	return &e->pair->end[e == &e->pair->end[0]];
}

static struct end *new_pair(int fd, bool datagrams)
{
	struct pair *p = calloc(1, sizeof *p);

	if (!p)
		die("calloc");
	for (int i = 0; i < 2; i++)
		p->end[i] = (struct end){.fd = i == 0 ? fd : -1, .pair = p, .datagrams = datagrams};
	return &p->end[0];
}

static void close_pair(struct pair *p)
{
	if (p->closed)
		return;
	for (int i = 0; i < 2; i++)
		if (p->end[i].fd >= 0)
			close(p->end[i].fd);
	p->closed = true;
	p->next = closed_pairs;
	closed_pairs = p;
}

static void free_closed(void)
{
	while (closed_pairs) {
		struct pair *p = closed_pairs;
		closed_pairs = p->next;
		free(p->end[0].held);
		free(p->end[1].held);
		free(p);
	}
}

/* --- bytes --- */

/* How many the socket took, 0 when it is full; -1: it is broken. */
static ssize_t put(int fd, const uint8_t *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n < 0 && errno == EAGAIN ? 0 : n;
}

static void hold(struct end *from, const uint8_t *data, size_t len)
{
	if (!from->held && !(from->held = malloc(BUFFER)))
		die("malloc");
	memcpy(from->held, data, len);
	from->held_from = 0;
	from->held_to = len;
}

/* True: nothing is held, so more can be read. */
static bool put_held(struct end *from)
{
	struct end *to = other(from);

	if (from->pair->closed || to->connecting)
		return false;
	while (from->held_from < from->held_to) {
		size_t len = from->held_to - from->held_from;
		ssize_t n = put(to->fd, from->held + from->held_from, len);
		if (n < 0)
			close_pair(from->pair);
		if (n <= 0)
			return false;
		from->held_from += (size_t)n;
	}
	return true;
}

static void end_of(struct end *from)
{
	from->ended = true;
	if (other(from)->ended || shutdown(other(from)->fd, SHUT_WR) < 0)
		close_pair(from->pair);
}

/* One read, and how many bytes it brought. */
static size_t pass_bytes(struct end *from)
{
	static uint8_t buffer[BUFFER];
	ssize_t n = recv(from->fd, buffer, sizeof buffer, MSG_DONTWAIT);

	if (n < LARGE && (n <= 0 || !from->hung_up))
		from->readable = false;
	if (n == 0)
		end_of(from);
	else if (n < 0 && errno != EAGAIN)
		close_pair(from->pair);
	if (n <= 0)
		return 0;
	ssize_t taken = put(other(from)->fd, buffer, (size_t)n);
	if (taken < 0)
		close_pair(from->pair);
	else if (taken < n)
		hold(from, buffer + taken, (size_t)(n - taken));
	return (size_t)n;
}

static void move_bytes(struct end *from)
{
	size_t moved = 0;

	while (put_held(from) && from->readable) {
		if (moved >= TURN_MAX) {
			watch(from, EPOLL_CTL_MOD);
			return;
		}
		moved += pass_bytes(from);
	}
}

/* --- datagrams --- */

/*
 * One batch. A message without bytes is the program's end; one that is too large for us ends the
 * pair too, rather than arrive cut.
 */
static void pass_datagrams(struct end *from)
{
	static uint8_t data[BATCH][DATAGRAM_MAX];
	struct iovec v[BATCH];
	struct mmsghdr m[BATCH];
	int good = 0;

	for (int i = 0; i < BATCH; i++) {
		v[i] = (struct iovec){data[i], DATAGRAM_MAX};
		m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
	}
	int n = recvmmsg(from->fd, m, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && errno == ECONNREFUSED) /* what an earlier one met; there may be more to read */
		return;
	if (n < BATCH)
		from->readable = false;
	if (n < 0 && errno != EAGAIN)
		close_pair(from->pair);
	for (; good < n && m[good].msg_len > 0 && !(m[good].msg_hdr.msg_flags & MSG_TRUNC); good++)
		v[good].iov_len = m[good].msg_len;
	if (good > 0) /* what the other end has no room for is lost */
		sendmmsg(other(from)->fd, m, (unsigned)good, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (good < n)
		close_pair(from->pair);
}

static void move_datagrams(struct end *from)
{
	for (int i = 0; i < BATCHES && from->readable && !from->pair->closed; i++)
		pass_datagrams(from);
	if (from->readable && !from->pair->closed)
		watch(from, EPOLL_CTL_MOD);
}

/* --- sockets --- */

static void widen(int fd, int force, int within_limits, int size)
{
	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) < 0 &&
		setsockopt(fd, SOL_SOCKET, within_limits, &size, sizeof size) < 0)
		die("buffer size");
}

static void set_up(int fd, int family, bool datagrams)
{
	if (family == AF_UNIX && !datagrams)
		widen(fd, SO_SNDBUFFORCE, SO_SNDBUF, PROGRAM_SNDBUF);
	if (family == AF_INET && datagrams)
		widen(fd, SO_RCVBUFFORCE, SO_RCVBUF, DATAGRAM_RCVBUF);
	if (family == AF_INET && !datagrams &&
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) < 0)
		die("TCP_NODELAY");
}

static void dial(struct end *e, const struct sockaddr *to, socklen_t len)
{
	int type = e->datagrams ? SOCK_DGRAM : SOCK_STREAM;

	e->fd = socket(to->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (e->fd < 0)
		die("socket");
	set_up(e->fd, to->sa_family, e->datagrams);
	e->connecting = connect(e->fd, to, len) < 0;
	if (e->connecting && errno != EINPROGRESS)
		close_pair(e->pair);
	else
		watch(e, EPOLL_CTL_ADD);
}

/* Reads whereto, and dials there; if the program has not said it yet, an edge will come. */
static void dial_as_told(struct end *program)
{
	struct sockaddr_in to;
	ssize_t n = recv(program->fd, &to, sizeof to, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n == sizeof to && to.sin_family == AF_INET)
		dial(other(program), (struct sockaddr *)&to, sizeof to);
	else
		close_pair(program->pair);
}

static void accept_one(const struct end *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
		return;
	if (fd < 0)
		die("accept");
	struct end *e = new_pair(fd, listener->datagrams);
	bool out = server.sun_family == AF_UNSPEC;
	set_up(fd, out ? AF_UNIX : AF_INET, e->datagrams);
	watch(e, EPOLL_CTL_ADD);
	if (out)
		dial_as_told(e);
	else
		dial(other(e), (struct sockaddr *)&server, sizeof server);
}

static void listen_at(int type, const struct sockaddr *at, socklen_t len)
{
	struct end *listener = calloc(1, sizeof *listener); /* stays for good */
	int fd = socket(at->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (!listener || fd < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
		bind(fd, at, len) < 0 || listen(fd, BACKLOG) < 0)
		die("listen");
	*listener = (struct end){.fd = fd, .datagrams = type == SOCK_SEQPACKET};
	watch(listener, EPOLL_CTL_ADD);
}

static void listen_to_programs(int type)
{
	struct sockaddr_un at = hop_address(type);

	listen_at(type, (struct sockaddr *)&at, sizeof at);
}

static void listen_for_server(uint16_t port, const char *path)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};

	server.sun_family = AF_UNIX;
	strcpy(server.sun_path, path);
	listen_at(SOCK_STREAM, (struct sockaddr *)&at, sizeof at);
}

/* --- events --- */

static void move(struct end *from)
{
	if (from->datagrams)
		move_datagrams(from);
	else
		move_bytes(from);
}

static void serve(struct end *e, uint32_t events)
{
	if (!e->pair) {
		accept_one(e);
		return;
	}
	if (!e->pair->closed && other(e)->fd < 0)
		dial_as_told(e);
	if (e->pair->closed || other(e)->fd < 0)
		return;
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		e->connecting = false;
	if (events & ~(uint32_t)EPOLLOUT) {
		e->hung_up |= (events & (EPOLLRDHUP | EPOLLHUP)) != 0;
		e->readable = !e->ended;
		move(e);
	}
	if (events & EPOLLOUT)
		move(other(e));
}

/* Looks for a while, then sleeps. */
static int wait_for_events(struct epoll_event *events)
{
	uint64_t until = now_ns() + LOOKS_FOR;
	int n;

	while ((n = epoll_wait(epoll, events, EVENTS, 0)) == 0 && now_ns() < until)
		sched_yield();
	return n == 0 ? epoll_wait(epoll, events, EVENTS, -1) : n;
}

static _Noreturn void relay(void)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = wait_for_events(events);
		if (n < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < n; i++)
			serve(events[i].data.ptr, events[i].events);
		free_closed();
	}
}

int main(int argc, char **argv)
{
	bool out = argc == 2 && strcmp(argv[1], "out") == 0;
	bool in = argc == 4 && strcmp(argv[1], "in") == 0;

	if (!(out || in) || (in && strlen(argv[3]) >= sizeof server.sun_path)) {
		fprintf(stderr, "usage: hop out | hop in PORT PATH\n");
		return 2;
	}
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0)
		die("epoll");
	if (in) {
		listen_for_server((uint16_t)atoi(argv[2]), argv[3]);
	} else {
		listen_to_programs(SOCK_STREAM);
		listen_to_programs(SOCK_SEQPACKET);
	}
	relay();
}
