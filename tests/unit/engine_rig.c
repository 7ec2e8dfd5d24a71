#include "tests/unit/engine_rig.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "core/engine/dgram.h"

#define MAC(n) ((struct macaddr){{2, 0, 0, 0, 0, (n)}})
#define HOST(n) ipaddr_v4(0x0a000000 + (n))

enum { ENGINE = 2, PEER = 9, PEER_PORT = 80, TURNS_MAX = 200000 };

struct frame {
	struct list link;
	size_t len;
	uint16_t gso_size;
	uint8_t data[];
};

static int put_on(struct list *wire, const struct tx_frame *f)
{
	size_t head = tx_frame_head_len(f);
	struct frame *copy = malloc(sizeof(*copy) + head + tx_frame_payload_len(f));

	copy->len = head;
	copy->gso_size = f->gso_size;
	memcpy(copy->data, f->head + f->head_at, head);
	for (unsigned i = 0; i < f->npayload; i++) {
		memcpy(copy->data + copy->len, f->payload[i].iov_base, f->payload[i].iov_len);
		copy->len += f->payload[i].iov_len;
	}
	list_append(wire, &copy->link);
	return 0;
}

static int emit_engine(void *ctx, const struct tx_frame *f, nsec now)
{
	struct engine_rig *r = CONTAINER_OF(ctx, struct engine_rig, e);
	const uint8_t *tcp = f->head + TX_HEAD_ROOM - f->l4_from_end;

	if (f->l4_from_end >= 20 && (tcp[13] & 4))
		r->resets++;
	return put_on(&r->to_peer, f);
}

static int emit_peer(void *ctx, const struct tx_frame *f, nsec now)
{
	struct engine_rig *r = ctx;

	return put_on(&r->to_engine, f);
}

static bool carry(struct engine_rig *r, struct list *wire, struct stack *to)
{
	struct list *first = list_first(wire);
	struct frame *f;

	if (!first)
		return false;
	list_remove(first);
	f = LIST_ENTRY(first, struct frame, link);
	struct rx_frame rx = {
		.data = f->data,
		.len = f->len,
		.gso_size = f->gso_size,
		.csum = FRAME_CSUM_VERIFIED,
		.arrival = r->e.now,
	};
	if (!r->cut)
		stack_input(to, &rx, r->e.now);
	free(f);
	return true;
}

static struct stack *make_stack(uint8_t n, const struct stack_ops *ops, void *ctx, nsec now)
{
	struct stack_config config = {.mac = MAC(n), .mtu = 1500, .gso_max = 60000, .secret = {n}};
	struct ipnet address = {HOST(n), 120};
	struct stack *s = stack_new(&config, ops, ctx, now);

	assert_non_null(s);
	stack_claim(s, &address, PROBE_NONE, now);
	return s;
}

/* The data name, as startup.c makes it. */
static int data_listener(struct engine *e)
{
	struct sockaddr_un name;
	socklen_t len = ipc_name(&name, &e->settings, e->uid, e->instance);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&name, len), 0);
	assert_int_equal(listen(fd, 1024), 0);
	return fd;
}

struct engine_rig *engine_rig_new(void)
{
	static const struct stack_ops engine_ops = {
		.emit = emit_engine,
		.deliver = pump_deliver,
		.deliver_dgram = dgram_hand_over,
	};
	static const struct stack_ops peer_ops = {.emit = emit_peer};
	struct engine_rig *r = calloc(1, sizeof(*r));
	struct settings settings = {.iface = "rig", .ip_spec = "10.0.0.2/24", .idle_s = 30};
	static unsigned count;
	char instance[IPC_INSTANCE_LEN + 1];

	engine_init(&r->e, &settings);
	list_init(&r->to_engine);
	list_init(&r->to_peer);
	snprintf(instance, sizeof(instance), "%08x%08x", (unsigned)getpid(), count++);
	memcpy(r->e.instance, instance, IPC_INSTANCE_LEN);
	r->e.now = 1000 * SEC;
	r->e.fd_limit = 4096;
	assert_int_equal(loop_open(&r->e), 0);
	assert_int_equal(table_open(&r->e, 4096), 0);
	r->e.data = (struct source){data_listener(&r->e), SOURCE_ACCEPT, sock_accept_ready};
	assert_int_equal(loop_add(&r->e, &r->e.data, EPOLLIN), 0);
	r->e.stack = make_stack(ENGINE, &engine_ops, &r->e, r->e.now);
	r->peer = make_stack(PEER, &peer_ops, r, r->e.now);
	engine_turns(r, 0);
	return r;
}

void engine_rig_free(struct engine_rig *r)
{
	struct stack *s = r->e.stack;

	engine_stop(&r->e);
	stack_free(s);
	stack_free(r->peer);
	r->cut = true;
	while (carry(r, &r->to_peer, NULL) || carry(r, &r->to_engine, NULL))
		;
	free(r);
}

static bool one_turn(struct engine_rig *r)
{
	struct epoll_event events[64];
	pump_catch_up_all(&r->e); /* as before a sleep */
	int n = epoll_wait(r->e.epoll, events, 64, 0);
	bool moved = n > 0 || !list_empty(&r->e.due);

	loop_turn(&r->e, events, n);
	while (carry(r, &r->to_peer, r->peer))
		moved = true;
	stack_poll(r->peer, r->e.now);
	while (carry(r, &r->to_engine, r->e.stack))
		moved = true;
	return moved;
}

