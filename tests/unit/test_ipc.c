/* Messages, names, options (compared with the kernel's own) and the table with a concurrent writer. */
#include <errno.h>
#include <poll.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/base/bytes.h"
#include "core/ipc/dgram.h"
#include "core/ipc/proto.h"
#include "core/ipc/table.h"

static void a_message_is_known_by_magic_version_kind_and_length(void **state)
{
	struct ipc_setopt m = {.h = ipc_header(IPC_SETOPT, sizeof m)};

	assert_true(ipc_check(&m, sizeof m, IPC_SETOPT, sizeof m));
	assert_true(ipc_check(&m, sizeof m + 100, IPC_SETOPT, sizeof m));
	assert_false(ipc_check(&m, sizeof m - 1, IPC_SETOPT, sizeof m));
	assert_false(ipc_check(&m, sizeof m, IPC_HELLO, sizeof m));
	m.h.version++;
	assert_false(ipc_check(&m, sizeof m, IPC_SETOPT, sizeof m));
	m.h = ipc_header(IPC_SETOPT, sizeof m - 8);
	assert_false(ipc_check(&m, sizeof m, IPC_SETOPT, sizeof m));
	m.h = ipc_header(IPC_SETOPT, sizeof m);
	m.h.magic ^= 1;
	assert_false(ipc_check(&m, sizeof m, IPC_SETOPT, sizeof m));
}

static void a_request_fits_its_fixed_length(void **state)
{
	assert_true(sizeof(struct ipc_request) <= IPC_REQUEST_LEN);
}

static void names_carry_user_interface_address_and_instance(void **state)
{
	struct settings s = {.iface = "va", .ip_spec = "10.0.0.9/24"};
	struct sockaddr_un un;
	socklen_t len = ipc_name(&un, &s, 1000, NULL);

	assert_int_equal(un.sun_path[0], 0);
	assert_string_equal(un.sun_path + 1, "teecee/1000/va/10.0.0.9/24");
	assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(un.sun_path + 1));
	/* The instance is not a C string. */
	len = ipc_name(&un, &s, 0, "0123456789abcdefGARBAGE");
	assert_string_equal(un.sun_path + 1, "teecee/0/va/10.0.0.9/24/0123456789abcdef");
	assert_int_equal(len, offsetof(struct sockaddr_un, sun_path) + 1 + strlen(un.sun_path + 1));
}

static void the_longest_name_fits(void **state)
{
	struct settings s;
	struct sockaddr_un un;

	memset(s.iface, 'i', sizeof s.iface);
	memset(s.ip_spec, 's', sizeof s.ip_spec);
	s.iface[sizeof s.iface - 1] = s.ip_spec[sizeof s.ip_spec - 1] = '\0';
	assert_in_range(ipc_name(&un, &s, UINT_MAX, "0123456789abcdef"), 90, sizeof un);
}

static void an_fd_travels_with_its_message(void **state)
{
	int pair[2], pipe_fds[2], got;
	char byte;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(ipc_send_fd(pair[0], "hello", 5, pipe_fds[1], 0), 5);
	char text[8];
	assert_int_equal(ipc_recv_fd(pair[1], text, sizeof text, &got, 0), 5);
	assert_true(got >= 0);
	assert_int_equal(write(got, "x", 1), 1);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(ipc_send_fd(pair[0], "bye", 3, -1, 0), 3);
	close(got);
	assert_int_equal(ipc_recv_fd(pair[1], text, sizeof text, &got, 0), 3);
	assert_int_equal(got, -1);
	assert_int_equal(ipc_recv_fd(pair[1], text, sizeof text, &got, MSG_DONTWAIT), -EAGAIN);
	close(pair[1]);
	assert_int_equal(ipc_send_fd(pair[0], "bye", 3, -1, 0), -EPIPE); /* and no SIGPIPE */
	close(pair[0]);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* A pipe's reading end says end of file when the last writing end is closed. */
static bool has_writers(int reader)
{
	struct pollfd p = {.fd = reader};

	return poll(&p, 1, 0) == 0;
}

static void two_fds_travel_and_one_too_many_is_closed(void **state)
{
	int pair[2], ends[2], got[2];
	char text[8];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(ipc_send_fds(pair[0], "two", 3, ends, 2, 0), 3);
	assert_int_equal(ipc_recv_fds(pair[1], text, sizeof text, got, 2, 0), 3);
	assert_int_equal(write(got[1], "x", 1), 1);
	assert_int_equal(read(got[0], text, sizeof text), 1);
	close(got[0]);
	close(got[1]);

	assert_int_equal(ipc_send_fds(pair[0], "two", 3, (int[]){ends[0], ends[1]}, 2, 0), 3);
	close(ends[1]);
	assert_true(has_writers(ends[0]));
	assert_int_equal(ipc_recv_fd(pair[1], text, sizeof text, &got[0], 0), 3);
	assert_true(got[0] >= 0);
	assert_false(has_writers(ends[0]));
	close(got[0]);
	assert_int_equal(ipc_recv_fds(pair[1], text, sizeof text, got, 2, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(got[0], -1);
	assert_int_equal(got[1], -1);
	close(ends[0]);
	close(pair[0]);
	close(pair[1]);
}

static void several_messages_are_received_at_once(void **state)
{
	struct ipc_incoming in[IPC_INCOMING_MAX];
	char text[IPC_INCOMING_MAX][8];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	for (int i = 0; i < IPC_INCOMING_MAX; i++)
		in[i] = (struct ipc_incoming){.data = text[i], .room = sizeof text[i]};
	assert_int_equal(ipc_recv_all(pair[1], in, IPC_INCOMING_MAX, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(ipc_send_fd(pair[0], "one", 3, -1, 0), 3);
	assert_int_equal(ipc_send_fd(pair[0], "second", 6, pair[0], 0), 6);
	assert_int_equal(ipc_recv_all(pair[1], in, IPC_INCOMING_MAX, MSG_DONTWAIT), 2);
	assert_int_equal(in[0].len, 3);
	assert_int_equal(in[0].fd, -1);
	assert_memory_equal(text[0], "one", 3);
	assert_int_equal(in[1].len, 6);
	assert_true(in[1].fd >= 0);
	assert_memory_equal(text[1], "second", 6);
	close(in[1].fd);
	close(pair[0]);
	assert_true(ipc_recv_all(pair[1], in, IPC_INCOMING_MAX, MSG_DONTWAIT) > 0);
	assert_int_equal(in[0].len, 0);
	close(pair[1]);
}

static void the_peer_of_a_socketpair_is_this_process(void **state)
{
	int pair[2];
	uid_t uid;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(ipc_peer(pair[0], &uid, &pid), 0);
	assert_int_equal(uid, geteuid());
	assert_int_equal(pid, getpid());
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(ipc_peer(pair[0], &uid, &pid), -EBADF);
}

static void initial_values_are_the_kernels(void **state)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0)
		skip(); /* a kernel without IPv6 */
	for (int o = 0; o < IPC_OPT_PLAIN; o++) {
		const struct ipc_option_info *info = &ipc_option_info[o];
		unsigned char theirs[16], ours[16];
		socklen_t len = o == IPC_OPT_LINGER ? sizeof(struct linger) : sizeof(int);
		assert_int_equal(getsockopt(fd, info->level, info->optname, theirs, &len), 0);
		assert_int_equal(
			ipc_option_encode((enum ipc_option)o, info->initial, ours, sizeof ours),
			len);
		if (memcmp(ours, theirs, len) != 0)
			fail_msg("%s: ours %d, the kernel's %d", info->name, *(int *)ours,
				*(int *)theirs);
	}
	close(fd);
}

/* Sets `v` here and in the kernel; both must agree on errno and on the value read back. */
static void compare_option(int fd, enum ipc_option o, int v)
{
	const struct ipc_option_info *info = &ipc_option_info[o];
	int64_t ours = 0;
	int theirs = 0;
	socklen_t len = sizeof theirs;
	int r = ipc_option_decode(o, &v, sizeof v, &ours);
	int kernel = setsockopt(fd, info->level, info->optname, &v, sizeof v) < 0 ? -errno : 0;

	if (r != kernel)
		fail_msg("%s = %d: ours %d, the kernel's %d", info->name, v, r, kernel);
	if (r == 0 && getsockopt(fd, info->level, info->optname, &theirs, &len) == 0 &&
		theirs != ours)
		fail_msg("%s = %d: ours %d, the kernel's %d", info->name, v, (int)ours, theirs);
}

static void values_are_checked_and_rounded_as_the_kernel_does(void **state)
{
	static const int values[] = {INT_MIN, -2, -1, 0, 1, 2, 3, 4, 5, 8, 60, 64, 87, 88, 100, 119,
		120, 121, 126, 127, 128, 252, 255, 256, 1000, 4096, 20000, 32767, 32768, 100000};
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0)
		skip();
	for (int o = 0; o < IPC_OPT_PLAIN; o++) {
		bool is_buffer = o == IPC_OPT_SNDBUF || o == IPC_OPT_RCVBUF;
		for (size_t i = 0; i < ARRAY_LEN(values); i++) {
			/* A negative size means the sysctl's maximum there; MAXSEG shows 536 until connected. */
			if ((is_buffer && values[i] < 0) || o == IPC_OPT_LINGER ||
				(o == IPC_OPT_MAXSEG && values[i] == 0))
				continue;
			/* Delayed acknowledgements come back by themselves. */
			if (o != IPC_OPT_QUICKACK)
				compare_option(fd, (enum ipc_option)o, values[i]);
		}
	}
	close(fd);
}

static void short_values_are_refused_but_for_a_byte_at_ip_level(void **state)
{
	unsigned char byte = 0x10;
	int64_t v;

	assert_int_equal(ipc_option_decode(IPC_OPT_NODELAY, &byte, 1, &v), -EINVAL);
	assert_int_equal(ipc_option_decode(IPC_OPT_TOS, &byte, 1, &v), 0);
	assert_int_equal(v, 0x10);
	assert_int_equal(ipc_option_decode(IPC_OPT_TOS, &byte, 0, &v), -EINVAL);
	assert_int_equal(ipc_option_decode(IPC_OPT_LINGER, &byte, 1, &v), -EINVAL);
	assert_int_equal(ipc_option_encode(IPC_OPT_TTL, 64, &byte, 1), 1);
	assert_int_equal(byte, 64);
}

static void linger_survives_both_ways(void **state)
{
	struct linger l = {.l_onoff = 1, .l_linger = 7};
	int64_t v;

	assert_int_equal(ipc_option_decode(IPC_OPT_LINGER, &l, sizeof l, &v), 0);
	assert_int_equal(v, 7);
	memset(&l, 0xee, sizeof l);
	assert_int_equal(ipc_option_encode(IPC_OPT_LINGER, v, &l, sizeof l), sizeof l);
	assert_true(l.l_onoff == 1 && l.l_linger == 7);
	l.l_onoff = 0;
	assert_int_equal(ipc_option_decode(IPC_OPT_LINGER, &l, sizeof l, &v), 0);
	assert_int_equal(v, -1);
}

static void options_are_found_by_level_and_name(void **state)
{
	for (int o = 0; o < IPC_OPT_PLAIN; o++)
		assert_int_equal(
			ipc_option_find(ipc_option_info[o].level, ipc_option_info[o].optname), o);
	assert_int_equal(ipc_option_find(SOL_SOCKET, SO_RCVTIMEO), -1);
	assert_int_equal(ipc_option_find(IPPROTO_IPV6, IPV6_TCLASS), IPC_OPT_TOS);
	assert_int_equal(ipc_option_find(IPPROTO_IPV6, IPV6_UNICAST_HOPS), IPC_OPT_TTL);
}

enum { NSETS = 4 };

static struct ipc_table *new_table(void)
{
	struct ipc_table *t = mmap(NULL, ipc_table_size(NSETS), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(t, MAP_FAILED);
	t->magic = IPC_MAGIC;
	t->version = IPC_VERSION;
	t->nsets = NSETS;
	t->slot_size = sizeof(struct ipc_slot);
	return t;
}

static void a_table_is_valid_only_when_whole(void **state)
{
	struct ipc_table *t = new_table();
	size_t size = ipc_table_size(NSETS);

	assert_true(ipc_table_valid(t, size));
	assert_false(ipc_table_valid(t, size - 1));
	assert_false(ipc_table_valid(t, 8));
	t->nsets = 3;
	assert_false(ipc_table_valid(t, size));
	t->nsets = 0;
	assert_false(ipc_table_valid(t, size));
	t->nsets = NSETS;
	t->slot_size++;
	assert_false(ipc_table_valid(t, size));
	munmap(t, size);
}

static struct ipc_sock_info first_info; /* main sets it */

static int file_of(size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* Writer and reader see each other's words; a reader that maps again finds another engine's. */
static void the_cork_words_are_behind_the_table(void **state)
{
	int table = file_of(ipc_table_size(NSETS)), corks = file_of(ipc_corks_size(NSETS));
	int others = file_of(ipc_corks_size(NSETS));
	struct ipc_table *w = ipc_table_map(NULL, table, corks, NSETS, true);
	struct ipc_table *r = ipc_table_map(NULL, table, corks, NSETS, false);
	const struct ipc_slot *slot;

	assert_non_null(w);
	assert_non_null(r);
	w->nsets = NSETS;
	assert_non_null(ipc_table_claim(w, 5, &first_info));
	slot = ipc_table_claim(w, 6, &first_info);
	ipc_cork_claim(ipc_table_cork(w, slot), 6, 0);
	slot = ipc_table_find(r, 6);
	assert_non_null(slot);
	assert_int_equal(ipc_cork_put(ipc_table_cork(r, slot), 6, IPC_CORK_ON, true), IPC_CORK_PUT);
	assert_true(ipc_cork_get(ipc_table_cork(w, ipc_table_find(w, 6)), 6) & IPC_CORK_ON);
	assert_ptr_equal(ipc_table_map(r, table, others, NSETS, false), r);
	assert_int_equal(ipc_cork_get(ipc_table_cork(r, slot), 6), 0);
	assert_null(ipc_table_map(NULL, -1, corks, NSETS, false));
	assert_int_equal(errno, EBADF);
	ipc_table_unmap(r, NSETS);
	ipc_table_unmap(w, NSETS);
	close(table);
	close(corks);
	close(others);
}

static void a_claimed_slot_is_found_with_initial_options(void **state)
{
	struct ipc_table *t = new_table();
	struct ipc_sock_info info;

	assert_false(ipc_table_get(t, 77, &info));
	struct ipc_slot *slot = ipc_table_claim(t, 77, &first_info);
	assert_ptr_equal(ipc_table_find(t, 77), slot);
	assert_true(ipc_table_get(t, 77, &info));
	assert_int_equal(info.cookie, 77);
	assert_int_equal(info.option[IPC_OPT_KEEPIDLE], 7200);
	assert_int_equal(info.family, AF_INET6); /* at once: a reader may be faster than the next write */
	ipc_slot_begin(slot)->error = ETIMEDOUT;
	ipc_slot_end(slot);
	assert_true(ipc_table_get(t, 77, &info));
	assert_int_equal(info.error, ETIMEDOUT);
	munmap(t, ipc_table_size(NSETS));
}

static void the_oldest_dead_slot_makes_place_and_a_live_one_never(void **state)
{
	struct ipc_table *t = new_table();
	struct ipc_slot *slot[IPC_TABLE_WAYS];

	for (int i = 0; i < IPC_TABLE_WAYS; i++)
		assert_non_null(slot[i] = ipc_table_claim(t, (uint64_t)(NSETS * (i + 10)), &first_info));
	assert_null(ipc_table_claim(t, NSETS * 100, &first_info));
	assert_non_null(ipc_table_claim(t, NSETS * 100 + 1, &first_info)); /* another set */
	ipc_slot_begin(slot[5])->use = IPC_SLOT_DEAD;
	ipc_slot_end(slot[5]);
	ipc_slot_begin(slot[3])->use = IPC_SLOT_DEAD;
	ipc_slot_end(slot[3]);
	struct ipc_sock_info info;
	assert_true(ipc_table_get(t, NSETS * 13, &info)); /* dead but still asked for */
	assert_int_equal(info.use, IPC_SLOT_DEAD);
	assert_ptr_equal(ipc_table_claim(t, NSETS * 100, &first_info), slot[3]);
	assert_false(ipc_table_get(t, NSETS * 13, &info));
	ipc_slot_begin(slot[0])->use = IPC_SLOT_FREE;
	ipc_slot_end(slot[0]);
	assert_ptr_equal(ipc_table_claim(t, NSETS * 101, &first_info), slot[0]); /* free before dead */
	munmap(t, ipc_table_size(NSETS));
}

/* A child writes `unsent` and the last byte of tcp_info alike; a reader must never see them differ. */
static void a_reader_never_sees_half_a_write(void **state)
{
	struct ipc_table *t = new_table();
	struct ipc_slot *slot = ipc_table_claim(t, 5, &first_info);
	struct ipc_sock_info info;
	int changes = 0;
	uint64_t last = 0;
	pid_t writer = fork();

	if (writer == 0) {
		for (uint64_t v = 1;; v++) {
			struct ipc_sock_info *w = ipc_slot_begin(slot);
			w->unsent = v;
			memset(w->tcp_info, (int)(v & 0xff), sizeof w->tcp_info);
			ipc_slot_end(slot);
		}
	}
	/* On one busy core the two take turns: until enough was seen, at most 10 s. */
	for (time_t end = time(NULL) + 10; changes < 200 && time(NULL) < end;) {
		if (!ipc_table_get(t, 5, &info))
			continue;
		assert_int_equal(info.tcp_info[0], info.unsent & 0xff);
		assert_int_equal(info.tcp_info[IPC_TCP_INFO_LEN - 1], info.unsent & 0xff);
		changes += info.unsent != last;
		last = info.unsent;
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	assert_true(changes > 1);
	munmap(t, ipc_table_size(NSETS));
}

/* The writer loses the processor in the middle, as on a busy machine, for longer than a reader looks on awake. */
static void a_writer_that_is_held_up_is_waited_for(void **state)
{
	struct ipc_table *t = new_table();
	struct ipc_slot *slot = ipc_table_claim(t, 5, &first_info);
	struct ipc_sock_info info;

	atomic_store(&t->alive, (uint32_t)getpid());
	ipc_slot_begin(slot)->error = EPIPE;
	pid_t writer = fork();
	if (writer == 0) {
		poll(NULL, 0, 100);
		ipc_slot_end(slot);
		_exit(0);
	}
	errno = ENOENT;
	assert_true(ipc_table_get(t, 5, &info));
	assert_int_equal(info.error, EPIPE);
	assert_int_equal(errno, ENOENT);
	waitpid(writer, NULL, 0);
	munmap(t, ipc_table_size(NSETS));
}

static void a_writer_that_died_in_the_middle_does_not_hang_the_reader(void **state)
{
	struct ipc_table *t = new_table();
	struct ipc_sock_info info;

	ipc_slot_begin(ipc_table_claim(t, 5, &first_info));
	assert_false(ipc_table_get(t, 5, &info));
	munmap(t, ipc_table_size(NSETS));
}

int main(void)
{
	first_info = ipc_sock_initial(AF_INET6, IPC_KIND_TCP);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_is_known_by_magic_version_kind_and_length),
		cmocka_unit_test(a_request_fits_its_fixed_length),
		cmocka_unit_test(names_carry_user_interface_address_and_instance),
		cmocka_unit_test(the_longest_name_fits),
		cmocka_unit_test(an_fd_travels_with_its_message),
		cmocka_unit_test(two_fds_travel_and_one_too_many_is_closed),
		cmocka_unit_test(several_messages_are_received_at_once),
		cmocka_unit_test(the_peer_of_a_socketpair_is_this_process),
		cmocka_unit_test(initial_values_are_the_kernels),
		cmocka_unit_test(values_are_checked_and_rounded_as_the_kernel_does),
		cmocka_unit_test(short_values_are_refused_but_for_a_byte_at_ip_level),
		cmocka_unit_test(linger_survives_both_ways),
		cmocka_unit_test(options_are_found_by_level_and_name),
		cmocka_unit_test(a_table_is_valid_only_when_whole),
		cmocka_unit_test(the_cork_words_are_behind_the_table),
		cmocka_unit_test(a_claimed_slot_is_found_with_initial_options),
		cmocka_unit_test(the_oldest_dead_slot_makes_place_and_a_live_one_never),
		cmocka_unit_test(a_reader_never_sees_half_a_write),
		cmocka_unit_test(a_writer_that_is_held_up_is_waited_for),
		cmocka_unit_test(a_writer_that_died_in_the_middle_does_not_hang_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