void engine_turns(struct engine_rig *r, nsec later)
{
	for (int i = 0; one_turn(r); i++)
		assert_true(i < TURNS_MAX);
	if (later) {
		r->e.now += later;
		engine_turns(r, 0);
	}
}

struct tcp *peer_listen(struct engine_rig *r, uint16_t port)
{
	struct tcp *t = tcp_new(r->peer, NULL);

	assert_int_equal(tcp_bind(t, &(struct endpoint){HOST(PEER), port}), 0);
	assert_int_equal(tcp_listen(t, 4096, r->e.now), 0);
	return t;
}

size_t peer_write(struct engine_rig *r, struct tcp *t, const void *data, size_t len)
{
	struct iovec room[2];
	size_t done = 0;
	int n = tcp_send_room(t, len, room);

	for (int i = 0; i < n; i++) {
		size_t part = MIN(len - done, room[i].iov_len);

		memcpy(room[i].iov_base, (const char *)data + done, part);
		done += part;
	}
	tcp_send_commit(t, done, r->e.now);
	return done;
}

size_t peer_read(struct engine_rig *r, struct tcp *t, void *data, size_t len)
{
	struct iovec have[2];
	size_t done = 0;
	int n = tcp_recv_peek(t, have);

	for (int i = 0; i < n; i++) {
		size_t part = MIN(len - done, have[i].iov_len);

		memcpy((char *)data + done, have[i].iov_base, part);
		done += part;
	}
	tcp_recv_consume(t, done, r->e.now);
	return done;
}

static void connect_and_pass(const struct engine *e, int channel)
{
	struct sockaddr_un name;
	socklen_t len = ipc_name(&name, &e->settings, e->uid, e->instance);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&name, len) < 0)
		_exit(1);
	_exit(ipc_send_fd(channel, "x", 1, fd, 0) != 1);
}

int program_socket(struct engine_rig *r)
{
	int channel[2], fd = -1, status = -1;
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, channel), 0);
	pid_t child = fork();
	if (child == 0)
		connect_and_pass(&r->e, channel[1]);
	assert_int_equal(ipc_recv_fd(channel[0], &byte, 1, &fd, 0), 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_true(fd >= 0);
	close(channel[0]);
	close(channel[1]);
	return fd;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len), 0);
	return cookie;
}

static struct {
	uint32_t set;
	int64_t value[IPC_OPT_COUNT];
} next_options;

void program_option(int fd, enum ipc_option option, int64_t value)
{
	next_options.set |= 1u << option;
	next_options.value[option] = value;
}

void program_request(int fd, enum ipc_op op, uint16_t port)
{
	uint8_t padded[IPC_REQUEST_LEN] = {0};
	int lowered = 1, usual = 106496;
	struct ipc_request q = {
		.h = ipc_header(op, sizeof(q)),
		.cookie = cookie_of(fd),
		.family = AF_INET,
		.addr = {op == IPC_CONNECT ? HOST(PEER) : ipaddr_v4(0), port},
		.backlog = 128,
		.option_set = next_options.set,
	};

	memcpy(q.option, next_options.value, sizeof(q.option));
	next_options.set = 0;
	memcpy(padded, &q, sizeof(q));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &usual, sizeof(usual));
	assert_int_equal(send(fd, padded, sizeof(padded), MSG_NOSIGNAL), sizeof(padded));
	assert_int_equal(send(fd, "r", 1, MSG_NOSIGNAL), 1);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &lowered, sizeof(lowered));
}

int program_reply(int fd)
{
	struct ipc_reply reply;

	assert_int_equal(recv(fd, &reply, sizeof(reply), MSG_DONTWAIT), sizeof(reply));
	assert_true(ipc_check(&reply, sizeof(reply), IPC_REPLY, sizeof(reply)));
	return reply.error;
}

int program_accept(int listener, struct ipc_accepted *got)
{
	int fd = -1;
	ssize_t n = ipc_recv_fd(listener, got, sizeof(*got), &fd, MSG_DONTWAIT);

	if (n == -EAGAIN)
		return -1;
	assert_int_equal(n, sizeof(*got));
	assert_true(ipc_check(got, sizeof(*got), IPC_ACCEPTED, sizeof(*got)));
	assert_int_equal(cookie_of(fd), got->cookie);
	return fd;
}

int program_poll(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

	assert_true(poll(&p, 1, 0) >= 0);
	return p.revents;
}

struct ipc_sock_info program_table(struct engine_rig *r, int fd)
{
	struct ipc_sock_info info;

	assert_true(ipc_table_get(r->e.table, cookie_of(fd), &info));
	return info;
}

int program_connected(struct engine_rig *r, struct tcp **t)
{
	struct tcp *listener = peer_listen(r, PEER_PORT);
	int fd = program_socket(r), usual = 106496;

	program_request(fd, IPC_CONNECT, PEER_PORT);
	engine_turns(r, 0);
	*t = tcp_accept(listener);
	assert_non_null(*t);
	assert_int_equal(program_poll(fd), POLLOUT);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &usual, sizeof(usual));
	tcp_close(listener, r->e.now);
	return fd;
}
